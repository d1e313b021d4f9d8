/* Slots files of dead dispatchers of this gateway: their claims are settled, their outcomes told, then they
 * are deleted. Only while the place is held, and before the first delivery is taken: so a released message is
 * found released. */
#include "dispatch/dispatcher.h"
#include "dispatch/recovery.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "release.sql.h"

#include <stdlib.h>

#define EVERY_MS 10000

static void tell_again(struct dispatcher *d, const struct slot *slot, const struct recovered *r)
{
    char seq_id[SEQ_ID_SIZE];
    struct seq_id id = {.sms_id = slot->sms_id, .segment = slot->segment, .attempt = slot->attempt};
    /* The wire's records own their strings and are not const; nothing here changes them. */
    struct step_record s = {.step = r->step,
                            .at = slot->answered_at > 0 ? slot->answered_at : clock_wall_ms(),
                            .gateway = d->gateway->name,
                            .parts = slot->parts > 1 ? slot->parts : 0,
                            .seq_id = seq_id_format(&id, seq_id),
                            .number = slot->number,
                            .msg_id = (char *)(uintptr_t)r->msg_id,
                            .state = r->step == STEP_OUTCOME ? (char *)(uintptr_t)state_word(r->state) : NULL,
                            .reason = r->reason != NULL && *r->reason != '\0' ? (char *)(uintptr_t)r->reason
                                                                              : NULL};
    char origin[] = "slots";
    s.origin = origin;
    tell_recovered_step(d->tell, &s);
    d->recovery.told++;
}

static int by_key(const void *a, const void *b)
{
    const struct release *x = a, *y = b;
    return (x->sms_id > y->sms_id) - (x->sms_id < y->sms_id);
}

static void read_slots(struct dispatcher *d, struct slots *dead)
{
    struct recovery *v = &d->recovery;
    uint32_t count = slots_count(dead);
    size_t in_doubt = 0;
    v->dead = dead;
    v->release_count = v->release_at = v->told = 0;
    v->releases = xcalloc(count, sizeof(*v->releases));
    for (uint32_t i = 0; i < count; i++) {
        const struct slot *slot = slots_at(dead, i);
        struct recovered r = recovery_plan(slot);
        if (r.what == RECOVERED_TELL) {
            tell_again(d, slot, &r);
            in_doubt += r.step == STEP_OUTCOME && r.state == STATE_IN_DOUBT;
        }
        if (r.what == RECOVERED_SETTLE)
            v->releases[v->release_count++] = (struct release){.sms_id = slot->sms_id,
                                                               .claimed_at = slot->claimed_at,
                                                               .segment = slot->segment,
                                                               .settled = (int32_t)r.settled};
    }
    qsort(v->releases, v->release_count, sizeof(*v->releases), by_key);
    log_info("a dead dispatcher's slots are recovered", L_STR("gateway", d->gateway->name),
             L_INT("owner", slots_epoch(dead)), L_INT("released", v->release_count), L_INT("told", v->told),
             L_INT("in_doubt", in_doubt));
    FAULT("dispatch.recovering");
}

static void finish(struct dispatcher *d)
{
    struct recovery *v = &d->recovery;
    FAULT("dispatch.recovered");
    slots_recovered(v->dead);
    v->dead = NULL;
    free(v->releases);
    v->releases = NULL;
    v->next_ms = 0; /* there may be another */
}

void recover_turn(struct dispatcher *d, int64_t now_ms)
{
    struct recovery *v = &d->recovery;
    if (v->dead != NULL) {
        if (v->release_at == v->release_count && v->told == 0 && d->work != WORK_RELEASE)
            finish(d);
        return;
    }
    if (!d->place.held || d->ending || now_ms < v->next_ms)
        return;
    struct slots *dead = NULL;
    int rc = slots_recover_next(d->slots_dir, d->gateway->name, &dead);
    if (rc == 0) {
        read_slots(d, dead);
        return;
    }
    if (rc < 0)
        log_error("slots files cannot be read", L_STR("dir", d->slots_dir), L_ERRNO(rc));
    v->done_once = true; /* what cannot be recovered now is in doubt after the horizon at the latest */
    v->next_ms = now_ms + EVERY_MS;
}

bool release_begin(struct dispatcher *d)
{
    return d->recovery.dead != NULL && d->recovery.release_at < d->recovery.release_count;
}

/* As many as are of one day. */
static size_t release_run(const struct recovery *v)
{
    size_t n = 1, left = v->release_count - v->release_at;
    const struct release *from = &v->releases[v->release_at];
    while (n < left && n < DISPATCH_GROUP_MAX && sms_id_day(from[n].sms_id) == sms_id_day(from->sms_id))
        n++;
    return n;
}

int release_start(struct dispatcher *d)
{
    const struct recovery *v = &d->recovery;
    const struct release *from = &v->releases[v->release_at];
    struct group_arrays *a = d->arrays;
    size_t n = release_run(v);
    int day = sms_id_day(from->sms_id);
    for (size_t i = 0; i < n; i++) {
        a->sms_id[i] = from[i].sms_id;
        a->segment[i] = from[i].segment;
        a->time[i] = from[i].claimed_at;
        a->settled[i] = from[i].settled;
    }
    db_params_clear(d->params);
    db_add_big(d->params, sms_id_day_first(day));
    db_add_big(d->params, sms_id_day_first(day + 1));
    db_add_big(d->params, slots_epoch(v->dead));
    db_add_big_array(d->params, a->sms_id, n);
    db_add_int_array(d->params, a->segment, n);
    db_add_time_array(d->params, a->time, n);
    db_add_int_array(d->params, a->settled, n);
    return db_start(d->db, &sql_release, d->params);
}

void release_done(struct dispatcher *d)
{
    d->recovery.release_at += release_run(&d->recovery);
}
