/* CRC-32C (Castagnoli): what the journal and the slots check their bytes with. */
#pragma once
#include "lib/base.h"

/* Continue with the last result; begin with 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
