/* How fast counters grow: whoever makes a page says what a counter stands at, and is told its rate. Bounded:
 * of more counters than there is room for, the one that nobody has asked about for longest is forgotten. One
 * lock inside. */
#pragma once
#include "lib/base.h"

struct rates;
/* Rates are taken over the last window_ms: longer than the time between two changes of what is counted. */
struct rates *rates_new(int64_t window_ms);
void rates_free(struct rates *r);
/* kind: a word of the code ("run"). Per second; < 0: not known yet. */
double rates_note(struct rates *r, const char *kind, int64_t id, int64_t value, int64_t now_ms);
