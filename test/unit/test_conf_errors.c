/* Wrong configurations and the exact words about them, from data/conf_errors.txt:
 *   == NAME        a case: the good configuration of the case "base", changed as the lines below say
 *   % SECTION      the section that conf_load is told
 *   $ NAME=VALUE   an environment variable
 *   @ FILE         the lines below change this file      @! FILE   … which is empty at first
 *   - LINE         this line goes out (the first equal one)
 *   + LINE         this line comes in: where the last one went out, else at the end
 *   ? LINE         what conf_load reports, line by line; none: it loads
 * `test_conf_errors --print` writes the table with what is reported now, for a person to read before it is
 * kept. */
#include "lib/conf.h"

#include "render/textrules.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define TABLE     "data/conf_errors.txt"
#define FILES_MAX 16

struct file {
    char *name;
    struct buf text;
    size_t at; /* where + puts a line */
};
struct config {
    struct file files[FILES_MAX];
    size_t count;
};

static char *table;
static bool printing;
static char dir[] = "/tmp/smschain-conf-XXXXXX";

static void config_free(struct config *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->files[i].name);
        buf_deinit(&c->files[i].text);
    }
    *c = (struct config){0};
}

static struct file *config_file(struct config *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!strcmp(c->files[i].name, name))
            return &c->files[i];
    }
    assert_true(c->count < FILES_MAX);
    c->files[c->count] = (struct file){.name = xstrdup(name)};
    return &c->files[c->count++];
}

static void config_copy(struct config *to, const struct config *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct file *f = config_file(to, from->files[i].name);
        buf_add(&f->text, from->files[i].text.data, from->files[i].text.len);
        f->at = f->text.len;
    }
}

static void line_out(struct file *f, const char *line)
{
    size_t len = strlen(line);

    for (char *at = f->text.data; at && *at; at = strchr(at, '\n') + 1) {
        size_t here = strcspn(at, "\n");
        if (here == len && !strncmp(at, line, len)) {
            f->at = (size_t)(at - f->text.data);
            memmove(at, at + len + 1, f->text.len - f->at - len);
            f->text.len -= len + 1;
            return;
        }
    }
    fail_msg("%s has no line '%s'", f->name, line);
}

static void line_in(struct file *f, const char *line)
{
    auto_buf whole = {0};

    buf_add(&whole, f->text.data, f->at);
    buf_addf(&whole, "%s\n", line);
    size_t at = whole.len;
    if (f->text.len > f->at)
        buf_add(&whole, f->text.data + f->at, f->text.len - f->at);
    buf_deinit(&f->text);
    f->text.data = buf_take(&whole, &f->text.len);
    f->at = at;
}

static void config_write(const struct config *c)
{
    assert_int_equal(system("rm -rf conf && mkdir -p conf/sources conf/rules conf/templates conf/gateways"),
                     0);
    for (size_t i = 0; i < c->count; i++) {
        auto_free char *path = xasprintf("conf/%s", c->files[i].name);
        auto_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
        (void)mkdir(folder, 0700); /* mostly there */
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        if (c->files[i].text.len)
            assert_int_equal(fwrite(c->files[i].text.data, 1, c->files[i].text.len, f), c->files[i].text.len);
        fclose(f);
    }
}

/* One case: what the lines between its == and the next say. */
struct
try {
    char name[128];
    char section[32];
    struct config config;
    struct str_list env;
    struct buf expected;
};

static void try_line(struct try *t, struct file **f, const char *line)
{
    const char *rest = line[0] && line[1] ? line + 2 : "";

    if (!strncmp(line, "@! ", 3)) {
        *f = config_file(&t->config, line + 3);
        buf_deinit(&(*f)->text);
        (*f)->at = 0;
    } else if (*line == '@') {
        *f = config_file(&t->config, rest);
        (*f)->at = (*f)->text.len;
    } else if (*line == '-') {
        line_out(*f, rest);
    } else if (*line == '+') {
        line_in(*f, rest);
    } else if (*line == '?') {
        buf_addf(&t->expected, "%s\n", rest);
    } else if (*line == '%') {
        snprintf(t->section, sizeof(t->section), "%s", rest);
    } else if (*line == '$') {
        t->env.items = xrealloc(t->env.items, (t->env.count + 1) * sizeof(char *));
        t->env.items[t->env.count++] = xstrdup(rest);
    } else if (*line && *line != '#') {
        fail_msg("%s: what is '%s'?", t->name, line);
    }
}

