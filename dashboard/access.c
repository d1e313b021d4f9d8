/* Who may look: see access.h. */
#include "dashboard/access.h"
#include "dashboard/tries.h"
#include "lib/digest.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

const char *const role_words[] = {"", "viewer", "operator"};

static const struct conf_dashboard *ours(const struct setting *s)
{
    return &s->conf->main.dashboard;
}

static enum role role_of(const char *word)
{
    for (int r = ROLE_VIEWER; r <= ROLE_OPERATOR; r++)
        if (strcmp(word, role_words[r]) == 0)
            return (enum role)r;
    return ROLE_NONE;
}

static const char *header(const struct access_question *q, const char *name)
{
    const char *value = q->header(q->arg, name);
    return value ? value : "";
}

/* How long it takes says nothing about where they differ: digests of equal length are compared whole. */
static bool same_secret(const char *a, const char *b)
{
    auto_buf x = {0}, y = {0};
    unsigned differ = 0;
    digest_add(&x, DIGEST_SHA256, DIGEST_HEX, a, strlen(a));
    digest_add(&y, DIGEST_SHA256, DIGEST_HEX, b, strlen(b));
    for (size_t i = 0; i < x.len; i++)
        differ |= (unsigned char)(x.data[i] ^ y.data[i]);
    return differ == 0;
}

static bool is_trusted(const struct setting *s, const struct address *a)
{
    for (size_t i = 0; i < s->trusted_count; i++)
        if (network_has(&s->trusted[i], a))
            return true;
    return false;
}

static const char *token_of(const struct setting *s, enum role role)
{
    const char *token = role == ROLE_OPERATOR ? ours(s)->operator_token : ours(s)->viewer_token;
    return token ? token : "";
}

/* ---- sessions: the role and its end, signed; nothing is kept here ---- */

char *access_session(const struct setting *s, enum role role, int64_t until_ms)
{
    auto_buf text = {0}, sign = {0};
    buf_addf(&text, "1.%s.%" PRId64, role_words[role], until_ms / 1000);
    digest_add_hmac(&sign, DIGEST_SHA256, DIGEST_HEX, s->session_key, strlen(s->session_key), text.data,
                    text.len);
    return xasprintf("%s.%s", text.data, sign.data);
}

static enum role session_role(const struct setting *s, const char *session, int64_t now_ms,
                              int64_t *ret_until_ms)
{
    char word[16];
    int64_t until_s;
    if (sscanf(session, "1.%15[a-z].%" SCNd64 ".", word, &until_s) != 2 || until_s < now_ms / 1000 ||
        until_s > (now_ms + SESSION_MS) / 1000 + 60)
        return ROLE_NONE;
    enum role role = role_of(word);
    /* Without its token a role has no sessions: the key would be made of what others know. */
    if (role == ROLE_NONE || *token_of(s, role) == '\0')
        return ROLE_NONE;
    auto_free char *right = access_session(s, role, until_s * 1000);
    if (!same_secret(session, right))
        return ROLE_NONE;
    *ret_until_ms = until_s * 1000;
    return role;
}

/* ---- tokens ---- */

void access_token(const struct setting *s, const struct address *from, const char *token, int64_t now_ms,
                  struct who *ret)
{
    *ret = (struct who){.retry_s = tries_wait_s(from, now_ms)};
    if (ret->retry_s > 0)
        return;
    for (int r = ROLE_VIEWER; r <= ROLE_OPERATOR; r++)
        if (*token_of(s, (enum role)r) && same_secret(token, token_of(s, (enum role)r)))
            ret->role = (enum role)r;
    if (ret->role == ROLE_NONE)
        tries_wrong(from, now_ms);
    else
        snprintf(ret->user, sizeof(ret->user), "%s token", role_words[ret->role]);
}

static bool by_token(const struct setting *s, const struct access_question *q, int64_t now_ms,
                     struct who *ret)
{
    const char *value = header(q, "Authorization");
    if (strncasecmp(value, "Bearer ", 7) != 0)
        return false;
    struct address from = access_address(s, q);
    access_token(s, &from, value + 7, now_ms, ret);
    return true;
}

/* ---- proxies ---- */

struct address access_address(const struct setting *s, const struct access_question *q)
{
    const char *list = header(q, "X-Forwarded-For"), *last = strrchr(list, ',');
    struct address before;
    last = last ? last + 1 : list;
    last += strspn(last, " \t");
    if (is_trusted(s, &q->peer) && *last && address_parse(last, strcspn(last, " \t"), &before))
        return before;
    return q->peer;
}

static bool by_proxy(const struct setting *s, const struct access_question *q, struct who *ret)
{
    const struct conf_dashboard *d = ours(s);
    if (*d->role_header == '\0' || !is_trusted(s, &q->peer) || *header(q, d->role_header) == '\0')
        return false;
    *ret = (struct who){.role = role_of(header(q, d->role_header))};
    snprintf(ret->user, sizeof(ret->user), "%s", *d->user_header ? header(q, d->user_header) : "");
    return true;
}

/* ---- the loopback interface ---- */

static bool is_loopback(const struct address *a)
{
    static const struct address v6 = {.bytes = {[15] = 1}};
    static const uint8_t v4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    return memcmp(a, &v6, sizeof(v6)) == 0 || memcmp(a->bytes, v4, sizeof(v4)) == 0;
}

/* A name that leads here by somebody else's DNS is none of these, so another site's script gets nothing. */
static bool names_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t len = strlen(names[i]);
        if (strncasecmp(host, names[i], len) == 0 && (host[len] == '\0' || host[len] == ':'))
            return true;
    }
    return false;
}

static bool by_loopback(const struct setting *s, const struct access_question *q, struct who *ret)
{
    bool forwarded = *header(q, "X-Forwarded-For") || *header(q, "Forwarded") || *header(q, "Via");
    if (!ours(s)->open_on_loopback || !is_loopback(&q->peer) || forwarded ||
        !names_loopback(header(q, "Host")))
        return false;
    *ret = (struct who){.role = ROLE_OPERATOR, .user = "on this machine"};
    return true;
}

void access_who(const struct setting *s, const struct access_question *q, int64_t now_ms, struct who *ret)
{
    *ret = (struct who){0};
    if (by_proxy(s, q, ret) || by_token(s, q, now_ms, ret))
        return;
    if (q->session && *q->session)
        ret->role = session_role(s, q->session, now_ms, &ret->until_ms);
    if (ret->role != ROLE_NONE)
        snprintf(ret->user, sizeof(ret->user), "%s token", role_words[ret->role]);
    else
        by_loopback(s, q, ret);
}

bool access_same_site(const struct access_question *q)
{
    const char *site = header(q, "Sec-Fetch-Site"), *origin = header(q, "Origin"),
               *host = strstr(origin, "://");
    if (*site)
        return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    return *origin == '\0' || (host && strcasecmp(host + 3, header(q, "Host")) == 0);
}
