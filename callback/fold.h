/* The fold: steps and the rows they are about -> the new rows, what is inserted, how the counters change, and
 * what must wait. Pure: everything it needs is in memory, and it writes nothing.
 *
 * Truth only grows (claim, msg_map, event); the message row is the highest of all that was told of it in the
 * order of fold_higher, which is total. So applying steps twice, or in any order, gives the same rows. Of a
 * message in several parts that holds for each segment's stand, and its row is a function of these. */
#pragma once
#include "callback/park.h"
#include "callback/told.h"

struct fold_stand {          /* the part of a message row that changes */
    int64_t changed_at;      /* when we were told what it says */
    int32_t gateway, reason; /* word.id */
    int16_t attempt, segments, state;
    int16_t version_attempt; /* …of the version: which attempt told it */
    int32_t version;         /* word.id; 0: not told */
    int16_t parts;           /* segments with claims of their own; 1: it goes whole */
};
struct fold_row {
    int64_t sms_id, run_id, number;
    int64_t place;       /* which version of the row was read: where it stands… */
    int32_t transaction; /* …and who wrote it */
    struct fold_stand was, now;
    uint16_t entered;       /* states it has entered in this fold, a bit each */
    bool segmented;         /* fold_mark_segmented: its segments are looked at */
    uint16_t segment_count; /* …of f->segments, from segment_first on: segment 1 and so on */
    size_t segment_first;
};
struct fold_segment { /* of its stand: attempt, state, gateway, reason, changed_at */
    struct fold_stand now;
    bool changed; /* to be stored */
};
struct fold_stored { /* a row of `segment` */
    int64_t sms_id;
    struct fold_stand stand;
    int16_t segment;
};
struct fold_partial { /* the words "x" and "partial:x" */
    int32_t reason, partial;
};
struct fold_event {
    int64_t sms_id, digest, at;
    const char *origin;
    const struct told *told;
};
struct fold_delta { /* stats */
    int64_t run_id, count;
    int32_t day, gateway, reason;
    int16_t state;
};
struct fold_minute { /* stats_minute: entries into a state */
    int64_t minute_ms, count;
    int32_t gateway;
    int16_t state;
};

struct fold {
    /* in: steps with `claimed` filled, rows in order of sms_id with was == now, known rows of msg_map */
    struct told *steps;
    size_t step_count;
    struct fold_row *rows;
    size_t row_count;
    const struct map_row *known;
    size_t known_count;
    const struct fold_stored *stored; /* all of the segmented rows, in any order */
    size_t stored_count;
    const struct fold_partial *partials; /* by reason; a reason that is missing stays as it is */
    size_t partial_count;
    /* out: every step's fate, every row's `now`, and these; fold_deinit frees them */
    struct map_row *maps; /* known ones first, then the fresh ones */
    size_t map_count;
    struct fold_event *events; /* in order of (sms_id, digest), each once */
    size_t event_count;
    struct fold_delta *deltas; /* in the order of the key of stats; no zeros */
    size_t delta_count;
    struct fold_minute *minutes; /* in the order of the key of stats_minute */
    size_t minute_count;
    struct fold_segment *segments; /* of segmented rows; those of one row together */
    size_t segment_count;
    size_t changed, parked; /* rows whose now differs from was; steps parked */
};
void fold_run(struct fold *f);
void fold_deinit(struct fold *f);

/* Does what was told stand above the row? state_replaces decides; of two tellings of one state the earlier
 * one stays, so that also reason, gateway and time do not depend on the order of arrival. */
bool fold_higher(const struct fold_stand *told, const struct fold_stand *row);
bool fold_stand_same(const struct fold_stand *a, const struct fold_stand *b);
/* Which rows' segments the fold has to know: those of messages in parts, and of messages that steps or ids
 * say are. Gives how many. Steps have to be read to their end (claimed, parts). */
size_t fold_mark_segmented(struct fold_row *rows, size_t row_count, const struct told *steps, size_t count,
                           const struct map_row *known, size_t known_count);
/* Where a message stands whose first `parts` segments stand so (STATE_QUEUED: nothing told). The times are of
 * the segment that decides: the first one that failed, else the last one to get so far. *ret_partial: it has
 * failed, and another segment has arrived or may arrive. */
struct fold_stand fold_of_segments(const struct fold_segment *segments, int parts, bool *ret_partial);
/* Has this segment (from 0) of a segmented row to be written? While a message is whole, its row is its
 * segment 1. */
bool fold_segment_is_stored(const struct fold *f, const struct fold_row *row, int segment);
struct fold_row *fold_find(struct fold_row *rows, size_t count, int64_t sms_id);