/* As a build without the feature, where a case says so. */
static bool driver_is_built(const char *driver, char *message, size_t size)
{
    bool missing = getenv("NO_ODBC") && !strcmp(driver, "odbc");

    if (missing)
        snprintf(message, size, "this build has no '%s'", driver);
    return !missing;
}

static bool cron_has_five(const char *expression, char *message, size_t size)
{
    int fields = 0;

    for (const char *at = expression; *at; at += strcspn(at, " "), at += strspn(at, " "))
        fields++;
    if (fields != 5)
        snprintf(message, size, "expected five fields, got %d", fields);
    return fields == 5;
}

static void report_print(const struct buf *report)
{
    const char *at = report->data;

    while (at && *at) {
        size_t len = strcspn(at, "\n");
        printf("%s%.*s\n", len ? "? " : "?", (int)len, at);
        at += len + 1;
    }
}

static void try_run(struct try *t)
{
    struct conf *c = NULL;
    auto_buf report = {0};

    for (size_t i = 0; i < t->env.count; i++)
        putenv(t->env.items[i]);
    config_write(&t->config);
    int code = conf_load("conf", t->section, &c, &report);
    for (size_t i = 0; i < t->env.count; i++) {
        auto_free char *name = xstrndup(t->env.items[i], strcspn(t->env.items[i], "="));
        unsetenv(name);
    }
    if (printing) {
        report_print(&report);
    } else {
        const char *got = report.data ? report.data : "", *want = t->expected.data ? t->expected.data : "";
        if (strcmp(got, want) != 0)
            fail_msg("case '%s'\n--- expected\n%s--- reported\n%s", t->name, want, got);
        assert_int_equal(code, *want ? -EINVAL : 0);
    }
    conf_free(c);
}

static void try_deinit(struct try *t)
{
    config_free(&t->config);
    for (size_t i = 0; i < t->env.count; i++)
        free(t->env.items[i]);
    free(t->env.items);
    buf_deinit(&t->expected);
    *t = (struct try){0};
}

static void all_cases(void **state)
{
    auto_free char *text = xstrdup(table);
    struct config base = {0};
    struct try t = {0};
    struct file *f = NULL;
    size_t cases = 0;
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n"))) {
        bool ends = !strncmp(line, "== ", 3) || !rest;
        if (ends && *t.name) {
            try_run(&t);
            cases++;
            if (!base.count)
                config_copy(&base, &t.config);
            try_deinit(&t);
        }
        if (printing && *line && *line != '?')
            printf("%s%s\n", ends && cases ? "\n" : "", line);
        if (!strncmp(line, "== ", 3)) {
            snprintf(t.name, sizeof(t.name), "%s", line + 3);
            config_copy(&t.config, &base);
        } else if (*t.name) {
            try_line(&t, &f, line);
        }
    }
    config_free(&base);
    assert_true(cases > 50);
}

static int read_table(void **state)
{
    FILE *f = fopen(TABLE, "r");
    char block[4096];
    auto_buf text = {0};
    static const struct conf_checkers checkers = {.cron = cron_has_five, .source_driver = driver_is_built, .text_rules = text_rules_check};

    assert_non_null(f);
    for (size_t n; (n = fread(block, 1, sizeof(block), f)) > 0;)
        buf_add(&text, block, n);
    fclose(f);
    table = buf_take(&text, NULL);
    conf_set_checkers(&checkers);
    assert_non_null(mkdtemp(dir));
    return chdir(dir);
}

static int clean_up(void **state)
{
    auto_free char *command = xasprintf("rm -rf %s", dir);

    free(table);
    return chdir("/") || system(command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases)};

    printing = argc > 1 && !strcmp(argv[1], "--print");
    if (printing) { /* without the runner, which writes lines of its own */
        read_table(NULL);
        all_cases(NULL);
        return clean_up(NULL);
    }
    return cmocka_run_group_tests(tests, read_table, clean_up);
}
