/* Style sheet, script and sign by name. */
#include "dashboard/static.h"

const struct static_file *static_named(const char *name)
{
    for (const struct static_file *f = static_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}
