/* Chunks being filled, chunks waiting for room in the publisher, chunks waiting for their confirm. */
#include "dispatch/tell.h"
#include "lib/clock.h"
#include "lib/log.h"
#include <stdio.h>

struct told_list {
    struct told *first, *last;
    size_t count;
};

struct tell {
    struct tell_options opts;
    char *update_queue;             /* ours: the caller's need not outlive tell_new */
    struct told *steps, *recovered; /* being filled */
    bool at_once;
    struct told_list filling; /* texts, one chunk a queue */
    struct told_list waiting, sent;
    struct log_trouble returned;
};

static void add(struct told_list *l, struct told *t)
{
    t->prev = l->last;
    t->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = t;
    l->last = t;
    l->count++;
}

static void take_out(struct told_list *l, struct told *t)
{
    *(t->prev != NULL ? &t->prev->next : &l->first) = t->next;
    *(t->next != NULL ? &t->next->prev : &l->last) = t->prev;
    l->count--;
}

static struct told *told_new(enum told_kind kind, const char *queue)
{
    struct told *t = xcalloc(1, sizeof(*t));
    t->kind = kind;
    snprintf(t->queue, sizeof(t->queue), "%s", queue);
    t->first_ms = clock_mono_ms();
    return t;
}

static void told_free(struct told *t)
{
    buf_deinit(&t->body);
    free(t->messages);
    free(t->dead_from);
    free(t->dead_why);
    free(t);
}

static void told_finishes(struct told *t, struct message *m)
{
    if (t->count == t->room) {
        t->room = t->room == 0 ? 16 : t->room * 2;
        t->messages = xrealloc(t->messages, t->room * sizeof(struct message *));
    }
    t->messages[t->count++] = m;
}

struct tell *tell_new(const struct tell_options *opts)
{
    struct tell *t = xcalloc(1, sizeof(*t));
    t->opts = *opts;
    t->opts.update_queue = t->update_queue = xstrdup(opts->update_queue);
    return t;
}

static void list_free(struct told_list *l)
{
    for (struct told *t = l->first, *next; t != NULL; t = next) {
        next = t->next;
        told_free(t);
    }
}

void tell_free(struct tell *t)
{
    if (t == NULL)
        return;
    if (t->steps != NULL)
        told_free(t->steps);
    if (t->recovered != NULL)
        told_free(t->recovered);
    list_free(&t->filling);
    list_free(&t->waiting);
    list_free(&t->sent);
    free(t->update_queue);
    free(t);
}

size_t tell_open(const struct tell *t)
{
    return t->waiting.count + t->sent.count + t->filling.count + (t->steps != NULL) + (t->recovered != NULL);
}

/* ---- filling ---- */

static void add_step(struct told **filling, enum told_kind kind, struct tell *t, const struct step_record *s)
{
    if (*filling == NULL) {
        *filling = told_new(kind, t->opts.update_queue);
        chunk_begin(&(*filling)->body, RECORD_STEPS);
    }
    chunk_add_step(&(*filling)->body, s);
    (*filling)->steps++;
}

static void close_chunk(struct tell *t, struct told **filling)
{
    chunk_end(&(*filling)->body);
    add(&t->waiting, *filling);
    *filling = NULL;
}

void tell_step(struct tell *t, const struct step_record *s, struct message *finishes, bool at_once)
{
    add_step(&t->steps, TOLD_STEPS, t, s);
    if (finishes != NULL)
        told_finishes(t->steps, finishes);
    t->at_once = t->at_once || at_once;
    if (t->steps->steps >= TELL_STEPS_MAX)
        close_chunk(t, &t->steps);
}

void tell_recovered_step(struct tell *t, const struct step_record *s)
{
    add_step(&t->recovered, TOLD_RECOVERED, t, s);
    if (t->recovered->steps >= TELL_STEPS_MAX)
        close_chunk(t, &t->recovered);
}

static struct told *texts_for(struct tell *t, const char *queue)
{
    for (struct told *f = t->filling.first; f != NULL; f = f->next)
        if (strcmp(f->queue, queue) == 0)
            return f;
    struct told *f = told_new(TOLD_TEXTS, queue);
    chunk_begin(&f->body, RECORD_TEXTS);
    add(&t->filling, f);
    return f;
}

