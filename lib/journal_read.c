/* Reading the journal back, deleting what is confirmed, and taking over a dead process's directory. */
#include "lib/journal_files.h"

#include "lib/crc32c.h"
#include "lib/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define WINDOW_BYTES      (64u << 10)
#define FOREIGN_MAX_BYTES JOURNAL_QUEUE_MAX_BYTES /* of a record another configuration may have written */
#define TAKE_TRIES        50

void journal_file_name(uint32_t number, char out[32])
{
    snprintf(out, 32, "%010u.journal", number);
}

struct journal_file *journal_add_file(struct journal *j, uint32_t number, uint64_t bytes, bool closed)
{
    struct journal_file *f = xcalloc(1, sizeof(*f));
    f->number = number;
    f->bytes = bytes;
    f->closed = closed;
    if (j->newest)
        j->newest->next = f;
    else
        j->files = f;
    j->newest = f;
    return f;
}

/* ---- deleting ---- */

/* A damaged file is evidence and may hold records: it is kept, beside the directory. */
static void delete_file(struct journal *j, const struct journal_file *f)
{
    char name[32];
    journal_file_name(f->number, name);
    if (!f->damaged) {
        if (unlinkat(j->dir_fd, name, 0) < 0 && errno != ENOENT)
            log_error("journal file cannot be deleted", L_STR("dir", j->dir), L_STR("file", name),
                      L_ERRNO(-errno));
        return;
    }
    auto_free char *aside = xasprintf("%s.%s.damaged", j->dir, name);
    if (renameat(j->dir_fd, name, AT_FDCWD, aside) < 0)
        log_error("damaged journal file cannot be moved aside", L_STR("dir", j->dir), L_STR("file", name),
                  L_ERRNO(-errno));
}

void journal_drop_drained(struct journal *j)
{
    for (;;) {
        pthread_mutex_lock(&j->lock);
        struct journal_file **at = &j->files, *before = NULL;
        while (*at && !((*at)->drained && (*at)->last <= j->confirmed)) {
            before = *at;
            at = &before->next;
        }
        struct journal_file *f = *at;
        if (f) {
            *at = f->next;
            if (j->newest == f)
                j->newest = before;
            j->backlog_bytes -= (int64_t)f->bytes;
        }
        pthread_mutex_unlock(&j->lock);
        if (!f)
            return;
        delete_file(j, f); /* not under the lock: nobody who appends waits for it */
        free(f);
    }
}

void journal_confirm(struct journal *j, uint64_t position)
{
    pthread_mutex_lock(&j->lock);
    j->confirmed = MAX_OF(j->confirmed, position);
    pthread_mutex_unlock(&j->lock);
    journal_drop_drained(j);
}

int64_t journal_backlog_bytes(const struct journal *j)
{
    return j->backlog_bytes;
}

/* ---- reading ---- */

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void close_reading(struct journal *j)
{
    if (j->reading >= 0)
        close(j->reading);
    j->reading = -1;
    buf_clear(&j->window);
}

static int open_reading(struct journal *j, uint32_t number)
{
    if (j->reading >= 0 && j->reading_number == number)
        return 0;
    close_reading(j);
    char name[32];
    journal_file_name(number, name);
    j->reading = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (j->reading < 0)
        return -errno;
    j->reading_number = number;
    j->read_at = j->window_at = 0;
    return 0;
}

/* `len` bytes at `at`, all below `end`. *ret stays valid until the next call. */
static int bytes_at(struct journal *j, uint64_t at, size_t len, uint64_t end, const unsigned char **ret)
{
    struct buf *w = &j->window;
    if (at < j->window_at || at + len > j->window_at + w->len) {
        size_t want = (size_t)MIN_OF((uint64_t)MAX_OF(len, (size_t)WINDOW_BYTES), end - at);
        auto_free char *fresh = xmalloc(want);
        size_t got = 0;
        while (got < want) {
            ssize_t n = pread(j->reading, fresh + got, want - got, (off_t)(at + got));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return n < 0 ? -errno : -EIO; /* shorter than it was: somebody else's hand */
            got += (size_t)n;
        }
        buf_clear(w);
        buf_add(w, fresh, want);
        j->window_at = at;
    }
    *ret = (const unsigned char *)w->data + (at - j->window_at);
    return 0;
}

enum { READ_RECORD = 1, READ_END, READ_DAMAGED };

