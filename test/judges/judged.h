/* Between judged.c and the files of its questions. */
#pragma once
#include "lib/base.h"

char *bytes_of_hex(const char *hex, size_t *ret_len); /* the caller frees it */
void answer_smpp_random(const char *seed);
void answer_smpp_decode(const char *hex);
