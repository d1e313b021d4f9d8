/* The declared keys of a gateway behind an external process (driver: adapter, docs/adapters.md). */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
#define A(field) offsetof(struct conf_adapter, field)
static const struct conf_key adapter_keys[] = {
    {.name = "socket", .type = CONF_STR, .at = A(socket), .required = true, .max = 107, .form = conf_form_absolute,
     .help = "Path of the Unix socket that it listens on, in a directory that only it and smschain may enter."},
    {.name = "user", .type = CONF_STR, .at = A(user), .max = 64, .form = conf_form_one_line,
     .help = "The account that it must run under, by name or number; without it dispatch's own. Nothing is said to "
             "a process of another account."},
    {.name = "ping_interval", .type = CONF_DURATION, .at = A(ping_interval_ms), .fallback = "30s", .min = 100,
     .max = 3600000,
     .help = "It has said nothing for so long: it is asked for a sign of life."},
    {.name = "ping_timeout", .type = CONF_DURATION, .at = A(ping_timeout_ms), .fallback = "30s", .min = 100,
     .max = 3600000,
     .help = "It says nothing for so long after that: the link is given up, and what was not answered on it is in "
             "doubt. Rather long than short."},
    {.name = "reconnect_base", .type = CONF_DURATION, .at = A(reconnect_base_ms), .fallback = "200ms", .min = 10,
     .max = DAY_MS,
     .help = "The first pause before it is connected to again; it doubles with each attempt."},
    {.name = "reconnect_max", .type = CONF_DURATION, .at = A(reconnect_max_ms), .fallback = "10s", .min = 10,
     .max = DAY_MS,
     .help = "The longest such pause."},
    {0},
};
const struct conf_table conf_adapter_table = {.size = sizeof(struct conf_adapter), .keys = adapter_keys};
/* clang-format on */
