/* The declared keys of extract's HTTP API: section `api` of section `extract`. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
#define A(field) offsetof(struct conf_main, extract.api.field)

static const struct conf_word forwarded_headers[] = {{"X-Forwarded-For", 0}, {"Forwarded", 1}, {0}};
static const struct conf_key api_keys[] = {
    {.name = "listen", .type = CONF_STR, .at = A(listen), .form = conf_form_listen_or_none,
     .help = "Address and port of `POST /v1/messages` and what belongs to it (docs/api.md); without it there is no API. Who may "
             "ask stands in `callers/`."},
    {.name = "tls_certificate", .type = CONF_STR, .at = A(tls_certificate), .form = conf_form_absolute_or_none,
     .help = "PEM file with the certificate and those it stands on: then `listen` speaks TLS. Without it plain HTTP, for a TLS "
             "proxy in front: API keys must not go over a network in plain text."},
    {.name = "tls_key", .type = CONF_STR, .at = A(tls_key), .form = conf_form_absolute_or_none,
     .help = "PEM file with its key. Both are read again at SIGHUP."},
    {.name = "trusted_proxies", .type = CONF_STR_LIST, .at = A(trusted_proxies), .max = 64, .form = conf_form_network,
     .help = "Networks of your own proxies, whose word about the address before them is believed, for "
             "`connections_per_address`."},
    {.name = "forwarded_header", .type = CONF_WORD, .at = A(forwarded_header), .words = forwarded_headers,
     .fallback = "X-Forwarded-For", .help = "Where they write it. One header only: the other one may be the client's own invention."},
    {.name = "connections", .type = CONF_INT, .at = A(connections), .fallback = "1000", .min = 1, .max = 65535,
     .help = "Connections at a time."},
    {.name = "connections_per_address", .type = CONF_INT, .at = A(connections_per_address), .fallback = "200", .min = 1,
     .max = 65535,
     .help = "Connections at a time from one address (IPv6: one /64); behind a trusted proxy requests at a time, above them "
             "429."},
    {.name = "body_bytes", .type = CONF_SIZE, .at = A(body_bytes), .fallback = "1MiB", .min = 1024, .max = 16 << 20,
     .help = "The longest body that is taken."},
    {.name = "request_timeout", .type = CONF_DURATION, .at = A(request_ms), .fallback = "10s", .min = 100, .max = 600000,
     .help = "How long a whole request may take to come, and its answer to be read; slow clients are cut off."},
    {0},
};
const struct conf_table conf_api_table = {.keys = api_keys};
