/* The records of an answer, each read as an answer of its own. */
#include "dispatch/results.h"
#include "lib/pointer.h"

#include <ctype.h>
#include <stdio.h>

struct results {
    const struct conf_results *conf;
    struct answer_rules *rules;
};

int results_compile(const struct conf_gateway *g, struct results **ret, char **ret_why)
{
    *ret = NULL;
    if (g->results.answer_count == 0)
        return 0;
    struct results *r = xcalloc(1, sizeof(*r));
    r->conf = &g->results;
    int rc = answer_compile_lines(g->results.answers, g->results.answer_count, &r->rules, ret_why);
    if (rc < 0) {
        results_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void results_free(struct results *r)
{
    if (r == NULL)
        return;
    answer_free(r->rules);
    free(r);
}

struct reading {
    const struct results *r;
    int status;
    const struct gateway_request *q;
    struct gateway_outcome *outcomes;
    unsigned *named; /* how many records name an item */
    struct answer *read;
};

static bool given(const char *s)
{
    return s != NULL && *s != '\0';
}

/* A number as gateways write it: +49…, 0049…, 49…; 0: none. */
static int64_t number_of(const struct buf *b)
{
    int64_t n = 0;
    size_t i = 0, digits = 0;
    if (b->len > 0 && b->data[0] == '+')
        i++;
    for (; i < b->len && isdigit((unsigned char)b->data[i]) && digits < 18; i++, digits++)
        n = n * 10 + (b->data[i] - '0');
    return i == b->len ? n : 0;
}

static bool is_reference(const struct buf *b, const struct gateway_item *item)
{
    return b->len == strlen(item->seq_id) &&
           memcmp(b->data != NULL ? b->data : "", item->seq_id, b->len) == 0;
}

/* Whose record it is: every name that the configuration has must fit. SIZE_MAX: nobody's. */
static size_t owner_of(const struct reading *in, const char *item, size_t len)
{
    const struct conf_results *c = in->r->conf;
    auto_buf number = {0}, reference = {0};
    if ((given(c->number) && pointer_read(item, len, c->number, &number) != 0) ||
        (given(c->reference) && pointer_read(item, len, c->reference, &reference) != 0))
        return SIZE_MAX;
    for (size_t i = 0; i < in->q->count; i++) {
        const struct gateway_item *m = &in->q->items[i];
        if ((!given(c->number) || number_of(&number) == m->number) &&
            (!given(c->reference) || is_reference(&reference, m)))
            return i;
    }
    return SIZE_MAX;
}

static void store(struct gateway_outcome *o, const struct answer *a)
{
    struct exchange e = {
        .end = HTTP_ANSWERED, .sends = 1, .matched = a->is, .msg_id_missing = a->msg_id_missing};
    struct classified c = classify(&e);
    o->outcome = c.outcome;
    o->throttled = c.throttled;
    o->own_id = a->own_id;
    snprintf(o->msg_id, sizeof(o->msg_id), "%s", a->msg_id);
    snprintf(o->reason, sizeof(o->reason), "%s", c.reason != NULL ? c.reason : a->reason);
    snprintf(o->error, sizeof(o->error), "%s", c.outcome == OUTCOME_ACCEPTED ? "" : a->error);
}

static void take_record(void *arg, const char *item, size_t len)
{
    struct reading *in = arg;
    size_t i = owner_of(in, item, len);
    if (i == SIZE_MAX)
        return; /* whosever it is, ours are what other records say, or in doubt */
    in->named[i]++;
    if (in->named[i] > 1) {
        in->outcomes[i] =
            (struct gateway_outcome){.outcome = OUTCOME_IN_DOUBT, .reason = "several_results", .error = ""};
        return;
    }
    auto_free char *text = xstrndup(item, len);
    answer_read(in->r->rules, in->status, text, len, in->read);
    store(&in->outcomes[i], in->read);
}

struct gateway_outcome *results_read(const struct results *r, int status, const char *body, size_t len,
                                     const struct gateway_request *q)
{
    struct reading in = {.r = r, .status = status, .q = q};
    auto_buf records = {.max = len + 1};
    auto_free unsigned *named = xcalloc(q->count, sizeof(*named));
    auto_free struct answer *read = xcalloc(1, sizeof(*read));
    in.outcomes = xcalloc(q->count, sizeof(*in.outcomes));
    in.named = named;
    in.read = read;
    for (size_t i = 0; i < q->count; i++)
        in.outcomes[i] =
            (struct gateway_outcome){.outcome = OUTCOME_IN_DOUBT, .reason = "not_in_answer", .error = ""};
    if (pointer_read(body, len, r->conf->records, &records) != 0 ||
        pointer_items(records.data != NULL ? records.data : "", records.len, take_record, &in) != 0)
        return in.outcomes; /* unreadable: all stay in doubt */
    return in.outcomes;
}
