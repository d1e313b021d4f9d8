/* The HTTP driver: everything that differs between gateways stands in their configuration. See gateway.h for
 * what it must do; libcurl's habit of repeating a request by itself is stopped in http_transfer.c. */
#pragma once
#include "dispatch/answer.h"
#include "dispatch/gateway.h"
#include "dispatch/request.h"

#define HTTP_ANSWER_MAX_BYTES  65536
#define HTTP_HEADERS_MAX_BYTES 65536
#define HTTP_IDLE_MAX_S                                                                                      \
    4 /* a connection idle for longer is not used again: gateways close theirs after 5 s and more */

/* One easy handle with its options set once, used again for request after request. */
struct http_transfer {
    struct http_transfer *next; /* free ones */
    struct gateway *gateway;
    CURL *easy;
    struct curl_slist *headers;
    struct request request;
    struct gateway_request *open; /* NULL: it is a probe, or free */
    bool is_probe;
    unsigned first_bytes;
    bool too_old, answer_too_big;
    size_t header_bytes;
    char retry_after[64];
    struct buf answer;
    char error[CURL_ERROR_SIZE];
};

struct http_transfer *http_transfer_new(struct gateway *g);
void http_transfer_free(struct http_transfer *t);
/* 0, or -EINVAL with t->request.error: no request can be made of these values. */
int must_check http_transfer_prepare(struct http_transfer *t, struct gateway_request *r);
void http_transfer_prepare_probe(struct http_transfer *t, const char *url);

struct gateway { /* of this driver */
    struct gateway_options opts;
    struct request_template *template;
    struct answer_rules *rules;
    struct curl_slist *fixed_headers;
    CURLM *multi;
    int epoll_fd;
    int64_t timer_ms; /* monotonic; -1: libcurl wants no call */
    struct http_transfer *free;
    size_t transfers, under_way;
    struct http_transfer **all; /* every transfer ever made */
    struct gateway_request *
        *unmade; /* taken, but no request can be made of them: answered in the next turn */
    size_t unmade_count, unmade_room;
    char *probe_url;
    struct answer *read; /* the answer being read */
};
