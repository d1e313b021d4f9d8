/* The bind: who we are, and what a refusal means in words. Pure. */
#include "dispatch/smpp_session.h"
#include "dispatch/smpp_status.h"

void smpp_bind_pdu(const struct smpp_session *s, struct smpp_pdu *ret)
{
    static const uint32_t commands[] = {[SMPP_TRANSCEIVER] = SMPP_BIND_TRANSCEIVER,
                                        [SMPP_TRANSMITTER] = SMPP_BIND_TRANSMITTER,
                                        [SMPP_RECEIVER] = SMPP_BIND_RECEIVER};
    const struct conf_smpp *c = s->g->conf;
    *ret = (struct smpp_pdu){.command = commands[s->role],
                             .sequence = s->bind_sequence,
                             .system_id = c->system_id,
                             .password = c->password,
                             .system_type = c->system_type,
                             .interface_version = SMPP_VERSION};
}

struct smpp_bind_words smpp_bind_words(uint32_t status)
{
    switch (status) {
    case SMPP_STATUS_INVPASWD:
        return (struct smpp_bind_words){"the password is wrong",
                                        "correct smpp.password, as the gateway's owner gave it", true};
    case SMPP_STATUS_INVSYSID:
        return (struct smpp_bind_words){"the system_id is not known there",
                                        "correct smpp.system_id, or smpp.address", true};
    case SMPP_STATUS_ALYBND:
        return (struct smpp_bind_words){"we are bound already, as often as we may",
                                        "end the other program that uses this system_id, or lower smpp.binds "
                                        "or dispatchers; a link that died "
                                        "is often counted there for some minutes more",
                                        false};
    case SMPP_STATUS_BINDFAIL:
        return (struct smpp_bind_words){"the bind is refused without a reason",
                                        "ask the gateway's owner: mostly password, our address (not allowed "
                                        "there), or too many binds",
                                        false}; /* a link of ours that died may be counted there still */
    case SMPP_STATUS_INVBNDSTS:
    case SMPP_STATUS_INVCMDID:
        return (struct smpp_bind_words){"this kind of bind is not allowed there",
                                        "set smpp.bind to the other of transceiver and separate", true};
    case 0x53: /* ESME_RINVSYSTYP */
        return (struct smpp_bind_words){"the system_type is wrong",
                                        "correct smpp.system_type, as the gateway's owner gave it", true};
    case SMPP_STATUS_THROTTLED:
        return (struct smpp_bind_words){"we bind too often", "wait; it is tried again", false};
    case SMPP_STATUS_SYSERR:
        return (struct smpp_bind_words){"the gateway has an error of its own", "wait; it is tried again",
                                        false};
    default:
        return (struct smpp_bind_words){smpp_status(status)->words, "ask the gateway's owner", false};
    }
}
