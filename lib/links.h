/* How the process's connections to a server it needs (the database, the broker) are: one check of /readyz and
 * a few figures for all of them. Whoever holds a connection says what becomes of it; any thread. */
#pragma once
#include "lib/base.h"

struct links; /* all connections to one server */
extern struct links links_database, links_broker;

struct link {
    struct links *to; /* NULL: not watched */
    bool open, away;
};
void link_begin(struct link *l, struct links *to);
void link_opened(struct link *l);
void link_lost(struct link *l, const char *why); /* or could not be opened: it is tried again */
void link_closed(struct link *l);                /* by us */
void link_unwanted(struct link *l);              /* closed or away, and not tried again for now */
void link_end(struct link *l);
