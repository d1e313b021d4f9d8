/* The ground: buffers and their two ways of quoting, clocks (data/iso.txt), ids (data/seq_id.txt), CRC-32C,
 * the stop signal and the fault points. */
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/crc32c.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "lib/stop.h"
#include "table.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static void buf_grows_to_its_maximum(void **state)
{
    (void)state;
    auto_buf b = {.max = 100};
    buf_add(&b, "", 0);
    assert_string_equal(b.data, "");
    for (int i = 0; i < 10; i++)
        buf_add_str(&b, "0123456789");
    assert_int_equal(b.len, 100);
    assert_false(b.overflowed);
    buf_add_char(&b, 'x');
    assert_true(b.overflowed);
    assert_int_equal(b.len, 100);
    assert_int_equal(strlen(b.data), 100);
    buf_clear(&b);
    assert_false(b.overflowed);
    buf_addf(&b, "%s %d", "again", 7);
    assert_string_equal(b.data, "again 7");
    buf_clear(&b);
    buf_addf(&b, "%0101d", 7);
    assert_true(b.overflowed);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    buf_addf(&b, "%0100d", 7);
    assert_int_equal(b.len, 100);
}

static void buf_writes_numbers(void **state)
{
    (void)state;
    auto_buf b = {0};
    static const int64_t numbers[] = {0, 7, -7, 10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char wanted[32];
        snprintf(wanted, sizeof(wanted), "%lld", (long long)numbers[i]);
        buf_clear(&b);
        buf_add_i64(&b, numbers[i]);
        assert_string_equal(b.data, wanted);
    }
    /* More than buf_addf's own room. */
    char longer[1000];
    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    buf_clear(&b);
    buf_addf(&b, "<%s>", longer);
    assert_int_equal(b.len, sizeof(longer) + 1);
    assert_int_equal(b.data[b.len - 1], '>');
}

static void buf_takes(void **state)
{
    (void)state;
    struct buf b = {0};
    size_t len = 9;
    char *empty = buf_take(&b, &len);
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    free(empty);
    buf_add_str(&b, "abc");
    char *abc = buf_take(&b, NULL);
    assert_string_equal(abc, "abc");
    free(abc);
    assert_null(b.data);
}

static void json_strings(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
        {"\n\r\t\b\x01\x1f\x7f", 7, "\"\\n\\r\\t\\u0008\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"gr\xC3\xBC\xC3\x9F", 6, "\"gr\xC3\xBC\xC3\x9F\""},
        {"\xF0\x9F\x98\x80", 4, "\"\xF0\x9F\x98\x80\""},
        {"\xF4\x8F\xBF\xBF", 4, "\"\xF4\x8F\xBF\xBF\""},
        {"\xE2\x82\xAC", 3, "\"\xE2\x82\xAC\""},
        /* not UTF-8: one U+FFFD a byte */
        {"a\xFF"
         "b",
         3,
         "\"a\xEF\xBF\xBD"
         "b\""},
        {"\xC3", 1, "\"\xEF\xBF\xBD\""},
        {"\xC0\x80", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xE0\x80\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xF4\x90\x80\x80", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xF0\x9F\x98", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xE2\x82\"", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\\\"\""},
    };
    (void)state;
    auto_buf b = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_clear(&b);
        buf_add_json_str(&b, cases[i].in, cases[i].len);
        assert_string_equal(b.data, cases[i].out);
    }
}

static void url_encoding(void **state)
{
    (void)state;
    auto_buf b = {0};
    buf_add_url_encoded(&b, "aZ09-._~ +&=/%\xC3\xBC\0", 17);
    assert_string_equal(b.data, "aZ09-._~%20%2B%26%3D%2F%25%C3%BC%00");
}

static void iso_table(void **state)
{
    struct table t;
    (void)state;
    table_open(&t, "data/iso.txt", 2);
    while (table_next(&t)) {
        char got[64] = "-";
        int64_t ms;
        if (clock_parse_iso(t.cell[0], &ms))
            snprintf(got, sizeof(got), "%lld", (long long)ms);
        table_check(&t, got, t.cell[1]);
    }
    table_close(&t);
}

