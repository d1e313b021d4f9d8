/* The slots file: one header page, then the slots. Its name, its inode, the boot id and a checksum stand in
 * the header, so that only the very file that the dead process was writing counts. */
#include "lib/slots.h"
#include "lib/crc32c.h"
#include "lib/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define MAGIC           "smsslot2"
#define HEADER_BYTES    4096
#define GATEWAY_SIZE    64
#define BOOT_ID_SIZE    40
#define SLOTS_COUNT_MAX (1u << 20)
#define STALE_NEW_S     60

struct header {
    char magic[8];
    uint32_t slot_bytes, count;
    int64_t epoch;
    uint64_t device, inode; /* a copy has another */
    char boot_id[BOOT_ID_SIZE];
    char gateway[GATEWAY_SIZE];
    uint32_t crc; /* of all before it */
};
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header has one page");

struct slots {
    int fd;
    char *path;
    struct header *header;
    struct slot *slots;
    size_t map_bytes;
    uint32_t next; /* where the search for a free slot goes on */
};

static size_t file_bytes(uint32_t count)
{
    return HEADER_BYTES + (size_t)count * sizeof(struct slot);
}

static int read_boot_id(char out[BOOT_ID_SIZE])
{
    auto_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    memset(out, 0, BOOT_ID_SIZE);
    ssize_t n = read(fd, out, BOOT_ID_SIZE - 1);
    if (n < 0)
        return -errno;
    return n >= 36 ? 0 : -EIO;
}

/* Closing the descriptor unlocks the file. */
static void slots_free_memory(struct slots *s)
{
    if (!s)
        return;
    if (s->header)
        munmap(s->header, s->map_bytes);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s);
}

static void slots_free_pointed(struct slots **s)
{
    slots_free_memory(*s);
}
#define auto_slots cleanup_with(slots_free_pointed) struct slots *

static int map_file(struct slots *s, uint32_t count)
{
    s->map_bytes = file_bytes(count);
    void *at = mmap(NULL, s->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    s->header = at;
    s->slots = (struct slot *)(void *)((char *)at + HEADER_BYTES);
    return 0;
}

static int random_epoch(int64_t *ret)
{
    uint64_t bits = 0;
    while (bits == 0) {
        if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
            return -errno;
        bits >>= 2; /* positive, and below 2^62 */
    }
    *ret = (int64_t)bits;
    return 0;
}

static int write_header(struct slots *s, const char *gateway, uint32_t count, int64_t epoch)
{
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return -errno;
    struct header *h = s->header;
    memcpy(h->magic, MAGIC, sizeof(h->magic));
    h->slot_bytes = sizeof(struct slot);
    h->count = count;
    h->epoch = epoch;
    h->device = st.st_dev;
    h->inode = st.st_ino;
    snprintf(h->gateway, sizeof(h->gateway), "%s", gateway);
    int r = read_boot_id(h->boot_id);
    if (r < 0)
        return r;
    h->crc = crc32c(0, h, offsetof(struct header, crc));
    return 0;
}

/* Made and locked under another name first: nobody may find it whole but not yet locked. */
static int make_file(struct slots *s, const char *new_path, const char *gateway, uint32_t count,
                     int64_t epoch)
{
    s->fd = open(new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0)
        return -errno;
    if (flock(s->fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    int r = posix_fallocate(s->fd, 0,
                            (off_t)file_bytes(count)); /* a full disk says so here, not by SIGBUS later */
    if (r != 0)
        return -r;
    r = map_file(s, count);
    if (r < 0)
        return r;
    r = write_header(s, gateway, count, epoch);
    if (r < 0)
        return r;
    return rename(new_path, s->path) < 0 ? -errno : 0;
}

int slots_create(const char *dir, const char *gateway, uint32_t count, struct slots **ret)
{
    if (strlen(gateway) >= GATEWAY_SIZE)
        return -ENAMETOOLONG;
    if (count == 0 || count > SLOTS_COUNT_MAX)
        return -EINVAL;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return -errno;
    int64_t epoch = 0;
    int r = random_epoch(&epoch);
    if (r < 0)
        return r;
    auto_slots s = xcalloc(1, sizeof(*s));
    s->fd = -1;
    s->path = xasprintf("%s/%lld.slots", dir, (long long)epoch);
    auto_free char *new_path = xasprintf("%s.new", s->path);
    r = make_file(s, new_path, gateway, count, epoch);
    if (r < 0) {
        unlink(new_path);
        return r;
    }
    *ret = s;
    s = NULL;
    return 0;
}

void slots_close(struct slots *s)
{
    if (!s)
        return;
    bool all_free = true;
    for (uint32_t i = 0; i < s->header->count && all_free; i++)
        all_free = atomic_load(&s->slots[i].state) == SLOT_FREE;
    if (all_free)
        unlink(s->path);
    slots_free_memory(s);
}

int64_t slots_epoch(const struct slots *s)
{
    return s->header->epoch;
}

const char *slots_gateway(const struct slots *s)
{
    return s->header->gateway;
}

uint32_t slots_count(const struct slots *s)
{
    return s->header->count;
}

struct slot *slots_at(struct slots *s, uint32_t i)
{
    return i < s->header->count ? &s->slots[i] : NULL;
}

/* ---- the life of one slot. Whatever the instant of the kill, `state` never says more than what is stored.
 * ---- */

static uint32_t identity_crc(const struct slot *slot)
{
    struct {
        int64_t sms_id, segment, parts, number, claimed_at;
    } identity = {slot->sms_id, slot->segment, slot->parts, slot->number, slot->claimed_at};
    return crc32c(0, &identity, sizeof(identity));
}

struct slot *slot_take(struct slots *s, int64_t sms_id, int segment, int parts, int64_t number,
                       int64_t now_ms)
{
    uint32_t count = s->header->count;
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = &s->slots[s->next];
        s->next = s->next + 1 < count ? s->next + 1 : 0;
        if (atomic_load(&slot->state) != SLOT_FREE)
            continue;
        atomic_thread_fence(
            memory_order_seq_cst); /* nothing of the new life is stored while the old one counts */
        slot->answer = 0;
        slot->sms_id = sms_id;
        slot->segment = segment;
        slot->parts = parts;
        slot->attempt = 0;
        slot->number = number;
        slot->claimed_at = now_ms;
        slot->answered_at = 0;
        slot->msg_id[0] = slot->reason[0] = '\0';
        slot->crc = identity_crc(slot);
        atomic_store(&slot->state, SLOT_CLAIMED);
        return slot;
    }
    return NULL;
}

void slot_set_attempt(struct slot *slot, int attempt)
{
    slot->attempt = attempt;
    atomic_thread_fence(memory_order_seq_cst); /* before the mark, and so before the first byte */
}

void slot_mark(struct slot *slot)
{
    atomic_store(&slot->state, SLOT_MARKED);
}

static void copy_cut(char *to, size_t size, const char *from)
{
    size_t len = from ? strlen(from) : 0;
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)from[len] & 0xC0) == 0x80)
            len--; /* not in the middle of a character */
    }
    if (len > 0)
        memcpy(to, from, len);
    to[len] = '\0';
}

