/* Reports and messages from phones that come over a gateway's link: on disk before anyone is told that they
 * are kept, each told once, never more than the bound, and the loop is never kept waiting. The broker of
 * these tests is away. */
#include "dispatch/reports.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "table.h"

#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char dir[64];
static struct drain *drain;
static struct conf_status words[] = {{.word = (char[]){"DELIVRD"}, .state = STATE_DELIVERED},
                                     {.word = (char[]){"BLOCKED"}, .state = STATE_UNDELIVERED},
                                     {.word = (char[]){"UNKNOWN"}, .state = STATE_ACCEPTED}};
static struct conf_gateway gateway = {.name = (char[]){"gamma"}};

/* The disk can be made to fail, or to take its time. */
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int fail_syncs;

int fdatasync(int fd)
{
    pthread_mutex_lock(&disk);
    pthread_mutex_unlock(&disk);
    if (fail_syncs > 0) {
        fail_syncs--;
        errno = ENOSPC;
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
    log_init("test", LOG_LOGFMT, LOG_LEVEL_ERROR + 1);
    strcpy(dir, "/tmp/smschain-reports-XXXXXX");
    gateway.report.status_count = 0;
    if (!mkdtemp(dir))
        return -1;
    const struct drain_options o = {
        .broker = {.host = "127.0.0.1", .port = 1, .name = "test", .heartbeat_s = 10},
        .shards = 1,
        .state_dir = dir};
    return drain_open(&o, &drain);
}

static int tear_down(void **state)
{
    drain_close(drain, 0);
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct heard {
    size_t kept, refused;
    uint64_t last, sum;
};

static void hear(void *arg, uint64_t token, bool kept)
{
    struct heard *h = arg;
    h->kept += kept;
    h->refused += !kept;
    h->last = token;
    h->sum += token;
}

/* Until `count` have been told. */
static struct heard hear_all(struct reports *r, size_t count)
{
    struct heard h = {0};
    for (int64_t until_ms = clock_mono_ms() + 20000;
         h.kept + h.refused < count && clock_mono_ms() < until_ms;) {
        struct pollfd fd = {.fd = reports_fd(r), .events = POLLIN};
        poll(&fd, 1, 1000);
        reports_turn(r, hear, &h);
    }
    assert_int_equal(h.kept + h.refused, count);
    return h;
}

static char *text(const char *s) /* a record's strings are not const, though they are only read */
{
    return (char *)(uintptr_t)s;
}

static struct step_record report_of(const char *msg_id)
{
    return (struct step_record){.step = STEP_STATUS,
                                .number = 491700000000,
                                .msg_id = text(msg_id),
                                .reason = text("DELIVRD"),
                                .state = text("delivered")};
}

/* What stands on disk, as whoever adopts the directory reads it: one text a record, ended by '#'. */
static int gather(struct journal *dead, void *arg)
{
    struct journal_record r;
    while (journal_next(dead, &r)) {
        buf_add(arg, r.data, r.len);
        buf_add_char(arg, '#');
    }
    return -ECANCELED; /* it stays */
}

static char *on_disk(void)
{
    char parent[96];
    struct buf all = {0};
    snprintf(parent, sizeof(parent), "%s/journal", dir);
    drain_close(drain, 0);
    drain = NULL;
    (void)!journal_adopt(parent, gather, &all);
    buf_add_char(&all, '\0');
    return buf_take(&all, NULL);
}

static void kept_once_on_disk_and_told_once(void **state)
{
    struct reports *r = reports_new(drain, &gateway);
    struct step_record one = report_of("a1"), two = report_of("a2");
    struct inbound_record phone = {
        .at = 1760000000000, .from = text("+4917"), .text = text("hello"), .gateway = text("other")};
    one.at = two.at = 1760000000000;
    reports_put(r, &one, 7);
    reports_put(r, &two, 0); /* nobody waits */
    reports_put_inbound(r, &phone, 9);
    assert_int_equal(reports_waiting(r), 3);
    struct heard h = hear_all(r, 2);
    assert_int_equal(h.kept, 2);
    assert_int_equal(h.sum, 7 + 9);
    reports_turn(r, hear, &h);
    assert_int_equal(h.kept, 2);
    assert_int_equal(reports_waiting(r), 0);
    assert_int_equal(reports_counters(r)->reports, 2);
    assert_int_equal(reports_counters(r)->inbound, 1);
    reports_free(r);
    auto_free char *all = on_disk();
    assert_string_equal(
        all, "2 gamma\n{\"step\":102,\"at\":1760000000000,\"gateway\":\"gamma\",\"number\":491700000000,"
             "\"msg_id\":\"a1\",\"state\":\"delivered\",\"reason\":\"DELIVRD\"}#"
             "2 gamma\n{\"step\":102,\"at\":1760000000000,\"gateway\":\"gamma\",\"number\":491700000000,"
             "\"msg_id\":\"a2\",\"state\":\"delivered\",\"reason\":\"DELIVRD\"}#"
             "2 gamma\ninbound {\"at\":1760000000000,\"gateway\":\"gamma\",\"from\":\"+4917\","
             "\"text\":\"hello\"}#");
}

static void the_gateways_own_words_come_first(void **state)
{
    struct reports *r = reports_new(drain, &gateway);
    struct step_record one = report_of("b1"), two = report_of("b2"), three = report_of("b3");
    gateway.report.statuses = words;
    gateway.report.status_count = COUNT_OF(words);
    one.reason = text("Blocked"); /* listed, in whatever case */
    two.reason = text("UNKNOWN"); /* listed as progress: an event without a state */
    three.reason = text("EXPIRED");
    three.state = text("expired"); /* not listed: the receipt's own */
    reports_put(r, &one, 1);
    reports_put(r, &two, 2);
    reports_put(r, &three, 3);
    assert_int_equal(hear_all(r, 3).kept, 3);
    reports_free(r);
    auto_free char *all = on_disk();
    assert_non_null(strstr(all, "\"b1\",\"state\":\"undelivered\",\"reason\":\"Blocked\""));
    assert_non_null(strstr(all, "\"b2\",\"reason\":\"UNKNOWN\"}"));
    assert_non_null(strstr(all, "\"b3\",\"state\":\"expired\",\"reason\":\"EXPIRED\""));
}

static void what_the_disk_refuses_is_sent_again(void **state)
{
    struct reports *r = reports_new(drain, &gateway);
    struct step_record one = report_of("c1");
    fail_syncs = 1;
    reports_put(r, &one, 1);
    struct heard h = hear_all(r, 1);
    assert_int_equal(h.refused, 1);
    assert_int_equal(reports_counters(r)->not_kept, 1);
    reports_put(r, &one, 2);
    h = hear_all(r, 1);
    assert_int_equal(h.kept, 1);
    reports_free(r);
    auto_free char *all = on_disk();
    assert_non_null(strstr(all, "c1"));
    assert_null(strstr(strstr(all, "c1") + 2, "c1")); /* what was not kept is not there */
}

/* The loop goes on while the disk hangs, and what is above the bound is refused at once. */
static void a_slow_disk_holds_nobody_up(void **state)
{
    struct reports *r = reports_new(drain, &gateway);
    struct step_record one = report_of("d");
    auto_free char *long_text = xmalloc(65536);
    struct inbound_record phone = {.from = text("+4917"), .text = long_text};
    struct heard h = {0};
    memset(long_text, 'x', 65535);
    long_text[65535] = '\0';
    pthread_mutex_lock(&disk);
    for (uint64_t i = 1; i <= REPORTS_WAITING_MAX + 5; i++)
        reports_put(r, &one, i);
    h = hear_all(r, 5);
    assert_int_equal(h.refused, 5);
    assert_int_equal(h.last, REPORTS_WAITING_MAX + 5);
    pthread_mutex_unlock(&disk);
    h = hear_all(r, REPORTS_WAITING_MAX);
    assert_int_equal(h.kept, REPORTS_WAITING_MAX);

    pthread_mutex_lock(&disk); /* the journal's own bound, by bytes */
    for (uint64_t i = 1; i <= 400; i++)
        reports_put_inbound(r, &phone, i);
    reports_turn(r, hear, &h);
    assert_true(h.refused >= 100);
    pthread_mutex_unlock(&disk);
    hear_all(r, 400 - h.refused);
    reports_free(r);
}

static void *let_disk_go(void *arg)
{
    usleep(100000);
    pthread_mutex_unlock(&disk);
    return NULL;
}

static void ends_only_when_the_journal_has_answered(void **state)
{
    struct reports *r = reports_new(drain, &gateway);
    struct step_record one = report_of("e");
    pthread_t thread;
    pthread_mutex_lock(&disk);
    reports_put(r, &one, 1);
    /* Another thread unlocks it: such a mutex of glibc's default kind may be. */
    assert_int_equal(pthread_create(&thread, NULL, let_disk_go, NULL), 0);
    reports_free(r);
    pthread_join(thread, NULL);
    auto_free char *all = on_disk();
    assert_non_null(strstr(all, "\"e\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_once_on_disk_and_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_gateways_own_words_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_disk_refuses_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_disk_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_only_when_the_journal_has_answered, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("reports", tests, NULL, NULL);
}
