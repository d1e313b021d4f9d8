/* Sources by driver: see source.h. */
#include "extract/source.h"
#include <stdio.h>

static const struct source_driver *const drivers[] = {
    &source_postgresql,
#ifdef SMSCHAIN_ODBC
    &source_odbc,
#endif
};

bool source_driver_check(const char *driver, char *message, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (strcmp(drivers[i]->name, driver) == 0)
            return true;
    snprintf(
        message, size,
        "this build has no '%s': it was built without meson's feature of that name. Install unixodbc-dev and "
        "build again with -D%s=enabled",
        driver, driver);
    return false;
}

struct source *source_open(const struct conf_source *conf, const char *application)
{
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (strcmp(drivers[i]->name, conf->driver) == 0)
            return drivers[i]->open(conf, application);
    return NULL;
}

int source_begin(struct source *s, const char *sql)
{
    return s->driver->begin(s, sql);
}

int source_next(struct source *s, struct source_row *ret)
{
    return s->driver->next(s, ret);
}

const char *source_why(const struct source *s)
{
    return s->driver->why(s);
}

int source_line(const struct source *s)
{
    return s->driver->line(s);
}

void source_close(struct source *s)
{
    if (s)
        s->driver->close(s);
}
