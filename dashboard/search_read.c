/* Rounds of a search: see search_read.h. Candidates come by the one way that is indexed and whose index never
 * changes (ids, numbers, what was told, runs), or by a walk of bounded width; then their rows are read, and
 * those that fit are given. */
#include "dashboard/search_read.h"
#include "callback/msg_id.h"
#include "lib/clock.h"
#include "lib/seq_id.h"
#include "search_days.sql.h"
#include "search_event.sql.h"
#include "search_ext.sql.h"
#include "search_msg_id.sql.h"
#include "search_names.sql.h"
#include "search_number.sql.h"
#include "search_rows.sql.h"
#include "search_run.sql.h"
#include "search_window.sql.h"

#define WINDOW_IDS 20000 /* how far a walk looks in one round */
#define DAY_MS     86400000
#define DAY_2020   18262 /* days from 1970 to 2020 */

enum way { WAY_ID, WAY_MSG_ID, WAY_EXT, WAY_NUMBER, WAY_EVENT, WAY_RUN, WAY_WINDOW };

struct search_reader {
    struct db *d;
    struct search s;
    enum way way;
    int64_t from, below; /* ids that are still to be looked at */
    int32_t gateway;
    bool begun, ended;
    char *unknown;
    struct db_result *days; /* where there may be some, if it goes day by day */
    int day;
};

/* Is every state asked for one that few messages have, so that each telling of it stands in an index? */
static bool states_are_rare(const struct search *s)
{
    for (size_t i = 0; i < s->state_count; i++)
        if (s->states[i] < STATE_IN_DOUBT || s->states[i] == STATE_ACCEPTED ||
            s->states[i] == STATE_DELIVERED)
            return false;
    return s->state_count > 0;
}

static enum way way_of(const struct search *s)
{
    if (s->sms_id != 0)
        return WAY_ID;
    if (*s->msg_id != '\0')
        return WAY_MSG_ID;
    if (*s->ext != '\0')
        return WAY_EXT;
    if (s->number != 0)
        return WAY_NUMBER;
    if (states_are_rare(s))
        return WAY_EVENT;
    return s->run_id != 0 || *s->rule != '\0' ? WAY_RUN : WAY_WINDOW;
}

/* Does it go by the days on which `stats` knows of such messages? Without a run, rule or gateway the telling
 * of rare states stands together in one index, whatever the day. */
static bool goes_by_days(const struct search_reader *r)
{
    bool narrowed = r->s.run_id != 0 || *r->s.rule != '\0' || *r->s.gateway != '\0';
    return r->way == WAY_RUN || r->way == WAY_WINDOW || (r->way == WAY_EVENT && narrowed);
}

struct search_reader *search_reader_new(struct db *d, const struct search *s, int64_t below)
{
    struct search_reader *r = xcalloc(1, sizeof(*r));
    *r = (struct search_reader){.d = d, .s = *s, .way = way_of(s), .below = SMS_ID_END};
    /* an id's day is that of its message's created_at */
    if (s->after_ms != 0)
        r->from = sms_id_day_first(MAX_OF(clock_day_2020(s->after_ms), 0));
    if (s->before_ms != 0)
        r->below = sms_id_day_first(MAX_OF(clock_day_2020(s->before_ms), 0) + 1);
    if (below > 0)
        r->below = MIN_OF(r->below, below);
    return r;
}

void search_reader_free(struct search_reader *r)
{
    if (r == NULL)
        return;
    db_result_free(r->days);
    free(r->unknown);
    free(r);
}

bool search_ended(const struct search_reader *r)
{
    return r->ended;
}

int64_t search_below(const struct search_reader *r)
{
    return r->below;
}

const char *search_unknown(const struct search_reader *r)
{
    return r->unknown;
}

