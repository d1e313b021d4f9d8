/* Between the files of lib/httpd: httpd.c runs the server, httpd_request.c follows a request, httpd_head.c
 * reads heads, httpd_answer.c and httpd_stream.c answer, httpd_watch.c ends what takes too long. */
#pragma once
#include "lib/httpd.h"
#include "lib/httpd_limit.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

struct httpd_stream;
struct httpd_connection {
    struct httpd_connection *next, **at;
    int fd;
    int64_t request_ms; /* since when a request is being read, or its answer written; 0: between requests */
    int64_t rest_ms;    /* since when it is between requests */
    bool waits;         /* for our own answer, which is not the client's fault */
    struct httpd_stream *stream; /* has a deadline of its own */
    bool ended;
    struct address peer;
    bool counted; /* among its address's connections */
};
struct httpd_watch {
    pthread_mutex_t lock;
    struct httpd_connection *first;
    int64_t limit_ms;
    atomic_int_fast64_t ended, count;
};
void httpd_watch_init(struct httpd_watch *w, int64_t limit_ms);
void httpd_watch_deinit(struct httpd_watch *w);
struct httpd_connection *httpd_watch_add(struct httpd_watch *w, struct MHD_Connection *connection);
void httpd_watch_remove(struct httpd_watch *w, struct httpd_connection *c);
void httpd_watch_request(struct httpd_watch *w,
                         struct httpd_connection *c); /* the first line of a request was read */
void httpd_watch_rest(struct httpd_watch *w, struct httpd_connection *c); /* it is answered */
/* Our own answer is being made; or it is there, and from now on the client has as long again to read it. */
void httpd_watch_waits(struct httpd_watch *w, struct httpd_connection *c, bool waits);
void httpd_watch_stream(struct httpd_watch *w, struct httpd_connection *c, struct httpd_stream *stream);
/* Shuts down every connection whose request is older than the limit; call it about every second. */
void httpd_watch_check(struct httpd_watch *w);
void httpd_watch_cut_streams(struct httpd_watch *w);

struct httpd {
    struct httpd_options o;
    char *section; /* "callback.": of its keys */
    struct MHD_Daemon *daemon;
    int listen_fd, port;
    struct httpd_watch watch;
    pthread_t watch_thread;
    bool watch_runs, tls;
    atomic_bool ending; /* answers close their connections */
    atomic_bool closed; /* nobody is asked any more */
    atomic_bool watch_ends;
    atomic_int_fast64_t open; /* requests, from the first line to the end */
    atomic_int_fast64_t owed; /* answers that somebody has been asked for, and streams */
    atomic_int_fast64_t answered[6], over_limit;
    struct httpd_limit *limit; /* only the server's thread uses it */
};

enum httpd_asked {
    HTTPD_ASKING,   /* `whole` is running */
    HTTPD_WAITING,  /* it has returned without an answer: the connection is suspended */
    HTTPD_ANSWERED, /* the answer stands in `response` */
};
struct httpd_request {
    struct httpd *h;
    struct httpd_connection *c; /* while libmicrohttpd knows the request */
    struct MHD_Connection *connection;
    char method[16];
    char *uri, *path, *query; /* uri: path and query as they came; path: read */
    struct buf body;
    struct address peer, counted_as;
    bool seen, unclear, last, counted, queued, sent;
    void *own;
    unsigned status;
    struct MHD_Response *response; /* made, not yet handed to libmicrohttpd */
    _Atomic enum httpd_asked asked;
    atomic_int holders; /* libmicrohttpd, and a stream's writer */
    struct httpd_stream *stream;
};

/* httpd_head.c: true: the head is unclear, or asks for too much; it was refused. */
bool httpd_head_refused(struct httpd_request *r, bool *ret_too_long);
/* httpd_answer.c */
struct MHD_Response *httpd_response_fields(struct httpd_request *r, struct MHD_Response *made,
                                           const struct httpd_answer *a);
void httpd_refuse(struct httpd_request *r, unsigned status, const char *error);
void httpd_give(struct httpd_request *r, unsigned status, struct MHD_Response *response);
enum MHD_Result httpd_queue(struct httpd_request *r); /* on the server's thread: hands the answer over */
/* httpd_request.c: for MHD_start_daemon; and one holder less. */
enum MHD_Result httpd_request_comes(void *arg, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **context);
void *httpd_request_begins(void *arg, const char *uri, struct MHD_Connection *connection);
void httpd_request_ends(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode why);
void httpd_request_release(struct httpd_request *r);
/* httpd_stream.c */
void httpd_stream_gone(struct httpd_stream *s); /* the client, or its connection */
void httpd_stream_cut(struct httpd_stream *s);
int64_t httpd_stream_ended_ms(const struct httpd_stream *s); /* 0: it is still written */
void httpd_stream_free(struct httpd_stream *s);
