/* The journal: what was acknowledged is read back, whatever happens to the process, the disk or the file. */
#include "lib/crc32c.h"
#include "lib/journal.h"
#include "lib/log.h"
#include "table.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char parent[64], dir[128];

/* The library's fdatasync is this one: it can be made to fail, and counts. */
static _Atomic int fail_syncs, syncs;

int fdatasync(int fd)
{
    syncs++;
    if (fail_syncs > 0) {
        fail_syncs--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    log_init("test", LOG_LOGFMT, LOG_LEVEL_ERROR + 1);
    signal(SIGXFSZ, SIG_IGN);
    strcpy(parent, "/tmp/smschain-journal-XXXXXX");
    if (!mkdtemp(parent))
        return -1;
    snprintf(dir, sizeof(dir), "%s/deep/one", parent);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(parent, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct journal *open_small(size_t file_bytes)
{
    struct journal *j = NULL;
    assert_int_equal(journal_open(&(struct journal_options){.dir = dir, .file_bytes = file_bytes}, &j), 0);
    return j;
}

static void append(struct journal *j, const char *text)
{
    assert_int_equal(journal_append(j, text, strlen(text)), 0);
}

static uint64_t expect(struct journal *j, const char *text)
{
    struct journal_record r = {0};
    assert_true(journal_next(j, &r));
    assert_int_equal(r.len, strlen(text));
    assert_memory_equal(r.data, text, r.len);
    return r.position;
}

static void expect_none(struct journal *j)
{
    struct journal_record r;
    assert_false(journal_next(j, &r));
}

static int count_files(const char *in, const char *end, char ret_path[512])
{
    int count = 0;
    DIR *d = opendir(in);
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t len = strlen(e->d_name), end_len = strlen(end);
        if (len < end_len || strcmp(e->d_name + len - end_len, end) != 0 || e->d_name[0] == '.')
            continue;
        if (ret_path)
            snprintf(ret_path, 512, "%s/%s", in, e->d_name);
        count++;
    }
    if (d)
        closedir(d);
    return count;
}

static void there_and_back(void **state)
{
    (void)state;
    struct journal *j = open_small(0), *second = NULL;
    expect_none(j);
    append(j, "one");
    append(j, "two");
    assert_int_equal(journal_append(j, "", 0), -EMSGSIZE);
    auto_free char *big = xcalloc(1, (1 << 20) + 1);
    assert_int_equal(journal_append(j, big, (1 << 20) + 1), -EMSGSIZE);
    assert_int_equal(journal_append(j, big, 1 << 20), 0);
    assert_int_equal(journal_open(&(struct journal_options){.dir = dir}, &second), -EBUSY);
    uint64_t first = expect(j, "one");
    assert_true(expect(j, "two") > first);
    struct journal_record r;
    assert_true(journal_next(j, &r));
    assert_int_equal(r.len, 1 << 20);
    expect_none(j);
    append(j, "three");
    uint64_t last = expect(j, "three");
    assert_true(last > r.position);
    assert_int_equal(journal_backlog_bytes(j), 8 + 11 + 11 + 8 + (1 << 20) + 13);
    journal_confirm(j, last);
    journal_rotate(j);
    expect_none(j);
    assert_int_equal(journal_backlog_bytes(j), 0);
    assert_int_equal(count_files(dir, ".journal", NULL), 0);
    journal_rotate(j); /* nothing to end */
    append(j, "four");
    assert_true(expect(j, "four") > last);
    journal_close(j);
    assert_int_equal(count_files(dir, ".journal", NULL), 1); /* not confirmed */
    j = open_small(0);
    journal_confirm(j, expect(j, "four"));
    journal_close(j);
    assert_int_equal(access(dir, F_OK), -1); /* confirmed: gone */
}

static void files_go_when_confirmed(void **state)
{
    (void)state;
    struct journal *j = open_small(64);
    uint64_t at[40];
    char text[40];
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "record %d that is long enough", i);
        append(j, text);
    }
    int all = count_files(dir, ".journal", NULL);
    assert_true(all >= 20);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "record %d that is long enough", i);
        at[i] = expect(j, text);
    }
    expect_none(j);
    assert_int_equal(count_files(dir, ".journal", NULL), all);
    journal_confirm(j, at[19]);
    int half = count_files(dir, ".journal", NULL);
    assert_true(half >= all / 2 && half <= all / 2 + 1);
    journal_confirm(j, at[10]); /* backwards changes nothing */
    assert_int_equal(count_files(dir, ".journal", NULL), half);
    journal_confirm(j, at[39]);
    journal_rotate(j);
    expect_none(j);
    assert_int_equal(count_files(dir, ".journal", NULL), 0);
    journal_close(j);
}

