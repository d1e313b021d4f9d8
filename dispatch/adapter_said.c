/* What an adapter says: answers to requests, reports, messages from phones, and what keeps the link alive. */
#include "dispatch/adapter_internal.h"
#include "dispatch/adapter_report.h"
#include "lib/clock.h"

#include <ctype.h>
#include <stdio.h>

#define TOKEN_BITS   16 /* of ours: the place in `told`; above them the connection's generation */
#define REASON_MAX   (SLOT_REASON_SIZE - 1)
#define UNSPOKEN_MAX 6 /* digits in a row in a word that may stand in a log: never a number's */

_Static_assert(ADAPTER_TOLD_MAX < 1 << TOKEN_BITS, "a place fits a token");

static void refuse_line(struct gateway *g, const char *reason, const char *why, const struct adapter_line *l)
{
    adapter_add_error(adapter_link_waiting(&g->link), reason, why, l->id, l->token);
    if (g->complained)
        return;
    g->complained = true;
    struct log_field fields[] = {L_STR("gateway", g->opts.conf->name), L_STR("reason", reason),
                                 L_STR("why", why)};
    log_fields(LOG_LEVEL_WARN, "the adapter says what the protocol does not have (said once a connection)",
               fields, COUNT_OF(fields));
}

/* ---- answers ---- */

/* What is put into tables and shown: short, and never NULL. */
static void copy_reason(const struct adapter_line *l, const char *otherwise, char out[SLOT_REASON_SIZE])
{
    const char *reason = l->reason != NULL && *l->reason != '\0' ? l->reason : otherwise;
    size_t len = MIN_OF(strlen(reason), (size_t)REASON_MAX);
    while (reason[len] != '\0' && len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80)
        len--;
    memcpy(out, reason, len);
    out[len] = '\0';
}

/* An id that cannot be kept whole would match no report, or another one's. */
static void accepted(const struct adapter_line *l, struct gateway_answer *a)
{
    a->outcome = OUTCOME_ACCEPTED;
    a->msg_id = *l->msg_id != '\0' ? l->msg_id : NULL;
    a->reason = "";
    if (strlen(l->msg_id) < SLOT_MSG_ID_SIZE)
        return;
    a->outcome = OUTCOME_IN_DOUBT;
    a->msg_id = NULL;
    a->reason = "no_msg_id";
    a->error = "the adapter accepted it with an id that is too long to be kept";
}

static void answer(struct gateway *g, const struct adapter_line *l, bool bad)
{
    struct taken *t = NULL;
    char reason[SLOT_REASON_SIZE];
    struct gateway_answer a = {
        .outcome = OUTCOME_IN_DOUBT, .error = l->error != NULL ? l->error : "", .retry_after_ms = -1};
    HASH_FIND(hh, g->by_id, &l->id, sizeof(l->id), t);
    if (t == NULL) {
        if (!bad)
            refuse_line(g, "unknown_id", "no submit of this id waits for an answer", l);
        return;
    }
    a.reason = reason;
    if (bad) {
        a.reason = "answer_unknown";
        a.error = "the adapter's answer cannot be read";
    } else if (l->kind == ADAPTER_ACCEPTED) {
        accepted(l, &a);
    } else if (l->kind == ADAPTER_REFUSED) {
        a.outcome = OUTCOME_REFUSED;
        copy_reason(l, "refused", reason);
    } else if (l->kind == ADAPTER_RETRY) {
        a.outcome = OUTCOME_RETRY;
        a.throttled = l->throttled;
        a.elsewhere = l->elsewhere;
        a.retry_after_ms = l->retry_after_ms;
        copy_reason(l, l->throttled ? "throttled" : "retry", reason);
    } else {
        copy_reason(l, "in_doubt", reason);
    }
    g->failures = 0;
    adapter_answer(g, t, &a);
}

/* ---- reports and messages from phones ---- */

/* 0: there is no room. */
static uint64_t told_put(struct gateway *g, int64_t token)
{
    for (size_t i = 0; i < ADAPTER_TOLD_MAX; i++) {
        size_t at = (g->told_next + i) % ADAPTER_TOLD_MAX;
        if (g->told[at].token != 0)
            continue;
        g->told[at].token = token;
        g->told_next = at + 1;
        return g->generation << TOKEN_BITS | (at + 1);
    }
    return 0;
}

void adapter_forget_told(struct gateway *g)
{
    memset(g->told, 0, sizeof(g->told));
}

