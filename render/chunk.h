/* What becomes of one body from a render queue: texts by gateway and lane, steps for rows that cannot be
 * rendered, dead letters for what cannot be read. Pure: bodies in, bodies out. */
#pragma once
#include "lib/mq.h"
#include "render/judge.h"

#define RENDER_BODY_BYTES (512u << 10) /* a body that has reached this is ended and another begun */
#define RENDER_INSTANT_RECORDS                                                                               \
    16 /* texts in a body of the instant lane: dispatch takes so small ones ahead of the window, and the     \
          first does not wait for the last */

enum output_kind { OUTPUT_TEXTS, OUTPUT_STEPS, OUTPUT_DEAD };
struct output {
    enum output_kind kind;
    char queue[MQ_QUEUE_SIZE];
    char *body;
    size_t len;
    char *dead_why; /* OUTPUT_DEAD */
};
struct outputs {
    struct output *items; /* in no order that means anything */
    size_t count;
    size_t texts, errors, bad; /* records */
};

enum {
    RENDER_NEWER = 1, /* the body is of a version above ours: leave it in its queue */
};
int must_check render_body(const struct plan *plan, const void *body, size_t len, int64_t now_ms,
                           struct outputs *ret);
void outputs_deinit(struct outputs *o);