static void iso_both_ways(void **state)
{
    char text[CLOCK_ISO_SIZE];
    (void)state;
    assert_string_equal(clock_iso(1769847300123, text), "2026-01-31T08:15:00.123Z");
    assert_string_equal(clock_iso(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(clock_iso(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
    assert_string_equal(clock_iso(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    for (int64_t ms = -62167219200000; ms < 253402300799999; ms += 86400000LL * 31 + 12345678) {
        int64_t back;
        assert_true(clock_parse_iso(clock_iso(ms, text), &back));
        assert_int_equal(back, ms);
    }
}

static void days(void **state)
{
    (void)state;
    assert_int_equal(clock_days_of(1970, 1, 1), 0);
    assert_int_equal(clock_days_of(2020, 1, 1), 18262);
    assert_int_equal(clock_day_2020(1577836800000), 0);
    assert_int_equal(clock_day_2020(1577836799999), -1);
    assert_int_equal(clock_day_2020(1769847300123), 2222);
    for (int64_t day = clock_days_of(-1, 1, 1), last = clock_days_of(2401, 1, 1); day < last; day++) {
        int y, m, d;
        clock_date_of(day, &y, &m, &d);
        assert_true(m >= 1 && m <= 12 && d >= 1 && d <= clock_days_in_month(y, m));
        assert_int_equal(clock_days_of(y, m, d), day);
    }
}

static void backoff(void **state)
{
    bool spread = false;
    (void)state;
    for (unsigned attempt = 1; attempt < 80; attempt++) {
        int64_t full = attempt <= 10 ? INT64_C(100) << (attempt - 1) : 60000;
        full = MIN_OF(full, 60000);
        int64_t first = clock_backoff_ms(attempt, 100, 60000);
        for (int i = 0; i < 20; i++) {
            int64_t ms = clock_backoff_ms(attempt, 100, 60000);
            assert_true(ms >= full / 2 && ms <= full);
            spread |= ms != first;
        }
    }
    assert_true(spread);
}

static void seq_id_table(void **state)
{
    struct table t;
    (void)state;
    table_open(&t, "data/seq_id.txt", 2);
    while (table_next(&t)) {
        struct seq_id id;
        char got[SEQ_ID_SIZE] = "-";
        if (seq_id_parse(t.cell[0], &id))
            seq_id_format(&id, got);
        table_check(&t, got, t.cell[1]);
    }
    table_close(&t);
    assert_int_equal(sms_id_day(sms_id_day_first(2222)), 2222);
    assert_int_equal(sms_id_day(sms_id_day_first(2223) - 1), 2222);
    struct seq_id largest = {INT64_MAX, INT32_MIN, INT32_MIN};
    char text[SEQ_ID_SIZE];
    assert_true(strlen(seq_id_format(&largest, text)) < SEQ_ID_SIZE);
}

static void crc32c_known(void **state)
{
    (void)state;
    unsigned char bytes[64];
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
    memset(bytes, 0, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x8A9136AA); /* RFC 3720, B.4 */
    memset(bytes, 0xFF, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46DD794E);
    for (size_t cut = 0; cut <= 32; cut++)
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, 32 - cut), 0x46DD794E);
}

static void *wait_long(void *arg)
{
    (void)arg;
    stop_wait_ms(30000);
    return NULL;
}

/* The child's own checks end it with the line of the first one that fails. */
#define CHILD_CHECK(what)                                                                                    \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            _exit(__LINE__ % 100 + 1);                                                                       \
    } while (0)

static bool fd_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void stop_child(void)
{
    alarm(20);
    stop_init();
    int64_t begun = clock_mono_ms();
    stop_wait_ms(30);
    CHILD_CHECK(clock_mono_ms() - begun >= 29);
    CHILD_CHECK(!stop_requested() && !stop_reload_taken() && !fd_readable(stop_fd()));

    kill(getpid(), SIGHUP);
    stop_wait_ms(10000);
    CHILD_CHECK(fd_readable(stop_fd()) && !stop_requested());
    CHILD_CHECK(stop_reload_taken() && !stop_reload_taken() && !fd_readable(stop_fd()));

    pthread_t thread;
    CHILD_CHECK(pthread_create(&thread, NULL, wait_long, NULL) == 0);
    kill(getpid(), SIGTERM);
    CHILD_CHECK(pthread_join(thread, NULL) == 0);
    stop_wait_ms(10000); /* at once: it has come */
    CHILD_CHECK(stop_requested() && fd_readable(stop_fd()));
    kill(getpid(), SIGHUP);
    while (!stop_reload_taken())
        stop_wait_ms(1);
    CHILD_CHECK(fd_readable(stop_fd())); /* taking the reload does not hide the stop */
    CHILD_CHECK(clock_mono_ms() - begun < 9000);

    kill(getpid(), SIGINT);
    for (;;)
        pause();
}

static int run_child(void (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        body();
        exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void stop_signals(void **state)
{
    (void)state;
    int status = run_child(stop_child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
}

static void stop_by_itself(void)
{
    stop_init();
    stop_now();
    stop_wait_ms(20000);
    if (!stop_requested() || !fd_readable(stop_fd()))
        abort();
    _exit(0);
}

static void stop_now_stops(void **state)
{
    (void)state;
    assert_int_equal(run_child(stop_by_itself), 0);
}

#ifdef SMSCHAIN_FAULTS
static char count_file[] = "/tmp/smschain-fault-XXXXXX";

static void *reach(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        FAULT("test.many");
    return NULL;
}

static void reach_points(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, reach, NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    FAULT("test.one");
}

static void faults(void **state)
{
    (void)state;
    auto_fd int fd = mkstemp(count_file);
    assert_true(fd >= 0);
    setenv("SMSCHAIN_FAULT_COUNT", count_file, 1);
    assert_int_equal(run_child(reach_points), 0);
    char text[200] = "";
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "test.many\t4000\n"));
    assert_non_null(strstr(text, "test.one\t1\n"));

    static const struct {
        const char *fault;
        bool dies;
    } cases[] = {{"test.many:3", true},
                 {"test.many:4000", true},
                 {"test.many:4001", false},
                 {"test.one", true},
                 {"test.man:1", false},
                 {"test.oneness:1", false},
                 {"", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setenv("SMSCHAIN_FAULT", cases[i].fault, 1);
        int status = run_child(reach_points);
        assert_int_equal(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, cases[i].dies);
    }
    unsetenv("SMSCHAIN_FAULT");
    unsetenv("SMSCHAIN_FAULT_COUNT");
    unlink(count_file);
}
#endif

static void allocation(void **state)
{
    (void)state;
    assert_null(xstrdup(NULL));
    char *s = xstrndup("abcdef", 3);
    assert_string_equal(s, "abc");
    s = xrealloc(s, 100);
    assert_string_equal(s, "abc");
    free(s);
    free(xmalloc(0));
    free(xcalloc(0, 8));
    s = xasprintf("%s-%d", "x", 5);
    assert_string_equal(s, "x-5");
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_to_its_maximum),
        cmocka_unit_test(buf_writes_numbers),
        cmocka_unit_test(buf_takes),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(url_encoding),
        cmocka_unit_test(iso_table),
        cmocka_unit_test(iso_both_ways),
        cmocka_unit_test(days),
        cmocka_unit_test(backoff),
        cmocka_unit_test(seq_id_table),
        cmocka_unit_test(crc32c_known),
        cmocka_unit_test(stop_signals),
        cmocka_unit_test(stop_now_stops),
#ifdef SMSCHAIN_FAULTS
        cmocka_unit_test(faults),
#endif
        cmocka_unit_test(allocation),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
