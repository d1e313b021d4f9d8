/* Between the parts of the fold: fold.c moves rows, fold_parts.c makes rows of their segments, fold_count.c
 * turns rows into counters. */
#pragma once
#include "callback/fold.h"

void fold_count(struct fold *f, const struct fold_minute *entries, size_t entry_count);
/* Makes room for the segments of all rows that are marked, as they stand in the tables. */
void fold_lay_segments(struct fold *f);
/* A telling of one segment that has a state: raises its stand, and makes the row anew. */
void fold_raise_segment(struct fold *f, struct fold_row *row, const struct told *t,
                        const struct fold_stand *told);
