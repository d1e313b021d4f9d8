/* smschain diff-template: the versions of a template, how many messages each has made, and what differs
 * between two of them. Reads only. */
#include "ctl/ctl.h"
#include "ctl/diff.h"
#include "lib/clock.h"
#include "lib/seq_id.h"
#include "lib/suggest.h"
#include "template_used.sql.h"
#include "template_versions.sql.h"
#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define DAYS_DEFAULT 7
#define DAYS_MAX     3650
#define NAMED_MIN    4 /* digits of a version that are enough, if it is the only one */

struct view {
    const char *name;
    const struct conf_template *now; /* NULL: not configured any more */
    struct db_result *versions, *used;
    bool json, colour;
};
enum { VERSION, TEXT, SEEN_AT };
enum { USED_VERSION, USED_DAY, USED_COUNT };

static bool is_kept(const struct view *v, const char *version)
{
    for (int i = 0; i < db_rows(v->versions); i++)
        if (strcmp(db_text(v->versions, i, VERSION), version) == 0)
            return true;
    return false;
}

static bool is_now(const struct view *v, const char *version)
{
    return v->now && strcmp(v->now->version, version) == 0;
}

/* ---- reading ---- */

static int no_such_template(const struct ctl *c, const char *name)
{
    struct suggest s = {.word = name, .len = strlen(name)};

    for (size_t i = 0; i < c->conf->template_count; i++)
        suggest_offer(&s, c->conf->templates[i].name);
    if (s.best)
        return ctl_fail(EXIT_REFUSED, "there is no template '%s', and there never was; did you mean '%s'?",
                        name, s.best);
    return ctl_fail(EXIT_REFUSED, "there is no template '%s', and there never was", name);
}

static int read_view(struct ctl *c, struct view *v, int64_t days)
{
    auto_params p = db_params_new();
    auto_free const char **rules = xcalloc(c->conf->rule_count + 1, sizeof(*rules));
    size_t rule_count = 0;
    int today = clock_day_2020(clock_wall_ms());

    v->now = conf_template(c->conf, v->name);
    db_add_text(p, v->name);
    int code = ctl_sql(c, &sql_template_versions, p, &v->versions);
    if (code != 0)
        return code;
    if (!v->now && db_rows(v->versions) == 0)
        return no_such_template(c, v->name);
    for (size_t i = 0; i < c->conf->rule_count; i++)
        if (strcmp(c->conf->rules[i].template_name, v->name) == 0)
            rules[rule_count++] = c->conf->rules[i].name;
    db_add_big(p, sms_id_day_first(today >= days ? today - (int)days + 1 : 0));
    db_add_text_array(p, rules, rule_count);
    return ctl_sql(c, &sql_template_used, p, &v->used);
}

/* ---- the list ---- */

static void print_days(const struct view *v, const char *version)
{
    bool any = false;

    for (int i = 0; i < db_rows(v->used); i++) {
        if (strcmp(db_text(v->used, i, USED_VERSION), version) != 0)
            continue;
        printf("%s%s %s", any ? ", " : "    ", db_text(v->used, i, USED_DAY),
               db_text(v->used, i, USED_COUNT));
        any = true;
    }
    printf("%s\n", any ? "" : "    no message");
}

static void print_list(const struct view *v)
{
    char seen[SHOW_TIME_SIZE];

    if (v->now && !is_kept(v, v->now->version)) {
        printf("%-16s  configured here, not seen by extract yet\n", v->now->version);
        print_days(v, v->now->version);
    }
    for (int i = 0; i < db_rows(v->versions); i++) {
        const char *version = db_text(v->versions, i, VERSION);
        printf("%-16s  first seen %s%s\n", version, show_time(db_time_ms(v->versions, i, SEEN_AT), seen),
               is_now(v, version) ? "  configured" : "");
        print_days(v, version);
    }
    for (int i = 0; i < db_rows(v->used); i++) {
        const char *version = db_text(v->used, i, USED_VERSION);
        bool again = i > 0 && strcmp(db_text(v->used, i - 1, USED_VERSION), version) == 0;
        if (again || is_kept(v, version) || is_now(v, version))
            continue;
        printf("%-16s  ITS TEXT IS NOT KNOWN: render had it, extract has never loaded it\n", version);
        print_days(v, version);
    }
}

static void json_days(const struct view *v, const char *version, struct buf *b)
{
    bool any = false;

    buf_add_str(b, "\"messages\":{");
    for (int i = 0; i < db_rows(v->used); i++) {
        if (strcmp(db_text(v->used, i, USED_VERSION), version) != 0)
            continue;
        buf_addf(b, "%s\"%s\":%s", any ? "," : "", db_text(v->used, i, USED_DAY),
                 db_text(v->used, i, USED_COUNT));
        any = true;
    }
    buf_add_str(b, "}}");
}

static void json_version(const struct view *v, const char *version, int64_t seen_ms, bool kept, struct buf *b)
{
    buf_add_str(b, b->data[b->len - 1] == '[' ? "{" : ",{");
    show_json_text(b, "version", version);
    show_json_time(b, "seen_at", seen_ms);
    buf_addf(b, ",\"configured\":%s,\"kept\":%s,", is_now(v, version) ? "true" : "false",
             kept ? "true" : "false");
    json_days(v, version, b);
}

