/* OpenSSL, which the hashes use anyway. Names are checked; nothing is resumed. */
#include "dispatch/smpp_tls.h"
#include "lib/address.h"
#include "lib/http.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct smpp_tls {
    SSL_CTX *ctx;
    char *password;
};
struct smpp_tls_link {
    SSL *ssl;
    char why[200];
};

static bool given(const char *s)
{
    return s != NULL && *s != '\0';
}

static int password_of(char *out, int size, int writing, void *arg)
{
    const char *password = arg;
    size_t len = strlen(password);
    if (len > (size_t)size)
        return -1;
    memcpy(out, password, len);
    return (int)len;
}

static bool load_ours(struct smpp_tls *t, const struct conf_http *c)
{
    const char *key = given(c->tls.key_file) ? c->tls.key_file : c->tls.certificate_file;
    if (!given(c->tls.certificate_file))
        return true;
    SSL_CTX_set_default_passwd_cb(t->ctx, password_of);
    SSL_CTX_set_default_passwd_cb_userdata(t->ctx, t->password);
    return SSL_CTX_use_certificate_chain_file(t->ctx, c->tls.certificate_file) == 1 &&
           SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) == 1;
}

static bool load(struct smpp_tls *t, const struct conf_http *c)
{
    int lowest =
        given(c->tls.version) && strcmp(c->tls.version, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    int highest = given(c->tls.version) && strcmp(c->tls.version, "1.2") == 0 ? TLS1_2_VERSION : 0;
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(t->ctx, lowest) == 1 &&
           SSL_CTX_set_max_proto_version(t->ctx, highest) == 1 &&
           (given(c->tls.ca_file) ? SSL_CTX_load_verify_file(t->ctx, c->tls.ca_file)
                                  : SSL_CTX_set_default_verify_paths(t->ctx)) == 1 &&
           load_ours(t, c);
}

int smpp_tls_new(const struct conf_smpp *conf, struct smpp_tls **ret, char **ret_why)
{
    const struct conf_http *c = &conf->http;
    int rc = http_check(c, ret_why); /* says which file it is, and what to mend */
    if (rc < 0)
        return rc;
    struct smpp_tls *t = xcalloc(1, sizeof(*t));
    t->password = xstrdup(c->tls.key_password != NULL ? c->tls.key_password : "");
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (t->ctx != NULL && load(t, c)) {
        *ret = t;
        return 0;
    }
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    *ret_why = xasprintf("smpp.tls: %s", words != NULL ? words : "OpenSSL does not take these files");
    ERR_clear_error();
    smpp_tls_free(t);
    return -EINVAL;
}

void smpp_tls_free(struct smpp_tls *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    free(t->password);
    free(t);
}

/* ---- a link ---- */

struct smpp_tls_link *smpp_tls_link_new(struct smpp_tls *t, int fd, const char *host)
{
    struct smpp_tls_link *l = xcalloc(1, sizeof(*l));
    struct address digits;
    l->ssl = SSL_new(t->ctx);
    if (l->ssl == NULL || SSL_set_fd(l->ssl, fd) != 1)
        abort(); /* out of memory */
    SSL_set_connect_state(l->ssl);
    bool named; /* without the name any certificate of these authorities would do */
    if (address_parse(host, strlen(host), &digits)) {
        named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), host) == 1;
    } else {
        named = SSL_set1_host(l->ssl, host) == 1;
        (void)SSL_ctrl(l->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                       (void *)(uintptr_t)host); /* its macro drops the const */
    }
    if (!named)
        abort(); /* out of memory */
    return l;
}

void smpp_tls_link_free(struct smpp_tls_link *l)
{
    if (l == NULL)
        return;
    SSL_free(l->ssl);
    free(l);
}

const char *smpp_tls_why(const struct smpp_tls_link *l)
{
    return l->why;
}

static int failed(struct smpp_tls_link *l)
{
    long verified = SSL_get_verify_result(l->ssl);
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    if (verified != X509_V_OK)
        snprintf(l->why, sizeof(l->why), "TLS: the server's certificate: %s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(l->why, sizeof(l->why), "TLS: %s", words != NULL ? words : "the connection ended");
    ERR_clear_error();
    return -EPROTO;
}

/* What a call of OpenSSL came to that did not succeed. */
static int result(struct smpp_tls_link *l, int rc)
{
    switch (SSL_get_error(l->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return SMPP_TLS_READ;
    case SSL_ERROR_WANT_WRITE:
        return SMPP_TLS_WRITE;
    default:
        return failed(l);
    }
}

int smpp_tls_shake(struct smpp_tls_link *l)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(l->ssl);
    return rc == 1 ? 0 : result(l, rc);
}

int smpp_tls_read(struct smpp_tls_link *l, void *bytes, size_t size, size_t *ret_len)
{
    ERR_clear_error();
    *ret_len = 0;
    int rc = SSL_read_ex(l->ssl, bytes, size, ret_len);
    if (rc == 1 || SSL_get_error(l->ssl, rc) == SSL_ERROR_ZERO_RETURN)
        return 0;
    return result(l, rc);
}

int smpp_tls_write(struct smpp_tls_link *l, const void *bytes, size_t len, size_t *ret_len)
{
    ERR_clear_error();
    *ret_len = 0;
    int rc = SSL_write_ex(l->ssl, bytes, len, ret_len);
    return rc == 1 ? 0 : result(l, rc);
}
