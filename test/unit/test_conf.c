/* What a good configuration becomes: the samples load, every key is shown by them, defaults and reference
 * hold, lines of texts are right, secrets come from files and are not shown. `test_conf --reference` prints
 * docs/reference.md. */
#include "lib/conf_internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT "../../"

static const char *const variables[] = {
    "SMSCHAIN_EXTRACT_DB_PASSWORD",
    "SMSCHAIN_DISPATCH_DB_PASSWORD",
    "SMSCHAIN_CALLBACK_DB_PASSWORD",
    "SMSCHAIN_OPERATOR_DB_PASSWORD",
    "SMSCHAIN_DASHBOARD_DB_PASSWORD",
    "SMSCHAIN_EXTRACT_BROKER_PASSWORD",
    "SMSCHAIN_RENDER_BROKER_PASSWORD",
    "SMSCHAIN_DISPATCH_BROKER_PASSWORD",
    "SMSCHAIN_CALLBACK_BROKER_PASSWORD",
    "SMSCHAIN_OPERATOR_BROKER_PASSWORD",
    "SMSCHAIN_DASHBOARD_BROKER_PASSWORD",
    "SMSCHAIN_SHOP_CONNINFO",
    "SMSCHAIN_ALPHA_TOKEN",
    "SMSCHAIN_BETA_TOKEN",
    "SMSCHAIN_BETA_KEY",
    "SMSCHAIN_KANNEL_PASSWORD",
    "SMSCHAIN_KANNEL_TOKEN",
    "SMSCHAIN_TWILIO_AUTH_TOKEN",
    "SMSCHAIN_TWILIO_TOKEN",
    "SMSCHAIN_INFOBIP_KEY",
    "SMSCHAIN_INFOBIP_TOKEN",
    "SMSCHAIN_ALIYUN_SECRET",
    "SMSCHAIN_ALIYUN_TOKEN",
    "SMSCHAIN_GAMMA_PASSWORD",
    "SMSCHAIN_DELTA_PASSWORD",
    "SMSCHAIN_EPSILON_PASSWORD",
    "SMSCHAIN_ZETA_PASSWORD",
};

static void set_variables(void)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        setenv(variables[i], "hush-hush-0815", 1);
}

static void unset_variables(void)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
}

static struct conf *load(const char *dir, const char *section)
{
    struct conf *c = NULL;
    auto_buf report = {0};

    if (conf_load(dir, section, &c, &report))
        fail_msg("%s", report.data);
    return c;
}

static char *read_all(const char *path)
{
    char block[4096];
    auto_buf text = {0};
    FILE *f = fopen(path, "r");

    if (!f)
        fail_msg("%s cannot be read", path);
    for (size_t n; (n = fread(block, 1, sizeof(block), f)) > 0;)
        buf_add(&text, block, n);
    fclose(f);
    return buf_take(&text, NULL);
}

/* ---- the samples ---- */
static void samples_load(void **state)
{
    set_variables();
    struct conf *c = load(ROOT "conf", "");
    unset_variables();

    assert_int_equal(c->rule_count, 12);
    assert_int_equal(c->template_count, 17);
    assert_int_equal(c->caller_count, 1);
    assert_int_equal(c->gateway_count, 11);
    assert_int_equal(c->source_count, 1);
    assert_int_equal(c->main.callback.flush_interval_ms, 60000);
    assert_int_equal(c->main.callback.flush_bytes, 16 << 20);
    assert_int_equal(c->main.extract.missed_look_back_ms, 86400000);
    assert_string_equal(c->main.operator_.service.database_user, "smschain_operator");
    assert_string_equal(c->main.extract.service.broker_password, "hush-hush-0815");

    const struct conf_rule *rule = conf_rule(c, "contract-activated");
    assert_non_null(rule);
    assert_true(rule->start_at_once);
    assert_int_equal(rule->missed, CONF_MISSED_RUN_ONCE);
    assert_string_equal(rule->lane, "instant");
    assert_int_equal(rule->route_count, 2);
    assert_int_equal(rule->routes[0].prefixes.count, 1);
    assert_string_equal(rule->routes[0].prefixes.items[0], "49");
    assert_string_equal(rule->routes[1].gateway, "alpha");
    assert_int_equal(conf_rule(c, "holiday-wishes")->missed, CONF_MISSED_SKIP);
    assert_false(conf_rule(c, "repayment-reminder")->start_at_once);
    assert_string_equal(conf_rule(c, "repayment-reminder")->once_per.items[1], "due_on");
    assert_null(conf_rule(c, "nobody"));

    const struct conf_gateway *alpha = conf_gateway(c, "alpha"), *beta = conf_gateway(c, "beta");
    assert_int_equal(alpha->request.numbers_max, 50);
    assert_int_equal(alpha->answers[0].is, ANSWER_ACCEPTED);
    assert_string_equal(alpha->answers[0].refused_numbers, "match:2");
    assert_int_equal(alpha->answers[3].is, ANSWER_THROTTLED);
    assert_int_equal(alpha->report.statuses[0].state, STATE_DELIVERED);
    assert_int_equal(alpha->report.statuses[4].state, STATE_ACCEPTED);
    assert_string_equal(beta->request.headers.pairs[1].key, "X-Api-Key");
    assert_string_equal(beta->request.headers.pairs[1].value, "hush-hush-0815");
    assert_string_equal(conf_source(c, "shop")->driver, "postgresql");
    conf_free(c);
}

