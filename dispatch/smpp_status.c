/* command_status, one row each, in the order of [5.1.3]. A negative answer says that the message was not
 * accepted, so LATER and THROTTLED may be tried as a new attempt; DOUBT stands where the gateway says that it
 * failed itself. */
#include "dispatch/smpp_status.h"

static const struct smpp_status table[] = {
    {0x00, "ESME_ROK", "accepted", SMPP_MEANS_OK},
    {0x01, "ESME_RINVMSGLEN", "the message's length is wrong", SMPP_MEANS_REFUSED},
    {0x02, "ESME_RINVCMDLEN", "the PDU's length is wrong", SMPP_MEANS_OURS},
    {0x03, "ESME_RINVCMDID", "the gateway does not know this command", SMPP_MEANS_OURS},
    {0x04, "ESME_RINVBNDSTS", "this bind may not do that", SMPP_MEANS_OURS},
    {0x05, "ESME_RALYBND", "this link is bound already", SMPP_MEANS_OURS},
    {0x06, "ESME_RINVPRTFLG", "the priority is not allowed", SMPP_MEANS_OURS},
    {0x07, "ESME_RINVREGDLVFLG", "the kind of report asked for is not allowed", SMPP_MEANS_OURS},
    {0x08, "ESME_RSYSERR", "the gateway had an error of its own", SMPP_MEANS_DOUBT},
    {0x0a, "ESME_RINVSRCADR", "the sender is not allowed", SMPP_MEANS_ELSEWHERE},
    {0x0b, "ESME_RINVDSTADR", "the number is not valid", SMPP_MEANS_REFUSED},
    {0x0c, "ESME_RINVMSGID", "the gateway does not know this msg_id", SMPP_MEANS_OURS},
    {0x0d, "ESME_RBINDFAIL", "the gateway refused the bind", SMPP_MEANS_OURS},
    {0x0e, "ESME_RINVPASWD", "the password is wrong", SMPP_MEANS_OURS},
    {0x0f, "ESME_RINVSYSID", "the system id is not known", SMPP_MEANS_OURS},
    {0x11, "ESME_RCANCELFAIL", "it could not be cancelled", SMPP_MEANS_OURS},
    {0x13, "ESME_RREPLACEFAIL", "it could not be replaced", SMPP_MEANS_OURS},
    {0x14, "ESME_RMSGQFUL", "the gateway's queue for us is full", SMPP_MEANS_THROTTLED},
    {0x15, "ESME_RINVSERTYP", "the service type is not allowed", SMPP_MEANS_OURS},
    {0x33, "ESME_RINVNUMDESTS", "the count of numbers is wrong", SMPP_MEANS_OURS},
    {0x34, "ESME_RINVDLNAME", "the distribution list is not known", SMPP_MEANS_OURS},
    {0x40, "ESME_RINVDESTFLAG", "the destination flag is wrong", SMPP_MEANS_OURS},
    {0x42, "ESME_RINVSUBREP", "replacing at submission is not allowed", SMPP_MEANS_OURS},
    {0x43, "ESME_RINVESMCLASS", "the esm_class is not allowed", SMPP_MEANS_OURS},
    {0x44, "ESME_RCNTSUBDL", "the distribution list cannot be submitted to", SMPP_MEANS_OURS},
    {0x45, "ESME_RSUBMITFAIL", "the gateway refused it without a reason", SMPP_MEANS_ELSEWHERE},
    {0x48, "ESME_RINVSRCTON", "the sender's type of number is wrong", SMPP_MEANS_OURS},
    {0x49, "ESME_RINVSRCNPI", "the sender's numbering plan is wrong", SMPP_MEANS_OURS},
    {0x50, "ESME_RINVDSTTON", "the number's type of number is wrong", SMPP_MEANS_OURS},
    {0x51, "ESME_RINVDSTNPI", "the number's numbering plan is wrong", SMPP_MEANS_OURS},
    {0x53, "ESME_RINVSYSTYP", "the system type is wrong", SMPP_MEANS_OURS},
    {0x54, "ESME_RINVREPFLAG", "the replace flag is wrong", SMPP_MEANS_OURS},
    {0x55, "ESME_RINVNUMMSGS", "the count of messages is wrong", SMPP_MEANS_OURS},
    {0x58, "ESME_RTHROTTLED", "the gateway's rate was exceeded", SMPP_MEANS_THROTTLED},
    {0x61, "ESME_RINVSCHED", "the time of delivery is wrong", SMPP_MEANS_OURS},
    {0x62, "ESME_RINVEXPIRY", "the validity period is wrong", SMPP_MEANS_OURS},
    {0x63, "ESME_RINVDFTMSGID", "the predefined message is not known", SMPP_MEANS_OURS},
    {0x64, "ESME_RX_T_APPN", "not now (receiver's temporary error)", SMPP_MEANS_LATER},
    {0x65, "ESME_RX_P_APPN", "not at all (receiver's permanent error)", SMPP_MEANS_REFUSED},
    {0x66, "ESME_RX_R_APPN", "refused by the receiver", SMPP_MEANS_REFUSED},
    {0x67, "ESME_RQUERYFAIL", "the gateway could not be asked about it", SMPP_MEANS_LATER},
    {0xc0, "ESME_RINVOPTPARSTREAM", "the optional parameters cannot be read", SMPP_MEANS_OURS},
    {0xc1, "ESME_ROPTPARNOTALLWD", "an optional parameter is not allowed", SMPP_MEANS_OURS},
    {0xc2, "ESME_RINVPARLEN", "a parameter's length is wrong", SMPP_MEANS_OURS},
    {0xc3, "ESME_RMISSINGOPTPARAM", "an optional parameter is missing", SMPP_MEANS_OURS},
    {0xc4, "ESME_RINVOPTPARAMVAL", "an optional parameter's value is wrong", SMPP_MEANS_OURS},
    {0xfe, "ESME_RDELIVERYFAILURE", "the delivery failed", SMPP_MEANS_REFUSED},
    {0xff, "ESME_RUNKNOWNERR", "the gateway does not know what went wrong", SMPP_MEANS_DOUBT},
};

/* The gateway has said no, in words of its own. That it said no is certain; that a second try may be made is
 * not. */
static const struct smpp_status vendor = {0x400, "vendor", "a reason of this gateway's own",
                                          SMPP_MEANS_REFUSED};
static const struct smpp_status reserved = {0x10, "reserved", "a reason that SMPP 3.4 does not know",
                                            SMPP_MEANS_REFUSED};

const struct smpp_status *smpp_status(uint32_t code)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].code == code)
            return &table[i];
    return code >= 0x400 && code <= 0x4ff ? &vendor : &reserved;
}

const struct smpp_status *smpp_status_table(size_t *ret_count)
{
    *ret_count = COUNT_OF(table);
    return table;
}

const char *smpp_meaning_word(enum smpp_meaning m)
{
    static const char *const words[] = {
        [SMPP_MEANS_OK] = "ok",       [SMPP_MEANS_REFUSED] = "refused",
        [SMPP_MEANS_LATER] = "later", [SMPP_MEANS_ELSEWHERE] = "elsewhere",
        [SMPP_MEANS_OURS] = "ours",   [SMPP_MEANS_THROTTLED] = "throttled",
        [SMPP_MEANS_DOUBT] = "doubt",
    };

    return words[m];
}
