/* Lists, the segments of a message, and deliveries. */
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

static void segment_init(struct message *s, struct message *first, int segment)
{
    *s = (struct message){
        .delivery = first->delivery, .record = first->record, .segment = segment, .first = first};
}

static void drop_more(struct message *m)
{
    for (int i = 2; i <= m->cut.parts; i++)
        free(message_segment(m, i)->error);
    free(m->more);
    m->more = NULL;
}

void message_cut(struct message *m, const struct gateway_driver *driver, const struct conf_gateway *conf,
                 const struct gateway_cut *as)
{
    struct gateway_cut cut = {.parts = 1};
    const char *cannot = NULL;
    bool made =
        driver->cut == NULL || driver->cut(conf, m->record->text, as != NULL ? as->way : -1, &cut, &cannot);
    if (made)
        cannot = NULL;
    else
        cut = (struct gateway_cut){.parts = 1};
    if (as != NULL) {
        if (!made || cut.parts != as->parts || cut.way != as->way)
            cannot = "segmentation_changed";
        cut = *as;
    }
    drop_more(m);
    m->cut = cut;
    m->cannot = cannot;
    m->over = false;
    if (cut.parts == 1)
        return;
    m->more = xcalloc((size_t)cut.parts - 1, sizeof(*m->more));
    for (int i = 2; i <= cut.parts; i++)
        segment_init(message_segment(m, i), m, i);
}

struct message *message_segment(struct message *m, int segment)
{
    return segment == 1 ? m : &m->more[segment - 2];
}

size_t message_open(const struct message *m)
{
    size_t open = !m->over;
    for (int i = 0; i < m->cut.parts - 1; i++)
        open += !m->more[i].over;
    return open;
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
        struct message *m = &d->messages[i];
        *m = (struct message){
            .delivery = d, .record = &chunk->texts[i], .segment = 1, .first = m, .cut = {.parts = 1}};
    }
    return d;
}

void delivery_free(struct delivery *d)
{
    for (size_t i = 0; i < d->count; i++) {
        drop_more(&d->messages[i]);
        free(d->messages[i].error);
    }
    if (d->chunk != NULL)
        chunk_free(d->chunk);
    free(d);
}