/* Each service, given only its own secrets, loads the same files. */
static void each_service_needs_its_own_secrets(void **state)
{
    static const struct {
        const char *section, *needs[20];
    } services[] = {
        {"extract",
         {"SMSCHAIN_EXTRACT_DB_PASSWORD", "SMSCHAIN_EXTRACT_BROKER_PASSWORD", "SMSCHAIN_SHOP_CONNINFO"}},
        {"render", {"SMSCHAIN_RENDER_BROKER_PASSWORD"}},
        {"dispatch",
         {"SMSCHAIN_DISPATCH_DB_PASSWORD", "SMSCHAIN_DISPATCH_BROKER_PASSWORD", "SMSCHAIN_BETA_KEY",
          "SMSCHAIN_KANNEL_PASSWORD", "SMSCHAIN_KANNEL_TOKEN", "SMSCHAIN_TWILIO_AUTH_TOKEN",
          "SMSCHAIN_TWILIO_TOKEN", "SMSCHAIN_INFOBIP_KEY", "SMSCHAIN_INFOBIP_TOKEN", "SMSCHAIN_ALIYUN_SECRET",
          "SMSCHAIN_GAMMA_PASSWORD", "SMSCHAIN_DELTA_PASSWORD", "SMSCHAIN_EPSILON_PASSWORD",
          "SMSCHAIN_ZETA_PASSWORD"}},
        {"callback",
         {"SMSCHAIN_CALLBACK_DB_PASSWORD", "SMSCHAIN_CALLBACK_BROKER_PASSWORD", "SMSCHAIN_ALPHA_TOKEN",
          "SMSCHAIN_BETA_TOKEN", "SMSCHAIN_BETA_KEY", "SMSCHAIN_KANNEL_TOKEN", "SMSCHAIN_TWILIO_TOKEN", "SMSCHAIN_INFOBIP_TOKEN",
          "SMSCHAIN_ALIYUN_TOKEN"}},
        {"operator", {"SMSCHAIN_OPERATOR_DB_PASSWORD", "SMSCHAIN_OPERATOR_BROKER_PASSWORD"}},
        {"dashboard", {"SMSCHAIN_DASHBOARD_DB_PASSWORD", "SMSCHAIN_DASHBOARD_BROKER_PASSWORD"}},
    };

    for (size_t i = 0; i < COUNT_OF(services); i++) {
        for (size_t j = 0; services[i].needs[j]; j++)
            setenv(services[i].needs[j], "hush-hush-0815", 1);
        conf_free(load(ROOT "conf", services[i].section));
        for (size_t j = 0; services[i].needs[j]; j++) { /* and misses each of them */
            struct conf *c = NULL;
            auto_buf report = {0};
            unsetenv(services[i].needs[j]);
            assert_int_equal(conf_load(ROOT "conf", services[i].section, &c, &report), -EINVAL);
            assert_non_null(strstr(report.data, services[i].needs[j]));
            setenv(services[i].needs[j], "hush-hush-0815", 1);
        }
        unset_variables();
    }
}

static bool shows(const char *samples, const char *key)
{
    size_t len = strlen(key);

    for (const char *at = strstr(samples, key); at; at = strstr(at + 1, key)) {
        bool whole = at == samples || !strchr("abcdefghijklmnopqrstuvwxyz_", at[-1]);
        if (whole && at[len] == ':')
            return true;
    }
    return false;
}

/* The samples show every key, in use or behind a '#'. */
static void keys_shown(const struct conf_table *t, const char *samples)
{
    size_t count = 0;

    for (const struct conf_key *key = t->keys; key->name; key++, count++) {
        if (!shows(samples, key->name))
            fail_msg("no sample of %s shows the key '%s'", t->title ? t->title : "a section", key->name);
        if (key->table)
            keys_shown(key->table, samples);
    }
    assert_true(count < 64); /* KEYS_MAX in conf_fill.c */
}

