/* Telephone numbers: from what people keep in their tables to E.164 (ITU-T E.164: at most 15 digits). */
#pragma once
#include "lib/base.h"

enum number_fault {
    NUMBER_OK = 0,
    NUMBER_EMPTY,
    NUMBER_LETTERS,
    NUMBER_TOO_SHORT,
    NUMBER_TOO_LONG,
    NUMBER_NO_COUNTRY, /* national form and no default country */
    NUMBER_BAD_COUNTRY /* no such calling code */
};
/* "+49 (0)171 1234567", "0049171…", "0171…" with country "49" -> 491711234567. country: calling code of numbers in
 * national form, NULL: none. Spaces, dots, dashes, slashes and brackets are allowed between digits. */
enum number_fault number_normalise(const char *text, const char *country, int64_t *ret_e164);
const char *number_fault_word(enum number_fault f); /* "too_short": the reason in run_skip */
#define NUMBER_SIZE 24
char *number_format(int64_t e164, char out[NUMBER_SIZE]); /* "+491711234567" */
char *number_mask(int64_t e164, char out[NUMBER_SIZE]);   /* "+49*******67" */
