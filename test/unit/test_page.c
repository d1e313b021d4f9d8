/* What the page is made of, without a server: escaping, what is asked for, numbers in words, schedules in
 * words (data/schedule_words.txt), where a run stands, charts, rates, and who may look. */
#include "dashboard/access.h"
#include "dashboard/chart.h"
#include "dashboard/rates.h"
#include "dashboard/runs.h"
#include "dashboard/schedule.h"
#include "dashboard/tries.h"
#include "table.h"

static void assert_html(const char *text, const char *wanted)
{
    auto_buf b = {0};
    buf_add_str(&b, "");
    html_text(&b, text);
    assert_string_equal(b.data ? b.data : "", wanted);
}

static void what_comes_from_outside_is_escaped(void **state)
{
    auto_buf b = {0};
    (void)state;
    assert_html("<script>alert('1')</script>", "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
    assert_html("\" onload=\"x", "&quot; onload=&quot;x");
    assert_html("a&amp;b", "a&amp;amp;b");
    assert_html("Zoë 退订", "Zoë 退订");
    assert_html("\xff\xc3(\x01\x7f", "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd");
    assert_html("a\xe2\x80\xae"
                "b\xe2\x81\xa6"
                "c",
                "a\xef\xbf\xbd"
                "b\xef\xbf\xbd"
                "c");                                                    /* turn the text around */
    assert_html("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* half of a surrogate pair */
    htmlf(&b, "%s %d %lld %zu %.2f %% <b>%s</b>", "<", -5, 1LL << 40, (size_t)7, 1.005, "&");
    assert_string_equal(b.data, "&lt; -5 1099511627776 7 1.00 % <b>&amp;</b>");
    buf_clear(&b);
    html_link(&b, "/rules/", "a/\"b\" ?&", "<x>");
    assert_string_equal(b.data, "<a href=\"/rules/a%2F%22b%22%20%3F%26\">&lt;x&gt;</a>");
}

static void queries_are_read(void **state)
{
    struct query q;
    int64_t n;
    const char *text = "to=%2B49+171&x&=1&bad=%zz&nul=a%00b&utf=%ff&n=12&to=second&m=-1";
    (void)state;
    query_read(text, strlen(text), &q);
    assert_string_equal(query_get(&q, "to"), "+49 171");
    assert_string_equal(query_get(&q, "x"), "");
    assert_string_equal(query_get(&q, "bad"), "%zz");
    assert_false(query_has(&q, "nul"));
    assert_false(query_has(&q, "utf"));
    assert_true(query_number(&q, "n", 5, 1, 12, &n) && n == 12);
    assert_true(query_number(&q, "none", 5, 1, 12, &n) && n == 5);
    assert_false(query_number(&q, "n", 5, 1, 11, &n));
    assert_false(query_number(&q, "m", 5, -5, 11, &n));
    query_deinit(&q);
    char many[QUERY_MAX * 8];
    size_t len = 0;
    for (int i = 0; i < QUERY_MAX + 5; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "a%d=1&", i);
    query_read(many, len, &q);
    assert_int_equal(q.count, QUERY_MAX);
    query_deinit(&q);
}

static void numbers_in_words(void **state)
{
    char out[SPELL_SIZE];
    (void)state;
    assert_string_equal(spell_number(0, out), "0");
    assert_string_equal(spell_number(999, out), "999");
    assert_string_equal(spell_number(-1234567, out), "-1,234,567");
    assert_string_equal(spell_number(100000, out), "100,000");
    assert_string_equal(spell_share(99999, 100000, out), "99.9 %"); /* all is only said where it is all */
    assert_string_equal(spell_share(3, 3, out), "100 %");
    assert_string_equal(spell_share(1, 100000, out), "<0.1 %");
    assert_string_equal(spell_share(0, 0, out), "–");
    assert_string_equal(spell_duration(999, out), "999 ms");
    assert_string_equal(spell_duration(1500, out), "1.5 s");
    assert_string_equal(spell_duration(200000, out), "3 min 20 s");
    assert_string_equal(spell_duration(7500000, out), "2 h 5 min");
    assert_string_equal(spell_duration(12 * 3600000, out), "12 h");
    assert_string_equal(spell_rate(1234.4, out), "1,234/s");
    assert_string_equal(spell_rate(2.54, out), "2.5/s");
    assert_string_equal(spell_bytes(0, out), "0 B");
    assert_string_equal(spell_bytes(1536, out), "1.5 KiB");
    assert_string_equal(spell_time(0, out), "–");
    assert_string_equal(spell_time(1769847300000, out), "2026-01-31 08:15:00");
}

static void schedules_in_words(void **state)
{
    struct table t;
    (void)state;
    table_open(&t, "data/schedule_words.txt", 2);
    while (table_next(&t)) {
        auto_buf words = {0};
        schedule_words(t.cell[0], &words);
        table_check(&t, words.data, t.cell[1]);
    }
    table_close(&t);
}

static const char *phase(const char *state, bool holds, int64_t messages, int told_state, int64_t told)
{
    struct run_counts c = {0};
    enum phase ignored;
    run_counts_add(&c, told_state, told, 1);
    run_counts_close(&c, messages);
    return run_phase(
        &(struct run_stand){
            .state = state, .publish = true, .complete = true, .balance_holds = holds, .messages = messages},
        &c, &ignored);
}

static void a_run_is_finished_only_if_all_is_accounted_for(void **state)
{
    (void)state;
    assert_string_equal(phase("reading", true, 10, STATE_DELIVERED, 10), "reading");
    assert_string_equal(phase("read", true, 10, STATE_DELIVERED, 10), "finished");
    assert_string_equal(phase("read", true, 0, STATE_DELIVERED, 0), "finished");
    assert_string_equal(phase("read", true, 10, STATE_DELIVERED, 9), "sending");
    assert_string_equal(phase("read", true, 10, STATE_ACCEPTED, 10), "waiting for reports");
    assert_string_equal(phase("read", true, 10, STATE_IN_DOUBT, 10), "finished, some in doubt");
    assert_string_equal(phase("read", false, 10, STATE_DELIVERED, 10), "not accounted for");
    assert_string_equal(phase("read", true, 10, STATE_DELIVERED, 11), "not accounted for");
    assert_string_equal(phase("held", true, 10, STATE_DELIVERED, 0), "held");
    assert_string_equal(phase("cancelled", true, 10, STATE_CANCELLED, 4), "cancelled, ending");
    assert_string_equal(phase("cancelled", true, 10, STATE_CANCELLED, 10), "cancelled");
}

static void every_state_is_in_one_bucket(void **state)
{
    struct run_counts c = {0};
    static const int states[] = {10, 20, 30, 40, 41, 42, 43, 50, 60, 70, 80, 90};
    int64_t sum = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(states); i++)
        run_counts_add(&c, states[i], 1, (int64_t)i);
    run_counts_add(&c, -1, 2, 0);
    run_counts_close(&c, 20);
    for (int b = 0; b < BUCKETS; b++)
        sum += c.bucket[b];
    assert_int_equal(sum, 20);
    assert_int_equal(c.told, 12);
    assert_int_equal(c.bucket[BUCKET_QUEUED], 8);
    assert_int_equal(c.bucket[BUCKET_NOT_SENT], 4);
    assert_int_equal(c.bucket[BUCKET_UNDELIVERED], 3);
    assert_int_equal(c.partial, 2);
    assert_int_equal(run_submitted(&c), 8);
    assert_int_equal(run_accepted(&c), 5); /* accepted, unknown, expired, undelivered, delivered */
    auto_buf b = {0};
    add_bar(&b, &c, 20);
    assert_non_null(strstr(
        b.data, "aria-label=\"1 delivered, 3 undelivered, 1 unknown, 1 in doubt, 1 accepted, 1 submitted, "
                "4 not sent, 8 queued\""));
}

static void charts_have_round_scales(void **state)
{
    char labels[2][32] = {"08:00", "08:01"};
    int64_t values[] = {3, 0, 0, 4};
    struct chart c = {.title = "<t>",
                      .unit = "messages",
                      .series_count = 2,
                      .column_count = 2,
                      .series = {{"delivered", "delivered"}, {"in doubt", "in-doubt"}},
                      .values = values,
                      .labels = labels};
    auto_buf b = {0};
    (void)state;
    assert_int_equal(chart_step(1, 4), 1);
    assert_int_equal(chart_step(4, 4), 1);
    assert_int_equal(chart_step(5, 4), 2);
    assert_int_equal(chart_step(37, 4), 10);
    assert_int_equal(chart_step(400, 4), 100);
    assert_int_equal(chart_step(401, 4), 200);
    assert_true(chart_step(INT64_MAX / 8, 4) >= INT64_MAX / 100);
    chart_add(&b, &c);
    assert_non_null(strstr(b.data, "&lt;t&gt;"));
    assert_null(strstr(b.data, "<t>"));
    assert_non_null(strstr(b.data, "08:01: 4 messages"));
    memset(values, 0, sizeof(values));
    buf_clear(&b);
    chart_add(&b, &c);
    assert_non_null(strstr(b.data, "Nothing in this time."));
}

static void rates_over_a_window(void **state)
{
    struct rates *r = rates_new(10000);
    (void)state;
    assert_true(rates_note(r, "run", 1, 100, 1000000) < 0);
    assert_true(rates_note(r, "run", 1, 150, 1000500) < 0); /* too short to say */
    assert_true(rates_note(r, "run", 1, 200, 1002000) == 50);
    assert_true(rates_note(r, "run", 2, 5, 1002000) < 0);  /* another one */
    assert_true(rates_note(r, "run", 1, 10, 1003000) < 0); /* counted anew */
    assert_true(rates_note(r, "run", 1, 30, 1004000) == 20);
    assert_true(rates_note(r, "run", 1, 30, 1100000) < 0); /* nothing of the window is left */
    for (int64_t i = 0; i < 2000; i++)
        (void)!rates_note(r, "other", i, 1, 1100000 + i);
    rates_free(r);
}

/* ---- who may look ---- */

struct head {
    const char *name, *value;
};
static const char *header_of(const void *arg, const char *name)
{
    for (const struct head *h = arg; h && h->name; h++)
        if (strcmp(h->name, name) == 0)
            return h->value;
    return NULL;
}

static struct access_question from(const char *peer, const struct head *heads, const char *session)
{
    struct access_question q = {.header = header_of, .arg = heads, .session = session};
    assert_true(address_parse(peer, strlen(peer), &q.peer));
    return q;
}

static char viewer[] = "viewer-token-0815-x", operator_[] = "operator-token-0815", role_header[] = "X-Role",
            user_header[] = "X-User", nothing[] = "";

static void set(struct conf_dashboard *d, bool tokens, bool open)
{
    *d = (struct conf_dashboard){.viewer_token = tokens ? viewer : nothing,
                                 .operator_token = tokens ? operator_ : nothing,
                                 .role_header = role_header,
                                 .user_header = user_header,
                                 .open_on_loopback = open};
}

static enum role role_at(const struct setting *s, struct access_question q, int64_t now_ms)
{
    struct who who;
    access_who(s, &q, now_ms, &who);
    return who.role;
}

static void proxies_and_loopback(void **state)
{
    struct conf conf = {0};
    struct network lan;
    struct setting s = {.conf = &conf, .trusted = &lan, .trusted_count = 1, .session_key = nothing};
    const struct head as_operator[] = {{"X-Role", "operator"}, {"X-User", "jo"}, {0}},
                      as_nobody[] = {{"X-Role", "root"}, {0}};
    const struct head local[] = {{"Host", "localhost:8086"}, {0}},
                      rebound[] = {{"Host", "evil.example:8086"}, {0}};
    const struct head forwarded[] = {{"Host", "localhost"}, {"X-Forwarded-For", "192.0.2.1"}, {0}};
    (void)state;
    assert_true(network_parse("10.0.0.0/24", &lan));
    set(&conf.main.dashboard, false, true);
    assert_int_equal(role_at(&s, from("10.0.0.7", as_operator, NULL), 1000), ROLE_OPERATOR);
    assert_int_equal(role_at(&s, from("10.0.1.7", as_operator, NULL), 1000),
                     ROLE_NONE); /* no proxy of ours */
    assert_int_equal(role_at(&s, from("10.0.0.7", as_nobody, NULL), 1000), ROLE_NONE);
    assert_int_equal(role_at(&s, from("127.0.0.1", local, NULL), 1000), ROLE_OPERATOR);
    assert_int_equal(role_at(&s, from("::1", local, NULL), 1000), ROLE_OPERATOR);
    assert_int_equal(role_at(&s, from("127.0.0.1", rebound, NULL), 1000), ROLE_NONE);
    assert_int_equal(role_at(&s, from("127.0.0.1", forwarded, NULL), 1000), ROLE_NONE);
    assert_int_equal(role_at(&s, from("192.0.2.7", local, NULL), 1000), ROLE_NONE);
    conf.main.dashboard.open_on_loopback = false;
    assert_int_equal(role_at(&s, from("127.0.0.1", local, NULL), 1000), ROLE_NONE);
}

static void sessions_are_signed(void **state)
{
    struct conf conf = {0};
    char key[] = "0123";
    struct setting s = {.conf = &conf, .session_key = key};
    int64_t now = 1769847300000;
    (void)state;
    set(&conf.main.dashboard, true, false);
    auto_free char *session = access_session(&s, ROLE_VIEWER, now + 1000);
    assert_int_equal(role_at(&s, from("192.0.2.7", NULL, session), now), ROLE_VIEWER);
    assert_int_equal(role_at(&s, from("192.0.2.7", NULL, session), now + 3000), ROLE_NONE); /* over */
    auto_free char *raised = xasprintf("1.operator%s", strchr(session + 2, '.'));
    assert_int_equal(role_at(&s, from("192.0.2.7", NULL, raised), now), ROLE_NONE);
    auto_free char *eternal = access_session(&s, ROLE_VIEWER, now + 10 * SESSION_MS);
    assert_int_equal(role_at(&s, from("192.0.2.7", NULL, eternal), now), ROLE_NONE);
    conf.main.dashboard.viewer_token = nothing; /* nobody has that role by a token any more */
    assert_int_equal(role_at(&s, from("192.0.2.7", NULL, session), now), ROLE_NONE);
    key[0] = '1'; /* a token was changed */
    set(&conf.main.dashboard, true, false);
    assert_int_equal(role_at(&s, from("192.0.2.7", NULL, session), now), ROLE_NONE);
}

static void tries_are_few(void **state)
{
    struct conf conf = {0};
    struct setting s = {.conf = &conf, .session_key = nothing};
    const struct head wrong[] = {{"Authorization", "Bearer nothing-of-the-kind"}, {0}};
    const struct head right[] = {{"Authorization", "Bearer operator-token-0815"}, {0}};
    struct who who;
    (void)state;
    set(&conf.main.dashboard, true, false);
    tries_forget();
    for (int i = 0; i < TRIES_EACH; i++) {
        struct access_question q = from("192.0.2.7", wrong, NULL);
        access_who(&s, &q, 1000, &who);
        assert_int_equal(who.retry_s, 0);
    }
    struct access_question q = from("192.0.2.7", right, NULL);
    access_who(&s, &q, 1000, &who); /* the right one, too: else it could be told from wrong ones */
    assert_int_equal(who.role, ROLE_NONE);
    assert_int_equal(who.retry_s, 60);
    assert_int_equal(role_at(&s, from("192.0.2.8", right, NULL), 1000),
                     ROLE_OPERATOR); /* others are not in the way */
    assert_int_equal(role_at(&s, from("192.0.2.7", right, NULL), 1000 + TRIES_WINDOW_MS), ROLE_OPERATOR);
    for (int i = 0; i < TRIES_ALL; i++) {
        struct address a = {.bytes = {0x20, 1, [5] = (uint8_t)i, [6] = (uint8_t)(i >> 8)}};
        tries_wrong(&a, 500000);
    }
    assert_int_equal(role_at(&s, from("192.0.2.9", right, NULL), 500000),
                     ROLE_NONE); /* all together were too many */
    tries_forget();
}

static void posts_of_other_sites_are_told_from_ours(void **state)
{
    const struct head ours[] = {{"Sec-Fetch-Site", "same-origin"}, {0}},
                      theirs[] = {{"Sec-Fetch-Site", "cross-site"}, {0}};
    const struct head origin[] = {{"Origin", "https://page.example"}, {"Host", "page.example"}, {0}};
    const struct head other[] = {{"Origin", "https://evil.example"}, {"Host", "page.example"}, {0}},
                      opaque[] = {{"Origin", "null"}, {0}};
    struct access_question q[] = {from("::1", ours, NULL), from("::1", theirs, NULL),
                                  from("::1", origin, NULL), from("::1", other, NULL),
                                  from("::1", opaque, NULL)};
    (void)state;
    assert_true(access_same_site(&q[0]) && access_same_site(&q[2]));
    assert_false(access_same_site(&q[1]) || access_same_site(&q[3]) || access_same_site(&q[4]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_from_outside_is_escaped),
        cmocka_unit_test(queries_are_read),
        cmocka_unit_test(numbers_in_words),
        cmocka_unit_test(schedules_in_words),
        cmocka_unit_test(a_run_is_finished_only_if_all_is_accounted_for),
        cmocka_unit_test(every_state_is_in_one_bucket),
        cmocka_unit_test(charts_have_round_scales),
        cmocka_unit_test(rates_over_a_window),
        cmocka_unit_test(proxies_and_loopback),
        cmocka_unit_test(sessions_are_signed),
        cmocka_unit_test(tries_are_few),
        cmocka_unit_test(posts_of_other_sites_are_told_from_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
