/* smschain dead: bodies that no service could process. They are moved from the queue sms.dead into a table
 * first, where a person can look at them without disturbing their order; giving one back is one statement
 * with the outbox. */
#include "ctl/ctl.h"
#include "dead_drop.sql.h"
#include "dead_list.sql.h"
#include "dead_open.sql.h"
#include "dead_replay.sql.h"
#include "dead_show.sql.h"
#include "lib/fault.h"
#include <stdio.h>

enum column { ID, QUEUE, STATE, TIMES, DIED, BYTES, WHY, TAKEN, TO, SETTLED, BY, NOTE, IS_TEXT, BODY };

struct words {
    const char *queue, *to, *reason;
    bool all, json, whole, yes;
    int64_t *ids;
    size_t count;
};

static void json_row(const struct db_result *r, int i, struct buf *b)
{
    buf_add_char(b, '{');
    show_json_big(b, "id", db_big(r, i, ID));
    show_json_text(b, "queue", db_text(r, i, QUEUE));
    show_json_text(b, "state", db_text(r, i, STATE));
    show_json_big(b, "times", db_big(r, i, TIMES));
    show_json_time(b, "died_at", db_time_ms(r, i, DIED));
    show_json_time(b, "taken_at", db_time_ms(r, i, TAKEN));
    show_json_big(b, "bytes", db_big(r, i, BYTES));
    show_json_text(b, "why", db_text(r, i, WHY));
    show_json_text(b, "replayed_to", db_text(r, i, TO));
    show_json_time(b, "settled_at", db_time_ms(r, i, SETTLED));
    show_json_text(b, "settled_by", db_text(r, i, BY));
    show_json_text(b, "note", db_text(r, i, NOTE));
}

static void print_row(const struct db_result *r, int i)
{
    char died[SHOW_TIME_SIZE];
    const char *queue = *db_text(r, i, QUEUE) != '\0' ? db_text(r, i, QUEUE) : "-";
    printf("%6s %-19s %5s %-8s ", db_text(r, i, ID), show_time(db_time_ms(r, i, DIED), died),
           db_text(r, i, TIMES), db_text(r, i, STATE));
    int used = 42 + show_cut(queue, 30);
    putchar(' ');
    show_cut(db_text(r, i, WHY), SHOW_COLUMNS - used - 1);
    putchar('\n');
}

static int list(struct ctl *c, const struct words *w)
{
    int64_t after = 0;
    int shown = 0, open = 0;
    for (bool more = true; more;) {
        auto_params p = db_params_new();
        auto_result r = NULL;
        db_add_big(p, after);
        db_add_text(p, w->queue);
        db_add_bool(p, w->all);
        int code = ctl_sql(c, &sql_dead_list, p, &r);
        if (code != 0)
            return code;
        for (int i = 0; i < db_rows(r); i++) {
            auto_buf b = {0};
            if (shown++ == 0 && !w->json)
                printf("%6s %-19s %5s %-8s %s\n", "id", "died (UTC)", "times", "state", "queue, why");
            if (w->json) {
                json_row(r, i, &b);
                printf("%s}\n", b.data);
            } else {
                print_row(r, i);
            }
            after = db_big(r, i, ID);
            open += db_is_null(r, i, SETTLED);
        }
        more = db_rows(r) > 0;
    }
    if (shown == 0 && !w->json)
        printf("no dead letters%s\n", *w->queue != '\0' ? " of that queue" : "");
    return open > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static int find(struct ctl *c, int64_t id, struct db_result **ret)
{
    auto_params p = db_params_new();
    db_add_big(p, id);
    int code = ctl_sql(c, &sql_dead_show, p, ret);
    if (code == 0 && db_rows(*ret) == 0)
        code =
            ctl_fail(EXIT_REFUSED, "no dead letter %lld; smschain dead list --all shows them", (long long)id);
    return code;
}

static char *unhex(const char *hex, size_t *ret_len)
{
    auto_buf b = {0};
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        const char two[] = {hex[0], hex[1], '\0'};
        buf_add_char(&b, (char)strtol(two, NULL, 16));
    }
    return buf_take(&b, ret_len);
}

