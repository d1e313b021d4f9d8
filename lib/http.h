/* HTTP by libcurl, for all: nobody else includes its header. A request is sent once and no more: libcurl
 * repeats one by itself, POST too, when a connection it has used before dies before any byte of the answer;
 * its PREREQ callback comes before every sending, so the first call lets the request go (and tells who must
 * know before the first byte), and a second one stops it. No redirects, no asking back for credentials, no
 * Expect, no proxy and no netrc from the environment. */
#pragma once
#include "lib/base.h"
#include "lib/conf.h"

enum http_end {
    HTTP_ANSWERED, /* a whole answer is there */
    HTTP_NAME_NOT_FOUND,
    HTTP_NOT_CONNECTED,
    HTTP_PROXY_REFUSED, /* the proxy made no tunnel */
    HTTP_TLS_FAILED,
    HTTP_BAD_REQUEST, /* no request can be made of it: no URL, another protocol */
    HTTP_TIMEOUT,
    HTTP_LOST, /* the connection ended before the answer did */
    HTTP_ANSWER_TOO_BIG,
    HTTP_STOPPED, /* by first_byte, by go_on, or by http_multi_free */
};
struct http_result { /* everything in it is gone after `done`, or with the client's next call */
    enum http_end end;
    /* How often libcurl was about to send. 0: not a byte of the request has left, for certain. 1: it may
     * have. 2: it wanted to repeat it by itself and was stopped; nobody knows what became of the first. Only
     * HTTP_ANSWERED with 1 is an answer to our request. */
    unsigned sends;
    int status;
    const char *body; /* body[body_len] is 0; "" */
    size_t body_len;
    const char *content_type, *retry_after; /* "" */
    const char *error;                      /* in words, without a secret; "" for HTTP_ANSWERED */
};
const char *http_end_word(enum http_end e); /* "tls_failed": for logs */

struct http_request { /* all copied */
    const char *method, *url;
    const char *const *headers; /* "Name: value", each a line */
    size_t header_count;
    const char *body; /* NULL: none */
    size_t body_len;
};

struct http_options {
    const struct conf_http *conf; /* outlives it; NULL: no credentials, the system's authorities, no proxy */
    int64_t connect_timeout_ms;   /* with proxy's tunnel and TLS */
    int64_t answer_timeout_ms;    /* the whole exchange */
    size_t answer_max;            /* bytes of a body; headers: 64 KiB */
};
/* Are certificates and keys there, readable, in date, and do they belong together? < 0: *ret_why says what to
 * mend (caller frees). */
int must_check http_check(const struct conf_http *conf, char **ret_why);

/* ---- one after the other, blocking: for slow side jobs ---- */
struct http_client; /* of one thread; keeps its connection between calls */
struct http_client *http_client_new(const struct http_options *opts);
void http_client_free(struct http_client *c);
/* go_on NULL, or asked about every second: false stops the call. */
void http_client_call(struct http_client *c, const struct http_request *r, bool (*go_on)(void *arg),
                      void *arg, struct http_result *ret);

/* ---- many at a time, all waiting on one descriptor ---- */
struct http_multi_options {
    struct http_options http;
    unsigned connections; /* kept open at most */
    void *arg;
    bool (*first_byte)(void *arg, void *what); /* before a byte leaves, once; false: nothing is sent */
    void (*done)(void *arg, void *what,
                 const struct http_result *r); /* once for each; never from within send */
};
struct http_multi;
int must_check http_multi_new(const struct http_multi_options *opts,
                              struct http_multi **ret); /* < 0: errno */
void http_multi_free(struct http_multi *m);             /* ends what is open: HTTP_STOPPED */
void http_multi_send(struct http_multi *m, const struct http_request *r, void *what);
/* Connects, through proxy and TLS, on a connection of its own, and sends nothing; within connect_timeout. */
void http_multi_connect(struct http_multi *m, const char *url, void *what);
int http_multi_fd(const struct http_multi *m); /* readable: call turn */
int64_t
http_multi_wait_ms(const struct http_multi *m); /* until turn has something to do; -1: nothing but fd */
void http_multi_turn(struct http_multi *m);

/* The parts of a URL. False: it is none. The strings are the caller's. */
struct http_url {
    char *scheme, *host, *path,
        *query; /* host with the port if it has one; path begins with '/'; query without '?' */
};
bool http_url_parse(const char *url, struct http_url *ret);
void http_url_deinit(struct http_url *u);
