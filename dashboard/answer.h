/* Answers with the headers that all of them have: nothing may be loaded from elsewhere, framed, guessed or
 * kept. */
#pragma once
#include "dashboard/page.h"

#define CONTENT_SECURITY_POLICY                                                                              \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "          \
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

struct answer {
    unsigned status;
    const char *type; /* NULL: HTML */
    const void *body;
    size_t len;
    const char *location, *cookie, *retry_after, *allow, *authenticate; /* NULL: none */
    const char *disposition;                                            /* Content-Disposition */
    bool lasts; /* may be kept for ever: its address has the version in it */
};
void answer(struct httpd_request *r, const struct answer *a);
void answer_stream(struct httpd_request *r, const struct answer *a); /* its head; then httpd_stream_write */
void answer_page(const struct page *p);
