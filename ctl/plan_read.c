/* The reading of a plan: while the ledger is asked about one group the next one is read. Memory: two groups
 * and the figures; what is equal within the result is known to the server (plan_keys.sql). */
#include "ctl/planning.h"
#include "extract/source.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "plan_group.sql.h"
#include <poll.h>
#include <stdio.h>

#define PROGRESS_EVERY_MS 200
#define BAR_COLUMNS       30

/* ---- counting ---- */

static void count_reason(struct planning_count *counts, size_t *used, const char *reason)
{
    size_t at = 0;

    while (at < *used && strcmp(counts[at].reason, reason) != 0)
        at++;
    if (at == PLANNING_REASONS - 1)
        reason = "other";
    if (at == *used)
        counts[(*used)++] = (struct planning_count){.reason = xstrdup(reason)};
    counts[at].rows++;
}

static void keep_sample(struct planning *p, const struct judgement *j, int64_t number)
{
    if (p->sample_count == p->samples_wanted)
        return;
    p->samples[p->sample_count++] = (struct planning_sample){.text = xstrndup(j->text, j->len),
                                                             .gateway = xstrdup(j->gateways[0]),
                                                             .number = number,
                                                             .shape = j->shape};
}

static void judge_record(struct planning *p, const struct row_record *row)
{
    char key[PLANNED_KEY_SIZE] = "";
    struct judgement j;

    if (judge_row(&p->judge, row, p->at_ms, &j))
        keep_sample(p, &j, row->number);
    else
        planned_key(row, p->rule, p->conf->main.country_code, key);
    planned_add(p->planned, p->plan, &j, row->number, key);
}

/* ---- one group ---- */

/* A record as it would stand in the chunk, but for its sms_id, of which nothing depends. */
static void add_record(struct planning *p, size_t i)
{
    buf_clear(&p->record);
    buf_add_str(&p->record, "{\"sms_id\":1");
    buf_add_str(&p->record, p->asked->bodies.data + p->asked->bodies_at[i]);
    chunk_add_raw(&p->body, p->record.data, p->record.len);
}

/* Rows that make no message are counted, the others decoded, which is what render will do, and judged. */
static int judge_group(struct planning *p, const struct db_result *no)
{
    const struct group *g = p->asked;
    auto_chunk chunk = NULL;
    auto_free char *why = NULL;
    int next = 0;

    buf_clear(&p->body);
    chunk_begin(&p->body, RECORD_ROWS);
    for (size_t i = 0; i < g->count; i++) {
        if (next == db_rows(no) || db_big(no, next, 0) != (int64_t)i + 1) {
            add_record(p, i);
            continue;
        }
        if (db_is_null(no, next, 1)) {
            p->duplicate++;
        } else {
            p->suppressed++;
            count_reason(p->suppressed_by, &p->suppressed_reasons, db_text(no, next, 1));
        }
        next++;
    }
    chunk_end(&p->body);
    if (chunk_decode(p->body.data, p->body.len, &chunk, &why) != 0 || chunk->bad_count > 0)
        return ctl_fail(EXIT_REFUSED, "%s: rows of this rule cannot be read back: %s", p->rule->file,
                        why ? why : chunk->bad[0].why);
    for (size_t i = 0; i < chunk->count; i++)
        judge_record(p, &chunk->rows[i]);
    return 0;
}

/* Waits for the answer about the group that was asked about last, if any. */
static int settle(struct planning *p)
{
    auto_result no = NULL;
    struct db *d = p->ctl->db;
    int r;

    if (!p->asked)
        return 0;
    while ((r = db_poll(d, &no)) == DB_BUSY) {
        struct pollfd fd = {.fd = db_fd(d), .events = POLLIN};
        (void)poll(&fd, 1, 20);
    }
    if (r != 0)
        return ctl_fail(r < 0 || r == DB_FULL ? EXIT_UNREACHABLE : EXIT_REFUSED, "database, %s: %s",
                        sql_plan_group.name, db_error(d));
    r = judge_group(p, no);
    p->asked = NULL;
    return r;
}

