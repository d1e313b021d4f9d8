/* Gateways by name, their knobs and their counters. */
#include "test/sim/sim.h"
#include <stdio.h>

enum knob_type { KNOB_INT, KNOB_SHARE, KNOB_TEXT };
#define KNOB_INT_ROW(name, initial, help) {#name, KNOB_INT, offsetof(struct knobs, name), help},
#define KNOB_SHARE_ROW(name, help)        {#name, KNOB_SHARE, offsetof(struct knobs, name), help},
#define KNOB_TEXT_ROW(name, help)         {#name, KNOB_TEXT, offsetof(struct knobs, name), help},
static const struct knob_row {
    const char *name;
    enum knob_type type;
    size_t offset;
    const char *help;
} rows[] = {KNOBS(KNOB_INT_ROW, KNOB_SHARE_ROW, KNOB_TEXT_ROW)};

#define KNOB_INT_INITIAL(name, initial, help) .name = initial,
#define KNOB_SHARE_INITIAL(name, help)
#define KNOB_TEXT_INITIAL(name, help)
static struct knobs defaults = {
    KNOBS(KNOB_INT_INITIAL, KNOB_SHARE_INITIAL, KNOB_TEXT_INITIAL).status_share = {.part = 1}};

#define COUNTER_ROW(name) {#name, offsetof(struct counters, name)},
static const struct {
    const char *name;
    size_t offset;
} counter_rows[] = {COUNTERS(COUNTER_ROW)};

static struct gateway gateways[GATEWAYS_MAX];
static size_t gateway_count;

struct gateway *gateway_at(size_t i)
{
    return i < gateway_count ? &gateways[i] : NULL;
}

struct gateway *gateway_named(const char *name, size_t len)
{
    for (size_t i = 0; i < gateway_count; i++)
        if (strncmp(gateways[i].name, name, len) == 0 && gateways[i].name[len] == '\0')
            return &gateways[i];
    if (gateway_count == GATEWAYS_MAX || len >= GATEWAY_NAME_SIZE || len == 0)
        return NULL;
    struct gateway *g = &gateways[gateway_count++];
    *g = (struct gateway){.knobs = defaults, .ready_end = &g->ready};
    memcpy(g->name, name, len);
    /* All gateways count from the same number, so that equal ids from two of them are the rule, not the
     * exception; a restarted process goes on above what it gave before. */
    g->next_id = (uint64_t)loop_now_ms() * 1000;
    return g;
}

double share_draw(void)
{
    return (double)random() / ((double)RAND_MAX + 1);
}

bool share_hits(struct share *s)
{
    if (s->next > 0) {
        s->next--;
        return true;
    }
    return s->part > 0 && share_draw() < s->part;
}

static bool value_set(const struct knob_row *row, struct knobs *k, const char *value)
{
    void *at = (char *)k + row->offset;
    char *end = NULL;
    if (row->type == KNOB_TEXT) {
        if (strlen(value) >= sizeof(k->report_url))
            return false;
        memcpy(at, value, strlen(value) + 1);
        return true;
    }
    if (row->type == KNOB_INT) {
        long long n = strtoll(value, &end, 10);
        if (*value == '\0' || *end != '\0' || n < 0)
            return false;
        *(int64_t *)at = n;
        return true;
    }
    struct share s = {0};
    if (*value == 'n')
        s.next = strtoll(value + 1, &end, 10);
    else
        s.part = strtod(value, &end);
    if (end == value || *end != '\0' || s.part < 0 || s.part > 1 || s.next < 0)
        return false;
    *(struct share *)at = s;
    return true;
}

static bool global_set(const char *name, const char *value)
{
    bool on = strcmp(value, "0") != 0;
    if (strcmp(name, "listen") == 0)
        sim_listen(on);
    else if (strcmp(name, "cross_gateway") == 0)
        sim.cross_gateway = on;
    else if (strcmp(name, "count_text") == 0)
        sim.count_text = on;
    else
        return false;
    return true;
}

static bool failing_share_set(const char *prefix, const char *value, struct buf *why)
{
    static const char *const each[] = {"undelivered_share", "expired_share", "rejected_share"};
    char part[32];
    snprintf(part, sizeof(part), "%.17g", strtod(value, NULL) / 3);
    for (size_t i = 0; i < COUNT_OF(each); i++) {
        auto_free char *name = xasprintf("%s%s", prefix, each[i]);
        if (!knob_set(name, part, why))
            return false;
    }
    return true;
}