static void add_states(struct db_params *p, const struct search *s, bool with_unsent)
{
    int32_t states[SEARCH_STATES_MAX + 4];
    size_t n = 0;
    for (size_t i = 0; i < s->state_count; i++) {
        states[n++] = (int32_t)s->states[i];
        /* of a message in parts the segment that was not sent may have been the one that failed it */
        for (int unsent = STATE_STALE;
             with_unsent && s->states[i] == STATE_UNDELIVERED && unsent <= STATE_RENDER_ERROR; unsent++)
            states[n++] = unsent;
    }
    if (n > 0)
        db_add_int_array(p, states, n);
    else
        db_add_null(p);
}

static char *day_text(int day)
{
    int year, month, date;
    clock_date_of((int64_t)day + DAY_2020, &year, &month, &date);
    return xasprintf("%04d-%02d-%02d", year, month, date);
}

static int begin(struct search_reader *r)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    auto_result names = NULL;
    auto_free char *first = day_text(sms_id_day(r->from)),
                   *last = day_text(MIN_OF(sms_id_day(r->below - 1), 100000));
    db_add_text(p, r->s.rule);
    db_add_text(p, r->s.gateway);
    int rc = db_run(r->d, &sql_search_names, p, &names);
    if (rc != 0)
        return rc;
    r->begun = true;
    r->gateway = (int32_t)db_big(names, 0, 1);
    if (!db_bool(names, 0, 0))
        r->unknown = xasprintf("there is no rule '%s', and none was known", r->s.rule);
    else if (*r->s.gateway != '\0' && r->gateway == 0)
        r->unknown = xasprintf("there is no gateway '%s' that a message has gone by", r->s.gateway);
    r->ended = r->unknown != NULL || r->below <= r->from;
    if (!goes_by_days(r) || r->ended)
        return 0;
    add_states(q, &r->s, false);
    db_add_int(q, r->gateway);
    db_add_big(q, r->s.run_id);
    db_add_text(q, r->s.rule);
    db_add_text(q, first);
    db_add_text(q, last);
    return db_run(r->d, &sql_search_days, q, &r->days);
}

/* The id as written, and as a hex or a decimal numeral is kept (callback/msg_id.h). */
static void add_msg_ids(struct db_params *p, const char *written)
{
    char decimal[MSG_ID_SIZE], hex[MSG_ID_SIZE], given[MSG_ID_SIZE];
    const char *forms[3];
    size_t n = 0;
    if (msg_id_compared(written, MSG_ID_AS_GIVEN, given))
        forms[n++] = given;
    if (msg_id_compared(written, MSG_ID_DECIMAL, decimal))
        forms[n++] = decimal;
    if (msg_id_compared(written, MSG_ID_HEX, hex))
        forms[n++] = hex;
    db_add_text_array(p, forms, n);
}

static const struct db_sql *question(const struct search_reader *r, struct db_params *p)
{
    switch (r->way) {
    case WAY_MSG_ID:
        add_msg_ids(p, r->s.msg_id);
        return &sql_search_msg_id;
    case WAY_EXT:
        db_add_text(p, r->s.ext);
        return &sql_search_ext;
    case WAY_NUMBER:
        db_add_big(p, r->s.number);
        return &sql_search_number;
    case WAY_EVENT:
        add_states(p, &r->s, true);
        return &sql_search_event;
    case WAY_RUN:
        db_add_big(p, r->s.run_id);
        db_add_text(p, r->s.rule);
        return &sql_search_run;
    case WAY_ID:
    case WAY_WINDOW:
        break;
    }
    return NULL;
}

/* The day that is at its turn: its ids that are still to be looked at. False: none is left. */
static bool day_at_turn(struct search_reader *r, int64_t *ret_from, int64_t *ret_below)
{
    while (r->day < db_rows(r->days) && r->below <= sms_id_day_first((int)db_big(r->days, r->day, 0)))
        r->day++;
    r->ended = r->day == db_rows(r->days) || r->below <= r->from;
    if (r->ended)
        return false;
    int day = (int)db_big(r->days, r->day, 0);
    *ret_from = MAX_OF(r->from, sms_id_day_first(day));
    *ret_below = MIN_OF(r->below, sms_id_day_first(day + 1));
    return true;
}

