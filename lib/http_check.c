/* Our own certificate and key, looked at before a message needs them. */
#include "lib/http.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

static bool given(const char *s)
{
    return s != NULL && *s != '\0';
}

/* OpenSSL asks for a key's password through this; the terminal is not to be asked. */
static int password_of(char *out, int size, int writing, void *password)
{
    size_t len = strlen(password);
    (void)writing;
    if (len > (size_t)size)
        return -1;
    memcpy(out, password, len);
    return (int)len;
}

static FILE *open_pem(const char *path, const char *key, char **ret_why)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        *ret_why = xasprintf("tls.%s: %s: %s", key, path, strerror(errno));
    return f;
}

static X509 *read_certificate(const char *path, const char *key, char **ret_why)
{
    FILE *f = open_pem(path, key, ret_why);
    if (f == NULL)
        return NULL;
    X509 *x = PEM_read_X509(f, NULL, password_of, (char[]){""});
    if (x == NULL)
        *ret_why = xasprintf("tls.%s: %s holds no certificate in PEM form", key, path);
    fclose(f);
    return x;
}

static EVP_PKEY *read_key(const struct conf_http *c, char **ret_why)
{
    const char *path = given(c->tls.key_file) ? c->tls.key_file : c->tls.certificate_file;
    auto_free char *password = xstrdup(c->tls.key_password != NULL ? c->tls.key_password : "");
    FILE *f = open_pem(path, "key_file", ret_why);
    if (f == NULL)
        return NULL;
    EVP_PKEY *k = PEM_read_PrivateKey(f, NULL, password_of, password);
    if (k == NULL)
        *ret_why = xasprintf(
            "tls.key_file: %s holds no private key in PEM form that opens with tls.key_password", path);
    fclose(f);
    return k;
}

static int check_ours(const struct conf_http *c, char **ret_why)
{
    X509 *x = read_certificate(c->tls.certificate_file, "certificate_file", ret_why);
    EVP_PKEY *k = x != NULL ? read_key(c, ret_why) : NULL;
    int rc = k != NULL ? 0 : -EINVAL;
    if (rc == 0 && X509_check_private_key(x, k) != 1) {
        *ret_why =
            xasprintf("tls.key_file is not the key of tls.certificate_file %s", c->tls.certificate_file);
        rc = -EINVAL;
    }
    if (rc == 0 && X509_cmp_current_time(X509_get0_notAfter(x)) < 0) {
        *ret_why = xasprintf("tls.certificate_file: %s has expired", c->tls.certificate_file);
        rc = -EINVAL;
    }
    if (rc == 0 && X509_cmp_current_time(X509_get0_notBefore(x)) > 0) {
        *ret_why = xasprintf("tls.certificate_file: %s is not valid yet", c->tls.certificate_file);
        rc = -EINVAL;
    }
    EVP_PKEY_free(k);
    X509_free(x);
    return rc;
}

int http_check(const struct conf_http *c, char **ret_why)
{
    int rc = 0;
    if (given(c->tls.ca_file)) {
        X509 *x = read_certificate(c->tls.ca_file, "ca_file", ret_why);
        rc = x != NULL ? 0 : -EINVAL;
        X509_free(x);
    }
    if (rc == 0 && given(c->tls.certificate_file))
        rc = check_ours(c, ret_why);
    ERR_clear_error();
    return rc;
}
