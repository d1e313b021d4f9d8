/* One thread: a consumer, a publisher for sms.dead, and the writer, which answers from its own thread.
 * Nothing is acked before it is entered, or its refusal is confirmed; what cannot be entered now goes back to
 * the queue as a whole. */
#include "extract/door.h"
#include "extract/door_job.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"
#include "lib/stop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define PREFETCH 500  /* as many as the writer enters at once */
#define WAIT_MS  100  /* heartbeats, reload, stop */
#define BACK_MS  2000 /* what was given back is not taken again for so long */
#define FULL_MS  20
#define DRAIN_MS 5000

struct door {
    pthread_t thread;
    struct mq_options mq;
    struct asked_current *current;
    struct asked_writer *writer;
    int (*task_ready)(void *arg, const char *task_id, char **ret_why);
    void *arg;
    LIST_HEAD(, door_job) jobs;     /* all that are not acked or given back */
    struct mq_consumer *consumer;   /* one for all time: its epochs tell old tags */
    struct mq_publisher *publisher; /* of dead letters */
    struct door_job *held;          /* read, and the writer had no room; tried again at held_until */
    int64_t held_until, back_until; /* mono ms */
    size_t submitted, dying;        /* jobs with the writer, and on their way to sms.dead */
    struct log_trouble away;
    pthread_mutex_t lock;      /* for `answered` */
    struct door_job *answered; /* newest first */
    int event_fd;
};

/* ---- ends of a job ---- */

static void end_job(struct door *d, struct door_job *j)
{
    mq_consumer_ack(d->consumer, j->delivery.epoch, j->delivery.tag, false);
    door_job_free(j);
}

/* What was taken goes back to the queue; answers that still come are for deliveries of a past epoch, and what
 * they entered is found when it comes again. */
static void give_back(struct door *d, const char *why)
{
    log_trouble_begins(&d->away, "door: requests wait in their queue",
                       (const struct log_field[]){L_STR("why", why)}, 1);
    mq_consumer_pause(d->consumer);
    door_job_free(d->held);
    d->held = NULL;
    d->back_until = clock_mono_ms() + BACK_MS;
}

/* To sms.dead; acked when the broker has it. */
static void refuse(struct door *d, struct door_job *j, const char *why)
{
    auto_buf body = {0};

    door_job_dead_body(j, &body);
    const struct mq_message m = {.queue = MQ_QUEUE_DEAD,
                                 .body = body.data ? body.data : "",
                                 .len = body.len,
                                 .cookie = (uint64_t)(uintptr_t)j,
                                 .dead_from = MQ_QUEUE_REQUEST,
                                 .dead_why = why};
    if (mq_publish(d->publisher, &m) != 0) {
        give_back(d, "too many dead letters wait for the broker");
        door_job_free(j);
        return;
    }
    d->dying++;
    log_debug("door: request refused", L_STR("caller", j->caller ? j->caller : ""));
}

static void take_dead(struct door *d)
{
    struct mq_outcome o;

    mq_publisher_pump(d->publisher, 0);
    while (mq_publisher_next(d->publisher, &o)) {
        struct door_job *j = (struct door_job *)(uintptr_t)o.cookie;
        d->dying--;
        if (o.confirmed) {
            FAULT("door.refused");
            end_job(d, j);
        } else {
            give_back(d, "there is no queue " MQ_QUEUE_DEAD " (smschain migrate makes it)");
            door_job_free(j);
        }
    }
}

/* ---- answers ---- */

static void take_answer(void *arg, const struct asked_answer *answer)
{
    struct door_job *j = arg;
    struct door *d = j->door;

    j->answer = *answer;
    pthread_mutex_lock(&d->lock);
    j->next = d->answered;
    d->answered = j;
    pthread_mutex_unlock(&d->lock);
    (void)eventfd_write(d->event_fd, 1);
}

static void end_answered(struct door *d, struct door_job *j)
{
    auto_free char *why = door_job_refusal(j);

    d->submitted--;
    if (why) {
        refuse(d, j, why);
    } else if (j->answer.outcome == ASKED_AWAY) {
        give_back(d, j->answer.why);
        door_job_free(j);
    } else {
        log_trouble_ends(&d->away, "door: requests are entered again");
        FAULT("door.entered");
        end_job(d, j);
    }
}

static void take_answers(struct door *d)
{
    struct door_job *list, *next;
    eventfd_t count;

    (void)eventfd_read(d->event_fd, &count);
    pthread_mutex_lock(&d->lock);
    list = d->answered;
    d->answered = NULL;
    pthread_mutex_unlock(&d->lock);
    for (; list; list = next) {
        next = list->next;
        end_answered(d, list);
    }
}

/* ---- deliveries ---- */

static void take_task(struct door *d, struct door_job *j)
{
    auto_free char *why = NULL;
    int r = d->task_ready ? d->task_ready(d->arg, j->task_id, &why) : 1;

    if (r < 0) {
        give_back(d, "a task's sign cannot be kept now");
        door_job_free(j);
    } else if (r > 0) {
        refuse(d, j, why ? why : "task: no rule takes tasks here");
    } else {
        end_job(d, j);
    }
}

/* False: not now; it is held, and nothing is taken before it. */
static bool submit(struct door *d, struct door_job *j)
{
    if (asked_submit(d->writer, j->asked, take_answer, j) == 0) {
        j->asked = NULL;
        d->submitted++;
        return true;
    }
    d->held = j;
    d->held_until = clock_mono_ms() + FULL_MS;
    return false;
}

