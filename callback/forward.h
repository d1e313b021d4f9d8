/* Messages from phones, posted on to the company's own address: a thread that takes rows of `inbound` that
 * are due, posts each as JSON until it is answered 2xx, and notes that. At least once: who answers and is not
 * heard gets it again, with the same Idempotency-Key. Flushes never wait for it. */
#pragma once
#include "callback/gateways.h"
#include "lib/service.h"

struct forward;
struct forward *forward_start(struct gateways_now *gateways);
void forward_stop(struct forward *f); /* a post under way is broken off within a second or so */
void forward_join(struct forward *f); /* frees it */
void forward_put_figures(struct forward *f, struct figures *figures);
