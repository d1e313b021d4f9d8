/* The balance of a run over its last whole pass: rows + gone = new + duplicate + invalid + suppressed. Pure.
 */
#pragma once
#include "lib/base.h"

struct balance {
    int64_t rows; /* read in this pass */
    int64_t gone; /* messages of this run that this pass no longer saw */
    int64_t new_; /* messages entered by this run, over all passes */
    int64_t seen; /* of those, seen in this pass */
    int64_t duplicate, invalid, suppressed;
};
bool balance_holds(const struct balance *b);
#define BALANCE_TEXT_SIZE 240
/* "rows 5 + gone 0 = new 3 + duplicate 1 + invalid 1 + suppressed 0" (or "!=" where it does not hold).
 * Returns out. */
char *balance_text(const struct balance *b, char out[BALANCE_TEXT_SIZE]);
