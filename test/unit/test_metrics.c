/* Metrics as Prometheus reads them, their labels, figures that are metrics, and what /livez and /readyz say.
 */
#include "lib/clock.h"
#include "lib/health.h"
#include "lib/links.h"
#include "lib/metrics.h"
#include "lib/service.h"
#include "table.h"

#include <pthread.h>

static const struct metric sent = {
    "test_sent_total", "Messages sent.", METRIC_COUNTER, {"gateway", "outcome"}, 0};
static const struct metric age = {"test_age_seconds", "How old.", METRIC_GAUGE, {"gateway"}, 1000};
static const struct metric took = {"test_took_seconds", "How long.", METRIC_SECONDS, {"lane"}, 0};

/* Ours of the text, without what every process tells. */
static char *text(void)
{
    struct buf out = {0};
    metrics_print(&out);
    char *process = strstr(out.data, "# HELP smschain_build_info");
    assert_non_null(process);
    assert_non_null(strstr(process, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(process, "\nprocess_cpu_seconds_total "));
    *process = '\0';
    return out.data;
}

static void told_in_order(void **state)
{
    (void)state;
    struct series *b = series_new(&sent, "beta", "accepted"), *a = series_new(&sent, "alpha", "accepted");
    struct series *r = series_new(&sent, "alpha", "refused"), *g = series_new(&age, "alpha", NULL);
    auto_free char *before = text();
    assert_null(strstr(before, "test_age_seconds")); /* a gauge that nobody has set is not 0 */
    assert_non_null(strstr(before, "test_sent_total{gateway=\"beta\",outcome=\"accepted\"} 0\n"));
    series_add(b, 3);
    series_add(a, 4);
    series_add(a, 38);
    series_set(r, 7);
    series_set(g, 1500);
    auto_free char *told = text();
    assert_string_equal(told, "# HELP test_age_seconds How old.\n"
                              "# TYPE test_age_seconds gauge\n"
                              "test_age_seconds{gateway=\"alpha\"} 1.5\n"
                              "# HELP test_sent_total Messages sent.\n"
                              "# TYPE test_sent_total counter\n"
                              "test_sent_total{gateway=\"alpha\",outcome=\"accepted\"} 42\n"
                              "test_sent_total{gateway=\"alpha\",outcome=\"refused\"} 7\n"
                              "test_sent_total{gateway=\"beta\",outcome=\"accepted\"} 3\n");
    series_free(a);
    series_free(b);
    series_free(r);
    series_free(g);
    series_add(NULL, 1);
    auto_free char *gone = text();
    assert_string_equal(gone, "");
}

static void histogram(void **state)
{
    (void)state;
    static const int64_t us[] = {0, 1000, 1001, 70000, 400000000};
    struct series *s = series_new(&took, "bulk", NULL);
    for (size_t i = 0; i < COUNT_OF(us); i++)
        series_observe_us(s, us[i]);
    assert_int_equal(series_value(s), 5);
    auto_free char *told = text();
    assert_non_null(strstr(told, "# TYPE test_took_seconds histogram\n"));
    assert_non_null(strstr(told, "test_took_seconds_bucket{lane=\"bulk\",le=\"0.001\"} 2\n"));
    assert_non_null(strstr(told, "test_took_seconds_bucket{lane=\"bulk\",le=\"0.0025\"} 3\n"));
    assert_non_null(strstr(told, "test_took_seconds_bucket{lane=\"bulk\",le=\"0.1\"} 4\n"));
    assert_non_null(strstr(told, "test_took_seconds_bucket{lane=\"bulk\",le=\"300\"} 4\n"));
    assert_non_null(strstr(told, "test_took_seconds_bucket{lane=\"bulk\",le=\"+Inf\"} 5\n"));
    assert_non_null(strstr(told, "test_took_seconds_sum{lane=\"bulk\"} 400.072001\n"));
    assert_non_null(strstr(told, "test_took_seconds_count{lane=\"bulk\"} 5\n"));
    series_free(s);
}

/* What is set apart is told together: two dispatchers of one gateway, two connections of one kind. */
static void equal_labels_add_up(void **state)
{
    (void)state;
    struct series *a = series_new(&sent, "alpha", NULL), *b = series_new(&sent, "alpha", "");
    series_add(a, 2);
    series_add(b, 5);
    auto_free char *told = text();
    assert_non_null(strstr(told, "\ntest_sent_total{gateway=\"alpha\"} 7\n"));
    series_free(a);
    series_free(b);
}

static void labels_tell_nobody(void **state)
{
    (void)state;
    static const struct {
        const char *value, *told;
    } cases[] = {
        {"alpha-2.example", "gateway=\"alpha-2.example\""},
        {"a\"b\\c\nd", "gateway=\"a\\\"b\\\\c\\nd\""},
        {"123456", "gateway=\"123456\""},
        {"491711234567", "gateway=\"other\""},
        {"x1234567", "gateway=\"other\""},
        {"\xff", "gateway=\"other\""},
        {"0123456 0123456 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "gateway=\"other\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct series *s = series_new(&age, cases[i].value, NULL);
        series_set(s, 1);
        auto_free char *told = text();
        assert_non_null(strstr(told, cases[i].told));
        series_free(s);
    }
}

/* However many values somebody makes, the text stays bounded. */
static void bounded(void **state)
{
    (void)state;
    struct series *all[METRIC_SERIES_MAX + 100];
    size_t lines = 0;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        auto_free char *name = xasprintf("g%zu", i);
        all[i] = series_new(&age, name, NULL);
        series_set(all[i], 1000);
    }
    auto_free char *told = text();
    for (const char *p = told; (p = strstr(p, "test_age_seconds{")); p++)
        lines++;
    assert_int_equal(lines, METRIC_SERIES_MAX + 1);
    assert_non_null(strstr(told, "test_age_seconds{gateway=\"other\"} 100\n"));
    for (size_t i = 0; i < COUNT_OF(all); i++)
        series_free(all[i]);
}

static void *count_up(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        series_add(arg, 1);
        if (i % 1000 == 0) {
            auto_buf out = {0};
            metrics_print(&out);
        }
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    pthread_t t[4];
    struct series *s = series_new(&sent, "alpha", "accepted");
    for (size_t i = 0; i < COUNT_OF(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, count_up, s), 0);
    for (size_t i = 0; i < COUNT_OF(t); i++)
        pthread_join(t[i], NULL);
    assert_int_equal(series_value(s), 80000);
    series_free(s);
}

static void figures_are_metrics(void **state)
{
    (void)state;
    static const struct figure_metric rows[] = {{"sent", &sent, "accepted", NULL},
                                                {"oldest_ms", &age, NULL, NULL},
                                                {"state", &sent, "open", "open"},
                                                {"state", &sent, "closed", "closed"},
                                                {0}};
    struct figures *f = figures_new("dispatch", "alpha");
    figures_tell(f, rows, "alpha");
    figures_set(f, "sent", 12);
    figures_set(f, "sent", 13);
    figures_set(f, "oldest_ms", 250);
    figures_set(f, "nobody_asks", 9);
    figures_set_str(f, "state", "open");
    auto_free char *told = text();
    assert_non_null(strstr(told, "test_sent_total{gateway=\"alpha\",outcome=\"accepted\"} 13\n"));
    assert_non_null(strstr(told, "test_age_seconds{gateway=\"alpha\"} 0.25\n"));
    assert_non_null(strstr(told, "test_sent_total{gateway=\"alpha\",outcome=\"open\"} 1\n"));
    assert_non_null(strstr(told, "test_sent_total{gateway=\"alpha\",outcome=\"closed\"} 0\n"));
    assert_null(strstr(told, "nobody"));
    figures_free(f);
    auto_free char *gone = text();
    assert_string_equal(gone, "");
}

static bool answer_of(void *arg, struct buf *words)
{
    const bool *good = arg;
    if (!*good)
        buf_add_str(words, "it says no");
    return *good;
}

static void readiness(void **state)
{
    (void)state;
    bool good = true;
    auto_buf first = {0}, second = {0}, third = {0};
    struct health *place = health_new("place", "alpha"), *asked = health_ask("intake", answer_of, &good);
    assert_false(health_ready(&first, false));
    assert_string_equal(first.data, "[-]place alpha: not looked at yet\n");
    health_good(place, "standing_by");
    assert_true(health_ready(&second, true));
    assert_string_equal(second.data, "[+]place alpha: standing_by\n[+]intake\n");
    auto_free char *told = text();
    assert_non_null(strstr(told, "smschain_ready{check=\"place\",gateway=\"alpha\"} 1\n"));
    assert_non_null(strstr(told, "smschain_ready{check=\"intake\"} 1\n"));
    good = false;
    health_bad(place, "%s", "database_away");
    assert_false(health_ready(&third, false));
    assert_string_equal(third.data, "[-]place alpha: database_away\n[-]intake: it says no\n");
    health_free(place);
    health_free(asked);
    health_good(NULL, "");
}

static void liveness(void **state)
{
    (void)state;
    auto_buf first = {0}, second = {0}, third = {0};
    struct loop *quick = loop_new("scheduler", 60000), *stuck = loop_new("dispatcher alpha", 30);
    assert_true(health_live(&first, false));
    assert_null(first.data);
    for (int64_t until = clock_mono_ms() + 60; clock_mono_ms() < until;)
        usleep(1000);
    assert_false(health_live(&second, false));
    assert_memory_equal(second.data, "[-]dispatcher alpha: turned 0.", 30);
    loop_turned(stuck);
    assert_true(health_live(&third, true));
    assert_memory_equal(third.data, "[+]scheduler: turned 0.", 23);
    loop_free(quick);
    loop_free(stuck);
    loop_turned(NULL);
}

static void connections(void **state)
{
    (void)state;
    struct link a, b, none;
    auto_buf first = {0}, second = {0}, third = {0};
    link_begin(&a, &links_broker);
    link_begin(&b, &links_broker);
    link_begin(&none, NULL);
    link_lost(&none, "nobody cares");
    link_opened(&a);
    link_lost(&b, "connection refused");
    assert_false(health_ready(&first, false));
    assert_string_equal(first.data, "[-]broker: connection refused\n");
    auto_free char *told = text();
    assert_non_null(strstr(told, "smschain_connections{kind=\"broker\",state=\"open\"} 1\n"));
    assert_non_null(strstr(told, "smschain_connections{kind=\"broker\",state=\"away\"} 1\n"));
    assert_non_null(strstr(told, "smschain_connects_total{kind=\"broker\",outcome=\"failed\"} 1\n"));
    link_unwanted(&b);
    assert_true(health_ready(&second, true));
    link_closed(&a);
    assert_false(health_ready(&third, false));
    assert_string_equal(third.data, "[-]broker: no connection is open\n");
    link_end(&a);
    link_end(&b);
    link_end(&none);
    auto_free char *gone = text();
    assert_string_equal(gone, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_in_order),
        cmocka_unit_test(histogram),
        cmocka_unit_test(equal_labels_add_up),
        cmocka_unit_test(labels_tell_nobody),
        cmocka_unit_test(bounded),
        cmocka_unit_test(threads),
        cmocka_unit_test(figures_are_metrics),
        cmocka_unit_test(readiness),
        cmocka_unit_test(liveness),
        cmocka_unit_test(connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
