/* Which firings of a rule are to be entered now. The rules stand in firing.h. */
#include "extract/firing.h"
#include "lib/clock.h"
#include <stdio.h>

/* "YYYY-MM-DD HH:MM[:SS]" on the rule's clock. In the spring gap: the first moment after it; twice in autumn:
 * the first. */
static bool parse_local(const char *s, const struct zone *z, int64_t *ret_ms)
{
    struct zone_civil c = {0}, back;
    int64_t utc[2];
    int n = 0;

    if (sscanf(s, "%4d-%2d-%2d %2d:%2d%n", &c.year, &c.month, &c.day, &c.hour, &c.minute, &n) != 5 || n != 16)
        return false;
    if (s[n] == ':') {
        int m = 0;
        if (sscanf(s + n, ":%2d%n", &c.second, &m) != 1 || m != 3)
            return false;
        n += m;
    }
    if (s[n] != '\0' || c.month < 1 || c.month > 12 || c.day < 1 || c.hour < 0 || c.hour > 23 ||
        c.minute < 0 || c.minute > 59 || c.second < 0 || c.second > 59)
        return false;
    if (zone_utc_of(z, &c, utc) != ZONE_GAP) {
        back = zone_civil_at(z, utc[0]);
        if (back.day != c.day || back.month != c.month)
            return false; /* 31 February */
    }
    *ret_ms = utc[0] * 1000;
    return true;
}

int firing_plan_init(struct firing_plan *p, const char *schedule, const char *at, const char *time_zone,
                     char message[CRON_MESSAGE_SIZE])
{
    *p = (struct firing_plan){.once = *at != '\0', .zone = zone_open(time_zone)};
    if (!p->zone) {
        snprintf(message, CRON_MESSAGE_SIZE,
                 "time_zone: '%.60s': expected a name of the tz database such as Europe/Berlin", time_zone);
        return -EINVAL;
    }
    if (p->once ? clock_parse_iso(at, &p->at_ms) || parse_local(at, p->zone, &p->at_ms)
                : cron_parse(schedule, &p->cron, message) == 0)
        return 0;
    if (p->once)
        snprintf(message, CRON_MESSAGE_SIZE,
                 "at: '%.60s': expected YYYY-MM-DD HH:MM in the rule's time_zone, or a time with its zone as "
                 "in RFC 3339",
                 at);
    firing_plan_deinit(p);
    return -EINVAL;
}

void firing_plan_deinit(struct firing_plan *p)
{
    zone_close(p->zone);
    p->zone = NULL;
}

/* Seconds at or before, also for times before 1970. */
static int64_t floor_s(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

int64_t firing_next(const struct firing_plan *p, int64_t after_ms)
{
    int64_t s;

    if (p->once)
        return p->at_ms > after_ms ? p->at_ms : FIRING_NEVER;
    s = cron_next(&p->cron, p->zone, floor_s(after_ms));
    return s == CRON_NEVER ? FIRING_NEVER : s * 1000;
}

size_t firing_due(const struct firing_plan *p, const struct firing_question *q, struct firing out[FIRING_MAX])
{
    int64_t from = MAX_OF(MAX_OF(q->planned_from_ms, q->last_entered_ms), q->now_ms - q->look_back_ms);
    size_t count = 0, first = 0, kept;
    struct firing *newest;

    /* A ring: of more than FIRING_MAX the newest stay. */
    for (int64_t t = from; (t = firing_next(p, t)) <= q->now_ms; count++)
        out[count % FIRING_MAX] = (struct firing){t, FIRING_SKIP_OLDER};
    if (count == 0)
        return 0;
    kept = MIN_OF(count, (size_t)FIRING_MAX);
    if (count > FIRING_MAX && (first = count % FIRING_MAX) > 0) {
        struct firing *turned = xmalloc(sizeof(*turned) * FIRING_MAX);
        memcpy(turned, out + first, sizeof(*out) * (FIRING_MAX - first));
        memcpy(turned + (FIRING_MAX - first), out, sizeof(*out) * first);
        memcpy(out, turned, sizeof(*out) * FIRING_MAX);
        free(turned);
    }
    newest = &out[kept - 1];
    if (q->now_ms - newest->scheduled_ms <= FIRING_LATE_MS)
        newest->verdict = FIRING_DUE;
    else
        newest->verdict = q->missed == CONF_MISSED_SKIP ? FIRING_SKIP_LATE : FIRING_MISSED;
    return kept;
}

const char *firing_origin(enum firing_verdict v)
{
    return v == FIRING_DUE ? "schedule" : "missed";
}

const char *firing_state(enum firing_verdict v)
{
    return v == FIRING_DUE || v == FIRING_MISSED ? "new" : "skipped";
}

const char *firing_why(enum firing_verdict v)
{
    switch (v) {
    case FIRING_DUE:
    case FIRING_MISSED:
        return "";
    case FIRING_SKIP_LATE:
        return "missed while nothing was there to run it, and the rule says missed: skip";
    case FIRING_SKIP_OLDER:
        return "missed, and a newer firing of the rule is run in its place";
    }
    return "";
}
