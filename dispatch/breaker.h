/* The breaker of one gateway: after so many connection failures in a row nothing is sent for a while, then
 * one connection is tried without a message. Pure: the caller brings time and events. */
#pragma once
#include "lib/base.h"

enum breaker_state {
    BREAKER_CLOSED, /* sending */
    BREAKER_OPEN,   /* not sending until until_ms */
    BREAKER_TRIAL,  /* not sending; a connection is being tried */
};
enum breaker_event {
    BREAKER_CONNECTED, /* a request or a trial got through to the gateway */
    BREAKER_FAILED,    /* no connection */
    BREAKER_TICK,      /* time has passed */
};
struct breaker {
    enum breaker_state state;
    int64_t failures; /* in a row */
    int64_t until_ms; /* BREAKER_OPEN */
    int64_t failures_max, pause_ms;
};
void breaker_init(struct breaker *b, int64_t failures_max, int64_t pause_ms);
/* The only place that changes the state. True: it changed. */
bool breaker_event(struct breaker *b, enum breaker_event event, int64_t now_ms);
const char *breaker_word(enum breaker_state s);