static void json_list(const struct view *v, struct buf *b)
{
    buf_add_str(b, ",\"versions\":[");
    if (v->now && !is_kept(v, v->now->version))
        json_version(v, v->now->version, 0, false, b);
    for (int i = 0; i < db_rows(v->versions); i++)
        json_version(v, db_text(v->versions, i, VERSION), db_time_ms(v->versions, i, SEEN_AT), true, b);
    for (int i = 0; i < db_rows(v->used); i++) {
        const char *version = db_text(v->used, i, USED_VERSION);
        bool again = i > 0 && strcmp(db_text(v->used, i - 1, USED_VERSION), version) == 0;
        if (!again && !is_kept(v, version) && !is_now(v, version))
            json_version(v, version, 0, false, b);
    }
    buf_add_str(b, "]");
}

/* ---- two versions ---- */

struct side {
    const char *version, *text;
};

static int find_side(const struct view *v, const char *named, struct side *ret)
{
    size_t len = strlen(named), found = 0;

    *ret = (struct side){0};
    for (int i = 0; i < db_rows(v->versions); i++) {
        if (strncmp(db_text(v->versions, i, VERSION), named, len) != 0)
            continue;
        *ret = (struct side){db_text(v->versions, i, VERSION), db_text(v->versions, i, TEXT)};
        found++;
    }
    if (v->now && strncmp(v->now->version, named, len) == 0 && !is_kept(v, v->now->version)) {
        *ret = (struct side){v->now->version, v->now->whole};
        found++;
    }
    if (len < NAMED_MIN || found != 1)
        return ctl_fail(EXIT_REFUSED, "'%s' names %s version of %s: smschain diff-template %s lists them",
                        named, len < NAMED_MIN || found > 1 ? "more than one" : "no", v->name, v->name);
    return 0;
}

/* What is asked about where a version is not named: the one configured now, else the newest that is kept. */
static struct side newest(const struct view *v)
{
    if (v->now)
        return (struct side){v->now->version, v->now->whole};
    return (struct side){db_text(v->versions, 0, VERSION), db_text(v->versions, 0, TEXT)};
}

static bool newest_but(const struct view *v, const char *version, struct side *ret)
{
    for (int i = 0; i < db_rows(v->versions); i++) {
        if (strcmp(db_text(v->versions, i, VERSION), version) == 0)
            continue;
        *ret = (struct side){db_text(v->versions, i, VERSION), db_text(v->versions, i, TEXT)};
        return true;
    }
    return false;
}

static void print_line(const struct view *v, const struct diff_line *l)
{
    const char *colour = l->is == '-' ? "\033[31m" : l->is == '+' ? "\033[32m" : "";
    bool coloured = v->colour && *colour;

    printf("%s%c ", coloured ? colour : "", l->is);
    for (size_t i = 0; i < l->len; i++)
        putchar(iscntrl((unsigned char)l->text[i]) && l->text[i] != '\t' ? '?' : l->text[i]);
    printf("%s\n", coloured ? "\033[0m" : "");
}

static void print_diff(const struct view *v, const struct side *from, const struct side *to)
{
    struct diff d;

    diff_texts(from->text, to->text, &d);
    printf("\n--- %s %s\n+++ %s %s%s\n", v->name, from->version, v->name, to->version,
           is_now(v, to->version) ? " (configured)" : "");
    for (size_t i = 0; i < d.count; i++)
        print_line(v, &d.lines[i]);
    if (d.equal)
        printf("no line differs\n");
    diff_deinit(&d);
}

static void json_diff(const struct side *from, const struct side *to, struct buf *b)
{
    struct diff d;

    show_json_text(b, "from", from->version);
    show_json_text(b, "to", to->version);
    buf_add_str(b, ",\"diff\":[");
    diff_texts(from->text, to->text, &d);
    for (size_t i = 0; i < d.count; i++) {
        auto_free char *line = xasprintf("%c%.*s", d.lines[i].is, (int)d.lines[i].len, d.lines[i].text);
        buf_add_str(b, i > 0 ? "," : "");
        buf_add_json_str(b, line, strlen(line));
    }
    buf_add_str(b, "]");
    diff_deinit(&d);
}

static int choose_sides(const struct ctl *c, const struct view *v, struct side *from, struct side *to,
                        bool *ret_two)
{
    int code = 0;

    *to = newest(v);
    *ret_two = true;
    if (c->argc == 2)
        *ret_two = newest_but(v, to->version, from);
    else
        code = find_side(v, c->argv[2], from);
    if (code == 0 && c->argc == 4)
        code = find_side(v, c->argv[3], to);
    return code;
}

static int show(const struct ctl *c, const struct view *v)
{
    struct side from, to;
    bool two;
    int code = choose_sides(c, v, &from, &to, &two);

    if (code != 0)
        return code;
    if (!v->json) {
        if (c->argc == 2)
            print_list(v);
        if (two)
            print_diff(v, &from, &to);
        return EXIT_DONE;
    }
    auto_buf b = {0};
    buf_add_char(&b, '{');
    show_json_text(&b, "template", v->name);
    json_list(v, &b);
    if (two)
        json_diff(&from, &to, &b);
    buf_add_str(&b, "}\n");
    fwrite(b.data, 1, b.len, stdout);
    return EXIT_DONE;
}

int cmd_diff_template(struct ctl *c)
{
    struct view v = {.json = ctl_take_flag(c, "--json"), .colour = isatty(STDOUT_FILENO)};
    const char *days_text;
    int64_t days = DAYS_DEFAULT;

    if (!ctl_take_value(c, "--days", &days_text) || !ctl_no_options_left(c) || c->argc < 2 || c->argc > 4 ||
        (days_text && (!ctl_parse_big(days_text, &days) || days > DAYS_MAX)))
        return ctl_usage("diff-template");
    v.name = c->argv[1];
    int code = ctl_db(c);
    if (code == 0)
        code = read_view(c, &v, days);
    if (code == 0)
        code = show(c, &v);
    db_result_free(v.versions);
    db_result_free(v.used);
    return code;
}