static void print_head(const struct db_result *r)
{
    char died[SHOW_TIME_SIZE], taken[SHOW_TIME_SIZE], settled[SHOW_TIME_SIZE];
    printf("id       %s\nqueue    %s\nwhy      ", db_text(r, 0, ID), db_text(r, 0, QUEUE));
    show_cut(db_text(r, 0, WHY), 1000);
    printf("\nstate    %s\ndied     %s (UTC), %s times in all\ntaken    %s\nbytes    %s%s\n",
           db_text(r, 0, STATE), show_time(db_time_ms(r, 0, DIED), died), db_text(r, 0, TIMES),
           show_time(db_time_ms(r, 0, TAKEN), taken), db_text(r, 0, BYTES),
           db_bool(r, 0, IS_TEXT) ? "" : " (not UTF-8: no consumer can read it)");
    if (*db_text(r, 0, TO) != '\0')
        printf("replayed to %s\n", db_text(r, 0, TO));
    if (!db_is_null(r, 0, SETTLED))
        printf("settled  %s by %s %s\n", show_time(db_time_ms(r, 0, SETTLED), settled), db_text(r, 0, BY),
               db_text(r, 0, NOTE));
}

static int show(struct ctl *c, const struct words *w)
{
    auto_result r = NULL;
    auto_buf shown = {0};
    size_t len;
    int code = find(c, w->ids[0], &r);
    if (code != 0)
        return code;
    auto_free char *body = unhex(db_text(r, 0, BODY), &len);
    if (w->whole)
        buf_add(&shown, body, len);
    else
        show_masked(body, len, &shown);
    if (w->json) {
        auto_buf b = {0};
        json_row(r, 0, &b);
        buf_add_str(&b, ",\"body\":");
        buf_add_json_str(&b, shown.data != NULL ? shown.data : "", shown.len);
        printf("%s}\n", b.data);
        return EXIT_DONE;
    }
    print_head(r);
    printf("body%s\n", w->whole ? "" : " (numbers and codes masked; --whole shows all of it)");
    fwrite(shown.data, 1, shown.len, stdout);
    putchar('\n');
    return EXIT_DONE;
}

/* ---- replay ---- */

static int replay_rows(struct ctl *c, const struct words *w, const char *queue, const char *to,
                       int64_t *ret_count)
{
    int rows = 0;
    do {
        auto_params p = db_params_new();
        auto_result done = NULL;
        if (w->all)
            db_add_null(p);
        else
            db_add_big_array(p, w->ids, w->count);
        db_add_text(p, queue);
        db_add_text(p, to);
        FAULT("ctl.dead_replaying");
        int code = ctl_sql(c, &sql_dead_replay, p, &done);
        if (code != 0)
            return code;
        FAULT("ctl.dead_replayed");
        rows = db_rows(done);
        *ret_count += rows;
    } while (rows > 0);
    return 0;
}

static int no_such_queue(const char *queue)
{
    return ctl_fail(EXIT_REFUSED,
                    "'%s' is no queue that a service of this configuration reads; --to QUEUE says where to",
                    queue);
}

/* Each by name: whatever is wrong with one is said before any of them is given back. */
static int replay_named(struct ctl *c, const struct words *w, int64_t *ret_count)
{
    for (size_t i = 0; i < w->count; i++) {
        auto_result r = NULL;
        int code = find(c, w->ids[i], &r);
        if (code != 0)
            return code;
        const char *to = *w->to != '\0' ? w->to : db_text(r, 0, QUEUE);
        if (strcmp(db_text(r, 0, STATE), "replayed") == 0)
            return ctl_fail(EXIT_REFUSED,
                            "dead letter %s was given back to %s already and has not died again",
                            db_text(r, 0, ID), db_text(r, 0, TO));
        if (!db_bool(r, 0, IS_TEXT))
            return ctl_fail(
                EXIT_REFUSED,
                "dead letter %s is not UTF-8, which no consumer can read: smschain dead drop %s --reason …",
                db_text(r, 0, ID), db_text(r, 0, ID));
        if (!ctl_is_working_queue(c, to))
            return no_such_queue(to);
    }
    return replay_rows(c, w, "", w->to, ret_count);
}

