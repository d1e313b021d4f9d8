/* smschain why: how what lib/why.h has found is shown (why_print.c), and what is found by another system's id
 * (why_ext.c). */
#pragma once
#include "ctl/ctl.h"
#include "lib/why.h"

/* number: as it is shown, masked or whole; "-" none */
void why_print(const struct why *w, const char *number);
void why_json(const struct why *w, const char *number);
/* Of these the messages alone; as JSON, a member "messages" with a comma before it. */
void why_print_messages(const struct why *w);
void why_json_messages(const struct why *w, struct buf *b);

/* Messages with that ext_id, and rows of tasks that have it. An exit code. */
int why_ext(struct ctl *c, const char *ext_id, int64_t limit, bool json);
/* One message with its story, as the lines and as the members of a JSON object that its `{` has begun. */
void why_print_message(const struct conf *conf, const struct story *s);
void why_json_message(const struct conf *conf, const struct story *s, struct buf *b);
