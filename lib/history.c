/* The memory of which database this was, and how far it had come: one small file a service, replaced as a
 * whole. It is written before the check says "the same", so that a restart knows at least as much as was
 * relied on. */
#include "lib/history.h"
#include "lib/clock.h"
#include "lib/log.h"

#include "history_read.sql.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define FORMAT_LINE "smschain-history 1\n"

struct remembered {
    uint64_t system;
    int64_t database, timeline, position, generation, accepted_at_ms;
};

struct history {
    char *dir, *file, *temporary;
    bool known;   /* last holds what the file says */
    bool damaged; /* there is a file that cannot be read */
    struct remembered last;
    char *lost_file; /* a loss that the numbers do not show for ever: told here until it is accepted */
    int64_t lost_generation; /* > 0: lost at that generation, for lost_why */
    char lost_why[300];
    struct log_trouble lost, write_trouble;
    char why[400];
};

struct history *history_new(const char *state_dir, const char *service)
{
    struct history *h = xcalloc(1, sizeof(*h));

    h->dir = xstrdup(state_dir);
    h->file = xasprintf("%s/history-%s", state_dir, service);
    h->lost_file = xasprintf("%s.lost", h->file);
    /* By process: two of a service on one machine must not write into each other's. */
    h->temporary = xasprintf("%s.%d.new", h->file, (int)getpid());
    return h;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    free(h->dir);
    free(h->file);
    free(h->lost_file);
    free(h->temporary);
    free(h);
}

/* ---- the file ---- */

