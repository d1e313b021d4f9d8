/* What is decided before the body has come: whose is it, from where, and may they. */
#include "callback/intake_internal.h"

#include <strings.h>

#define NAME_MAX_BYTES 128

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

static void find_address(struct request *r)
{
    size_t count;
    const struct network *trusted = gateways_trusted(r->gateways, &count);
    const char *name = gateways_conf(r->gateways)->main.callback.forwarded_header;
    auto_buf forwarded = {0};
    httpd_header_joined(r->http, name, &forwarded);
    r->address = address_behind(httpd_peer(r->http), forwarded.data, strcasecmp(name, "Forwarded") == 0,
                                trusted, count);
}

/* ---- may they ---- */

static const char *header_of(const void *arg, const char *name)
{
    const struct request *r = arg;
    return httpd_header(r->http, name);
}

static struct auth_request presented(const struct request *r, int64_t at)
{
    const char *query = httpd_query(r->http);
    struct auth_request p = {.token = r->token,
                             .header = header_of,
                             .arg = r,
                             .query = query,
                             .query_len = query ? strlen(query) : 0,
                             .at = at};
    p.body = httpd_body(r->http, &p.body_len);
    return p;
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

static void refuse_credential(struct request *r, const struct auth_request *p, bool signature,
                              const char *error)
{
    r->intake->unauthorized++;
    if (is_anothers(r, p, signature))
        intake_refuse(r, 403, "this credential is another gateway's");
    else
        intake_refuse(r, 401, error);
}

static bool may_not_post(struct request *r)
{
    struct auth_request p = presented(r, 0);
    if (r->posts->network_count > 0 &&
        !networks_have(r->posts->networks, r->posts->network_count, &r->address)) {
        r->intake->unauthorized++;
        intake_refuse(r, 403, "this address is not among the gateway's auth.addresses");
        return true;
    }
    if (auth_head(r->posts->auth, &p))
        return false;
    refuse_credential(r, &p, false, "token, user or password is wrong");
    return true;
}

bool intake_signature_refused(struct request *r, int64_t at)
{
    struct auth_request p = presented(r, at);
    const char *wrong = auth_signature(r->posts->auth, &p);
    if (!wrong)
        return false;
    refuse_credential(r, &p, true, wrong);
    return true;
}

/* ---- the head as a whole ---- */

static void answer_health(struct request *r, const char *path)
{
    auto_buf why = {0};
    if (strcmp(path, "/livez") == 0 || r->intake->o.ready(r->intake->o.ready_arg, &why))
        intake_say(r, 200, "ok\n");
    else
        intake_say(r, 503, why.data ? why.data : "not ready\n");
}

/* 0, or the status to refuse it with. */
static unsigned wrong_address(struct request *r, const char *path, const char **ret_error)
{
    *ret_error = "not found";
    if (!find_gateway(r, path))
        return 404;
    find_address(r);
    *ret_error = "too many requests of this address at a time";
    return httpd_count_request(r->http, &r->address) ? 0 : 429;
}

bool intake_head_refused(struct request *r)
{
    const char *method = httpd_method(r->http), *path = httpd_path(r->http), *error;
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0) {
        intake_refuse(r, 405, "expected GET or POST");
        return true;
    }
    r->section = section_of(path);
    if (!r->section) {
        if (strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0)
            answer_health(r, path);
        else
            intake_refuse(r, 404, "not found");
        return true;
    }
    unsigned status = wrong_address(r, path, &error);
    if (status != 0) {
        intake_refuse(r, status, error);
        return true;
    }
    return may_not_post(r);
}
