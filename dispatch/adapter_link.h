/* One connection to an adapter's Unix socket: who is behind it, whole lines from it, whole lines to it. Never
 * blocks; what it keeps is bounded both ways. */
#pragma once
#include "dispatch/adapter_line.h"

struct adapter_link {
    int epoll; /* readable: read, or write what waits */
    int fd;    /* -1: no connection */
    char *in;
    size_t in_len, in_room, in_begin, in_seen; /* seen: no line feed before it */
    struct buf waiting;                        /* whole lines, behind `out` */
    struct buf out;                            /* being written, from out_at */
    size_t out_at;
    bool watches_out;
};
int must_check adapter_link_init(struct adapter_link *l);
void adapter_link_deinit(struct adapter_link *l);
/* user: the account that must be behind it, by name or number; "": our own. < 0: ret_why says what is wrong
 * and what to do; not a byte was sent. */
int must_check adapter_link_open(struct adapter_link *l, const char *path, const char *user,
                                 char ret_why[ADAPTER_WHY_SIZE]);
void adapter_link_close(struct adapter_link *l);

/* Reads what is there, up to a bound. < 0: the connection is over; what was read before can still be taken.
 */
int must_check adapter_link_read(struct adapter_link *l);
enum { ADAPTER_NO_LINE = 1 };
/* The next whole line, NUL-terminated without its line feed, until the next read. -EMSGSIZE: longer than
 * allowed. */
int must_check adapter_link_next(struct adapter_link *l, char **ret, size_t *ret_len);

/* Where lines are added that need not be the next to leave (kept, pong …). */
struct buf *adapter_link_waiting(struct adapter_link *l);
/* True: all that was added has left, so that a line added to adapter_link_out begins to leave at once. */
bool adapter_link_is_free(const struct adapter_link *l);
struct buf *adapter_link_out(struct adapter_link *l); /* only if it is free */
/* True: lines were added since the last write. */
bool adapter_link_has_news(const struct adapter_link *l);
/* < 0: the connection is over, or the adapter does not read. */
int must_check adapter_link_write(struct adapter_link *l);
