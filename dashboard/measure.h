/* What the page's service tells machines of itself: a series for each thing, for the whole process. */
#pragma once
#include "lib/health.h"
#include "lib/metrics.h"

extern struct measure {
    struct series *made, *refused, *failed; /* pages, by their status */
    struct series *seconds;                 /* how long making one took */
    struct series *streams;                 /* live pages somebody looks at */
    struct series *wrong_tokens;
    struct loop *main, *live;
} measure;
void measure_begin(void);
void measure_end(void);