static void samples_show_every_key(void **state)
{
    static const char *const files[CONF_KINDS][12] = {
        [CONF_KIND_MAIN] = {"smschain.yaml"},
        [CONF_KIND_SOURCE] = {"sources/shop.yaml", "sources/mariadb.yaml.sample"},
        [CONF_KIND_TEMPLATE] = {"templates/repayment-reminder.liquid"},
        [CONF_KIND_GATEWAY] = {"gateways/alpha.yaml", "gateways/beta.yaml", "gateways/aliyun-like.yaml",
                               "gateways/infobip-like.yaml", "gateways/smpp.yaml.sample",
                               "gateways/adapter-like.yaml"},
        [CONF_KIND_RULE] = {"rules/repayment-reminder.yaml", "rules/contract-activated.yaml",
                             "rules/customer-list.yaml.sample"},
        [CONF_KIND_CALLER] = {"callers/webshop.yaml"},
    };

    for (int kind = 0; kind < CONF_KINDS; kind++) {
        auto_buf samples = {0};
        for (size_t i = 0; files[kind][i]; i++) {
            auto_free char *path = xasprintf(ROOT "conf/%s", files[kind][i]);
            auto_free char *text = read_all(path);
            buf_add_str(&samples, text);
        }
        keys_shown(&conf_tables[kind], samples.data);
    }
}

/* ---- what is printed ---- */
static void reference_is_as_printed(void **state)
{
    auto_free char *file = read_all(ROOT "docs/reference.md");
    auto_buf printed = {0};

    conf_print_reference(&printed);
    if (strcmp(file, printed.data) != 0)
        fail_msg(
            "docs/reference.md is not what the tables say: run `test_conf --reference > docs/reference.md`");
}

static void print_hides_secrets(void **state)
{
    auto_buf out = {0};

    set_variables();
    setenv("SMSCHAIN_RENDER_BROKER_PASSWORD", "qqq", 1); /* too short to be looked for, but its key is a secret one */
    setenv("SMSCHAIN_ALPHA_URL", "http://alpha.example/hush-hush-0815", 1);
    struct conf *c = load(ROOT "conf", "");
    unsetenv("SMSCHAIN_ALPHA_URL");
    unset_variables();
    conf_print(c, &out);
    assert_null(strstr(out.data, "hush"));
    assert_null(strstr(out.data, "qqq"));
    assert_non_null(strstr(out.data, "url: \"http://alpha.example/***/send?"));
    assert_non_null(strstr(out.data, "  database_password: \"***\"\n"));
    assert_non_null(strstr(out.data, "  flush_interval: 1m\n"));
    assert_non_null(strstr(out.data, "    DELIVRD: delivered\n"));
    assert_non_null(strstr(out.data, "  - gateway: alpha\n    prefixes: []\n    weight: 3\n"));
    assert_non_null(strstr(out.data, "sql: |\n  SELECT c.phone"));
    conf_free(c);
}

/* ---- a configuration of our own, for places and files ---- */
static char dir[] = "/tmp/smschain-conf-XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_dir(void **state)
{
    assert_non_null(mkdtemp(dir));
    auto_free char *command = xasprintf("cd %s && mkdir sources rules templates gateways", dir);
    assert_int_equal(system(command), 0);
    write_file("smschain.yaml",
               "database:\n  conninfo: dbname=x\nbroker:\n  host: h\n"
               "extract:\n  database_password_file: secret\n  deliver_only_to: [\"+491711234567\"]\n",
               0644);
    write_file("secret", "  two words \n", 0640);
    write_file("sources/s.yaml", "conninfo: x\n", 0644);
    return 0;
}

static int remove_dir(void **state)
{
    auto_free char *command = xasprintf("rm -rf %s", dir);

    return system(command);
}

static void secrets_from_files(void **state)
{
    struct conf *c = load(dir, "extract");
    auto_buf report = {0};

    assert_string_equal(c->main.extract.service.database_password,
                        "  two words "); /* one line break goes, no more */
    assert_string_equal(c->main.extract.deliver_only_to.items[0], "491711234567");
    conf_free(c);

    write_file("secret", "x\n", 0644);
    assert_int_equal(conf_load(dir, "extract", &c, &report), -EINVAL);
    assert_non_null(
        strstr(report.data, "may be read by everyone (mode 0644), which a secret must not be: chmod o-rwx"));
    c = load(dir, "dispatch"); /* does not even look at it */
    assert_string_equal(c->main.extract.service.database_password, "");
    conf_free(c);
    write_file("secret", "", 0600);
    c = load(dir, "extract");
    assert_string_equal(c->main.extract.service.database_password, "");
    conf_free(c);
}

