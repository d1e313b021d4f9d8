/* smschain why --ext: what became of another system's row: its messages with their stories, and the rows of
 * tasks that have this id, also those that became no message. Reads only. */
#include "ctl/why.h"
#include "extract/key.h"
#include "why_ext_key.sql.h"
#include "why_ext_messages.sql.h"
#include "why_ext_rows.sql.h"
#include <stdio.h>

enum row_column {
    R_TASK,
    R_NAME,
    R_RULE,
    R_STATE,
    R_WHY,
    R_RUN,
    R_RUN_STATE,
    R_RUN_WHY
};                                              /* why_ext_rows.sql */
enum key_column { K_SMS_ID, K_KIND, K_REASON }; /* why_ext_key.sql */

struct found {
    struct ctl *ctl;
    const char *ext_id;
    struct why why; /* its messages and the configuration only */
    struct db_result *rows;
    char **because; /* beside them */
};

static int read_messages(struct found *f, int64_t limit)
{
    struct why *w = &f->why;
    auto_params p = db_params_new();
    db_add_text(p, f->ext_id);
    db_add_big(p, limit);
    int code = ctl_sql(f->ctl, &sql_why_ext_messages, p, &w->message_rows);
    if (code != 0)
        return code;
    w->messages = xcalloc((size_t)db_rows(w->message_rows) + 1, sizeof(struct story *));
    for (int i = 0; i < db_rows(w->message_rows); i++) {
        int r = story_read(f->ctl->db, db_big(w->message_rows, i, 0), &w->messages[w->message_count]);
        if (r != 0)
            return ctl_db_code(f->ctl, r, "why");
        w->message_count += w->messages[w->message_count] != NULL; /* its day may just have been dropped */
    }
    return 0;
}

/* The key under which extract has entered or skipped the row. */
static void row_key(const struct found *f, int i, char hex[KEY_HEX_SIZE])
{
    uint8_t key[KEY_SIZE];
    const char *const values[] = {db_text(f->rows, i, R_TASK), f->ext_id};
    struct key_maker *maker = key_maker_new(db_text(f->rows, i, R_RULE));
    key_make(maker, values, COUNT_OF(values), key);
    key_maker_free(maker);
    key_hex(key, hex);
}

static char *not_entered(const struct db_result *r, int i)
{
    const char *state = db_text(r, i, R_STATE), *why = db_text(r, i, R_WHY);
    if (strcmp(state, "open") == 0)
        return xstrdup("its task is not signed");
    return xasprintf("its task is %s%s%s", state, *why != '\0' ? ": " : ", and no run yet", why);
}

static char *in_run(const struct db_result *r, int i, const struct db_result *k)
{
    const char *state = db_text(r, i, R_RUN_STATE), *why = db_text(r, i, R_RUN_WHY);
    if (!db_is_null(k, 0, K_SMS_ID))
        return xasprintf("message %s", db_text(k, 0, K_SMS_ID));
    if (strcmp(db_text(k, 0, K_KIND), "invalid") == 0)
        return why_invalid(db_text(k, 0, K_REASON));
    if (!db_is_null(k, 0, K_KIND))
        return xasprintf("%s: %s", db_text(k, 0, K_KIND), db_text(k, 0, K_REASON));
    if (strcmp(state, "new") == 0 || strcmp(state, "reading") == 0)
        return xstrdup("not known yet: the run is being read");
    return xasprintf("the run is %s%s%s", state, *why != '\0' ? ": " : "", why);
}

static int find_because(struct found *f, int i)
{
    auto_params p = db_params_new();
    auto_result key = NULL;
    char hex[KEY_HEX_SIZE];
    if (db_is_null(f->rows, i, R_RUN)) {
        f->because[i] = not_entered(f->rows, i);
        return 0;
    }
    row_key(f, i, hex);
    db_add_big(p, db_big(f->rows, i, R_RUN));
    db_add_text(p, hex);
    int code = ctl_sql(f->ctl, &sql_why_ext_key, p, &key);
    if (code == 0)
        f->because[i] = in_run(f->rows, i, key);
    return code;
}

static int read_rows(struct found *f, int64_t limit)
{
    auto_params p = db_params_new();
    db_add_text(p, f->ext_id);
    db_add_big(p, limit);
    int code = ctl_sql(f->ctl, &sql_why_ext_rows, p, &f->rows);
    f->because = xcalloc((size_t)(f->rows != NULL ? db_rows(f->rows) : 0) + 1, sizeof(*f->because));
    for (int i = 0; code == 0 && i < db_rows(f->rows); i++)
        code = find_because(f, i);
    return code;
}

static void print(const struct found *f)
{
    printf("ext_id      ");
    show_cut(f->ext_id, SHOW_COLUMNS - 30);
    printf(" (times in UTC)\n");
    why_print_messages(&f->why);
    printf("\nrows of tasks, the newest first\n");
    for (int i = 0; i < db_rows(f->rows); i++) {
        auto_free char *place = why_place(f->why.conf, db_text(f->rows, i, R_RULE));
        printf("task %s", db_text(f->rows, i, R_TASK));
        if (*db_text(f->rows, i, R_NAME) != '\0') {
            printf(" (");
            show_cut(db_text(f->rows, i, R_NAME), 40);
            putchar(')');
        }
        if (!db_is_null(f->rows, i, R_RUN))
            printf(", run %s", db_text(f->rows, i, R_RUN));
        printf("\n    %s\n    %s\n", f->because[i], place);
    }
    if (db_rows(f->rows) == 0)
        printf("none, or no longer kept (extract.task_keep)\n");
}

static void print_json(const struct found *f)
{
    auto_buf b = {0};
    buf_add_char(&b, '{');
    show_json_text(&b, "ext_id", f->ext_id);
    why_json_messages(&f->why, &b);
    buf_add_str(&b, ",\"rows\":[");
    for (int i = 0; i < db_rows(f->rows); i++) {
        buf_add_str(&b, i > 0 ? ",{" : "{");
        show_json_text(&b, "task", db_text(f->rows, i, R_TASK));
        show_json_text(&b, "name", db_text(f->rows, i, R_NAME));
        show_json_text(&b, "rule", db_text(f->rows, i, R_RULE));
        show_json_text(&b, "state", db_text(f->rows, i, R_STATE));
        if (!db_is_null(f->rows, i, R_RUN))
            show_json_big(&b, "run", db_big(f->rows, i, R_RUN));
        show_json_text(&b, "because", f->because[i]);
        buf_add_char(&b, '}');
    }
    buf_add_str(&b, "]}\n");
    fwrite(b.data, 1, b.len, stdout);
}

int why_ext(struct ctl *c, const char *ext_id, int64_t limit, bool json)
{
    struct found f = {.ctl = c, .ext_id = ext_id};
    int code = ctl_db(c);
    if (code != 0)
        return code;
    f.why.conf = c->conf;
    code = read_messages(&f, limit);
    if (code == 0)
        code = read_rows(&f, limit);
    if (code == 0)
        (json ? print_json : print)(&f);
    for (int i = 0; f.rows != NULL && i < db_rows(f.rows); i++)
        free(f.because[i]);
    free(f.because);
    db_result_free(f.rows);
    why_deinit(&f.why);
    return code;
}
