/* A fuzz target is a file with this one function. Linked with libFuzzer (`./test/run fuzz`) it is called with
 * whatever that thinks of; linked with replay.c it is called with each file of its corpus once, as one of the
 * unit tests. What must hold for any bytes is said with `holds`. */
#pragma once
#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define holds(condition) ((condition) ? (void)0 : abort())

/* Bytes with a NUL behind them, which some parsers may look at; free(). */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = xmalloc(size + 1);

    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