static int ask(struct planning *p, const struct group *g)
{
    int code = settle(p);

    if (code != 0)
        return code;
    p->rows += (int64_t)g->rows;
    p->invalid += (int64_t)g->skipped;
    for (size_t i = 0; i < g->skipped; i++)
        count_reason(p->invalid_by, &p->invalid_reasons, g->skip_reasons[i]);
    if (g->count == 0)
        return 0;
    db_params_clear(p->params);
    db_add_uuid_array(p->params, (const uint8_t(*)[16])g->keys, g->count);
    db_add_big_array(p->params, g->numbers, g->count);
    db_add_bool(p->params, strcmp(p->tmpl->class, "marketing") == 0);
    if (db_start(p->ctl->db, &sql_plan_group, p->params) != 0)
        return ctl_fail(EXIT_UNREACHABLE, "database: %s", db_error(p->ctl->db));
    p->asked = g;
    return 0;
}

/* ---- all rows ---- */

/* How much there is nobody knows before the end; the last run is a good guess. */
static void show_progress(const struct planning *p, int64_t *shown_ms, bool end)
{
    int64_t now = clock_mono_ms(), took = now - p->begun_ms;

    if (!p->progress || (!end && now - *shown_ms < PROGRESS_EVERY_MS))
        return;
    *shown_ms = now;
    fputs("\r\033[K", stderr);
    if (end)
        return;
    if (p->ledger.last_rows > 0) {
        int full = (int)(MIN_OF(p->rows, p->ledger.last_rows) * BAR_COLUMNS / p->ledger.last_rows);
        fputc('[', stderr);
        for (int i = 0; i < BAR_COLUMNS; i++)
            fputc(i < full ? '#' : ' ', stderr);
        fputs("] ", stderr);
    }
    fprintf(stderr, "%lld rows, %lld a second", (long long)p->rows,
            (long long)(took > 0 ? p->rows * 1000 / took : 0));
    fflush(stderr);
}

static int source_trouble(const struct planning *p, int x)
{
    if (x < 0)
        return ctl_fail(EXIT_UNREACHABLE, "source %s (%s) is away: %s", p->rule->source,
                        conf_source(p->conf, p->rule->source)->file, source_why(p->source));
    return ctl_fail(EXIT_REFUSED, "%s:%d: %s", p->rule->file, p->rule->sql_line + source_line(p->source),
                    source_why(p->source));
}

static int read_rows(struct planning *p)
{
    struct group *g = &p->groups[0];
    struct source_row row;
    const char *missing;
    int64_t shown_ms = 0;
    int x, code;

    while ((x = source_next(p->source, &row)) == 0) {
        if (group_add(g, &p->reading, &row, &missing) != 0) {
            show_progress(p, &shown_ms, true);
            return ctl_fail(EXIT_REFUSED, "%s:%d: the SQL gives no column %s, which %s names", p->rule->file,
                            p->rule->sql_line, missing,
                            missing == p->rule->number_column ? "number_column" : "once_per");
        }
        if (!group_is_full(g))
            continue;
        if ((code = ask(p, g)) != 0)
            return code;
        show_progress(p, &shown_ms, false);
        g = g == &p->groups[0] ? &p->groups[1] : &p->groups[0];
        group_clear(g);
    }
    show_progress(p, &shown_ms, true);
    if (x != SOURCE_END)
        return source_trouble(p, x);
    code = ask(p, g);
    return code != 0 ? code : settle(p);
}

int planning_read(struct planning *p)
{
    const struct conf_source *source = conf_source(p->conf, p->rule->source);
    int x;

    p->begun_ms = clock_mono_ms();
    p->source = source_open(source, "smschain plan");
    if (!p->source)
        return ctl_fail(EXIT_CONF, "%s: this build has no driver '%s'", source->file, source->driver);
    x = source_begin(p->source, p->rule->sql);
    x = x != 0 ? source_trouble(p, x) : read_rows(p);
    p->took_ms = clock_mono_ms() - p->begun_ms;
    return x;
}
