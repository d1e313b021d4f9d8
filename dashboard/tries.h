/* Wrong tokens by address: after a few nobody is asked again for a while, right or wrong. Bounded: of more
 * addresses than there is room for the oldest is forgotten, and all together have a limit of their own. One
 * lock inside. */
#pragma once
#include "lib/address.h"

#define TRIES_EACH      5   /* wrong ones of an address in a window */
#define TRIES_ALL       100 /* of all addresses together */
#define TRIES_WINDOW_MS 60000

/* 0: may try; else so many seconds to wait. */
int tries_wait_s(const struct address *from, int64_t now_ms);
void tries_wrong(const struct address *from, int64_t now_ms);
void tries_forget(void); /* for tests, and for a configuration that was loaded anew */
