/* The HTTP server of all services, on libmicrohttpd: one thread with epoll takes connections, reads requests
 * and writes answers; whoever is asked may answer at once or later from any thread. Hemmed in by limits on
 * connections, connections of one address, head, body, and the time that a whole request and the reading of
 * its answer may take. A request that is not clearly one request (two lengths, Transfer-Encoding, odd header
 * names) is refused before anybody is asked. */
#pragma once
#include "lib/address.h"
#include "lib/base.h"
#include "lib/buf.h"

struct httpd;
struct httpd_request; /* lives from its first line to the end of its answer */

struct httpd_options {
    const char *listen;  /* "127.0.0.1:8085", "[::1]:8085"; port 0: any */
    const char *setting; /* the key it comes from, for messages: "callback.listen"; its neighbours are
                            "callback.tls_key"… */
    int64_t connections, connections_per_address; /* 0: no limit on one address */
    int64_t request_ms, body_bytes;
    const char *tls_certificate,
        *tls_key; /* PEM files; NULL or "": plain HTTP. Only one server a process may have them. */
    /* Is it a trusted proxy? Its connections are many clients', so they are not counted by address. NULL:
     * none is. */
    bool (*trusted)(void *arg, const struct address *peer);
    /* The head is read, the body not yet. True: answered with httpd_answer, at once. NULL: none. */
    bool (*head)(void *arg, struct httpd_request *r);
    /* The body is read: httpd_answer or httpd_stream, now or later from any thread, exactly once. */
    void (*whole)(void *arg, struct httpd_request *r);
    /* The server itself refuses (400, 413): answer it, at once, in your own form. NULL: a line of text. */
    void (*refuse)(void *arg, struct httpd_request *r, unsigned status, const char *error);
    /* The answer is over or the client has gone: free httpd_own(r). On the server's thread, after a stream
     * also on the stream's. NULL: none. */
    void (*ended)(void *arg, struct httpd_request *r);
    void *arg;
};

/* Listens and serves. < 0: *ret_why says why not (caller frees). */
int must_check httpd_start(const struct httpd_options *o, struct httpd **ret, char **ret_why);
int httpd_port(const struct httpd *h);
/* New connections get this certificate. < 0: *ret_why says what is wrong with it, and the one before stays. A
 * server without TLS stays without. */
int must_check httpd_reload_tls(struct httpd *h, const char *certificate, const char *key, char **ret_why);
/* Takes no new connection; what has been read is answered (connections end with it), waiting at most
 * deadline_ms for what clients do, and as long as it takes for answers that are owed. Streams are cut. */
void httpd_stop(struct httpd *h, int64_t deadline_ms);
void httpd_free(struct httpd *h); /* after httpd_stop; NULL is fine */

struct httpd_figures {
    int64_t connections, too_slow,
        over_limit;      /* now; ended by the deadline; refused because of their address */
    int64_t answered[6]; /* by the first digit of the status */
};
struct httpd_figures httpd_figures(const struct httpd *h);

/* ---- a request: all of it may be read until it is answered; what is marked *, until `ended` ---- */
const char *httpd_method(const struct httpd_request *r); /* * */
const char *httpd_path(const struct httpd_request *r);   /* * percent signs read, never with U+0000 */
const char *httpd_query(const struct httpd_request *r);  /* * as it came; NULL: none */
const char *httpd_header(const struct httpd_request *r,
                         const char *name); /* of any case; NULL: none. The first of several. */
void httpd_header_joined(const struct httpd_request *r, const char *name,
                         struct buf *ret); /* all of them, joined by commas */
/* Of the query, decoded; NULL: none, or one with U+0000 in it. */
const char *httpd_argument(const struct httpd_request *r, const char *name);
const char *httpd_cookie(const struct httpd_request *r, const char *name);
const void *httpd_body(const struct httpd_request *r, size_t *ret_len); /* * never NULL */
const struct address *httpd_peer(const struct httpd_request *r);        /* * who connected */
void httpd_set_own(struct httpd_request *r, void *own);
void *httpd_own(const struct httpd_request *r);
unsigned httpd_status(const struct httpd_request *r); /* in `ended`: what it was answered; 0: nothing */
bool httpd_was_sent(
    const struct httpd_request *r); /* in `ended`: the answer was handed to the network whole */

/* In `head`, for what comes through a trusted proxy: one more request of this address is going on, until it
 * ends. False: there are connections_per_address already. Of others the connection is counted, and it is
 * always true. */
bool httpd_count_request(struct httpd_request *r, const struct address *from);

struct httpd_field {
    const char *name, *value;
};
struct httpd_answer {
    unsigned status;
    const char *type; /* Content-Type; NULL: none */
    const struct httpd_field *fields;
    size_t field_count;
    const void *body;
    size_t len;
    bool close; /* nothing more is read on this connection */
};
/* Copies. Any thread; the request may be gone when it returns. */
void httpd_answer(struct httpd_request *r, const struct httpd_answer *a);

/* A long answer: begins with status and fields (`body` is not looked at), then what is written, until
 * httpd_stream_end, after which the request may be gone. */
void httpd_stream(struct httpd_request *r, const struct httpd_answer *head);
/* Waits up to timeout_ms for room in a bounded buffer. < 0: the client has gone, has not read in time, or the
 * server stops: the answer ends torn off, which the client sees, and every later write fails too. */
int must_check httpd_stream_write(struct httpd_request *r, const void *data, size_t len, int timeout_ms);
void httpd_stream_end(struct httpd_request *r);