static int walk(struct search_reader *r, int64_t most, struct db_result **ret)
{
    auto_params p = db_params_new();
    int64_t from, below;
    if (!day_at_turn(r, &from, &below))
        return 0;
    db_add_big(p, from);
    db_add_big(p, below);
    db_add_big(p, WINDOW_IDS);
    add_states(p, &r->s, false);
    db_add_int(p, r->gateway);
    db_add_big(p, most);
    db_add_time(p, r->s.after_ms);
    db_add_time(p, r->s.before_ms);
    int rc = db_run(r->d, &sql_search_window, p, ret);
    if (rc != 0)
        return rc;
    int n = db_rows(*ret);
    if (n == 0)
        r->below = from;
    else if (n >= most && !db_is_null(*ret, n - 1, 0)) /* there may be more below the last one */
        r->below = db_big(*ret, n - 1, 0);
    else
        r->below = db_big(*ret, 0, 1);
    return 0;
}

static int by_index(struct search_reader *r, struct db_result **ret)
{
    auto_params p = db_params_new();
    const struct db_sql *sql = question(r, p);
    int64_t from = r->from, below = r->below;
    if (goes_by_days(r) && !day_at_turn(r, &from, &below))
        return 0;
    db_add_big(p, from);
    db_add_big(p, below);
    db_add_big(p, SEARCH_BATCH);
    int rc = db_run(r->d, sql, p, ret);
    if (rc != 0)
        return rc;
    int n = db_rows(*ret);
    r->below = n == SEARCH_BATCH ? db_big(*ret, n - 1, 0) : from;
    r->ended = n < SEARCH_BATCH && !goes_by_days(r);
    return 0;
}

static int rows_of(struct search_reader *r, const int64_t *ids, size_t count, int64_t most,
                   struct db_result **ret)
{
    auto_params p = db_params_new();
    db_add_big_array(p, ids, count);
    add_states(p, &r->s, false);
    db_add_int(p, r->gateway);
    db_add_big(p, r->s.run_id);
    db_add_text(p, r->s.rule);
    db_add_time(p, r->s.after_ms);
    db_add_time(p, r->s.before_ms);
    db_add_big(p, most);
    return db_run(r->d, &sql_search_rows, p, ret);
}

int search_round(struct search_reader *r, int64_t most, struct db_result **ret)
{
    auto_result candidates = NULL;
    int rc = r->begun ? 0 : begin(r);
    *ret = NULL;
    most = MIN_OF(most, SEARCH_BATCH);
    if (rc == 0 && !r->ended && r->way == WAY_WINDOW)
        rc = walk(r, most, &candidates);
    else if (rc == 0 && !r->ended && r->way != WAY_ID)
        rc = by_index(r, &candidates);
    if (rc != 0)
        return rc;
    size_t count = 0, rows = candidates != NULL ? (size_t)db_rows(candidates) : 0;
    auto_free int64_t *ids = xcalloc(rows + 1, sizeof(*ids));
    for (size_t i = 0; i < rows; i++)
        if (!db_is_null(candidates, (int)i, 0))
            ids[count++] = db_big(candidates, (int)i, 0);
    if (r->way == WAY_ID && !r->ended) {
        r->ended = true;
        if (r->s.sms_id >= r->from && r->s.sms_id < r->below)
            ids[count++] = r->s.sms_id;
    }
    rc = rows_of(r, ids, count, most, ret);
    if (rc == 0 && (int64_t)db_rows(*ret) == most && count > 0 &&
        db_big(*ret, (int)most - 1, F_SMS_ID) != ids[count - 1]) {
        r->below = db_big(*ret, (int)most - 1,
                          F_SMS_ID); /* more of these candidates may fit: the next round begins with them */
        r->ended = false;
    }
    return rc;
}
