/* One call after the other, blocking, and the parts of a URL. */
#include "lib/http_internal.h"

struct http_client {
    struct http_exchange *x;
};

struct http_client *http_client_new(const struct http_options *opts)
{
    struct http_client *c = xcalloc(1, sizeof(*c));
    c->x = http_exchange_new(opts);
    return c;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    http_exchange_free(c->x);
    free(c);
}

void http_client_call(struct http_client *c, const struct http_request *r, bool (*go_on)(void *arg),
                      void *arg, struct http_result *ret)
{
    c->x->go_on = go_on;
    c->x->arg = arg;
    http_exchange_prepare(c->x, r);
    CURLcode code = curl_easy_perform(c->x->easy);
    http_exchange_result(c->x, code, ret);
}

static char *part(CURLU *u, CURLUPart what)
{
    char *s = NULL, *copy;
    if (curl_url_get(u, what, &s, 0) != CURLUE_OK)
        return xstrdup("");
    copy = xstrdup(s);
    curl_free(s);
    return copy;
}

bool http_url_parse(const char *url, struct http_url *ret)
{
    CURLU *u = curl_url();
    if (u == NULL)
        abort();
    bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK;
    if (ok) {
        auto_free char *host = part(u, CURLUPART_HOST), *port = part(u, CURLUPART_PORT);
        *ret = (struct http_url){.scheme = part(u, CURLUPART_SCHEME),
                                 .host = xasprintf("%s%s%s", host, *port != '\0' ? ":" : "", port),
                                 .path = part(u, CURLUPART_PATH),
                                 .query = part(u, CURLUPART_QUERY)};
    }
    curl_url_cleanup(u);
    return ok;
}

void http_url_deinit(struct http_url *u)
{
    free(u->scheme);
    free(u->host);
    free(u->path);
    free(u->query);
    *u = (struct http_url){0};
}
