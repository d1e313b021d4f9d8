/* What goes back to the tables: claims that were certainly not accepted are settled, and what waits long, or
 * for somebody, stands in the outbox. */
#include "dispatch/dispatcher.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "outbox_add.sql.h"
#include "settle.sql.h"

static char *body_of(const struct message *m)
{
    struct buf b = {0};
    tell_text_body(&b, m->record);
    return buf_take(&b, NULL);
}

static const char *own_queue(const struct dispatcher *d, const struct message *m, char out[MQ_QUEUE_SIZE])
{
    return mq_queue_dispatch(d->gateway->name, lane_words[m->delivery->lane], out);
}

/* Takes messages of one day and lane off the front. */
static bool take_group(struct dispatcher *d, struct message_list *from, bool one_day)
{
    d->group_count = 0;
    while (from->first != NULL && d->group_count < DISPATCH_GROUP_MAX) {
        struct message *m = from->first;
        int day = sms_id_day(m->record->sms_id);
        if (d->group_count > 0 &&
            (m->delivery->lane != d->group[0]->delivery->lane || (one_day && day != d->group_day)))
            break;
        list_remove(m);
        d->group_day = day;
        d->group[d->group_count++] = m;
    }
    return d->group_count > 0;
}

static void free_bodies(struct group_arrays *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(a->body[i]);
}

/* A message that was cut leaves when all its segments have an answer (round.c). */
static bool leaves_now(const struct message *m)
{
    return m->in_outbox && message_whole(m);
}

bool settle_begin(struct dispatcher *d)
{
    return take_group(d, &d->settling, true);
}

int settle_start(struct dispatcher *d)
{
    struct group_arrays *a = d->arrays;
    char queue[MQ_QUEUE_SIZE];
    int64_t now = clock_wall_ms() + d->place.clock_ahead_ms;
    for (size_t i = 0; i < d->group_count; i++) {
        const struct message *m = d->group[i];
        a->sms_id[i] = m->record->sms_id;
        a->segment[i] = m->segment;
        a->attempt[i] = m->attempt;
        a->settled[i] = m->settle;
        a->time[i] = leaves_now(m) ? now + m->wait_ms : 0;
        a->body[i] = leaves_now(m) ? body_of(m) : NULL;
    }
    db_params_clear(d->params);
    db_add_big(d->params, sms_id_day_first(d->group_day));
    db_add_big(d->params, sms_id_day_first(d->group_day + 1));
    db_add_big(d->params, slots_epoch(d->slots));
    db_add_big_array(d->params, a->sms_id, d->group_count);
    db_add_int_array(d->params, a->segment, d->group_count);
    db_add_int_array(d->params, a->attempt, d->group_count);
    db_add_int_array(d->params, a->settled, d->group_count);
    db_add_time_array(d->params, a->time, d->group_count);
    db_add_text_array(d->params, (const char *const *)a->body, d->group_count);
    db_add_text(d->params, own_queue(d, d->group[0], queue));
    free_bodies(a, d->group_count);
    return db_start(d->db, &sql_settle, d->params);
}

void settle_done(struct dispatcher *d)
{
    for (size_t i = 0; i < d->group_count; i++) {
        struct message *m = d->group[i];
        FAULT("dispatch.settled");
        slot_done(d, m);
        m->attempt = 0;
        if (leaves_now(m))
            segment_over(d, m);
        else
            segment_again(d, m, (struct again){.wait_ms = m->wait_ms, .in_outbox = m->in_outbox});
    }
    d->group_count = 0;
}

bool outbox_begin(struct dispatcher *d)
{
    return take_group(d, &d->outgoing, false);
}

int outbox_start(struct dispatcher *d)
{
    struct group_arrays *a = d->arrays;
    char queue[MQ_QUEUE_SIZE];
    int64_t now = clock_wall_ms() + d->place.clock_ahead_ms;
    for (size_t i = 0; i < d->group_count; i++) {
        const struct message *m = d->group[i];
        a->time[i] = now + m->round.wait_ms;
        a->body[i] = body_of(m);
        a->run[i] = m->round.run_holds ? m->record->run : 0;
    }
    db_params_clear(d->params);
    db_add_time_array(d->params, a->time, d->group_count);
    db_add_text_array(d->params, (const char *const *)a->body, d->group_count);
    db_add_big_array(d->params, a->run, d->group_count);
    db_add_text(d->params, own_queue(d, d->group[0], queue));
    free_bodies(a, d->group_count);
    return db_start(d->db, &sql_outbox_add, d->params);
}

void outbox_done(struct dispatcher *d)
{
    for (size_t i = 0; i < d->group_count; i++)
        message_done(d, d->group[i]);
    d->group_count = 0;
}
