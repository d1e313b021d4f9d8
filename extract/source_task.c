/* Reads the rows of a task page by page, by their key: a signed task's rows do not change, so no transaction
 * has to stand open for the whole of a long run, which would keep every table of the pipeline from being
 * vacuumed. While the rows of one page are taken the next one is on its way. */
#include "extract/source_task.h"
#include "extract/task_row.h"
#include "lib/db.h"
#include "task_of_run.sql.h"
#include "task_rows.sql.h"

#include <poll.h>
#include <stdio.h>

#define PAGE_ROWS 250 /* of at most 48 KiB and a bit, by the table's constraints; two pages are held */

struct source_task {
    struct source source;
    struct db *db;
    struct db_params *params;
    struct task_reader *reader;
    int64_t run_id;
    char *task_id;
    struct db_result *page; /* whose rows are taken */
    int row;
    bool asked; /* the next page is on its way */
    char why[400];
};

struct source *source_task_open(const struct conf_main *conf, const struct conf_rule *rule, int64_t run_id,
                                const char *application)
{
    struct source_task *s = xmalloc(sizeof(*s));

    *s = (struct source_task){
        .source = {&source_task},
        .run_id = run_id,
        .params = db_params_new(),
        .reader = task_reader_new(rule),
        .db = db_new(&(struct db_options){.conninfo = conf->database.conninfo,
                                          .user = conf->extract.service.database_user,
                                          .password = conf->extract.service.database_password,
                                          .name = application,
                                          .statement_timeout_ms = SOURCE_TASK_TIMEOUT_MS,
                                          .read_only = true}),
    };
    return &s->source;
}

/* Everything that can be wrong here passes, or is given by a person while the run waits: it is our own table.
 */
static int outcome(struct source_task *s, int r)
{
    const char *words = db_error(s->db);

    if (r == 0)
        return 0;
    s->asked = false;
    snprintf(s->why, sizeof(s->why), "the task's rows: %.*s", (int)strcspn(words, "\n"),
             *words ? words : "no connection");
    return r < 0 ? r : -EAGAIN;
}

static int ask(struct source_task *s, const char *after)
{
    int r;

    db_params_clear(s->params);
    db_add_text(s->params, s->task_id);
    db_add_text(s->params, after);
    db_add_int(s->params, PAGE_ROWS);
    r = db_start(s->db, &sql_task_rows, s->params);
    s->asked = r == 0;
    return r;
}

static int task_begin(struct source *source, const char *sql)
{
    struct source_task *s = (struct source_task *)source;
    auto_result task = NULL;
    int r = db_ready(s->db);

    db_params_clear(s->params);
    db_add_big(s->params, s->run_id);
    if (r == 0)
        r = db_run(s->db, &sql_task_of_run, s->params, &task);
    if (r != 0)
        return outcome(s, r);
    if (db_rows(task) == 0 || db_is_null(task, 0, 0)) {
        snprintf(s->why, sizeof(s->why),
                 "the run has no task: it was entered when the rule had SQL; smschain cancel ends it");
        return SOURCE_REFUSED;
    }
    free(s->task_id);
    s->task_id = xstrdup(db_text(task, 0, 0));
    return outcome(s, ask(s, ""));
}

/* The page that is on its way; and asks for the one after it. */
static int turn_page(struct source_task *s)
{
    int r;

    db_result_free(s->page);
    s->page = NULL;
    s->row = 0;
    while ((r = db_poll(s->db, &s->page)) == DB_BUSY) {
        struct pollfd fd = {.fd = db_fd(s->db), .events = POLLIN};
        /* With a timeout, because the connection may also have something left to write. */
        (void)poll(&fd, 1, 20);
    }
    s->asked = false;
    if (r == 0 && db_rows(s->page) == PAGE_ROWS)
        r = ask(s, db_text(s->page, PAGE_ROWS - 1, 0));
    return r;
}

static const char *text_or_null(const struct db_result *page, int row, int column)
{
    return db_is_null(page, row, column) ? NULL : db_text(page, row, column);
}

static int task_next(struct source *source, struct source_row *ret)
{
    struct source_task *s = (struct source_task *)source;

    if (!s->page || s->row == db_rows(s->page)) {
        int r = s->asked ? turn_page(s) : 0;
        if (r != 0)
            return outcome(s, r);
        if (!s->page || s->row == db_rows(s->page))
            return SOURCE_END;
    }
    task_reader_take(s->reader,
                     &(struct task_row){.task_id = s->task_id,
                                        .ext_id = db_text(s->page, s->row, 0),
                                        .number = db_text(s->page, s->row, 1),
                                        .template = text_or_null(s->page, s->row, 2),
                                        .text = text_or_null(s->page, s->row, 3),
                                        .params = text_or_null(s->page, s->row, 4)},
                     ret);
    s->row++;
    return 0;
}

static const char *task_why(const struct source *source)
{
    return ((const struct source_task *)source)->why;
}

static int task_line(const struct source *source)
{
    return 0;
}

static void task_close(struct source *source)
{
    struct source_task *s = (struct source_task *)source;

    db_result_free(s->page);
    db_free(s->db);
    db_params_free(s->params);
    task_reader_free(s->reader);
    free(s->task_id);
    free(s);
}

const struct source_driver source_task = {.name = "task",
                                          .begin = task_begin,
                                          .next = task_next,
                                          .why = task_why,
                                          .line = task_line,
                                          .close = task_close};
