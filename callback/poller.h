/* Reports, and messages from phones, that a gateway does not post: fetched from its address page by page,
 * read by the format of its section report or inbound, and journalled before the cursor moves. Needs neither
 * database nor broker. A kill in between fetches a page twice, and equal tellings are one. One thread for all
 * gateways. */
#pragma once
#include "callback/gateways.h"
#include "lib/drain.h"

struct poll_service;
struct poll_service *poll_start(struct gateways_now *gateways, struct drain *drain);
void poll_stop(struct poll_service *p);
void poll_join(struct poll_service *p); /* frees it */
void poll_put_figures(struct poll_service *p, struct figures *f);
