/* What is decided before the body has come: is it one request and no more, whose is it, from where, and may
 * they. */
#include "callback/intake_internal.h"

#include <strings.h>

#define NAME_MAX_BYTES 128

struct headers {
    unsigned lengths, encodings;
    int64_t length;
    bool bad; /* a header that another server might read otherwise */
    bool form;
    const char *forwarded_name;
    struct buf forwarded; /* its values in order, joined by commas */
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

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct headers *h = arg;
    h->bad = h->bad || !is_token(key) || (value && strpbrk(value, "\r\n"));
    if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        h->lengths++;
        h->bad = h->bad || !read_length(value, &h->length);
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        h->encodings++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_TYPE) == 0) {
        h->form = value && strncasecmp(value, "application/x-www-form-urlencoded", 33) == 0;
    } else if (value && strcasecmp(key, h->forwarded_name) == 0) {
        buf_addf(&h->forwarded, "%s%s", h->forwarded.len > 0 ? "," : "", value);
    }
    return MHD_YES;
}

/* ---- whose it is ---- */

static const struct intake_section *section_of(const char *url)
{
    for (const struct intake_section *s = intake_sections; s->path; s++) {
        if (strncmp(url, s->path, strlen(s->path)) == 0)
            return s;
    }
    return NULL;
}

/* "/report/<gateway>[/<token>]": finds the gateway. */
static bool find_gateway(struct request *r, const char *url)
{
    char name[NAME_MAX_BYTES];
    const char *at = url + strlen(r->section->path), *slash = strchr(at, '/');
    size_t len = slash ? (size_t)(slash - at) : strlen(at);
    if (len >= sizeof(name))
        return false;
    memcpy(name, at, len);
    name[len] = '\0';
    const struct gateway *g = gateways_find(r->gateways, name);
    const struct posts *posts = g ? r->section->posts(g) : NULL;
    if (!posts || !posts_open(posts))
        return false;
    r->gateway = g;
    r->posts = posts;
    r->token = slash ? xstrdup(slash + 1) : NULL;
    return true;
}

static void find_address(struct request *r, const struct headers *h)
{
    size_t count;
    const struct network *trusted = gateways_trusted(r->gateways, &count);
    bool rfc7239 = strcasecmp(h->forwarded_name, "Forwarded") == 0;
    r->address = auth_address(&r->watched->peer, h->forwarded.data, rfc7239, trusted, count);
}

/* Behind a proxy connections say nothing about who posts, so requests are counted. */
static bool over_limit(struct request *r)
{
    if (r->watched->counted)
        return false;
    int64_t most = gateways_conf(r->gateways)->main.callback.connections_per_address;
    if (!limit_has_room(r->intake->limit, &r->address, most))
        return true;
    limit_take(r->intake->limit, &r->address);
    r->counted = true;
    return false;
}

/* ---- may they ---- */

