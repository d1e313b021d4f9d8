/* Between the fold's two halves: fold.c moves rows, fold_count.c turns rows into counters. */
#pragma once
#include "callback/fold.h"

void fold_count(struct fold *f, const struct fold_minute *entries, size_t entry_count);
