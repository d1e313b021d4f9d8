/* Entries go from the loop to the journal's thread and come back over a list and an eventfd. Each is freed by
 * the loop, in the turn that tells it. */
#include "dispatch/reports.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"

#include <pthread.h>
#include <strings.h>
#include <sys/eventfd.h>

struct entry {
    struct entry *next;
    struct reports *reports;
    uint64_t token;
    int result; /* the journal's */
};
struct reports {
    struct drain *drain;
    const struct conf_gateway *gateway;
    int event_fd;
    size_t waiting; /* entries that are not told yet */
    struct reports_counters counters;
    struct log_trouble trouble;

    pthread_mutex_t lock;
    pthread_cond_t answered;
    size_t in_journal;
    struct entry *first, **last; /* answered, to be told */
};

/* ---- the list ---- */

/* Locked. */
static void add_answered(struct reports *r, struct entry *e)
{
    *r->last = e;
    r->last = &e->next;
    (void)!eventfd_write(r->event_fd, 1); /* fails only where it is readable anyway */
}

/* From the journal's thread. */
static void journal_says(void *arg, int result)
{
    struct entry *e = arg;
    struct reports *r = e->reports;
    if (result == 0) {
        FAULT("dispatch.report_journalled");
        drain_wake(r->drain);
    }
    pthread_mutex_lock(&r->lock);
    e->result = result;
    add_answered(r, e);
    r->in_journal--;
    pthread_cond_signal(&r->answered);
    pthread_mutex_unlock(&r->lock); /* from here on reports_free may go on */
}

static struct entry *take_answered(struct reports *r)
{
    pthread_mutex_lock(&r->lock);
    struct entry *first = r->first;
    r->first = NULL;
    r->last = &r->first;
    pthread_mutex_unlock(&r->lock);
    return first;
}

/* ---- in ---- */

static void put(struct reports *r, const struct buf *record, uint64_t token)
{
    struct entry *e = xcalloc(1, sizeof(*e));
    *e = (struct entry){.reports = r, .token = token};
    int result = r->waiting >= REPORTS_WAITING_MAX ? JOURNAL_FULL : 0;
    FAULT("dispatch.report_taken");
    r->waiting++;
    pthread_mutex_lock(&r->lock);
    r->in_journal++; /* first: the journal may answer before we are back */
    pthread_mutex_unlock(&r->lock);
    if (result == 0)
        result = journal_offer(drain_own(r->drain), record->data, record->len, journal_says, e);
    if (result == 0)
        return;
    pthread_mutex_lock(&r->lock);
    e->result = result;
    add_answered(r, e);
    r->in_journal--;
    pthread_mutex_unlock(&r->lock);
}

/* The gateway's own list may know a word better than the standard does. */
static void take_own_word(const struct conf_gateway *g, struct step_record *s)
{
    for (size_t i = 0; i < g->report.status_count; i++) {
        const struct conf_status *status = &g->report.statuses[i];
        if (strcasecmp(status->word, s->reason) == 0) {
            s->state = status->state == STATE_ACCEPTED ? NULL : (char *)(uintptr_t)state_word(status->state);
            return;
        }
    }
}

void reports_put(struct reports *r, const struct step_record *s, uint64_t token)
{
    struct step_record whole = *s;
    auto_buf record = {0};
    whole.gateway = r->gateway->name;
    if (whole.at == 0)
        whole.at = clock_wall_ms();
    if (whole.step == STEP_STATUS && whole.reason)
        take_own_word(r->gateway, &whole);
    r->counters.reports += whole.step != STEP_QUARANTINE;
    r->counters.unreadable += whole.step == STEP_QUARANTINE;
    drain_record_begin(&record, r->gateway->name);
    drain_line_begin(&record, RECORD_STEPS);
    chunk_add_step(&record, &whole);
    put(r, &record, token);
}

void reports_put_inbound(struct reports *r, const struct inbound_record *in, uint64_t token)
{
    struct inbound_record whole = *in;
    auto_buf record = {0};
    whole.gateway = r->gateway->name;
    if (whole.at == 0)
        whole.at = clock_wall_ms();
    r->counters.inbound++;
    drain_record_begin(&record, r->gateway->name);
    drain_line_begin(&record, RECORD_INBOUND);
    chunk_add_inbound(&record, &whole);
    put(r, &record, token);
}

/* ---- out ---- */

static void note_result(struct reports *r, int result)
{
    const struct log_field fields[] = {L_STR("gateway", r->gateway->name)};
    if (result == 0) {
        log_trouble_ends(&r->trouble, "reports over the link are kept again");
        return;
    }
    r->counters.not_kept++;
    log_trouble_begins(
        &r->trouble,
        result == -EMSGSIZE
            ? "what came over the link is too long to be kept: the gateway is told to send it again"
            : "reports over the link cannot be kept now: the gateway is told to send them again",
        fields, COUNT_OF(fields));
}

void reports_turn(struct reports *r, void (*kept)(void *arg, uint64_t token, bool kept), void *arg)
{
    eventfd_t count;
    (void)!eventfd_read(r->event_fd, &count);
    for (struct entry *e = take_answered(r), *next; e; e = next) {
        next = e->next;
        r->waiting--;
        note_result(r, e->result);
        if (e->token != 0)
            kept(arg, e->token, e->result == 0);
        if (e->result == 0)
            FAULT("dispatch.report_told");
        free(e);
    }
}

int reports_fd(const struct reports *r)
{
    return r->event_fd;
}

size_t reports_waiting(const struct reports *r)
{
    return r->waiting;
}

const struct reports_counters *reports_counters(const struct reports *r)
{
    return &r->counters;
}

/* ---- life ---- */

struct reports *reports_new(struct drain *drain, const struct conf_gateway *gateway)
{
    struct reports *r = xcalloc(1, sizeof(*r));
    *r = (struct reports){.drain = drain,
                          .gateway = gateway,
                          .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                          .last = &r->first};
    if (r->event_fd < 0 || pthread_mutex_init(&r->lock, NULL) != 0 ||
        pthread_cond_init(&r->answered, NULL) != 0) {
        log_error("reports over the link cannot be taken", L_STR("gateway", gateway->name), L_ERRNO(-errno));
        abort();
    }
    return r;
}

void reports_free(struct reports *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    while (r->in_journal > 0)
        pthread_cond_wait(&r->answered, &r->lock);
    pthread_mutex_unlock(&r->lock);
    for (struct entry *e = take_answered(r), *next; e; e = next) {
        next = e->next;
        free(e);
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->answered);
    close(r->event_fd);
    free(r);
}