bool knob_set(const char *name, const char *value, struct buf *why)
{
    const char *dot = strchr(name, '.');
    const char *knob = dot != NULL ? dot + 1 : name;
    if (dot == NULL && global_set(name, value))
        return true;
    if (strcmp(knob, "failing_share") == 0) {
        auto_free char *prefix = xstrndup(name, (size_t)(knob - name));
        return failing_share_set(prefix, value, why);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, knob) != 0)
            continue;
        struct gateway *one = dot != NULL ? gateway_named(name, (size_t)(dot - name)) : NULL;
        bool ok = dot != NULL ? one != NULL && value_set(&rows[i], &one->knobs, value)
                              : value_set(&rows[i], &defaults, value);
        for (size_t g = 0; ok && dot == NULL && g < gateway_count; g++)
            ok = value_set(&rows[i], &gateways[g].knobs, value);
        if (!ok)
            buf_addf(why, "knob %s cannot be '%s'", name, value);
        return ok;
    }
    buf_addf(why, "no knob '%s'", name);
    return false;
}

void knobs_help(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        buf_addf(out, "  %-20s%s\n", rows[i].name, rows[i].help);
    buf_addf(out, "  %-20sa third of it each undelivered, expired, rejected\n", "failing_share");
    buf_addf(out, "  %-20s0: connections are refused (POST listen=1 to the control port)\n", "listen");
    buf_addf(out, "  %-20s0: the same number and text at two gateways is no duplicate\n", "cross_gateway");
    buf_addf(out, "  %-20s0: duplicates are told by our reference only\n", "count_text");
}

static void counters_members(struct buf *out, const struct counters *c)
{
    for (size_t i = 0; i < COUNT_OF(counter_rows); i++)
        buf_addf(out, "\"%s\":%lld,", counter_rows[i].name,
                 (long long)*(const int64_t *)((const char *)c + counter_rows[i].offset));
    buf_addf(out, "\"first_submit_ms\":%lld,\"last_submit_ms\":%lld", (long long)c->first_submit_ms,
             (long long)c->last_submit_ms);
}

static void knobs_object(struct buf *out, const struct knobs *k)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const void *at = (const char *)k + rows[i].offset;
        const struct share *s = at;
        buf_addf(out, "%s\"%s\":", i > 0 ? "," : "", rows[i].name);
        if (rows[i].type == KNOB_INT)
            buf_add_i64(out, *(const int64_t *)at);
        else if (rows[i].type == KNOB_TEXT)
            buf_add_json_str(out, at, strlen(at));
        else if (s->next > 0)
            buf_addf(out, "\"n%lld\"", (long long)s->next);
        else
            buf_addf(out, "%g", s->part);
    }
}

static void counters_total(struct counters *total)
{
    *total = (struct counters){0};
    for (size_t g = 0; g < gateway_count; g++) {
        const struct counters *c = &gateways[g].counters;
        for (size_t i = 0; i < COUNT_OF(counter_rows); i++)
            *(int64_t *)((char *)total + counter_rows[i].offset) +=
                *(const int64_t *)((const char *)c + counter_rows[i].offset);
        if (c->first_submit_ms != 0 &&
            (total->first_submit_ms == 0 || c->first_submit_ms < total->first_submit_ms))
            total->first_submit_ms = c->first_submit_ms;
        total->last_submit_ms = MAX_OF(total->last_submit_ms, c->last_submit_ms);
    }
}

void counters_json(struct buf *out, bool with_knobs)
{
    struct counters total;
    counters_total(&total);
    buf_add_char(out, '{');
    counters_members(out, &total);
    buf_addf(out, ",\"reports_waiting\":%lld,\"listen\":%s,\"gateways\":{", (long long)reports_waiting(),
             sim.listen ? "true" : "false");
    for (size_t g = 0; g < gateway_count; g++) {
        buf_addf(out, "%s\"%s\":{", g > 0 ? "," : "", gateways[g].name);
        counters_members(out, &gateways[g].counters);
        if (with_knobs) {
            buf_add_str(out, ",\"knobs\":{");
            knobs_object(out, &gateways[g].knobs);
            buf_add_char(out, '}');
        }
        buf_add_char(out, '}');
    }
    buf_add_str(out, "}}\n");
}