/* Zeroes up to the end are what a crash of the machine leaves of a write that was never synced. */
static int rest_is_zero(struct journal *j, uint64_t at, uint64_t end)
{
    while (at < end) {
        const unsigned char *p;
        size_t len = (size_t)MIN_OF(end - at, (uint64_t)4096);
        int r = bytes_at(j, at, len, end, &p);
        if (r < 0)
            return r;
        for (size_t i = 0; i < len; i++) {
            if (p[i] != 0)
                return READ_DAMAGED;
        }
        at += len;
    }
    return READ_END;
}

/* The record at read_at. A tail that is too short is what a crash leaves: READ_END. */
static int read_record(struct journal *j, uint64_t end, struct journal_record *ret)
{
    const unsigned char *p;
    int r;
    if (j->read_at == 0) {
        if (end < JOURNAL_MAGIC_BYTES)
            return READ_END;
        r = bytes_at(j, 0, JOURNAL_MAGIC_BYTES, end, &p);
        if (r < 0)
            return r;
        if (memcmp(p, JOURNAL_MAGIC, JOURNAL_MAGIC_BYTES) != 0)
            return rest_is_zero(j, 0, end);
        j->read_at = JOURNAL_MAGIC_BYTES;
    }
    uint64_t left = end - j->read_at;
    if (left < JOURNAL_HEADER_BYTES)
        return READ_END;
    r = bytes_at(j, j->read_at, JOURNAL_HEADER_BYTES, end, &p);
    if (r < 0)
        return r;
    uint32_t len = get_u32(p), crc = get_u32(p + 4);
    if (len == 0)
        return rest_is_zero(j, j->read_at, end);
    if (len > FOREIGN_MAX_BYTES)
        return READ_DAMAGED;
    if (len > left - JOURNAL_HEADER_BYTES)
        return READ_END;
    r = bytes_at(j, j->read_at, JOURNAL_HEADER_BYTES + (size_t)len, end, &p);
    if (r < 0)
        return r;
    if (crc32c(crc32c(0, p, 4), p + JOURNAL_HEADER_BYTES, len) != crc)
        return READ_DAMAGED;
    j->read_at += JOURNAL_HEADER_BYTES + len;
    *ret = (struct journal_record){.position = (uint64_t)j->reading_number << 32 | j->read_at,
                                   .data = p + JOURNAL_HEADER_BYTES,
                                   .len = len};
    return READ_RECORD;
}

/* The oldest file that is not read to its end, as it stands now. False: none. */
static bool file_to_read(struct journal *j, struct journal_file *ret)
{
    pthread_mutex_lock(&j->lock);
    const struct journal_file *f = j->files;
    while (f && f->drained)
        f = f->next;
    if (f)
        *ret = *f;
    pthread_mutex_unlock(&j->lock);
    return f != NULL;
}

static void note_read(struct journal *j, uint32_t number, uint64_t position, bool drained, bool damaged)
{
    pthread_mutex_lock(&j->lock);
    for (struct journal_file *f = j->files; f; f = f->next) {
        if (f->number != number)
            continue;
        f->last = MAX_OF(f->last, position);
        f->damaged |= damaged;
        f->drained |= drained;
    }
    pthread_mutex_unlock(&j->lock);
}

bool journal_next(struct journal *j, struct journal_record *ret)
{
    struct journal_file f;
    while (file_to_read(j, &f)) {
        int r = f.bytes == 0 ? READ_END : open_reading(j, f.number);
        if (r == 0)
            r = read_record(j, f.bytes, ret);
        if (r == READ_RECORD) {
            note_read(j, f.number, ret->position, false, false);
            return true;
        }
        if (r < 0) {
            log_error("journal cannot be read", L_STR("dir", j->dir), L_INT("file", f.number), L_ERRNO(r));
            return false;
        }
        if (r == READ_DAMAGED) {
            log_error("journal file is damaged: what follows is not read and the file is kept",
                      L_STR("dir", j->dir), L_INT("file", f.number), L_INT("at", j->read_at));
            journal_rotate(j); /* if it is the one being written */
        } else if (!f.closed) {
            return false;
        }
        close_reading(j);
        note_read(j, f.number, 0, true, r == READ_DAMAGED);
        journal_drop_drained(j);
    }
    return false;
}

/* ---- directories ---- */

