/* The certificate of a server's own TLS: read at start and again at SIGHUP, without a connection being lost.
 * There is one a process, since GnuTLS gives its callback no argument of ours. */
#pragma once
#include "lib/base.h"

/* 0: from now on new connections get this one. -EINVAL: *ret_why says what is wrong (caller frees), and the
 * one before stays. `section` is that of the keys, for messages: "callback." */
int must_check httpd_tls_load(const char *section, const char *certificate_file, const char *key_file,
                              char **ret_why);
void httpd_tls_unload(void); /* no connection is left */
/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
void *httpd_tls_callback(void);