void slot_answer(struct slot *slot, enum slot_answer answer, const char *msg_id, const char *reason,
                 int64_t now_ms)
{
    size_t len = msg_id ? strlen(msg_id) : 0;
    bool whole = len < SLOT_MSG_ID_SIZE;
    if (answer == SLOT_ANSWER_ACCEPTED && (len == 0 || !whole))
        answer = SLOT_ANSWER_IN_DOUBT; /* an id that cannot be told again whole would name another message */
    copy_cut(slot->msg_id, sizeof(slot->msg_id), whole ? msg_id : NULL);
    copy_cut(slot->reason, sizeof(slot->reason), reason);
    slot->answer = answer;
    slot->answered_at = now_ms;
    atomic_store(&slot->state, SLOT_ANSWERED);
}

void slot_free(struct slot *slot)
{
    atomic_store(&slot->state, SLOT_FREE);
}

enum slot_verdict slots_verdict(const struct slot *slot)
{
    uint32_t state = atomic_load(&slot->state);
    bool marked = state == SLOT_MARKED || state == SLOT_ANSWERED;
    if ((!marked && state != SLOT_CLAIMED) || slot->crc != identity_crc(slot))
        return SLOT_PROVES_NOTHING;
    if (state == SLOT_CLAIMED)
        return SLOT_RELEASE;
    if (state == SLOT_MARKED)
        return SLOT_DOUBT;
    if (slot->answer < SLOT_ANSWER_ACCEPTED || slot->answer > SLOT_ANSWER_IN_DOUBT ||
        !memchr(slot->msg_id, '\0', sizeof(slot->msg_id)) ||
        !memchr(slot->reason, '\0', sizeof(slot->reason)))
        return SLOT_DOUBT;
    return SLOT_REPUBLISH;
}

/* ---- recovery ---- */

