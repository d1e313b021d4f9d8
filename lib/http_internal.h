/* What lib/http*.c share: one exchange on a libcurl handle whose options are set once. */
#pragma once
#include "lib/http.h"

#include <curl/curl.h>

#define HTTP_HEADERS_MAX_BYTES 65536
#define HTTP_IDLE_MAX_S                                                                                      \
    4 /* a connection idle for longer is not used again: servers close theirs after 5 s and more */
#define HTTP_ERROR_SIZE 200

struct http_exchange {
    CURL *easy;
    struct http_options opts;
    struct curl_slist *headers;
    bool (*first_byte)(void *arg, void *what); /* NULL: go */
    bool (*go_on)(void *arg);
    void *arg, *what;
    bool only_connects, under_way;
    unsigned sends;
    bool stopped, too_big;
    size_t header_bytes;
    char content_type[128], retry_after[64], error[CURL_ERROR_SIZE];
    struct buf answer;
    struct http_exchange *next; /* free ones of a multi */
};
struct http_exchange *http_exchange_new(const struct http_options *opts);
void http_exchange_free(struct http_exchange *x);
void http_exchange_prepare(struct http_exchange *x, const struct http_request *r);
void http_exchange_prepare_connect(struct http_exchange *x, const char *url);
void http_exchange_result(struct http_exchange *x, CURLcode code, struct http_result *ret);
/* Pure. connected: the proxy's answer to CONNECT, 0 none. */
enum http_end http_end_of(CURLcode code, unsigned sends, bool stopped, bool too_big, long connect_answer);