/* No rate is asked here: one queue has the requests of all callers, and who asks too much may not hold up the
 * others. What ends a flood is its daily_cap. False: the writer has no room now. */
static bool take_request(struct door *d, struct door_job *j, const struct asked_conf *c)
{
    const struct conf_caller *caller = conf_caller(asked_conf_conf(c), j->caller);

    if (!caller) { /* gone while it waited */
        refuse(d, j, "its caller is not configured any more");
        return true;
    }
    j->asked = asked_read(c, caller, j->request, j->key, clock_wall_ms(), &j->problems);
    return submit(d, j);
}

/* False: nothing more is taken for now. */
static bool take_one(struct door *d, struct mq_delivery *delivery)
{
    struct door_job *j = xcalloc(1, sizeof(*j));
    struct asked_conf *c = asked_current_take(d->current);
    auto_free char *why = NULL;
    bool more = true;

    LIST_INSERT_HEAD(&d->jobs, j, link);
    j->door = d;
    j->delivery = *delivery;
    FAULT("door.taken");
    if (door_job_read(j, c, d->mq.user, &why) != 0)
        refuse(d, j, why);
    else if (j->task_id)
        take_task(d, j);
    else
        more = take_request(d, j, c);
    asked_conf_unref(c);
    return more;
}

static bool go_on_with_held(struct door *d)
{
    struct door_job *j = d->held;
    bool more;

    if (!j)
        return true;
    if (clock_mono_ms() < d->held_until)
        return false;
    d->held = NULL;
    if (j->asked)
        return submit(d, j);
    struct asked_conf *c = asked_current_take(d->current);
    more = take_request(d, j, c);
    asked_conf_unref(c);
    return more;
}

static void take_deliveries(struct door *d)
{
    struct mq_delivery delivery;

    if (d->back_until && clock_mono_ms() >= d->back_until) {
        d->back_until = 0;
        mq_consumer_resume(d->consumer);
    }
    mq_consumer_pump(d->consumer, 0);
    while (!mq_consumer_paused(d->consumer) && go_on_with_held(d) && mq_consumer_next(d->consumer, &delivery))
        if (!take_one(d, &delivery))
            break;
}

/* ---- the thread ---- */

static void wait_for_something(struct door *d)
{
    struct pollfd fds[] = {{.fd = d->event_fd, .events = POLLIN},
                           {.fd = mq_consumer_fd(d->consumer), .events = POLLIN},
                           {.fd = mq_publisher_fd(d->publisher), .events = POLLIN},
                           {.fd = stop_fd(), .events = POLLIN}};
    int64_t wait_ms = WAIT_MS;

    if (d->held)
        wait_ms = MIN_OF(wait_ms, MAX_OF(d->held_until - clock_mono_ms(), (int64_t)1));
    (void)poll(fds, COUNT_OF(fds), (int)wait_ms);
}

static void drain(struct door *d)
{
    int64_t deadline = clock_mono_ms() + DRAIN_MS;

    while ((d->submitted > 0 || d->dying > 0) && clock_mono_ms() < deadline) {
        take_answers(d);
        take_dead(d);
        mq_consumer_pump(d->consumer, 0); /* heartbeats; what it brings goes back */
        usleep(5000);
    }
}

static void *door_thread(void *arg)
{
    struct door *d = arg;

    while (!stop_requested()) {
        take_answers(d);
        take_dead(d);
        take_deliveries(d);
        wait_for_something(d);
    }
    drain(d);
    return NULL;
}

struct door *door_start(const struct door_options *o)
{
    struct door *d = xmalloc(sizeof(*d));
    const struct conf_main *m = o->main;

    *d = (struct door){
        .current = o->current,
        .writer = o->writer,
        .task_ready = o->task_ready,
        .arg = o->arg,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .mq = {.host = xstrdup(m->broker.host),
               .vhost = xstrdup(m->broker.vhost),
               .user = xstrdup(m->extract.service.broker_user),
               .password = xstrdup(m->extract.service.broker_password),
               .port = (int)m->broker.port,
               .name = "smschain-extract door",
               .heartbeat_s = (int)(m->broker.heartbeat_ms / 1000),
               .tls = m->broker.tls,
               .ca_file = m->broker.ca_file && *m->broker.ca_file ? xstrdup(m->broker.ca_file) : NULL},
        .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    LIST_INIT(&d->jobs);
    if (d->event_fd < 0)
        abort();
    d->consumer = mq_consumer_new(&d->mq, MQ_QUEUE_REQUEST, PREFETCH);
    d->publisher = mq_publisher_new(&d->mq, NULL);
    if (pthread_create(&d->thread, NULL, door_thread, d) != 0)
        abort();
    return d;
}

static void free_const(const char *s)
{
    free((char *)(uintptr_t)s);
}

void door_join(struct door *d)
{
    if (!d)
        return;
    pthread_join(d->thread, NULL);
    mq_consumer_free(d->consumer);
    mq_publisher_free(d->publisher);
}

void door_free(struct door *d)
{
    if (!d)
        return;
    while (!LIST_EMPTY(&d->jobs))
        door_job_free(LIST_FIRST(&d->jobs));
    free_const(d->mq.host);
    free_const(d->mq.vhost);
    free_const(d->mq.user);
    free_const(d->mq.password);
    free_const(d->mq.ca_file);
    close(d->event_fd);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
