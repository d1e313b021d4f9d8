/* Lists of messages, and deliveries. */
#include "dispatch/message.h"

const char *const lane_words[LANE_COUNT] = {[LANE_INSTANT] = "instant", [LANE_BULK] = "bulk"};

static void insert(struct message_list *l, struct message *before, struct message *m)
{
    struct message *after = before != NULL ? before->next : l->first;
    m->list = l;
    m->prev = before;
    m->next = after;
    *(before != NULL ? &before->next : &l->first) = m;
    *(after != NULL ? &after->prev : &l->last) = m;
    l->count++;
}

void list_add(struct message_list *l, struct message *m)
{
    insert(l, l->last, m);
}

void list_add_first(struct message_list *l, struct message *m)
{
    insert(l, NULL, m);
}

void list_add_by_due(struct message_list *l, struct message *m)
{
    struct message *before = l->last; /* most are due later than all that wait */
    while (before != NULL && before->due_ms > m->due_ms)
        before = before->prev;
    insert(l, before, m);
}

void list_remove(struct message *m)
{
    struct message_list *l = m->list;
    if (l == NULL)
        return;
    *(m->prev != NULL ? &m->prev->next : &l->first) = m->next;
    *(m->next != NULL ? &m->next->prev : &l->last) = m->prev;
    l->count--;
    m->list = NULL;
    m->prev = m->next = NULL;
}

struct delivery *delivery_new(enum lane lane, uint64_t epoch, uint64_t tag, struct chunk *chunk,
                              int64_t now_ms)
{
    size_t count = chunk != NULL ? chunk->count : 0;
    struct delivery *d = xcalloc(1, sizeof(*d) + count * sizeof(d->messages[0]));
    d->lane = lane;
    d->epoch = epoch;
    d->tag = tag;
    d->taken_ms = now_ms;
    d->chunk = chunk;
    d->count = count;
    for (size_t i = 0; i < count; i++) {
        d->messages[i].delivery = d;
        d->messages[i].record = &chunk->texts[i];
    }
    return d;
}

void delivery_free(struct delivery *d)
{
    if (d->chunk != NULL)
        chunk_free(d->chunk);
    free(d);
}
