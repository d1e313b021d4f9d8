/* What several pages show in the same way: foreign words, ways to messages. */
#pragma once
#include "dashboard/html.h"

/* A foreign word with its digits masked (lib/show.h). */
void shown_masked(struct buf *out, const char *word);
/* An address of /messages that finds just these: qualifier, value; the words around it are the link's text.
 */
void shown_search_link(struct buf *out, const char *qualifier, const char *value, const char *text);
void shown_sms_id_link(struct buf *out, int64_t sms_id);
