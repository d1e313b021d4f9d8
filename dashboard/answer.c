/* Answers with their headers: see answer.h. */
#include "dashboard/answer.h"
#include "dashboard/layout.h"

#define FIELDS_MAX 16

static void add(struct httpd_field *fields, size_t *n, const char *name, const char *value)
{
    if (value)
        fields[(*n)++] = (struct httpd_field){name, value};
}

static struct httpd_answer made(const struct answer *a, struct httpd_field fields[FIELDS_MAX])
{
    size_t n = 0;
    add(fields, &n, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
    add(fields, &n, "X-Content-Type-Options", "nosniff");
    add(fields, &n, "X-Frame-Options", "DENY");
    add(fields, &n, "Referrer-Policy", "same-origin");
    add(fields, &n, "Cross-Origin-Resource-Policy", "same-origin");
    add(fields, &n, "Cross-Origin-Opener-Policy", "same-origin");
    add(fields, &n, "Cache-Control", a->lasts ? "public, max-age=31536000, immutable" : "no-store");
    add(fields, &n, "Location", a->location);
    add(fields, &n, "Set-Cookie", a->cookie);
    add(fields, &n, "Retry-After", a->retry_after);
    add(fields, &n, "Allow", a->allow);
    add(fields, &n, "WWW-Authenticate", a->authenticate);
    add(fields, &n, "Content-Disposition", a->disposition);
    return (struct httpd_answer){.status = a->status,
                                 .type = a->type ? a->type : "text/html; charset=utf-8",
                                 .fields = fields,
                                 .field_count = n,
                                 .body = a->body ? a->body : "",
                                 .len = a->len};
}

void answer(struct httpd_request *r, const struct answer *a)
{
    struct httpd_field fields[FIELDS_MAX];
    struct httpd_answer h = made(a, fields);
    httpd_answer(r, &h);
}

void answer_stream(struct httpd_request *r, const struct answer *a)
{
    struct httpd_field fields[FIELDS_MAX];
    struct httpd_answer h = made(a, fields);
    httpd_stream(r, &h);
}

void answer_page(const struct page *p)
{
    auto_buf whole = {0};
    layout_page(p, &whole);
    answer(p->request, &(struct answer){.status = p->status,
                                        .body = whole.data,
                                        .len = whole.len,
                                        .retry_after = p->status == 503 ? "5" : NULL});
}
