/* The parts of the page Now, in the order in which they stand on it (page_now.c has the runs). */
#pragma once
#include "dashboard/page.h"

int must_check now_waits(struct page *p);    /* what waits for a person, or should not wait: now_waits.c */
int must_check now_gateways(struct page *p); /* now_gateways.c */
int must_check now_inside(struct page *p);   /* queues, the batching consumer, services: now_inside.c */
