/* The buffer holds two of the longest PDUs, so that what is left of one read is moved to its front at most
 * once for each PDU's worth of bytes. */
#include "dispatch/smpp_framer.h"

void smpp_framer_init(struct smpp_framer *f)
{
    f->begin = f->end = 0;
}

uint8_t *smpp_framer_room(struct smpp_framer *f, size_t *ret_len)
{
    if (f->begin == f->end)
        f->begin = f->end = 0;
    if (f->begin > sizeof(f->bytes) / 2) {
        memmove(f->bytes, f->bytes + f->begin, f->end - f->begin);
        f->end -= f->begin;
        f->begin = 0;
    }
    *ret_len = sizeof(f->bytes) - f->end;
    return f->bytes + f->end;
}

void smpp_framer_filled(struct smpp_framer *f, size_t len)
{
    f->end += MIN_OF(len, sizeof(f->bytes) - f->end);
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int smpp_framer_next(struct smpp_framer *f, const uint8_t **ret, size_t *ret_len, uint32_t *ret_sequence)
{
    const uint8_t *at = f->bytes + f->begin;
    size_t there = f->end - f->begin;

    *ret_sequence = there >= SMPP_HEADER_BYTES ? u32_at(at + 12) : 0; /* 0: not known [4.3.1] */
    if (there < 4)
        return SMPP_FRAME_MORE;
    size_t len = u32_at(at);
    if (len < SMPP_HEADER_BYTES || len > SMPP_PDU_MAX_BYTES)
        return SMPP_FRAME_BROKEN;
    if (there < len)
        return SMPP_FRAME_MORE;
    f->begin += len;
    *ret = at;
    *ret_len = len;
    return 0;
}