/* What keeps the locked file from proving anything; NULL: it is what it says. */
static const char *header_wrong(const struct slots *s, const struct header *h, const struct stat *st,
                                const char *name)
{
    char boot_id[BOOT_ID_SIZE], right_name[40];
    if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
        return "no slots file";
    if (h->crc != crc32c(0, h, offsetof(struct header, crc)))
        return "checksum";
    if (h->slot_bytes != sizeof(struct slot) || h->count == 0 || h->count > SLOTS_COUNT_MAX ||
        (size_t)st->st_size != file_bytes(h->count))
        return "size";
    snprintf(right_name, sizeof(right_name), "%lld.slots", (long long)h->epoch);
    if (strcmp(name, right_name) != 0)
        return "name";
    if (h->device != (uint64_t)st->st_dev || h->inode != (uint64_t)st->st_ino)
        return "copied";
    if (read_boot_id(boot_id) < 0 || memcmp(boot_id, h->boot_id, sizeof(boot_id)) != 0)
        return "other boot";
    return NULL;
}

/* The path may have been deleted or renamed by its last owner while we waited for its lock. */
static bool still_there(const struct slots *s, const struct stat *st)
{
    struct stat now;
    return lstat(s->path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

static void set_aside(const struct slots *s, const char *why)
{
    auto_free char *aside = xasprintf("%s.unproven", s->path);
    int r = rename(s->path, aside) < 0 ? -errno : 0;
    if (r < 0)
        log_error("slots file proves nothing and cannot be renamed", L_STR("file", s->path),
                  L_STR("why", why), L_ERRNO(r));
    else
        log_warn("slots file proves nothing: its claims are left to the sweep", L_STR("file", aside),
                 L_STR("why", why));
}

/* Then it is not even locked: the dispatcher that it is meant for may be looking for it at this moment, and
 * would take it for one that lives. */
static bool is_of_another(int fd, const char *gateway)
{
    struct header h;
    return pread(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
           memcmp(h.magic, MAGIC, sizeof(h.magic)) == 0 &&
           h.crc == crc32c(0, &h, offsetof(struct header, crc)) &&
           strncmp(h.gateway, gateway, sizeof(h.gateway)) != 0;
}

/* 0: *ret is a dead dispatcher's file, locked by us; SLOTS_NONE: not this one. */
static int recover_one(const char *dir, const char *name, const char *gateway, struct slots **ret)
{
    auto_slots s = xcalloc(1, sizeof(*s));
    s->path = xasprintf("%s/%s", dir, name);
    s->fd = open(s->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (s->fd < 0 && errno == ELOOP) {
        set_aside(s, "symbolic link");
        return SLOTS_NONE;
    }
    if (s->fd < 0)
        return errno == ENOENT ? SLOTS_NONE : -errno;
    if (gateway && is_of_another(s->fd, gateway))
        return SLOTS_NONE;
    if (flock(s->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? SLOTS_NONE : -errno; /* its dispatcher lives */
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return -errno;
    if (!still_there(s, &st))
        return SLOTS_NONE;

    struct header h = {0};
    ssize_t n = pread(s->fd, &h, sizeof(h), 0);
    if (n < 0)
        return -errno;
    const char *wrong = (size_t)n < sizeof(h) ? "size" : header_wrong(s, &h, &st, name);
    if (wrong) {
        set_aside(s, wrong);
        return SLOTS_NONE;
    }
    if (gateway && strcmp(gateway, h.gateway) != 0)
        return SLOTS_NONE;
    int r = map_file(s, h.count);
    if (r < 0)
        return r;
    *ret = s;
    s = NULL;
    return 0;
}

/* One that was never finished: its maker died between open and rename. */
static void drop_unfinished(const char *dir, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
        time(NULL) - st.st_mtime > STALE_NEW_S)
        unlink(path);
}

static bool ends_with(const char *s, const char *end)
{
    size_t len = strlen(s), end_len = strlen(end);
    return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

int slots_recover_next(const char *dir, const char *gateway, struct slots **ret)
{
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? SLOTS_NONE : -errno;
    int r = SLOTS_NONE, broken = SLOTS_NONE;
    for (struct dirent *e; r != 0 && (e = readdir(d));) {
        if (ends_with(e->d_name, ".slots.new"))
            drop_unfinished(dir, e->d_name);
        else if (ends_with(e->d_name, ".slots"))
            r = recover_one(dir, e->d_name, gateway, ret);
        if (r < 0)
            broken = r; /* one file that cannot be opened does not keep the others from being recovered */
    }
    closedir(d);
    return r == 0 ? 0 : broken;
}

void slots_recovered(struct slots *s)
{
    if (s && unlink(s->path) < 0 && errno != ENOENT)
        log_error("recovered slots file cannot be deleted", L_STR("file", s->path), L_ERRNO(-errno));
    slots_free_memory(s);
}