static void lines_of_texts(void **state)
{
    write_file("gateways/g.yaml",
               "rate: 1\nwindow: 1\nrequest:\n  url: http://g/\n  headers:\n    X-A: b\n  body: |\n    {{ "
               "number }}\n    {{ text }}\n"
               "answer:\n  - {status: 200, is: accepted, msg_id: body}\n  - status: 400\n    is: refused\n",
               0644);
    write_file("templates/t.liquid", "---\r\nclass: code\r\n---\r\nOne\r\nTwo\r\n\r\n", 0644);
    write_file("rules/a.yaml",
               "at: 2026-12-24 09:00\nsource: s\ntemplate: t\nonce_per: [n]\nmax_recipients: 1\n"
               "route:\n  - gateway: g\n\nsql: |\n\n  SELECT 1\n  AS n\n",
               0644);
    write_file(
        "rules/b.yaml",
        "sql: SELECT 1\nat: 2026-12-24 09:00\nsource: s\ntemplate: t\nonce_per: [n]\nmax_recipients: 1\n"
        "route: [gateway: g]\n",
        0644);
    struct conf *c = load(dir, "render");

    const struct conf_gateway *g = conf_gateway(c, "g");
    assert_int_equal(g->request.url_line, 4);
    assert_int_equal(g->request.headers.pairs[0].line, 6);
    assert_int_equal(g->request.body_line, 8);
    assert_string_equal(g->request.body, "{{ number }}\n{{ text }}\n");
    assert_int_equal(g->answers[0].line, 11);
    assert_int_equal(g->answers[1].line, 12);
    assert_int_equal(conf_rule(c, "a")->sql_line, 10);
    assert_string_equal(conf_rule(c, "a")->sql, "\nSELECT 1\nAS n\n");
    assert_int_equal(conf_rule(c, "a")->routes[0].line, 7);
    assert_int_equal(conf_rule(c, "b")->sql_line, 1);

    const struct conf_template *t = conf_template(c, "t");
    assert_string_equal(t->text, "One\nTwo\n");
    assert_int_equal(t->text_line, 4);
    assert_string_equal(t->version, "a885775ae7471872");
    conf_free(c);
}

/* ---- units ---- */
static void units(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"250ms", 250},  {"1s", 1000},    {"90s", 90000},
                     {"10m", 600000}, {"1h", 3600000}, {"7d", 604800000}};
    static const char *const bad[] = {
        "",      "s",   "-1s", "1", "1 s", "1S", "1h30m", "99999999999999999999s", "999999999999999999d",
        "0x10s", "1.5s"};
    const struct conf_key key = {.name = "k", .type = CONF_DURATION, .min = 0, .max = INT64_MAX};
    char message[CONF_MESSAGE_MAX], text[32];
    int64_t n;

    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        assert_true(conf_store(&key, durations[i].text, &n, message));
        assert_int_equal(n, durations[i].ms);
        assert_string_equal(conf_duration_text(n, text), durations[i].text);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(conf_store(&key, bad[i], &n, message));
    assert_string_equal(conf_duration_text(0, text), "0ms");
    assert_string_equal(conf_size_text(65536, text), "64KiB");
    assert_string_equal(conf_size_text(65537, text), "65537B");
}

static void arguments(void **state)
{
    int code = -1;
    char *none[] = {strdup("x"), NULL};
    char *given[] = {none[0], strdup("--conf"), strdup("/d"), NULL};

    unsetenv("SMSCHAIN_CONF");
    assert_string_equal(conf_arguments(1, none, "x", "", &code), "/etc/smschain");
    setenv("SMSCHAIN_CONF", "/env", 1);
    assert_string_equal(conf_arguments(1, none, "x", "", &code), "/env");
    assert_string_equal(conf_arguments(3, given, "x", "", &code), "/d");
    unsetenv("SMSCHAIN_CONF");
    for (size_t i = 0; given[i]; i++)
        free(given[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_load),
        cmocka_unit_test(each_service_needs_its_own_secrets),
        cmocka_unit_test(samples_show_every_key),
        cmocka_unit_test(reference_is_as_printed),
        cmocka_unit_test(print_hides_secrets),
        cmocka_unit_test(secrets_from_files),
        cmocka_unit_test(lines_of_texts),
        cmocka_unit_test(units),
        cmocka_unit_test(arguments),
    };

    if (argc > 1 && !strcmp(argv[1], "--reference")) {
        auto_buf out = {0};
        conf_print_reference(&out);
        return fputs(out.data, stdout) < 0;
    }
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