/* ---- many at once ---- */

#define THREADS 8
#define EACH    200

static void *append_many(void *arg)
{
    struct journal *j = arg;
    static _Atomic int next;
    for (int i = 0; i < EACH; i++) {
        char text[64];
        int len = snprintf(text, sizeof(text), "%d", next++);
        if (journal_append(j, text, (size_t)len) != 0)
            return arg;
    }
    return NULL;
}

static void many_threads_share_syncs(void **state)
{
    (void)state;
    struct journal *j = open_small(4096);
    pthread_t threads[THREADS];
    syncs = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, append_many, j);
    bool seen[THREADS * EACH] = {false};
    for (int got = 0; got < THREADS * EACH;) { /* reading at the same time */
        struct journal_record r;
        if (!journal_next(j, &r)) {
            usleep(1000);
            continue;
        }
        char text[64] = "";
        memcpy(text, r.data, r.len);
        int n = atoi(text);
        assert_false(seen[n]);
        seen[n] = true;
        got++;
        journal_confirm(j, r.position);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    print_message("%d records, %d syncs\n", THREADS * EACH, syncs);
    assert_true(syncs < THREADS * EACH);
    journal_close(j);
    assert_int_equal(access(dir, F_OK), -1);
}

struct answers {
    _Atomic int kept, full, order_wrong, next;
};
struct one {
    struct answers *answers;
    int n;
};

static void count_answer(void *arg, int result)
{
    struct one *o = arg;
    if (o->n != o->answers->next++)
        o->answers->order_wrong++;
    if (result == 0)
        o->answers->kept++;
    else
        o->answers->full++;
    free(o);
}

static void async_answers_come_in_order_and_all(void **state)
{
    (void)state;
    struct journal *j = open_small(0);
    struct answers a = {0};
    auto_free char *body = xcalloc(1, 100000);
    for (int i = 0; i < 1000; i++) { /* 100 MB: more than the queue takes, so appending waits */
        struct one *o = xmalloc(sizeof(*o));
        *o = (struct one){&a, i};
        journal_append_async(j, body, 100000, count_answer, o);
    }
    journal_close(j); /* answers what is queued */
    assert_int_equal(a.kept, 1000);
    assert_int_equal(a.order_wrong, 0);
}

/* ---- disks ---- */

static void a_full_disk_keeps_nothing_and_then_all(void **state)
{
    (void)state;
    struct journal *j = open_small(0);
    append(j, "before");
    struct rlimit old, tight = {.rlim_cur = 64};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    char big[200];
    memset(big, 'x', sizeof(big));
    int first = journal_append(j, big, sizeof(big)), second = journal_append(j, big, sizeof(big));
    int small = journal_append(j, "small", 5); /* fits */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(first, JOURNAL_FULL);
    assert_int_equal(second, JOURNAL_FULL);
    assert_int_equal(small, 0);
    append(j, "after");
    expect(j, "before");
    expect(j, "small");
    expect(j, "after");
    expect_none(j);
    /* On the disk too nothing is left of what was not kept. */
    journal_close(j);
    j = open_small(0);
    expect(j, "before");
    expect(j, "small");
    journal_confirm(j, expect(j, "after"));
    expect_none(j);
    journal_close(j);
    assert_int_equal(access(dir, F_OK), -1);
}

static void a_failed_sync_ends_the_file(void **state)
{
    (void)state;
    struct journal *j = open_small(0);
    append(j, "before");
    fail_syncs = 1;
    assert_int_equal(journal_append(j, "lost", 4), JOURNAL_FULL);
    append(j, "after");
    assert_int_equal(count_files(dir, ".journal", NULL), 2);
    fail_syncs = 2;
    assert_int_equal(journal_append(j, "lost", 4), JOURNAL_FULL);
    assert_int_equal(journal_append(j, "lost", 4),
                     JOURNAL_FULL); /* in a new file, which then holds nothing */
    assert_int_equal(count_files(dir, ".journal", NULL), 2);
    append(j, "at last");
    expect(j, "before");
    expect(j, "after");
    expect(j, "at last");
    expect_none(j);
    journal_close(j);
    /* What was refused was truncated away: it does not come back later. */
    j = open_small(0);
    expect(j, "before");
    expect(j, "after");
    expect(j, "at last");
    expect_none(j);
    journal_close(j);
}