static int make_dirs(const char *dir)
{
    auto_free char *path = xstrdup(dir);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* The name of a new directory is durable only after a sync of the one that holds it. */
static int sync_parent(int dir_fd)
{
    auto_fd int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* One try. JOURNAL_TAKEN: somebody holds the lock, or deleted the directory under us just now. */
static int try_lock(struct journal *j, bool make)
{
    int r = make ? make_dirs(j->dir) : 0;
    if (r < 0)
        return r;
    j->dir_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (j->dir_fd < 0)
        return errno == ENOENT || (!make && errno == ENOTDIR) ? JOURNAL_TAKEN : -errno;
    j->lock_fd = openat(j->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->lock_fd < 0)
        return errno == ENOENT ? JOURNAL_TAKEN : -errno;
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? JOURNAL_TAKEN : -errno;
    struct stat st;
    if (fstat(j->lock_fd, &st) < 0)
        return -errno;
    if (st.st_nlink == 0)
        return JOURNAL_TAKEN;
    return make ? sync_parent(j->dir_fd) : 0;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Every file that is there, oldest first. */
static int find_files(struct journal *j)
{
    DIR *d = opendir(j->dir);
    if (!d)
        return -errno;
    auto_buf numbers = {0};
    for (struct dirent *e; (e = readdir(d));) {
        unsigned number;
        char name[32];
        if (sscanf(e->d_name, "%10u.journal", &number) != 1)
            continue;
        journal_file_name(number, name);
        if (strcmp(name, e->d_name) == 0)
            buf_add(&numbers, &(uint32_t){number}, sizeof(uint32_t));
    }
    closedir(d);
    size_t count = numbers.len / sizeof(uint32_t);
    uint32_t *sorted = (uint32_t *)(void *)numbers.data;
    if (count > 0)
        qsort(sorted, count, sizeof(*sorted), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        char name[32];
        journal_file_name(sorted[i], name);
        if (fstatat(j->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        journal_add_file(j, sorted[i], (uint64_t)st.st_size, true);
        j->backlog_bytes += st.st_size;
        j->next_number = sorted[i] + 1;
    }
    return 0;
}

static void journal_free_memory(struct journal *j)
{
    close_reading(j);
    while (j->files) {
        struct journal_file *next = j->files->next;
        free(j->files);
        j->files = next;
    }
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    if (j->dir_fd >= 0)
        close(j->dir_fd);
    buf_deinit(&j->batch);
    buf_deinit(&j->window);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->work);
    pthread_cond_destroy(&j->written);
    free(j->dir);
    free(j);
}

static struct journal *journal_new(const char *dir)
{
    struct journal *j = xcalloc(1, sizeof(*j));
    j->dir = xstrdup(dir);
    size_t len = strlen(dir);
    while (len > 1 && j->dir[len - 1] == '/')
        j->dir[--len] = '\0';
    j->dir_fd = j->lock_fd = j->writing = j->reading = -1;
    j->next_number = 1;
    j->last_entry = &j->first_entry;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->work, NULL);
    pthread_cond_init(&j->written, NULL);
    return j;
}

int journal_take_dir(const char *dir, bool make, struct journal **ret)
{
    int r = JOURNAL_TAKEN;
    /* An adopter looks into a directory for an instant only: a maker waits for that. */
    for (int i = 0; r == JOURNAL_TAKEN && i < (make ? TAKE_TRIES : 1); i++) {
        if (i > 0)
            usleep(10000);
        struct journal *j = journal_new(dir);
        r = try_lock(j, make);
        if (r == 0)
            r = find_files(j);
        if (r == 0)
            *ret = j;
        else
            journal_free_memory(j);
    }
    return r;
}

void journal_leave_dir(struct journal *j)
{
    /* A file that was read and confirmed to its last record, but not known to be at its end, is found so now.
     */
    struct journal_record none;
    if (j->files && j->confirmed > 0 && j->confirmed >= j->newest->last && !journal_next(j, &none))
        journal_drop_drained(j);
    if (!j->files) {
        unlinkat(j->dir_fd, "lock", 0);
        if (rmdir(j->dir) < 0 && errno != ENOTEMPTY)
            log_error("journal directory cannot be deleted", L_STR("dir", j->dir), L_ERRNO(-errno));
    }
    journal_free_memory(j);
}

int journal_adopt(const char *parent, int (*take)(struct journal *dead, void *arg), void *arg)
{
    DIR *d = opendir(parent);
    if (!d)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
            continue;
        auto_free char *dir = xasprintf("%s/%s", parent, e->d_name);
        struct journal *j = NULL;
        int r = journal_take_dir(dir, false, &j);
        if (r < 0)
            log_error("journal directory cannot be adopted", L_STR("dir", dir), L_ERRNO(r));
        if (r != 0)
            continue;
        if (j->files)
            log_info("journal of a dead process is adopted", L_STR("dir", dir),
                     L_INT("bytes", j->backlog_bytes));
        if (!j->files || take(j, arg) == 0)
            journal_confirm(j, UINT64_MAX);
        journal_leave_dir(j);
    }
    closedir(d);
    return 0;
}
