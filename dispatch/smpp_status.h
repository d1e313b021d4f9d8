/* Every command_status of SMPP 3.4 [5.1.3]: its name, what it says, and what it means for a message that was
 * submitted. The table stands in smpp_status.c. */
#pragma once
#include "lib/base.h"

enum { /* those that we send, or look for by ourselves */
       SMPP_STATUS_OK = 0x00,
       SMPP_STATUS_INVMSGLEN = 0x01,
       SMPP_STATUS_INVCMDLEN = 0x02,
       SMPP_STATUS_INVCMDID = 0x03,
       SMPP_STATUS_INVBNDSTS = 0x04,
       SMPP_STATUS_ALYBND = 0x05,
       SMPP_STATUS_SYSERR = 0x08,
       SMPP_STATUS_BINDFAIL = 0x0d,
       SMPP_STATUS_INVPASWD = 0x0e,
       SMPP_STATUS_INVSYSID = 0x0f,
       SMPP_STATUS_MSGQFUL = 0x14,
       SMPP_STATUS_THROTTLED = 0x58,
       SMPP_STATUS_X_T_APPN = 0x64, /* our answer to a report that cannot be kept now: send it again */
       SMPP_STATUS_X_P_APPN = 0x65,
       SMPP_STATUS_INVOPTPARSTREAM = 0xc0,
       SMPP_STATUS_INVPARLEN = 0xc2,
       SMPP_STATUS_UNKNOWNERR = 0xff,
};

enum smpp_meaning {
    SMPP_MEANS_OK,
    SMPP_MEANS_REFUSED,   /* for good: no gateway will take this message as it is */
    SMPP_MEANS_ELSEWHERE, /* this gateway does not take it; another of the route may */
    SMPP_MEANS_LATER,     /* not now; the same gateway may take it later */
    SMPP_MEANS_THROTTLED, /* too fast: later, and slower from now on */
    SMPP_MEANS_OURS,      /* our PDU, session or configuration is wrong: a person has to look, the message is
                             refused */
    SMPP_MEANS_DOUBT, /* the gateway failed over it: nobody can say that it was not taken (docs/decisions.md)
                       */
};
const char *smpp_meaning_word(enum smpp_meaning m); /* "refused" */

struct smpp_status {
    uint32_t code;
    const char *name;  /* "ESME_RTHROTTLED" */
    const char *words; /* "the gateway's rate was exceeded" */
    enum smpp_meaning meaning;
};
/* Never NULL: a code that is not in the table is one of the gateway's own (0x400 to 0x4ff) or a reserved one.
 */
const struct smpp_status *smpp_status(uint32_t code);
/* The whole table, for documents and tests. */
const struct smpp_status *smpp_status_table(size_t *ret_count);