void tell_text(struct tell *t, const char *queue, struct message *m, const char *passed_on_by)
{
    struct told *f = texts_for(t, queue);
    struct text_record r = *m->record;
    char **names = NULL;
    if (passed_on_by != NULL) {
        size_t n = r.passed_on.count;
        names = xmalloc((n + 1) * sizeof(*names));
        if (n > 0)
            memcpy(names, r.passed_on.items, n * sizeof(*names));
        names[n] = xstrdup(passed_on_by);
        r.passed_on = (struct str_list){.items = names, .count = n + 1};
    }
    chunk_add_text(&f->body, &r);
    if (names != NULL)
        free(names[r.passed_on.count - 1]);
    free(names);
    told_finishes(f, m);
    if (f->count >= TELL_STEPS_MAX) {
        take_out(&t->filling, f);
        close_chunk(t, &f);
    }
}

void tell_text_body(struct buf *b, const struct text_record *r)
{
    chunk_begin(b, RECORD_TEXTS);
    chunk_add_text(b, r);
    chunk_end(b);
}

static struct told *dead(struct tell *t, const char *from, const char *why)
{
    struct told *d = told_new(TOLD_DEAD, MQ_QUEUE_DEAD);
    d->dead_from = xstrdup(from);
    d->dead_why = xstrdup(why);
    add(&t->waiting, d);
    return d;
}

void tell_dead_body(struct tell *t, const void *body, size_t len, const char *from, const char *why,
                    struct delivery *delivery, size_t dead_count)
{
    struct told *d = dead(t, from, why);
    buf_add(&d->body, body, len);
    d->delivery = delivery;
    d->dead = dead_count;
}

void tell_dead_message(struct tell *t, struct message *m, const char *from, const char *why)
{
    struct told *d = dead(t, from, why);
    tell_text_body(&d->body, m->record);
    told_finishes(d, m);
}

/* ---- publishing ---- */

static bool publish(struct tell *t, struct told *w)
{
    struct mq_message m = {.queue = w->queue,
                           .body = w->body.data != NULL ? w->body.data : "",
                           .len = w->body.len,
                           .cookie = (uint64_t)(uintptr_t)w,
                           .dead_from = w->dead_from,
                           .dead_why = w->dead_why};
    if (mq_publish(t->opts.publisher, &m) != 0)
        return false;
    take_out(&t->waiting, w);
    add(&t->sent, w);
    t->opts.published(t->opts.arg, w);
    return true;
}

static void publish_waiting(struct tell *t, int64_t now_ms)
{
    for (struct told *w = t->waiting.first, *next; w != NULL; w = next) {
        next = w->next;
        if (w->again_ms <= now_ms && !publish(t, w))
            return;
    }
}

static void read_outcomes(struct tell *t, int64_t now_ms)
{
    struct mq_outcome o;
    while (mq_publisher_next(t->opts.publisher, &o)) {
        struct told *w = (struct told *)(uintptr_t)o.cookie;
        take_out(&t->sent, w);
        if (o.confirmed)
            log_trouble_ends(&t->returned, "publishing goes on");
        else {
            struct log_field queue[] = {L_STR("queue", w->queue)};
            log_trouble_begins(&t->returned, "a publication was returned: no such queue", queue, 1);
        }
        if (t->opts.done(t->opts.arg, w, o.confirmed) || o.confirmed) {
            told_free(w);
            continue;
        }
        w->again_ms = now_ms + TELL_AGAIN_MS;
        add(&t->waiting, w);
    }
}

int64_t tell_turn(struct tell *t, int64_t now_ms)
{
    if (t->steps != NULL && (t->at_once || now_ms - t->steps->first_ms >= TELL_WAIT_MS))
        close_chunk(t, &t->steps);
    t->at_once = false;
    if (t->recovered != NULL)
        close_chunk(t, &t->recovered);
    for (struct told *f; (f = t->filling.first) != NULL;) {
        take_out(&t->filling, f);
        close_chunk(t, &f);
    }
    publish_waiting(t, now_ms);
    mq_publisher_pump(t->opts.publisher, 0);
    read_outcomes(t, now_ms);
    publish_waiting(t, now_ms);
    if (t->steps != NULL)
        return MAX_OF(t->steps->first_ms + TELL_WAIT_MS - now_ms, (int64_t)0);
    return t->waiting.count > 0 ? 50 : -1;
}
