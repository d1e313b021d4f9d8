/* The form in which a gateway's ids are compared. Gateways write one id in hex in the answer and in decimal
 * in the report (or the other way), longer than 64 bits, with and without leading zeros, in either case.
 * Pure. */
#pragma once
#include "lib/base.h"

enum msg_id_form {
    MSG_ID_AS_GIVEN, /* byte for byte */
    MSG_ID_HEX,      /* a hex numeral, with or without 0x */
    MSG_ID_DECIMAL,  /* a decimal numeral */
};
#define MSG_ID_MAX  255 /* bytes as written; a longer one is refused */
#define MSG_ID_SIZE 320 /* of the form compared: 255 hex digits are 308 decimal ones */

bool msg_id_form_parse(const char *word, enum msg_id_form *ret); /* "as_given" "hex" "decimal" */

/* Both numerals become the decimal one without leading zeros, so that a hex answer meets a decimal report.
 * What is no such numeral is compared as given. White space around it never counts. False: empty or longer
 * than MSG_ID_MAX. */
bool msg_id_compared(const char *written, enum msg_id_form form, char out[MSG_ID_SIZE]);
