/* The text rules of a template's head: what is done to a text after it was rendered (footer, smart), and what
 * it must be like (gsm_only, forbidden, required, max_segments). Pure. A text that breaks a rule is never cut
 * or mended: its row is an error. */
#pragma once
#include "lib/buf.h"
#include "lib/conf.h"
#include "render/text.h"

struct text_rules; /* a template's, made ready */
struct text_rules *text_rules_new(const struct conf_template *conf);
void text_rules_free(struct text_rules *r);

/* In this order: the footer is put behind the text unless it ends with it, smart characters, measure,
 * gsm_only, forbidden, required, max_segments; the first that fails is the reason. rules NULL: none but what
 * holds for every text. The text is not empty. NULL: *shape is measured; else the reason of the render_error,
 * a constant, and in `error` "file:line: words", which hold nothing of the row's own but at most one
 * character. */
const char *text_rules_apply(const struct text_rules *rules, const struct conf_template *conf,
                             struct buf *text, struct text_shape *shape, char *error, size_t error_size);

/* Rules that no text of this template can keep; for conf_set_checkers. */
size_t text_rules_check(const struct conf_template *conf, struct conf_text_problem ret[CONF_TEXT_PROBLEMS]);
