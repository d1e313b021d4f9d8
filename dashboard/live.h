/* Live pages: server-sent events. One thread makes each page that somebody looks at once a second, by the
 * very function that made it first, and sends those of its parts that have changed, each an event event: part
 *   data: {"id":"runs","html":"<div id=\"runs\" …"}
 * Equal pages of equal roles are made once for all who look. Whoever reads too slowly is cut off: the browser
 * comes again. Nothing is made while nobody looks. */
#pragma once
#include "dashboard/access.h"
#include "dashboard/page.h"

struct live;
struct live *live_start(const struct conf_main *m, struct rates *rates, struct depths *depths);
/* The request becomes a stream. path, id and query are those of the page; taken. False: too many look
 * already, nothing was done. */
bool live_add(struct live *l, struct httpd_request *r, const struct route *route, char *path, char *id,
              struct query *query, const struct who *who);
void live_end_all(struct live *l); /* who looks must show anew who they are: the browser comes again */
void live_stop(struct live *l);    /* ends all streams and begins none any more */
void live_free(struct live *l);    /* when no server asks it any more */