static const char *header_of(const void *arg, const char *name)
{
    const struct request *r = arg;
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static struct auth_request presented(const struct request *r, int64_t at)
{
    return (struct auth_request){.token = r->token,
                                 .header = header_of,
                                 .arg = r,
                                 .query = r->query,
                                 .query_len = r->query ? strlen(r->query) : 0,
                                 .body = r->body.data ? r->body.data : "",
                                 .body_len = r->body.len,
                                 .at = at};
}

/* Is it good for another gateway? Then somebody has mixed up addresses, which is another mistake than a wrong
 * credential. */
static bool is_anothers(const struct request *r, const struct auth_request *p, bool signature)
{
    for (size_t i = 0; i < gateways_count(r->gateways); i++) {
        const struct gateway *g = gateways_at(r->gateways, i);
        const struct posts *posts = r->section->posts(g);
        if (g == r->gateway || !posts || !posts_open(posts))
            continue;
        if (signature ? auth_signs(posts->auth) && !auth_signature(posts->auth, p)
                      : auth_has_head(posts->auth) && auth_head(posts->auth, p))
            return true;
    }
    return false;
}

static enum MHD_Result refuse_credential(struct request *r, const struct auth_request *p, bool signature,
                                         const char *error)
{
    r->intake->unauthorized++;
    if (is_anothers(r, p, signature))
        return intake_refuse(r, MHD_HTTP_FORBIDDEN, "this credential is another gateway's");
    return intake_refuse(r, MHD_HTTP_UNAUTHORIZED, error);
}

static bool may_not_post(struct request *r, enum MHD_Result *ret)
{
    struct auth_request p = presented(r, 0);
    if (r->posts->network_count > 0 &&
        !auth_listed(r->posts->networks, r->posts->network_count, &r->address)) {
        r->intake->unauthorized++;
        *ret = intake_refuse(r, MHD_HTTP_FORBIDDEN, "this address is not among the gateway's auth.addresses");
        return true;
    }
    if (auth_head(r->posts->auth, &p))
        return false;
    *ret = refuse_credential(r, &p, false, "token, user or password is wrong");
    return true;
}

bool intake_signature_refused(struct request *r, int64_t at, enum MHD_Result *ret)
{
    struct auth_request p = presented(r, at);
    const char *wrong = auth_signature(r->posts->auth, &p);
    if (!wrong)
        return false;
    *ret = refuse_credential(r, &p, true, wrong);
    return true;
}

/* ---- the head as a whole ---- */

static enum MHD_Result answer_health(struct request *r, const char *url)
{
    if (strcmp(url, "/livez") == 0)
        return intake_say(r, MHD_HTTP_OK, "ok\n");
    auto_buf why = {0};
    if (r->intake->o.ready(r->intake->o.ready_arg, &why))
        return intake_say(r, MHD_HTTP_OK, "ok\n");
    return intake_say(r, MHD_HTTP_SERVICE_UNAVAILABLE, why.data ? why.data : "not ready\n");
}

int64_t intake_body_max(const struct request *r)
{
    return gateways_conf(r->gateways)->main.callback.body_bytes;
}

/* 0, or the status to refuse it with. */
static unsigned wrong_address(struct request *r, const char *url, const struct headers *h,
                              const char **ret_error)
{
    *ret_error = "not found";
    if (!find_gateway(r, url))
        return MHD_HTTP_NOT_FOUND;
    find_address(r, h);
    *ret_error = "too many requests of this address at a time";
    if (over_limit(r)) {
        r->intake->over_limit++;
        return MHD_HTTP_TOO_MANY_REQUESTS;
    }
    return 0;
}

static bool refused(struct request *r, const char *url, const char *method, const struct headers *h,
                    enum MHD_Result *ret)
{
    const char *error;
    if (h->lengths > 1 || h->encodings > 0 || h->bad) {
        *ret = intake_refuse(
            r, MHD_HTTP_BAD_REQUEST,
            "expected one Content-Length of digits, no Transfer-Encoding and plain header names");
        return true;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        *ret = intake_refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET or POST");
        return true;
    }
    r->section = section_of(url);
    if (!r->section) {
        bool health = strcmp(url, "/livez") == 0 || strcmp(url, "/readyz") == 0;
        *ret = health ? answer_health(r, url) : intake_refuse(r, MHD_HTTP_NOT_FOUND, "not found");
        return true;
    }
    unsigned status = wrong_address(r, url, h, &error);
    if (status != 0) {
        *ret = intake_refuse(r, status, error);
        return true;
    }
    if (may_not_post(r, ret))
        return true;
    if (h->length > intake_body_max(r)) {
        *ret = intake_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "it is longer than callback.body_bytes");
        return true;
    }
    r->form = h->form;
    /* libmicrohttpd 0.9.75 takes a header without a name for the end of the head, and does not tell. Where
     * several clients share a connection, a proxy's, that could make one's body another's request. */
    r->last = !r->watched->counted || (h->lengths == 0 && strcmp(method, MHD_HTTP_METHOD_POST) == 0);
    r->body.max = (size_t)intake_body_max(r) + 1;
    return false;
}

bool intake_head_refused(struct request *r, const char *url, const char *method, enum MHD_Result *ret)
{
    r->gateways = gateways_now_get(r->intake->o.gateways);
    struct headers h = {.forwarded_name = gateways_conf(r->gateways)->main.callback.forwarded_header};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, look_at_header, &h);
    bool answered = refused(r, url, method, &h, ret);
    buf_deinit(&h.forwarded);
    return answered;
}