/* ---- files as a crash leaves them ---- */

static void write_records(const char *const *texts)
{
    struct journal *j = open_small(0);
    for (; *texts; texts++)
        append(j, *texts);
    journal_close(j);
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void torn_tails(void **state)
{
    (void)state;
    char path[512];
    static const char *const texts[] = {"first", "second", NULL};
    /* Cut at every byte: whole records are read, the rest is not, and nothing is kept as damaged. */
    for (off_t cut = 1; cut <= 14 + 13 + 8; cut++) {
        write_records(texts);
        assert_int_equal(count_files(dir, ".journal", path), 1);
        off_t left = size_of(path) - cut;
        assert_int_equal(truncate(path, left), 0);
        struct journal *j = open_small(0);
        if (left >= 8 + 13)
            journal_confirm(j, expect(j, "first"));
        expect_none(j);
        append(j, "new");
        journal_confirm(j, expect(j, "new"));
        journal_close(j);
        assert_int_equal(access(dir, F_OK), -1);
    }
}

static void zeroes_behind_are_a_tail(void **state)
{
    (void)state;
    char path[512];
    static const char *const texts[] = {"first", NULL};
    write_records(texts);
    assert_int_equal(count_files(dir, ".journal", path), 1);
    assert_int_equal(truncate(path, size_of(path) + 100000), 0);
    struct journal *j = open_small(0);
    journal_confirm(j, expect(j, "first"));
    expect_none(j);
    journal_close(j);
    assert_int_equal(access(dir, F_OK), -1);
}

static void flip(const char *path, off_t at)
{
    auto_fd int fd = open(path, O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 0x01;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void damage_is_kept_for_a_person(void **state)
{
    (void)state;
    static const char *const texts[] = {"first", "second", "third", NULL};
    static const struct {
        off_t at;
        bool first_readable;
    } cases[] = {{0, false}, {12, false}, {16, false}, {21 + 4, true}, {21 + 8, true}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[512], deep[80];
        write_records(texts);
        assert_int_equal(count_files(dir, ".journal", path), 1);
        flip(path, cases[i].at);
        struct journal *j = open_small(0);
        if (cases[i].first_readable)
            journal_confirm(j, expect(j, "first"));
        expect_none(j);
        append(j, "new"); /* the journal goes on */
        journal_confirm(j, expect(j, "new"));
        journal_close(j);
        assert_int_equal(access(dir, F_OK), -1);
        snprintf(deep, sizeof(deep), "%s/deep", parent);
        assert_int_equal(count_files(deep, ".damaged", path), 1);
        assert_int_equal(unlink(path), 0);
    }
}

static void damage_under_the_writer(void **state)
{
    (void)state;
    char path[512], deep[80];
    struct journal *j = open_small(0);
    append(j, "first");
    append(j, "second");
    assert_int_equal(count_files(dir, ".journal", path), 1);
    flip(path, 21 + 8);
    journal_confirm(j, expect(j, "first"));
    expect_none(j);
    append(j, "third");
    journal_confirm(j, expect(j, "third"));
    journal_close(j);
    snprintf(deep, sizeof(deep), "%s/deep", parent);
    assert_int_equal(count_files(deep, ".damaged", NULL), 1);
    assert_int_equal(access(dir, F_OK), -1);
}

/* ---- dead processes ---- */

/* A process that appends as fast as it can and counts in shared memory what was acknowledged. */
static pid_t start_appender(const char *name, _Atomic int *kept)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", parent, name);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct journal *j;
        if (journal_open(&(struct journal_options){.dir = path, .file_bytes = 2000}, &j) != 0)
            _exit(1);
        for (int i = 0;; i++) {
            char text[80];
            int len = snprintf(text, sizeof(text), "%s %d", name, i);
            if (journal_append(j, text, (size_t)len) != 0)
                _exit(2);
            *kept = i + 1;
        }
    }
    return pid;
}

struct adoption {
    int journals, read;
    int refuse;
};

static int take(struct journal *dead, void *arg)
{
    struct adoption *a = arg;
    struct journal_record r;
    int next = 0;
    uint64_t last = 0;
    assert_int_equal(journal_append(dead, "x", 1), -EROFS);
    a->journals++;
    while (journal_next(dead, &r)) {
        char text[80] = "";
        assert_true(r.len < sizeof(text));
        memcpy(text, r.data, r.len);
        assert_int_equal(atoi(strchr(text, ' ')), next++);
        last = r.position;
    }
    a->read += next;
    if (a->refuse)
        return a->refuse;
    journal_confirm(dead, last);
    return 0;
}

static void a_killed_process_is_adopted(void **state)
{
    (void)state;
    _Atomic int *kept = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct adoption a = {0};
    char gone[600];
    snprintf(gone, sizeof(gone), "%s/none", parent);
    assert_int_equal(journal_adopt(gone, take, &a), 0);
    pid_t pid = start_appender("dead", kept);
    for (int i = 0; *kept < 100 && i < 20000; i++)
        usleep(1000);
    assert_int_equal(journal_adopt(parent, take, &a), 0); /* it lives */
    assert_int_equal(a.journals, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    a.refuse = 7;
    assert_int_equal(journal_adopt(parent, take, &a), 0); /* the broker is away: left for the next time */
    assert_int_equal(a.journals, 1);
    int read_first = a.read;
    assert_true(read_first >= *kept && read_first <= *kept + 1);
    a.refuse = 0;
    assert_int_equal(journal_adopt(parent, take, &a), 0);
    assert_int_equal(a.read, 2 * read_first);
    snprintf(gone, sizeof(gone), "%s/dead", parent);
    assert_int_equal(access(gone, F_OK), -1);
    assert_int_equal(journal_adopt(parent, take, &a), 0);
    assert_int_equal(a.journals, 2);
    munmap(kept, 4096);
}

static int take_only_one(struct journal *dead, void *arg)
{
    struct journal_record r;
    (void)arg;
    return journal_next(dead, &r) ? 0 : 1;
}

static void what_was_not_read_is_not_deleted(void **state)
{
    (void)state;
    static const char *const texts[] = {"a 0", "a 1", NULL};
    snprintf(dir, sizeof(dir), "%s/two", parent);
    write_records(texts);
    assert_int_equal(journal_adopt(parent, take_only_one, NULL), 0);
    struct adoption a = {0};
    assert_int_equal(journal_adopt(parent, take, &a), 0);
    assert_int_equal(a.read, 2);
    assert_int_equal(access(dir, F_OK), -1);
}

/* Processes open new directories while another adopts whatever it finds: no directory is lost under its
 * maker. */
static void adopting_does_not_disturb_makers(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct adoption a = {0};
        for (;;)
            if (journal_adopt(parent, take, &a) != 0)
                _exit(1);
    }
    for (int i = 0; i < 300; i++) {
        snprintf(dir, sizeof(dir), "%s/m%d", parent, i);
        struct journal *j = open_small(0);
        append(j, "mine");
        journal_confirm(j, expect(j, "mine"));
        journal_close(j);
        /* The adopter may be looking into it just now; it deletes what it finds empty. */
        for (int wait = 0; wait < 10000 && access(dir, F_OK) == 0; wait++)
            usleep(1000);
        assert_int_equal(access(dir, F_OK), -1);
    }
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

int main(void)
{
#define EACH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        EACH_TEST(there_and_back),
        EACH_TEST(files_go_when_confirmed),
        EACH_TEST(many_threads_share_syncs),
        EACH_TEST(async_answers_come_in_order_and_all),
        EACH_TEST(a_full_disk_keeps_nothing_and_then_all),
        EACH_TEST(a_failed_sync_ends_the_file),
        EACH_TEST(torn_tails),
        EACH_TEST(zeroes_behind_are_a_tail),
        EACH_TEST(damage_is_kept_for_a_person),
        EACH_TEST(damage_under_the_writer),
        EACH_TEST(a_killed_process_is_adopted),
        EACH_TEST(what_was_not_read_is_not_deleted),
        EACH_TEST(adopting_does_not_disturb_makers),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
