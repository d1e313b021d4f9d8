/* What a gateway posts: a section's format and who may post, each taken as a whole. */
#include "lib/conf_internal.h"

struct section { /* report, inbound */
    struct conf_checking *k;
    const char *name;
    const struct conf_node *node;
    const struct conf_posts *posts;
    unsigned roles; /* that it may have, a bit each */
};

static const struct conf_node *key_of(const struct section *s, const char *key)
{
    return conf_node_at(s->node, key);
}

static int role_of(const char *word)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (!strcmp(conf_role_words[i], word))
            return i;
    }
    return -1;
}

static void check_list(const struct section *s)
{
    const struct str_list *fields = &s->posts->format.fields;
    const struct conf_node *n = key_of(s, "fields");
    struct conf_checking *k = s->k;

    for (size_t i = 0; i < fields->count; i++) {
        int role = role_of(fields->items[i]);
        if (role >= 0 && !(s->roles & CONF_ROLE_BIT(role)))
            conf_error_at(k->report, k->file, n, "fields: '%s' has no '%s'", s->name, fields->items[i]);
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(fields->items[i], fields->items[j]) && role >= 0)
                conf_error_at(k->report, k->file, n, "fields: '%s' is given twice", fields->items[i]);
        }
    }
    if (!strcmp(s->posts->format.record_separator, s->posts->format.field_separator))
        conf_error_at(k->report, k->file, n ? n : s->node,
                      "record_separator and field_separator are the same, '%s'",
                      s->posts->format.field_separator);
}

static void check_pointers(const struct section *s)
{
    char message[CONF_MESSAGE_MAX];

    for (int i = 0; i < ROLE_COUNT; i++) {
        const struct conf_node *n = key_of(s, conf_role_words[i]);
        const char *at = s->posts->format.at[i]; /* NULL: a role that this section has not */
        if (n && at && *at && !conf_form_pointer(at, message))
            conf_error_at(s->k->report, s->k->file, n, "%s: %s", conf_role_words[i], message);
    }
}

/* The roles that the section's format names, a bit each. False: something about them is wrong and said. */
static bool check_format(const struct section *s, unsigned *ret_roles)
{
    const struct conf_format *f = &s->posts->format;
    struct conf_checking *k = s->k;

    *ret_roles = 0;
    if (strcmp(f->kind, "list") != 0) {
        for (int i = 0; i < ROLE_COUNT; i++)
            *ret_roles |= f->at[i] && *f->at[i] ? CONF_ROLE_BIT(i) : 0;
        if (strcmp(f->kind, "form") != 0)
            check_pointers(s);
        return true;
    }
    const struct conf_node *n = key_of(s, "fields");
    if (!n)
        conf_error_at(k->report, k->file, s->node,
                      "key 'fields' is missing. It says what stands in a record, in order");
    else
        check_list(s);
    if (!n || !f->fields.count || f->fields.count != n->count)
        return false; /* missing or wrong: said */
    for (size_t i = 0; i < f->fields.count; i++) {
        int role = role_of(f->fields.items[i]);
        *ret_roles |= role >= 0 ? CONF_ROLE_BIT(role) : 0;
    }
    return true;
}

/* ---- who may post ---- */

static bool has_secret(const struct conf_node *section, const char *key)
{
    auto_free char *from_file = xasprintf("%s_file", key);

    return conf_node_at(section, key) || conf_node_at(section, from_file);
}

static bool asks(const struct conf_node *section)
{
    return has_secret(section, "token") || has_secret(section, "auth.token_2") ||
           conf_node_at(section, "auth.user") || has_secret(section, "auth.hmac.secret") ||
           has_secret(section, "auth.hmac.secret_2");
}

static void check_auth(const struct section *s)
{
    struct conf_checking *k = s->k;
    const struct conf_node *report = conf_node_at(k->file->root, "report");
    const struct conf_node *user = key_of(s, "auth.user"), *signs = key_of(s, "auth.hmac.signs");
    bool password = has_secret(s->node, "auth.password") || has_secret(s->node, "auth.password_2");
    const struct conf_auth *a = &s->posts->auth;

    /* What is fetched needs nobody's credentials: without any there is no address to post to. */
    bool polled = conf_node_at(k->file->root, s->node == report ? "poll" : "poll_inbound") != NULL;
    if (!polled && !asks(s->node) && !(report != s->node && report && asks(report)))
        conf_error_at(k->report, k->file, s->node,
                      "key 'token' is missing. What the gateway posts comes to "
                      "/%s/<gateway>/<token>, and nobody else may know it; or see auth.user and auth.hmac",
                      s->name);
    if (!user != !password)
        conf_error_at(k->report, k->file, user ? user : key_of(s, "auth"),
                      "auth: 'user' and 'password' belong together");
    if (*a->hmac.timestamp_header && !strstr(a->hmac.signs, "{timestamp}"))
        conf_error_at(k->report, k->file, signs ? signs : s->node,
                      "signs: expected {timestamp} in it, else anybody can write another one (or "
                      "timestamp_header: \"\")");
    if (!*a->hmac.timestamp_header && strstr(a->hmac.signs, "{timestamp}"))
        conf_error_at(k->report, k->file, signs ? signs : key_of(s, "auth.hmac"),
                      "signs: has {timestamp}, but timestamp_header names none");
}

