/* Is a head the head of one request and no more? What another server might read otherwise is refused, since a
 * proxy before us could be such a server. */
#include "lib/httpd_internal.h"

#include <strings.h>

struct headers {
    unsigned lengths, encodings;
    int64_t length;
    bool bad; /* a header that another server might read otherwise */
};

/* RFC 9110 section 5.6.2: what a header's name is made of. */
static bool is_token(const char *s)
{
    static const char *const chars =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    return *s && s[strspn(s, chars)] == '\0';
}

/* Digits and nothing else: a sign, a list or a space is read differently by different servers. */
static bool read_length(const char *value, int64_t *ret)
{
    size_t len = value ? strlen(value) : 0;
    if (len == 0 || len > 18 || value[strspn(value, "0123456789")] != '\0')
        return false;
    *ret = strtoll(value, NULL, 10);
    return true;
}

static enum MHD_Result look_at(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct headers *h = arg;
    h->bad = h->bad || !is_token(key) || (value && strpbrk(value, "\r\n"));
    if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        h->lengths++;
        h->bad = h->bad || !read_length(value, &h->length);
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        h->encodings++;
    }
    return MHD_YES;
}

static bool may_have_no_body(const char *method)
{
    static const char *const without[] = {"GET", "HEAD", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < COUNT_OF(without); i++) {
        if (strcmp(method, without[i]) == 0)
            return true;
    }
    return false;
}

bool httpd_head_refused(struct httpd_request *r, bool *ret_too_long)
{
    struct headers h = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, look_at, &h);
    if (h.lengths > 1 || h.encodings > 0 || h.bad) {
        httpd_refuse(r, MHD_HTTP_BAD_REQUEST,
                     "expected one Content-Length of digits, no Transfer-Encoding and plain header names");
        return true;
    }
    if (r->unclear) {
        httpd_refuse(r, MHD_HTTP_BAD_REQUEST, "expected a path without %00");
        return true;
    }
    /* libmicrohttpd 0.9.75 takes a header without a name for the end of the head, and does not tell. Where
     * several clients share a connection, a proxy's, that could make one's body another's request. */
    r->last = !r->c->counted || (h.lengths == 0 && !may_have_no_body(r->method));
    *ret_too_long = h.length > r->h->o.body_bytes;
    r->body.max = (size_t)r->h->o.body_bytes + 1;
    return false;
}
