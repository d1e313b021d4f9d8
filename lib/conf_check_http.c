/* Who we are at a server, and how it is reached: `auth`, `tls` and `proxy`, each taken as a whole. */
#include "lib/conf_internal.h"

#include <stdio.h>

static const struct conf_node *at(const struct conf_checking *k, const char *path, const char *key)
{
    char whole[160];

    snprintf(whole, sizeof(whole), "%s%s%s", path, *path ? "." : "", key);
    return conf_node_at(k->file->root, whole);
}

static bool has(const struct conf_node *section, const char *key)
{
    auto_free char *file = xasprintf("%s_file", key); /* of a secret */

    return conf_node_at(section, key) || conf_node_at(section, file);
}

static void check_auth(struct conf_checking *k, const struct conf_http *h, const struct conf_node *auth)
{
    bool basic = !strcmp(h->auth.type, "basic"), bearer = !strcmp(h->auth.type, "bearer");

    if (basic && (!has(auth, "user") || !has(auth, "password")))
        conf_error_at(k->report, k->file, auth, "auth: basic needs 'user' and 'password'");
    if (bearer && !has(auth, "token"))
        conf_error_at(k->report, k->file, auth, "auth: bearer needs 'token'");
    if (!basic && (has(auth, "user") || has(auth, "password")))
        conf_error_at(k->report, k->file, auth, "auth: 'user' and 'password' belong to 'type: basic'");
    if (!bearer && has(auth, "token"))
        conf_error_at(k->report, k->file, auth, "auth: 'token' belongs to 'type: bearer'");
}

void conf_check_http(struct conf_checking *k, const struct conf_http *h, const char *path)
{
    const struct conf_node *auth = at(k, path, "auth"), *tls = at(k, path, "tls"),
                           *proxy = at(k, path, "proxy");

    if (auth && auth->type == CONF_NODE_MAP)
        check_auth(k, h, auth);
    if (tls && tls->type == CONF_NODE_MAP && !conf_node_at(tls, "certificate_file") &&
        (conf_node_at(tls, "key_file") || has(tls, "key_password")))
        conf_error_at(k->report, k->file, tls,
                      "tls: a key without its certificate; expected certificate_file");
    if (proxy && proxy->type == CONF_NODE_MAP && !conf_node_at(proxy, "url"))
        conf_error_at(k->report, k->file, proxy, "key 'url' is missing in proxy");
    if (proxy && proxy->type == CONF_NODE_MAP && has(proxy, "password") && !has(proxy, "user"))
        conf_error_at(k->report, k->file, proxy, "proxy: a password without its 'user'");
}
