/* The body of a queue's message. What was read is written and read again: the same count of good records. */
#include "fuzz.h"
#include "lib/record.h"

static void write_again(const struct chunk *c, struct buf *out)
{
    chunk_begin(out, c->kind);
    for (size_t i = 0; i < c->count; i++) {
        switch (c->kind) {
        case RECORD_ROWS:
            chunk_add_row(out, &c->rows[i]);
            break;
        case RECORD_TEXTS:
            chunk_add_text(out, &c->texts[i]);
            break;
        case RECORD_STEPS:
            chunk_add_step(out, &c->steps[i]);
            break;
        case RECORD_INBOUND:
            chunk_add_inbound(out, &c->inbounds[i]);
            break;
        }
    }
    chunk_end(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_chunk c = NULL;
    auto_free char *why = NULL;

    if (chunk_decode(data, size, &c, &why) != 0)
        return 0;
    auto_buf out = {0};
    auto_chunk again = NULL;
    auto_free char *why_again = NULL;
    write_again(c, &out);
    holds(chunk_decode(out.data, out.len, &again, &why_again) == 0);
    holds(again->count == c->count && again->bad_count == 0);
    return 0;
}
