/* The rows of the tables, between the two files that hold them. Only lib/conf_tables*.c include this. */
#pragma once
#include "lib/conf_internal.h"

#define DAY_MS ((int64_t)86400000)

extern const struct conf_key conf_main_keys[], conf_source_keys[], conf_template_keys[], conf_gateway_keys[],
    conf_rule_keys[], conf_caller_keys[];
extern const struct conf_table conf_route_table; /* key `route` of a rule and of a caller */
extern const struct conf_table conf_report_table, conf_inbound_table; /* sections of a gateway */
extern const struct conf_table conf_smpp_table;   /* its section smpp */
extern const struct conf_table conf_adapter_table; /* its section adapter */
extern const struct conf_table conf_lookup_table, conf_poll_table; /* its sections lookup and poll */
extern const struct conf_table conf_main_inbound_table; /* section inbound of smschain.yaml */
extern const struct conf_table conf_api_table; /* section extract.api of smschain.yaml */

/* The sections `auth`, `tls` and `proxy` of a struct conf_http that is a member of some struct: the tables, then their
 * three rows. Each table is named PREFIX_auth_table and so on. */
#define CONF_HTTP_TABLES(PREFIX, STRUCT, MEMBER)                                                               \
    static const struct conf_key PREFIX##_auth_keys[] = {                                                      \
        {.name = "type", .type = CONF_WORD, .at = offsetof(STRUCT, MEMBER.auth.type),                          \
         .words = conf_auth_words, .fallback = "none",                                                         \
         .help = "`basic`: user and password · `bearer`: a token; sent with every request, without being "     \
                 "asked."},                                                                                    \
        {.name = "user", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.auth.user), .max = 256,               \
         .form = conf_form_user, .help = "basic: without a colon."},                                           \
        {.name = "password", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.auth.password), .secret = true,   \
         .max = 1024, .form = conf_form_one_line, .help = "basic."},                                           \
        {.name = "token", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.auth.token), .secret = true,         \
         .max = 8192, .form = conf_form_one_line, .help = "bearer."},                                          \
        {0}};                                                                                                  \
    static const struct conf_table PREFIX##_auth_table = {.keys = PREFIX##_auth_keys};                         \
    static const struct conf_key PREFIX##_tls_keys[] = {                                                       \
        {.name = "ca_file", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.tls.ca_file),                      \
         .form = conf_form_path,                                                                               \
         .help = "PEM: the only authorities whose certificates count; without it the system's."},              \
        {.name = "certificate_file", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.tls.certificate_file),    \
         .form = conf_form_path, .help = "PEM: our own certificate, where the server asks for one."},          \
        {.name = "key_file", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.tls.key_file),                    \
         .form = conf_form_path, .help = "PEM: its key; without it looked for in `certificate_file`."},        \
        {.name = "key_password", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.tls.key_password),            \
         .secret = true, .max = 1024, .help = "That opens the key."},                                          \
        {.name = "version", .type = CONF_WORD, .at = offsetof(STRUCT, MEMBER.tls.version),                     \
         .words = conf_tls_words, .fallback = "auto",                                                          \
         .help = "`1.2`, `1.3`, or `auto`: both, but only 1.2 with a certificate of ours: in 1.3 the server "  \
                 "refuses it after the first request has left, whose messages would then be in doubt."},       \
        {0}};                                                                                                  \
    static const struct conf_table PREFIX##_tls_table = {.keys = PREFIX##_tls_keys};                           \
    static const struct conf_key PREFIX##_proxy_keys[] = {                                                     \
        {.name = "url", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.proxy.url), .form = conf_form_proxy,   \
         .help = "`http://HOST:PORT` or `https://HOST:PORT`. Without it none, whatever the environment says."}, \
        {.name = "user", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.proxy.user), .max = 256,              \
         .form = conf_form_user, .help = "Who we are at the proxy (basic)."},                                  \
        {.name = "password", .type = CONF_STR, .at = offsetof(STRUCT, MEMBER.proxy.password), .secret = true,  \
         .max = 1024, .form = conf_form_one_line, .help = "The password there."},                              \
        {.name = "tunnel", .type = CONF_BOOL, .at = offsetof(STRUCT, MEMBER.proxy.tunnel),                     \
         .fallback = "true",                                                                                   \
         .help = "Ask for a tunnel (CONNECT) also to http:// addresses; https:// always goes through one. "    \
                 "`false`: then the proxy's own errors look like answers of the server."},                        \
        {0}};                                                                                                  \
    static const struct conf_table PREFIX##_proxy_table = {.keys = PREFIX##_proxy_keys}
#define CONF_HTTP_ROWS(PREFIX, OWNER) CONF_HTTP_ROWS_OF(PREFIX, OWNER, NULL)
#define CONF_HTTP_ROWS_OF(PREFIX, OWNER, DRIVER)                                                                          \
    {.name = "auth", .type = CONF_SECTION, .table = &PREFIX##_auth_table, .owner = (OWNER), .driver = (DRIVER),                    \
     .help = "Who we are there, in the Authorization header."},                                                \
    {.name = "tls", .type = CONF_SECTION, .table = &PREFIX##_tls_table, .owner = (OWNER), .driver = (DRIVER),                      \
     .help = "For https:// addresses."},                                                                       \
    {.name = "proxy", .type = CONF_SECTION, .table = &PREFIX##_proxy_table, .owner = (OWNER), .driver = (DRIVER),                  \
     .help = "A proxy on the way."}
extern const struct conf_word conf_auth_words[], conf_tls_words[];

extern const struct conf_table conf_sign_table, conf_submit_table; /* of struct conf_sign, struct conf_request */
/* The rows url, method, headers, parameters and body: what every request has. */
#define CONF_REQUEST_ROWS                                                                                      \
    {.name = "method", .type = CONF_WORD, .at = offsetof(struct conf_request, method), .words = conf_methods, \
     .fallback = "POST", .help = "The HTTP method."},                                                         \
    {.name = "url", .type = CONF_STR, .at = offsetof(struct conf_request, url),                               \
     .line_at = offsetof(struct conf_request, url_line), .required = true, .form = conf_form_url,              \
     .help = "The address, a template."},                                                                      \
    {.name = "headers", .type = CONF_MAP, .at = offsetof(struct conf_request, headers), .max = 32,            \
     .secret = true, .form = conf_form_one_line, .help = "Headers; each value is a template."},                \
    {.name = "parameters", .type = CONF_MAP, .at = offsetof(struct conf_request, parameters), .max = 64,      \
     .secret = true,                                                                                           \
     .help = "Names and their values, each a template: the name `parameters` is all of them, percent-encoded " \
             "and sorted by name, for an address, a form or a signature."},                                    \
    {.name = "body", .type = CONF_STR, .at = offsetof(struct conf_request, body),                             \
     .line_at = offsetof(struct conf_request, body_line), .max = 65536, .help = "The body, a template."}
extern const struct conf_word conf_methods[];
