/* Hiding secrets in what is shown of a request and its answer: the values themselves, what they become on the
 * way (encoded, hashed), signatures, and the values of headers and parameters that are named like secrets.
 * Pure. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/record.h"

struct hide {
    struct str_list words; /* the longest first */
};
void hide_init(struct hide *h, const struct str_list *secrets);
void hide_deinit(struct hide *h);
void hide_add(struct hide *h,
              const char *secret); /* and what it becomes: percent-encoded, in JSON, base64, digests */
/* Appends text with every such word as ***. */
void hide_in(const struct hide *h, const char *text, size_t len, struct buf *out);
/* A text that was cut: takes the beginning of such a word off its end. */
void hide_cut_end(const struct hide *h, char *text);
/* "Name: value": all of the value where the name says that it is a secret. */
void hide_in_header(const struct hide *h, const char *line, struct buf *out);
/* The values of name=value pairs whose names say so, too: a URL's query, a form. */
void hide_in_pairs(const struct hide *h, const char *text, size_t len, struct buf *out);
