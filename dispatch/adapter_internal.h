/* The adapter driver between its files: adapter.c (the contract, sending, the link's life) and adapter_said.c
 * (what the adapter says). Nobody else includes this. */
#pragma once
#include "dispatch/adapter_link.h"
#include "dispatch/gateway.h"
#include "lib/log.h"

#include <uthash.h>

#define ADAPTER_TOLD_MAX 1024 /* reports and inbound messages that wait for `kept` */

enum link_state {
    LINK_DOWN,     /* no connection; the next attempt is at again_ms */
    LINK_GREETING, /* connected, hello sent; nothing but the adapter's hello is expected, until again_ms */
    LINK_UP,
};

struct taken { /* a request that has no answer yet */
    struct taken *prev, *next;
    struct gateway_request *request;
    int64_t id;       /* on the link; 0: not begun */
    int64_t until_ms; /* not begun: until the link must be there; begun: until the answer must be */
    UT_hash_handle hh;
};
struct taken_list {
    struct taken *first, *last;
};

struct gateway { /* of this driver */
    struct gateway_options opts;
    struct adapter_link link;
    enum link_state state;
    int64_t again_ms;
    uint64_t generation;        /* of the connection */
    unsigned failures;          /* in a row, without an answer or a quiet minute in between */
    char why[ADAPTER_WHY_SIZE]; /* the last attempt's failure; "": it did not fail */
    struct taken_list instant, bulk,
        begun;           /* not begun, by lane; begun. Each in the order of their deadlines */
    struct taken *by_id; /* begun */
    int64_t next_id;
    int64_t up_ms, heard_ms, pinged_ms; /* pinged: 0 if no ping is out */
    unsigned probes;                    /* asked for and not told */
    bool complained;                    /* once a connection */
    struct log_trouble down;
    struct told_one {
        int64_t token; /* the adapter's; 0: free */
    } told[ADAPTER_TOLD_MAX];
    size_t told_next; /* where the search for a free one begins */
};

/* adapter.c */
void adapter_answer(struct gateway *g, struct taken *t, const struct gateway_answer *a); /* t is gone */
void adapter_link_over(struct gateway *g, const char *reason, const char *why);
void adapter_link_is_up(struct gateway *g, const char *name, int64_t now_ms);

/* adapter_said.c: takes one line. False: the link is over. */
bool adapter_said(struct gateway *g, char *line, size_t len, int64_t now_ms);
void adapter_kept(struct gateway *g, uint64_t token, bool kept);
void adapter_forget_told(struct gateway *g);
