/* A journal file that a dead process left. First byte even: the rest is the file as it stands on the disk.
 * Odd: the rest is records (each a length and its bytes) as the journal frames them, of which one byte may be
 * damaged: those before the damage are read. */
#include "fuzz.h"
#include "fuzz_dir.h"
#include "lib/buf.h"
#include "lib/crc32c.h"
#include "lib/journal.h"
#include "lib/journal_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct expected {
    struct buf file;
    size_t records, whole_until; /* records written; the damage's place */
    size_t seen, at;
    bool framed;
};

static void put_u32(uint8_t *p, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(n >> 8 * i);
}

static void frame(struct expected *e, const uint8_t *data, size_t size)
{
    size_t damage = size >= 2 ? (size_t)(data[0] << 8 | data[1]) : 0;

    buf_add(&e->file, JOURNAL_MAGIC, JOURNAL_MAGIC_BYTES);
    for (size_t at = 2; at < size && data[at] > 0 && data[at] < size - at; at += 1u + data[at]) {
        uint8_t head[JOURNAL_HEADER_BYTES];
        put_u32(head, data[at]);
        put_u32(head + 4, crc32c(crc32c(0, head, 4), data + at + 1, data[at]));
        buf_add(&e->file, head, sizeof(head));
        buf_add(&e->file, data + at + 1, data[at]);
        e->records++;
    }
    e->whole_until = e->file.len;
    if (damage > 0 && damage < e->file.len) {
        e->file.data[damage] = (char)~e->file.data[damage];
        e->whole_until = damage;
    }
    e->at = JOURNAL_MAGIC_BYTES;
    e->framed = true;
}

static int take(struct journal *dead, void *arg)
{
    struct expected *e = arg;
    struct journal_record r;
    uint64_t last = 0;

    while (journal_next(dead, &r)) {
        holds(r.len > 0 && r.position > last);
        last = r.position;
        e->seen++;
        e->at += JOURNAL_HEADER_BYTES + r.len;
        holds(!e->framed ||
              (e->at <= e->whole_until && memcmp(e->file.data + e->at - r.len, r.data, r.len) == 0));
    }
    return 0;
}

static void write_file(const char *path, const struct buf *b)
{
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    holds(fd >= 0 && write(fd, b->data, b->len) == (ssize_t)b->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct expected e = {0};

    if (size < 1)
        return 0;
    auto_free char *dir = xasprintf("%s/dead", fuzz_dir()), *path = xasprintf("%s/0000000001.journal", dir),
                   *lock = xasprintf("%s/lock", dir);
    holds(mkdir(dir, 0700) == 0);
    if (data[0] & 1)
        frame(&e, data + 1, size - 1);
    else
        buf_add(&e.file, data + 1, size - 1);
    buf_add_str(&e.file, "");
    write_file(path, &e.file);
    write_file(lock, &(struct buf){0});
    holds(journal_adopt(fuzz_dir_now(), take, &e) == 0);
    if (e.framed && e.whole_until == e.file.len)
        holds(e.seen == e.records);
    buf_deinit(&e.file);
    return 0;
}
