/* What a reason means, what to do, and whether trying again can help: for the words and codes that gateways,
 * networks and we ourselves give. The tables stand in reasons_table.c and, for SMPP, in
 * dispatch/smpp_status.c. Pure. */
#pragma once
#include "lib/base.h"

enum reason_again {
    AGAIN_NO,          /* the same message to the same number fails again */
    AGAIN_LATER,       /* it may arrive another time */
    AGAIN_ELSEWHERE,   /* another gateway may take it */
    AGAIN_MENDED,      /* once what is wrong here is mended */
    AGAIN_NEVER_BY_US, /* it may have arrived: sending it again may send it twice */
};
extern const char *const reason_again_words[];

struct reason {
    const char *word; /* as it stands in tables, compared without regard to case */
    const char *cause, *todo;
    enum reason_again again;
    const char *source; /* where that is written */
};
extern const struct reason reason_table[];
extern const size_t reason_table_count;

/* The row for a word, also behind "partial:". False: nobody has written down what it means. */
bool reason_find(const char *word, struct reason *ret);
/* The row for the code of the mobile network in a gateway's error text, "err:027"; false: there is none. */
bool reason_of_error(const char *error, struct reason *ret);
