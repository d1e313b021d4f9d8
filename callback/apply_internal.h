/* Between the parts of a flush: apply.c runs the transaction, apply_read.c fetches, apply_write.c stores,
 * apply_parts.c does both for segments, apply_park.c keeps what must wait and brings back what need not wait
 * any more. */
#pragma once
#include "callback/apply.h"
#include "callback/fold.h"
#include "callback/gateways.h"

struct apply {
    struct apply_options o;
    uint64_t generation; /* of the connection that has our temporary tables */
    size_t versions;     /* template versions told of when the texts of ours were kept last */
    struct apply_figures last, now;
    bool leave_parked;
    int careful;   /* so many flushes more check for what is told already; 0: it is taken for new */
    int16_t round; /* of this transaction: the temporary tables tell them apart */
};

struct apply_keys { /* what came in a round: steps parked for it may be applied now */
    int32_t *gateways;
    const char **msg_ids;
    size_t id_count;
    int64_t *sms_ids; /* sorted, each once */
    size_t sms_count;
};
void apply_keys_deinit(struct apply_keys *k);

/* Everything the fold reads; the arena keeps the strings of known rows. */
struct apply_view {
    struct fold_row *rows;
    size_t row_count;
    struct map_row *known;
    size_t known_count, known_cap;
    struct fold_stored *stored; /* of messages in parts */
    size_t stored_count;
    struct fold_partial *partials;
    size_t partial_count;
    struct arena arena;
};
void apply_view_deinit(struct apply_view *v);

int must_check apply_round(struct apply *a, struct told *steps, size_t count, struct apply_keys *ret_keys);
int must_check apply_read(struct apply *a, struct told *steps, size_t count, struct apply_view *ret);
int must_check apply_read_maps(struct apply *a, const struct told *steps, size_t count, struct apply_view *v);
/* Marks reports that name an attempt of another gateway, and gives the others the parts that their claim
 * says; after the claims are read. */
int must_check apply_read_foreign(struct apply *a, struct told *steps, size_t count,
                                  const struct apply_view *v);
/* Marks, locks and reads again the rows of messages in parts, and reads their segments; last of all reading.
 */
int must_check apply_read_parts(struct apply *a, const struct told *steps, size_t count,
                                struct apply_view *v);
int must_check apply_write_parts(struct apply *a, const struct fold *f);
void apply_take_row(const struct db_result *r, int i,
                    struct fold_row *row); /* as message_read.sql gives it */
int must_check apply_write(struct apply *a, const struct fold *f);
int must_check apply_park(struct apply *a, const struct told *steps, size_t count);
int must_check apply_unpark(struct apply *a, const struct gateways *gateways, const struct apply_keys *keys);

static inline void apply_add_day(struct db_params *p, int day)
{
    db_add_big(p, sms_id_day_first(day));
    db_add_big(p, sms_id_day_first(day + 1));
}
/* Sorts, and drops equal ones; returns how many are left. */
size_t apply_sort_unique(int64_t *v, size_t count);