/* ---- what is answered ---- */

static void check_reply(const struct section *s, const char *key, const char *text, const char *const *names)
{
    const struct conf_node *n = key_of(s, key);
    const struct template_name *used = NULL;
    struct template *t = n && n->type == CONF_NODE_SCALAR ? conf_check_template(s->k, n, text) : NULL;
    size_t count = t ? template_names(t, &used) : 0;

    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t j = 0; names[j]; j++)
            known = known || !strcmp(names[j], used[i].name);
        if (!known)
            conf_error_at(s->k->report, s->k->file, n,
                          "%s: there is no '%s' in an answer; expected %s, %s%s%s", key, used[i].name,
                          names[0], names[1], names[2] ? " or " : "", names[2] ? names[2] : "");
    }
    template_free(t);
}

static void check_replies(const struct section *s)
{
    static const char *const of_reply[] = {"count", "gateway", NULL};
    static const char *const of_error[] = {"status", "error", "gateway", NULL};

    check_reply(s, "reply", s->posts->reply, of_reply);
    check_reply(s, "reply_error", s->posts->reply_error, of_error);
}

const struct conf_node *conf_check_posts(struct conf_checking *k, const char *name,
                                         const struct conf_posts *posts, unsigned may, unsigned *ret_roles)
{
    const struct section s = {
        .k = k, .name = name, .node = conf_node_at(k->file->root, name), .posts = posts, .roles = may};

    if (!s.node || s.node->type != CONF_NODE_MAP)
        return NULL;
    check_auth(&s);
    check_replies(&s);
    if (!check_format(&s, ret_roles))
        return NULL;
    return key_of(&s, "fields") ? key_of(&s, "fields") : s.node;
}

void conf_check_report(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *report = conf_node_at(k->file->root, "report");
    unsigned roles;
    const struct conf_node *n = conf_check_posts(
        k, "report", &g->report.posts,
        CONF_ROLE_BIT(ROLE_MSG_ID) | CONF_ROLE_BIT(ROLE_NUMBER) | CONF_ROLE_BIT(ROLE_STATUS) |
            CONF_ROLE_BIT(ROLE_TIME) | CONF_ROLE_BIT(ROLE_ERROR) | CONF_ROLE_BIT(ROLE_REFERENCE),
        &roles);

    if (!n)
        return;
    const char *what = n == report ? "report" : "fields";
    if (!(roles & (CONF_ROLE_BIT(ROLE_MSG_ID) | CONF_ROLE_BIT(ROLE_REFERENCE))))
        conf_error_at(k->report, k->file, n,
                      "%s: expected msg_id or reference, else nobody knows which message it is", what);
    if (!(roles & CONF_ROLE_BIT(ROLE_STATUS)))
        conf_error_at(k->report, k->file, n, "%s: expected status", what);
    if (g->request.numbers_max > 1 && !(roles & (CONF_ROLE_BIT(ROLE_NUMBER) | CONF_ROLE_BIT(ROLE_REFERENCE))))
        conf_error_at(k->report, k->file, n,
                      "%s: expected number, since one id covers several numbers (numbers_max)", what);
    if (!conf_node_at(report, "states"))
        conf_error_at(k->report, k->file, report,
                      "key 'states' is missing. It says what the gateway's status words mean");
}

void conf_check_inbound(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *inbound = conf_node_at(k->file->root, "inbound");
    unsigned roles;
    const struct conf_node *n =
        conf_check_posts(k, "inbound", &g->inbound.posts,
                         CONF_ROLE_BIT(ROLE_MSG_ID) | CONF_ROLE_BIT(ROLE_NUMBER) | CONF_ROLE_BIT(ROLE_TIME) |
                             CONF_ROLE_BIT(ROLE_TO) | CONF_ROLE_BIT(ROLE_TEXT),
                         &roles);

    if (!n)
        return;
    const char *what = n == inbound ? "inbound" : "fields";
    if (!(roles & CONF_ROLE_BIT(ROLE_NUMBER)))
        conf_error_at(k->report, k->file, n, "%s: expected number, whom a message is from", what);
    if (!(roles & CONF_ROLE_BIT(ROLE_TEXT)))
        conf_error_at(k->report, k->file, n, "%s: expected text", what);
}
