/* Figures against limits: see holds.h. All is whole numbers: what is exactly at a limit is under it. */
#include "extract/holds.h"
#include <inttypes.h>

#define WHOLE 1000000 /* a share of 100 % */

static const char *const words[HOLDS] = {"max_recipients", "balance", "recipients_differ",
                                         "render_errors",  "approve", "wave"};

unsigned holds_parse(const char *given)
{
    unsigned holds = 0;

    for (const char *at = given; *at; at += strcspn(at, " "), at += strspn(at, " "))
        for (size_t i = 0; i < HOLDS; i++)
            if (strcspn(at, " ") == strlen(words[i]) && strncmp(at, words[i], strlen(words[i])) == 0)
                holds |= 1u << i;
    return holds;
}

void holds_array(unsigned holds, struct buf *out)
{
    bool first = true;

    buf_add_char(out, '{');
    for (size_t i = 0; i < HOLDS; i++) {
        if (!(holds & 1u << i))
            continue;
        buf_addf(out, "%s%s", first ? "" : ",", words[i]);
        first = false;
    }
    buf_add_char(out, '}');
}

/* part of whole in per cent, one place, rounded half up; by 128 bits, since both may be large. */
static void add_percent(struct buf *out, int64_t part, int64_t whole)
{
    int64_t tenths = (int64_t)(((__int128)part * 2000 + whole) / ((__int128)whole * 2));

    buf_addf(out, "%" PRId64 ".%" PRId64 " %%", tenths / 10, tenths % 10);
}

/* Is part / whole above the share? */
static bool is_above(int64_t part, int64_t whole, int64_t share)
{
    return (__int128)part * WHOLE > (__int128)whole * share;
}

static bool recipients_differ(const struct conf_rule *rule, const struct holds_figures *f, struct buf *why)
{
    /* this / 1 against sum / runs: both sides times runs. */
    int64_t ours = f->recipients * f->last_runs, theirs = f->last_recipients;
    int64_t apart = ours > theirs ? ours - theirs : theirs - ours, share;

    if (!conf_share(rule->hold_if_recipients_differ, &share) || f->last_runs == 0 ||
        !is_above(apart, theirs, share))
        return false;
    if (theirs > 0)
        add_percent(why, apart, theirs);
    else
        buf_add_str(why, "infinitely");
    buf_addf(why, " %s recipients than the rule's last %s (%" PRId64 ", ", ours > theirs ? "more" : "fewer",
             f->last_runs == 1 ? "run" : "runs", f->recipients);
    buf_addf(why, f->last_runs == 1 ? "then %" PRId64 : "their mean %" PRId64, theirs / f->last_runs);
    buf_addf(why, ", hold_if_recipients_differ: %s)", rule->hold_if_recipients_differ);
    return true;
}

static bool render_errors(const struct conf_rule *rule, const struct holds_figures *f, struct buf *why)
{
    int64_t share;

    if (!conf_share(rule->hold_render_errors, &share) || !is_above(f->errors, f->judged, share))
        return false;
    add_percent(why, f->errors, f->judged);
    buf_addf(why, " of its messages cannot be rendered (%" PRId64 " of %" PRId64 ", hold_render_errors: %s)",
             f->errors, f->judged, rule->hold_render_errors);
    return true;
}

static bool approve(const struct conf_rule *rule, const struct holds_figures *f, struct buf *why)
{
    if (!rule->approve || f->recipients == 0)
        return false;
    buf_add_str(why, "every run of this rule waits for a person (approve: true)");
    return true;
}

unsigned holds_decide(const struct conf_rule *rule, const struct holds_figures *f, unsigned released,
                      struct buf *why)
{
    static const struct {
        enum hold hold;
        bool (*holds)(const struct conf_rule *rule, const struct holds_figures *f, struct buf *why);
    } checks[] = {{HOLD_RECIPIENTS_DIFFER, recipients_differ},
                  {HOLD_RENDER_ERRORS, render_errors},
                  {HOLD_APPROVE, approve}};
    unsigned found = 0;

    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        auto_buf one = {0};
        if (released & checks[i].hold || !checks[i].holds(rule, f, &one))
            continue;
        buf_addf(why, "%s%s", found ? "; " : "", one.data);
        found |= checks[i].hold;
    }
    return found;
}

bool holds_waves(const struct conf_rule *rule, struct holds_waves *ret)
{
    const struct conf_waves *w = &rule->waves;

    *ret = (struct holds_waves){.wait_ms = w->wait_ms};
    if (!w->first || !*w->first || !conf_share(w->max_undelivered, &ret->limit))
        return false;
    if (!conf_share(w->first, &ret->share))
        ret->count = strtoll(w->first, NULL, 10);
    return ret->share > 0 || ret->count > 0;
}
