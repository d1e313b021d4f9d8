/* One run on one thread: its lock, one pass over its rows, its end. Whatever interrupts it leaves the run's
 * row as it is, `reading`, for another thread or process to take up with a new pass. */
#pragma once
#include "extract/confhold.h"
#include "lib/base.h"
#include "lib/db.h"
#include <stdatomic.h>

/* What all threads of the process share. */
struct extract_shared {
    struct history_guard *history;
    struct measure *measure;
    _Atomic int64_t rows;      /* read so far */
    _Atomic int64_t messages;  /* entered so far, by groups */
    _Atomic int64_t published; /* chunks */
};

enum run_result {
    RUN_ENDED,  /* read, held, failed, cancelled, skipped: its row says which */
    RUN_TAKEN,  /* another has it */
    RUN_PAUSED, /* or this process stops: left as it is */
    RUN_AGAIN,  /* something is away (why): try again later */
};
struct run_job {
    int64_t run_id;
    char *rule;
    struct confhold *conf;
    struct extract_shared *shared;
    enum run_result result;
    char why[400]; /* RUN_AGAIN */
};
void run_read(struct run_job *job);
