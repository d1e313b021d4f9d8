/* A stream of bytes: the same PDUs and the same end whether it comes in one piece or in pieces as the first
 * byte says. */
#include "dispatch/smpp_framer.h"
#include "fuzz.h"

struct seen {
    size_t pdus, bytes;
    uint32_t sum;
    int end;
};

static struct seen frame(const uint8_t *data, size_t size, size_t piece)
{
    static struct smpp_framer framer;
    struct seen s = {0};
    const uint8_t *pdu;
    uint32_t sequence;
    size_t len, given = 0;

    smpp_framer_init(&framer);
    for (;;) {
        s.end = smpp_framer_next(&framer, &pdu, &len, &sequence);
        if (s.end == SMPP_FRAME_BROKEN || (s.end == SMPP_FRAME_MORE && given == size))
            return s;
        if (s.end == SMPP_FRAME_MORE) {
            size_t room;
            uint8_t *to = smpp_framer_room(&framer, &room);
            holds(room > 0);
            size_t n = MIN_OF(MIN_OF(room, piece), size - given);
            memcpy(to, data + given, n);
            smpp_framer_filled(&framer, n);
            given += n;
            continue;
        }
        holds(len >= SMPP_HEADER_BYTES && len <= SMPP_PDU_MAX_BYTES && memcmp(pdu, data + s.bytes, len) == 0);
        struct smpp_pdu decoded;
        holds(smpp_pdu_decode(pdu, len, &decoded) != SMPP_PDU_LENGTH && decoded.sequence == sequence);
        s.pdus++;
        s.bytes += len;
        s.sum = s.sum * 31 + sequence;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct seen whole = frame(data + 1, size - 1, SIZE_MAX), pieces = frame(data + 1, size - 1, data[0] + 1u);
    holds(whole.pdus == pieces.pdus && whole.bytes == pieces.bytes && whole.sum == pieces.sum &&
          whole.end == pieces.end);
    return 0;
}