void adapter_kept(struct gateway *g, uint64_t token, bool kept)
{
    size_t at = token & ((1u << TOKEN_BITS) - 1);
    if (token >> TOKEN_BITS != g->generation || at == 0 || at > ADAPTER_TOLD_MAX ||
        g->told[at - 1].token == 0)
        return; /* its link is gone */
    adapter_add_kept(adapter_link_waiting(&g->link), g->told[at - 1].token, kept);
    g->told[at - 1].token = 0;
}

/* Told again later is better than more in memory than was said. */
static void told(struct gateway *g, const struct adapter_line *l, const char *line, const char *why)
{
    struct adapter_told t = {.gateway = g->opts.conf, .raw = line, .at = clock_wall_ms()};
    const struct gateway_events *e = &g->opts.events;
    struct adapter_record r;
    uint64_t token = e->report != NULL && e->inbound != NULL ? told_put(g, l->token) : 0;
    if (token == 0) {
        adapter_add_kept(adapter_link_waiting(&g->link), l->token, false);
        return;
    }
    adapter_record_make(&t, l, why, &r);
    if (r.is_inbound)
        e->inbound(e->arg, &r.inbound, token);
    else
        e->report(e->arg, &r.step, token);
    adapter_record_deinit(&r);
}

/* ---- the rest ---- */

/* The adapter's own word, if it can stand in a log. */
static const char *loggable(const char *reason)
{
    size_t digits = 0, longest = 0, i = 0;
    for (; reason != NULL && reason[i] != '\0'; i++) {
        bool digit = isdigit((unsigned char)reason[i]);
        digits = digit ? digits + 1 : 0;
        longest = MAX_OF(longest, digits);
        if (!digit && !islower((unsigned char)reason[i]) && reason[i] != '_')
            return "(not a word)";
    }
    return i == 0 ? "(none)" : i > 40 || longest > UNSPOKEN_MAX ? "(not a word)" : reason;
}

static void error_told(struct gateway *g, const struct adapter_line *l)
{
    struct log_field fields[] = {L_STR("gateway", g->opts.conf->name), L_STR("reason", loggable(l->reason))};
    log_fields(LOG_LEVEL_WARN, "the adapter does not understand us", fields, COUNT_OF(fields));
}

/* False: the link is over. */
static bool greeted(struct gateway *g, const struct adapter_line *l, int rc, const char *why, int64_t now_ms)
{
    auto_free char *words = NULL;
    if (rc == 0 && l->kind == ADAPTER_HELLO && l->version == ADAPTER_VERSION) {
        adapter_link_is_up(g, l->name, now_ms);
        return true;
    }
    if (rc != 0)
        words = xasprintf("its first line is no hello: %.120s", why);
    else if (l->kind == ADAPTER_HELLO)
        words = xasprintf("it speaks version %lld of the protocol and this program version %d",
                          (long long)l->version, ADAPTER_VERSION);
    else if (l->kind == ADAPTER_ERROR)
        words = xasprintf("it refuses us: %s", loggable(l->reason));
    else
        words = xstrdup("its first line is no hello");
    adapter_link_over(g, "not_connected", words);
    return false;
}

static void said(struct gateway *g, const struct adapter_line *l, int rc, const char *line, const char *why)
{
    bool is_told = l->kind == ADAPTER_REPORT || l->kind == ADAPTER_INBOUND;
    bool is_answer = l->kind >= ADAPTER_ACCEPTED && l->kind <= ADAPTER_IN_DOUBT;
    if (is_told && l->token > 0)
        told(g, l, line, rc == 0 ? NULL : why);
    if (is_answer && l->id > 0)
        answer(g, l, rc != 0);
    if (rc != 0)
        refuse_line(g,
                    rc == ADAPTER_UNKNOWN ? "unknown_kind"
                    : rc == ADAPTER_BAD   ? "bad_line"
                                          : "unreadable",
                    why, l);
    else if (l->kind == ADAPTER_PING)
        adapter_add_pong(adapter_link_waiting(&g->link), l->id);
    else if (l->kind == ADAPTER_ERROR)
        error_told(g, l);
    else if (l->kind == ADAPTER_HELLO)
        refuse_line(g, "bad_line", "hello: comes once, at the beginning", l);
}

bool adapter_said(struct gateway *g, char *line, size_t len, int64_t now_ms)
{
    struct adapter_line l;
    char why[ADAPTER_WHY_SIZE];
    int rc = adapter_line_read(line, len, &l, why);
    bool goes_on = true;
    if (g->state == LINK_GREETING)
        goes_on = greeted(g, &l, rc, why, now_ms);
    else
        said(g, &l, rc, line, why);
    adapter_line_free(&l);
    return goes_on;
}
