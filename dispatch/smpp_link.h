/* One TCP connection of an SMPP session, with TLS or without: it connects, gives out whole PDUs of what was
 * read, and writes from a bounded buffer. It never blocks, and knows of SMPP only where a PDU ends. */
#pragma once
#include "dispatch/smpp_framer.h"
#include "lib/conf.h"

#define SMPP_LINK_OUT_BYTES (256u << 10)

struct smpp_tls;
struct smpp_link;
/* Whatever happens on its socket makes epoll_fd readable. tls NULL: none. */
struct smpp_link *smpp_link_new(int epoll_fd, struct smpp_tls *tls);
void smpp_link_free(struct smpp_link *l);

enum { SMPP_LINK_WAITS = 1 };
void smpp_link_connect(struct smpp_link *l, const char *host_port);
/* 0: connected, the handshake too. < 0: it cannot be, smpp_link_why says why. */
int must_check smpp_link_connect_turn(struct smpp_link *l);
int64_t
smpp_link_wait_ms(const struct smpp_link *l); /* until connect_turn is to be asked; -1: by the socket */
void smpp_link_close(struct smpp_link *l);
const char *smpp_link_why(const struct smpp_link *l);

/* 0: something came; then take PDUs until smpp_framer_next says there are no more, and read again. < 0: the
 * link is lost. */
int must_check smpp_link_read(struct smpp_link *l);
struct smpp_framer *smpp_link_framer(struct smpp_link *l);

/* Where the next PDU may be written, *ret_size bytes of room; then smpp_link_add says how many it took. */
uint8_t *smpp_link_room(struct smpp_link *l, size_t *ret_size);
void smpp_link_add(struct smpp_link *l, size_t len);
size_t smpp_link_waiting(const struct smpp_link *l); /* bytes that have not left yet */
/* 0: all has left. < 0: the link is lost. */
int must_check smpp_link_flush(struct smpp_link *l);
bool smpp_link_blocked(const struct smpp_link *l); /* the other side does not read: the socket is full */
