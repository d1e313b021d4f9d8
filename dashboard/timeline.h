/* One message's story as it stands on a page: where it is, why, its segments, and all that happened to it
 * with both clocks. */
#pragma once
#include "dashboard/html.h"
#include "lib/conf.h"
#include "lib/story.h"

void timeline_state(struct buf *out, const struct story *s); /* its state and why, in one paragraph */
void timeline_facts(struct buf *out, const struct conf *c, const struct story *s);
void timeline_segments(struct buf *out, const struct story *s); /* nothing for one that goes whole */
void timeline_told(struct buf *out, const struct story *s);
