/* The rounds of a message. In a round all its segments that have no end yet are asked for together; each ends
 * by itself, for good or to be asked for again; when the last of them has, the message is done, waits for its
 * next round as a whole, here, in the outbox or in its queue, or goes to another gateway as a whole. So
 * however many segments it has, there is one copy of it. */
#include "dispatch/dispatcher.h"
#include "dispatch/hand_over.h"
#include "lib/clock.h"

void segment_begins(struct message *s)
{
    struct round *r = &s->first->round;
    if (r->under_way == 0)
        *r = (struct round){0};
    r->under_way++;
}

static void round_ends(struct dispatcher *d, struct message *m)
{
    const struct round *r = &m->round;
    const struct delivery *x = m->delivery;
    char queue[MQ_QUEUE_SIZE];
    if (m->failed || !r->again) {
        message_done(d, m);
    } else if (r->to != NULL) {
        tell_text(d->tell, mq_queue_dispatch(r->to, lane_words[x->lane], queue), m, d->gateway->name);
    } else if (r->in_outbox) {
        list_add(&d->outgoing, m);
    } else if (r->wait_ms == 0 || x->epoch != d->epochs[x->lane]) {
        message_ready(d, m);
    } else {
        m->due_ms = clock_mono_ms() + r->wait_ms;
        list_add_by_due(&d->later, m);
    }
}

/* No segment waits for an answer any more but those that the gateway refused and another may take. Nothing of
 * the message has left if all the others come again; else another gateway must not have these. */
static void all_answered(struct dispatcher *d, struct message *m)
{
    struct round *r = &m->round;
    bool stays = m->begun || m->failed || m->stays;
    r->to = stays ? NULL : elsewhere_to(&m->record->route, &m->record->passed_on, d->gateway->name);
    r->elsewhere = 0;
    for (int i = 1; i <= m->cut.parts; i++) {
        struct message *s = message_segment(m, i);
        if (!s->elsewhere)
            continue;
        s->elsewhere = false;
        if (r->to != NULL)
            outcome_refused_for_now(d, s);
        else
            outcome_refused_here(d, s);
        free(s->error);
        s->error = NULL;
    }
}

static void look_at_round(struct dispatcher *d, struct message *m)
{
    if (m->round.under_way > m->round.elsewhere)
        return;
    if (m->round.elsewhere > 0)
        all_answered(d, m);
    else
        round_ends(d, m);
}

void segment_over(struct dispatcher *d, struct message *s)
{
    s->over = true;
    s->first->round.under_way--;
    look_at_round(d, s->first);
}

void segment_again(struct dispatcher *d, struct message *s, struct again again)
{
    struct round *r = &s->first->round;
    r->again = true;
    r->in_outbox = r->in_outbox || again.in_outbox;
    r->run_holds = r->run_holds || again.run_holds;
    r->wait_ms = MAX_OF(r->wait_ms, again.wait_ms);
    r->under_way--;
    look_at_round(d, s->first);
}

void segment_elsewhere(struct dispatcher *d, struct message *s, const char *error)
{
    s->elsewhere = true;
    s->error = xstrdup(error != NULL ? error : "");
    s->first->round.elsewhere++;
    look_at_round(d, s->first);
}