static int replay_all(struct ctl *c, const struct words *w, int64_t *ret_count, int64_t *ret_left)
{
    auto_params p = db_params_new();
    auto_result open = NULL;
    db_add_text(p, w->queue);
    int code = ctl_sql(c, &sql_dead_open, p, &open);
    if (code == 0 && *w->to != '\0' && !ctl_is_working_queue(c, w->to))
        return no_such_queue(w->to);
    for (int i = 0; code == 0 && i < db_rows(open); i++) {
        const char *queue = db_text(open, i, 0);
        if (*w->to == '\0' && !ctl_is_working_queue(c, queue)) {
            fprintf(stderr,
                    "smschain: left: %s of '%s', which is no queue of this configuration; --to QUEUE says "
                    "where to\n",
                    db_text(open, i, 1), queue);
            *ret_left += db_big(open, i, 1);
            continue;
        }
        if (db_big(open, i, 2) > 0)
            fprintf(stderr, "smschain: left: %s of '%s' that are not UTF-8, which no consumer can read\n",
                    db_text(open, i, 2), queue);
        *ret_left += db_big(open, i, 2);
        code = replay_rows(c, w, queue, w->to, ret_count);
    }
    return code;
}

static int replay(struct ctl *c, const struct words *w)
{
    int64_t count = 0, left = 0;
    int code = w->all ? replay_all(c, w, &count, &left) : replay_named(c, w, &count);
    if (code != 0)
        return code;
    printf("given back: %lld; extract's outbox publishes them within a second\n", (long long)count);
    return left > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static int drop(struct ctl *c, const struct words *w)
{
    auto_params p = db_params_new();
    auto_result done = NULL;
    if (w->all &&
        !ctl_confirmed(w->yes, "Drop all dead letters%s%s?", *w->queue != '\0' ? " of " : "", w->queue))
        return EXIT_REFUSED;
    if (w->all)
        db_add_null(p);
    else
        db_add_big_array(p, w->ids, w->count);
    db_add_text(p, w->queue);
    db_add_text(p, w->reason);
    int code = ctl_sql(c, &sql_dead_drop, p, &done);
    if (code != 0)
        return code;
    printf("dropped: %d\n", db_rows(done));
    if (!w->all && (size_t)db_rows(done) < w->count)
        return ctl_fail(EXIT_REFUSED,
                        "%zu of them do not wait: smschain dead list --all shows what became of them",
                        w->count - (size_t)db_rows(done));
    return EXIT_DONE;
}

/* ---- words ---- */

static bool read_words(struct ctl *c, struct words *w)
{
    w->all = ctl_take_flag(c, "--all");
    w->json = ctl_take_flag(c, "--json");
    w->whole = ctl_take_flag(c, "--whole");
    w->yes = ctl_take_flag(c, "--yes");
    if (!ctl_take_value(c, "--queue", &w->queue) || !ctl_take_value(c, "--to", &w->to) ||
        !ctl_take_value(c, "--reason", &w->reason) || !ctl_no_options_left(c) || c->argc < 2)
        return false;
    if (w->queue == NULL)
        w->queue = "";
    if (w->to == NULL)
        w->to = "";
    return ctl_parse_ids(c, 2, &w->ids, &w->count);
}

static int run_words(struct ctl *c, struct words *w)
{
    static const struct {
        const char *name;
        int (*run)(struct ctl *c, const struct words *w);
    } verbs[] = {{"list", list}, {"show", show}, {"replay", replay}, {"drop", drop}};
    const char *verb = c->argv[1];
    bool named = w->count > 0, is_list = strcmp(verb, "list") == 0, is_show = strcmp(verb, "show") == 0;
    size_t i = 0;
    while (i < COUNT_OF(verbs) && strcmp(verbs[i].name, verb) != 0)
        i++;
    if (i == COUNT_OF(verbs) || (is_list && named) || (is_show && w->count != 1) ||
        (!is_list && !is_show && named == w->all) || (strcmp(verb, "drop") == 0) != (w->reason != NULL))
        return ctl_usage("dead");
    int code = ctl_db(c);
    if (code == 0)
        code = dead_take(c);
    return code == 0 ? verbs[i].run(c, w) : code;
}

int cmd_dead(struct ctl *c)
{
    struct words w = {0};
    int code = read_words(c, &w) ? run_words(c, &w) : ctl_usage("dead");
    free(w.ids);
    return code;
}