/* 0; -ENOENT: there is none; -EBADMSG: it says nothing that can be read. */
static int read_file(const char *path, struct remembered *ret)
{
    char text[512];
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    int end = 0;

    if (fd < 0)
        return -errno;
    n = read(fd, text, sizeof(text) - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    int got =
        sscanf(text,
               FORMAT_LINE "system %" SCNu64 "\ndatabase %" SCNd64 "\ntimeline %" SCNd64 "\nposition %" SCNd64
                           "\ngeneration %" SCNd64 "\naccepted %" SCNd64 "\nend%n",
               &ret->system, &ret->database, &ret->timeline, &ret->position, &ret->generation,
               &ret->accepted_at_ms, &end);
    return got == 6 && end > 0 ? 0 : -EBADMSG;
}

static int sync_dir(const char *dir)
{
    auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
}

static int write_whole(const struct history *h, const char *path, const char *text)
{
    const ssize_t len = (ssize_t)strlen(text);
    auto_fd int fd = open(h->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

    if (fd < 0)
        return -errno;
    errno = EIO; /* a short write sets none */
    if (write(fd, text, (size_t)len) != len || fsync(fd) < 0 || rename(h->temporary, path) < 0)
        return -errno;
    return sync_dir(h->dir);
}

static int write_file(const struct history *h, const struct remembered *now)
{
    char text[512];

    snprintf(text, sizeof(text),
             FORMAT_LINE "system %" PRIu64 "\ndatabase %" PRId64 "\ntimeline %" PRId64 "\nposition %" PRId64
                         "\ngeneration %" PRId64 "\naccepted %" PRId64 "\nend\n",
             now->system, now->database, now->timeline, now->position, now->generation, now->accepted_at_ms);
    return write_whole(h, h->file, text);
}

/* 0, also where there is none. */
static int read_lost(struct history *h)
{
    char text[sizeof(h->lost_why) + 64];
    int start = 0;
    auto_fd int fd = open(h->lost_file, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    n = read(fd, text, sizeof(text) - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    if (sscanf(text, "generation %" SCNd64 "\n%n", &h->lost_generation, &start) != 1 || start == 0)
        return -EBADMSG;
    snprintf(h->lost_why, sizeof(h->lost_why), "%.*s", (int)strcspn(text + start, "\n"), text + start);
    return 0;
}

static int forget_lost(struct history *h)
{
    if (h->lost_generation == 0)
        return 0;
    if (unlink(h->lost_file) < 0 && errno != ENOENT)
        return -errno;
    h->lost_generation = 0;
    return sync_dir(h->dir);
}

/* In memory at once; on disk if the disk lets us, for the next process. */
static void note_lost(struct history *h, const char *why)
{
    auto_free char *text = NULL;
    int r;

    if (h->lost_generation > 0)
        return;
    h->lost_generation = MAX_OF(h->last.generation, INT64_C(1));
    snprintf(h->lost_why, sizeof(h->lost_why), "%s", why);
    text = xasprintf("generation %" PRId64 "\n%s\n", h->lost_generation, h->lost_why);
    r = write_whole(h, h->lost_file, text);
    if (r < 0)
        log_error("that the database has lost history cannot be remembered", L_STR("file", h->lost_file),
                  L_ERRNO(r));
}

static int remember(struct history *h, const struct remembered *now)
{
    int r = 0;

    if (h->known && memcmp(&h->last, now, sizeof(*now)) == 0)
        return 0;
    r = write_file(h, now);
    if (r < 0) {
        const struct log_field fields[] = {L_STR("file", h->file), L_ERRNO(r)};
        log_trouble_begins(&h->write_trouble, "the database's history cannot be remembered", fields,
                           COUNT_OF(fields));
        return r;
    }
    log_trouble_ends(&h->write_trouble, "the database's history is remembered again");
    h->last = *now;
    h->known = true;
    h->damaged = false;
    return 0;
}

static int load_once(struct history *h)
{
    if (h->known)
        return 0;
    int r = read_lost(h);
    if (r < 0)
        return r;
    r = read_file(h->file, &h->last);
    h->known = r == 0;
    h->damaged = r == -EBADMSG;
    return h->known || r == -ENOENT || h->damaged ? 0 : r;
}

/* ---- the check ---- */

/* *ret_at_home: it stands where it was made, or accepted by a person. */
static int ask(struct db *d, struct remembered *ret, bool *ret_at_home)
{
    auto_result result = NULL;
    int r = db_run(d, &sql_history_read, NULL, &result);

    if (r != 0)
        return r == DB_BUSY ? DB_OTHER : r;
    if (db_rows(result) != 1)
        return DB_OTHER;
    *ret = (struct remembered){
        .system = strtoull(db_text(result, 0, 0), NULL, 10),
        .database = db_big(result, 0, 1),
        .timeline = db_big(result, 0, 2),
        .position = db_big(result, 0, 3),
        .generation = db_big(result, 0, 4),
        .accepted_at_ms = db_time_ms(result, 0, 5),
    };
    *ret_at_home = db_bool(result, 0, 6);
    return 0;
}

static const char *difference(const struct remembered *was, const struct remembered *is)
{
    if (is->system != was->system)
        return "it is another database system (its identifier differs)";
    if (is->database != was->database)
        return "the database was created anew";
    if (is->timeline != was->timeline)
        return "it has another timeline (restored, or failed over)";
    if (is->generation != was->generation || is->accepted_at_ms != was->accepted_at_ms)
        return "its own record of its history is another one";
    return NULL;
}

/* It goes on from there, and is soon further than it was: so this is remembered. */
static const char *rolled_back(const struct remembered *was, const struct remembered *is)
{
    if (is->position < was->position)
        return "it stands at an earlier position than it had before (an old copy)";
    return NULL;
}

static int lost(struct history *h, const char *why, const char **ret_why)
{
    const struct log_field fields[] = {L_STR("why", why), L_STR("file", h->file)};

    if (why != h->why)
        snprintf(h->why, sizeof(h->why), "%s", why);
    log_trouble_begins(&h->lost,
                       "the database has lost history: nothing is sent until `smschain accept-database`",
                       fields, COUNT_OF(fields));
    *ret_why = h->why;
    return HISTORY_LOST;
}

int history_check(struct history *h, struct db *d, const char **ret_why)
{
    struct remembered now = {0};
    bool at_home = false;
    int r;

    *ret_why = "";
    r = load_once(h);
    if (r < 0) {
        const struct log_field fields[] = {L_STR("file", h->file), L_ERRNO(r)};
        log_trouble_begins(&h->write_trouble, "the database's history cannot be read", fields,
                           COUNT_OF(fields));
        return r;
    }
    r = ask(d, &now, &at_home);
    if (r != 0)
        return r;
    if (h->damaged) {
        snprintf(h->why, sizeof(h->why),
                 "%s cannot be read: what was known is lost; move it away to begin anew", h->file);
        return lost(h, h->why, ret_why);
    }
    /* A person has looked: what is there now is the history. */
    const bool accepted = h->known && now.generation > h->last.generation;
    const char *why = h->known && !accepted ? difference(&h->last, &now) : NULL;
    if (h->known && !accepted && !why && rolled_back(&h->last, &now))
        note_lost(h, rolled_back(&h->last, &now));
    if (!why && h->lost_generation > 0 && now.generation <= h->lost_generation)
        why = h->lost_why;
    if (!h->known && !at_home) /* nothing is remembered on this machine, but the database remembers itself */
        why = "it was restored from elsewhere, or failed over, since it was made or last accepted";
    if (why)
        return lost(h, why, ret_why);
    r = remember(h, &now);
    if (r == 0)
        r = forget_lost(h);
    if (r < 0)
        return r;
    if (accepted)
        log_info("the database's history was accepted", L_INT("generation", now.generation));
    log_trouble_ends(&h->lost, "the database's history is fine");
    return 0;
}

int64_t history_generation(const struct history *h)
{
    return h->known ? h->last.generation : 0;
}

void history_refuse(struct history *h, const char *why)
{
    note_lost(h, why);
}
