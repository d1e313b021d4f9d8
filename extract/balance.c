/* The balance of a run: see balance.h. */
#include "extract/balance.h"
#include <inttypes.h>
#include <stdio.h>

bool balance_holds(const struct balance *b)
{
    /* The second equation is what `gone` means; together they say that each row of this pass is in one place.
     */
    return b->rows >= 0 && b->gone >= 0 && b->seen >= 0 && b->duplicate >= 0 && b->invalid >= 0 &&
           b->suppressed >= 0 && b->rows + b->gone == b->new_ + b->duplicate + b->invalid + b->suppressed &&
           b->new_ == b->seen + b->gone;
}

char *balance_text(const struct balance *b, char out[BALANCE_TEXT_SIZE])
{
    snprintf(out, BALANCE_TEXT_SIZE,
             "rows %" PRId64 " + gone %" PRId64 " %s new %" PRId64 " + duplicate %" PRId64
             " + invalid %" PRId64 " + suppressed %" PRId64,
             b->rows, b->gone, balance_holds(b) ? "=" : "!=", b->new_, b->duplicate, b->invalid,
             b->suppressed);
    return out;
}
