/* The lines of `lookup.answer:`, and what they mean for an attempt. */
#include "callback/lookup_answer.h"
#include "lib/pointer.h"

#include <regex.h>
#include <stdio.h>

#define GROUPS_MAX 10

struct rule {
    const struct conf_lookup_answer *conf;
    bool has_match;
    regex_t match;
};
struct lookup_rules {
    size_t count;
    struct rule *rules;
};

static bool given(const char *s)
{
    return s && *s;
}

struct lookup_rules *lookup_rules_new(const struct conf_gateway *g, char **ret_why)
{
    struct lookup_rules *r = xcalloc(1, sizeof(*r));
    r->rules = xcalloc(g->lookup.answer_count + 1, sizeof(*r->rules));
    for (size_t i = 0; i < g->lookup.answer_count; i++) {
        const struct conf_lookup_answer *c = &g->lookup.answers[i];
        struct rule *rule = &r->rules[r->count++];
        rule->conf = c;
        if (!given(c->match))
            continue;
        if (regcomp(&rule->match, c->match, REG_EXTENDED) != 0) {
            *ret_why = xasprintf("%s:%d: lookup.answer: match is no expression", g->file, c->line);
            lookup_rules_free(r);
            return NULL;
        }
        rule->has_match = true;
    }
    return r;
}

void lookup_rules_free(struct lookup_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        if (r->rules[i].has_match)
            regfree(&r->rules[i].match);
    }
    free(r->rules);
    free(r);
}

/* ---- reading ---- */

struct reading {
    int status;
    const char *body;
    size_t len;
    regmatch_t groups[GROUPS_MAX];
};

/* "200", "200-299", "4xx": conf_form_status has checked it. */
static bool status_fits(const char *spec, int status)
{
    int low = 0, high = 0;
    if (strlen(spec) == 3 && spec[1] == 'x')
        return status / 100 == spec[0] - '0';
    if (sscanf(spec, "%d-%d", &low, &high) == 2)
        return status >= low && status <= high;
    return status == low;
}

static bool rule_fits(const struct rule *rule, struct reading *in)
{
    const struct conf_lookup_answer *c = rule->conf;
    auto_buf found = {0};
    if (given(c->status) && !status_fits(c->status, in->status))
        return false;
    /* A body with a NUL in it is not text: an expression would see its beginning only. */
    if (rule->has_match &&
        (strlen(in->body) != in->len || regexec(&rule->match, in->body, GROUPS_MAX, in->groups, 0) != 0))
        return false;
    if (!given(c->pointer))
        return true;
    if (pointer_read(in->body, in->len, c->pointer, &found) != 0)
        return false;
    return strcmp(found.data ? found.data : "", c->equals ? c->equals : "") == 0;
}

static void take(const char *spec, const struct reading *in, struct buf *out)
{
    if (!given(spec))
        return;
    if (strcmp(spec, "body") == 0) {
        buf_add(out, in->body, in->len);
    } else if (strcmp(spec, "status") == 0) {
        buf_add_i64(out, in->status);
    } else if (*spec == '/') {
        if (pointer_read(in->body, in->len, spec, out) != 0)
            buf_clear(out);
    } else if (strncmp(spec, "match", 5) == 0) {
        const regmatch_t *m = &in->groups[spec[5] == ':' ? spec[6] - '0' : 1];
        if (m->rm_so >= 0)
            buf_add(out, in->body + m->rm_so, (size_t)(m->rm_eo - m->rm_so));
    }
}

/* An id must be kept whole and be one word; a reason is for people: printable, and cut. */
static void read_msg_id(const struct buf *b, char out[MSG_ID_SIZE])
{
    const char *s = b->data ? b->data : "";
    size_t len = strlen(s);
    out[0] = '\0';
    if (len != b->len || len > MSG_ID_MAX || strcmp(s, "null") == 0)
        return;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
            return;
    }
    memcpy(out, s, len + 1);
}

static void read_reason(const struct buf *b, enum lookup_is is, char out[LOOKUP_REASON_SIZE])
{
    size_t n = 0;
    for (size_t i = 0; i < b->len && n + 1 < LOOKUP_REASON_SIZE; i++)
        out[n++] = (unsigned char)b->data[i] < 0x20 || b->data[i] == 0x7f ? ' ' : b->data[i];
    while (n > 0 && n + 1 == LOOKUP_REASON_SIZE && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
        n--; /* not within a UTF-8 sequence */
    out[n] = '\0';
    if (n == 0 || strcmp(out, "null") == 0)
        snprintf(out, LOOKUP_REASON_SIZE, "%s", lookup_word(is));
}

void lookup_read(const struct lookup_rules *r, int status, const char *body, size_t len,
                 struct lookup_answer *ret)
{
    struct reading in = {.status = status, .body = body, .len = len};
    *ret = (struct lookup_answer){.is = LOOKUP_LATER};
    for (size_t i = 0; i < r->count; i++) {
        auto_buf msg_id = {0}, reason = {0};
        if (!rule_fits(&r->rules[i], &in))
            continue;
        const struct conf_lookup_answer *c = r->rules[i].conf;
        ret->is = c->is;
        ret->fits = true;
        take(c->msg_id, &in, &msg_id);
        take(c->reason, &in, &reason);
        read_msg_id(&msg_id, ret->msg_id);
        read_reason(&reason, c->is, ret->reason);
        return;
    }
}

/* ---- meaning ---- */

static const struct {
    enum lookup_is is;
    const char *word;
    enum state state;
} words[] = {
    {LOOKUP_LATER, "later", STATE_QUEUED},
    {LOOKUP_ACCEPTED, "accepted", STATE_ACCEPTED},
    {LOOKUP_NOT_ACCEPTED, "not_accepted", STATE_QUEUED},
    {LOOKUP_DELIVERED, "delivered", STATE_DELIVERED},
    {LOOKUP_UNDELIVERED, "undelivered", STATE_UNDELIVERED},
    {LOOKUP_REJECTED, "rejected", STATE_REJECTED},
    {LOOKUP_EXPIRED, "expired", STATE_EXPIRED},
};

const char *lookup_word(enum lookup_is is)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (words[i].is == is)
            return words[i].word;
    }
    return "";
}

enum state lookup_state(enum lookup_is is)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (words[i].is == is)
            return words[i].state;
    }
    return STATE_QUEUED;
}

enum lookup_step lookup_decide(const struct lookup_answer *a, const struct lookup_about *about)
{
    if (state_is_final(lookup_state(a->is)))
        return LOOKUP_TELL_STATE;
    if (about->state != STATE_IN_DOUBT)
        return LOOKUP_ASK_LATER; /* that it is accepted is known; that it is not would be a contradiction */
    if (a->is == LOOKUP_ACCEPTED)
        return LOOKUP_TELL_ACCEPTED;
    /* A request may reach the gateway long after we have given it up: what is not there yet may still come.
     */
    if (a->is == LOOKUP_NOT_ACCEPTED && about->doubt_ms > 0 &&
        about->now_ms - about->doubt_ms >= about->proof_after_ms)
        return LOOKUP_SEND_AGAIN;
    return LOOKUP_ASK_LATER;
}
