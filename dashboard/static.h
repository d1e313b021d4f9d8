/* Style sheet, script and sign of the page, embedded at build time (static/embed.py). */
#pragma once
#include "lib/base.h"

struct static_file {
    const char *name, *type; /* "style.css" */
    const unsigned char *data;
    size_t len;
};
extern const struct static_file static_files[]; /* ends with name NULL */
extern const char static_digest[];              /* of all of them: changes when one does */

const struct static_file *static_named(const char *name); /* NULL: none */
static inline const char *static_version(void)
{
    return static_digest;
}
