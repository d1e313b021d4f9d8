/* The fold: steps and the rows they are about -> the new rows, what is inserted, how the counters change, and
 * what must wait. Pure: everything it needs is in memory, and it writes nothing.
 *
 * Truth only grows (claim, msg_map, event); the message row is the highest of all that was told of it in the
 * order of fold_higher, which is total. So applying steps twice, or in any order, gives the same rows. */
#pragma once
#include "callback/park.h"
#include "callback/told.h"

struct fold_stand {          /* the part of a message row that changes */
    int64_t changed_at;      /* when we were told what it says */
    int32_t gateway, reason; /* word.id */
    int16_t attempt, segments, state;
    int16_t version_attempt; /* …of the version: which attempt told it */
    int32_t version;         /* word.id; 0: not told */
};
struct fold_row {
    int64_t sms_id, run_id, number;
    struct fold_stand was, now;
    uint16_t entered; /* states it has entered in this fold, a bit each */
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
    /* out: every step's fate, every row's `now`, and these; fold_deinit frees them */
    struct map_row *maps; /* known ones first, then the fresh ones */
    size_t map_count;
    struct fold_event *events; /* in order of (sms_id, digest), each once */
    size_t event_count;
    struct fold_delta *deltas; /* in the order of the key of stats; no zeros */
    size_t delta_count;
    struct fold_minute *minutes; /* in the order of the key of stats_minute */
    size_t minute_count;
    size_t changed, parked; /* rows whose now differs from was; steps parked */
};
void fold_run(struct fold *f);
void fold_deinit(struct fold *f);

/* Does what was told stand above the row? state_replaces decides; of two tellings of one state the earlier
 * one stays, so that also reason, gateway and time do not depend on the order of arrival. */
bool fold_higher(const struct fold_stand *told, const struct fold_stand *row);
bool fold_stand_same(const struct fold_stand *a, const struct fold_stand *b);
struct fold_row *fold_find(struct fold_row *rows, size_t count, int64_t sms_id);
