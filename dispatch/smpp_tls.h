/* TLS on an SMPP link, over a socket that never blocks. */
#pragma once
#include "lib/conf.h"

struct smpp_tls; /* of a gateway: authorities, our certificate */
int must_check smpp_tls_new(const struct conf_smpp *conf, struct smpp_tls **ret, char **ret_why);
void smpp_tls_free(struct smpp_tls *t);

struct smpp_tls_link;
/* host: whose name, or address in digits, the certificate has to hold. */
struct smpp_tls_link *smpp_tls_link_new(struct smpp_tls *t, int fd, const char *host);
void smpp_tls_link_free(struct smpp_tls_link *l);

enum { SMPP_TLS_READ = 1, SMPP_TLS_WRITE = 2 }; /* waits until the socket can be read, or written */
/* 0: the handshake is done. < 0: it failed, smpp_tls_why says why. */
int must_check smpp_tls_shake(struct smpp_tls_link *l);
/* 0: *ret_len bytes (0: the end of the link). */
int must_check smpp_tls_read(struct smpp_tls_link *l, void *bytes, size_t size, size_t *ret_len);
int must_check smpp_tls_write(struct smpp_tls_link *l, const void *bytes, size_t len, size_t *ret_len);
const char *smpp_tls_why(const struct smpp_tls_link *l);
