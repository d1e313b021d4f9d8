/* A text, its alphabet and its way in one byte: the parts are not longer than a short message, and give it
 * again. */
#include "dispatch/smpp_text.h"
#include "fuzz.h"

/* What packed septets cannot hold at their end, and what is no text for us. */
static bool comparable(const struct smpp_text *t, const char *text, size_t len)
{
    return memchr(text, '\0', len) == NULL && !(t->alphabet == SMPP_GSM7_PACKED && memchr(text, '\r', len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smpp_text t;
    auto_buf back = {0};

    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    int result =
        smpp_text_make(text, len, (enum smpp_alphabet)(data[0] & 3), (enum smpp_long)(data[0] >> 2 & 3), &t);
    for (size_t i = 0; result == 0 && i < t.count; i++) {
        uint8_t room[SMPP_PART_SIZE];
        struct smpp_pdu pdu = {.command = SMPP_SUBMIT_SM};
        struct smpp_part part;
        holds(smpp_text_part(&t, i, 4711, room, &pdu));
        holds(pdu.sm_length <= SMPP_PART_SIZE);
        smpp_part_read(&pdu, &part);
        holds(part.total == t.count && part.number == i + 1);
        smpp_part_text(&part, t.alphabet, &back);
    }
    if (result == 0 && comparable(&t, text, len))
        holds(back.len == len && (len == 0 || memcmp(back.data, text, len) == 0));
    smpp_text_deinit(&t);
    return 0;
}
