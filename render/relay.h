/* Between the render queues and the others: takes chunks, instant ones first, publishes what becomes of each,
 * and acks a chunk when all of that is confirmed. What was not acked when the process dies is rendered again
 * by whoever takes it then, to the same gateways; the claim makes one message of two copies. Memory: at most
 * `prefetch` chunks a lane, and of those only one is rendered ahead of the lane's publisher's window. */
#pragma once
#include "render/plan.h"

struct relay;
struct relay *relay_new(const struct conf *conf);
void relay_free(struct relay *r);
/* Does what can be done without waiting. Renders one new chunk at most, none when `draining`. False: nothing
 * moved. */
bool relay_turn(struct relay *r, const struct plan *plan, bool draining);
/* Waits for something to do, a signal, or the end of timeout_ms. */
void relay_wait(struct relay *r, int timeout_ms);
bool relay_idle(const struct relay *r); /* no chunk is in hand */
