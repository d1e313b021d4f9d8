/* Certificates that were replaced stay until the end: a handshake may still be using one, and there are as
 * many as somebody has renewed. */
#include "lib/httpd_tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <sys/stat.h>

#define CHAIN_MAX 8 /* a certificate and those it stands on */

struct certificate {
    struct certificate *before;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct certificate *now;

static void certificate_free(struct certificate *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->count; i++)
        gnutls_pcert_deinit(&c->chain[i]);
    gnutls_privkey_deinit(c->key);
    free(c);
}

static int certificate_of(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **ret_chain, unsigned *ret_count, gnutls_privkey_t *ret_key)
{
    pthread_mutex_lock(&lock);
    const struct certificate *c = now;
    *ret_chain = c ? now->chain : NULL;
    *ret_count = c ? c->count : 0;
    *ret_key = c ? c->key : NULL;
    pthread_mutex_unlock(&lock);
    return c ? 0 : -1;
}

void *httpd_tls_callback(void)
{
    gnutls_certificate_retrieve_function2 *f = certificate_of;
    void *p;
    memcpy(&p, &f, sizeof(p)); /* the option takes any pointer */
    return p;
}

static int import_key(struct certificate *c, const char *file)
{
    gnutls_datum_t text;
    int r = gnutls_load_file(file, &text);
    if (r < 0)
        return r;
    r = gnutls_privkey_import_x509_raw(c->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(text.data, 0, text.size);
    gnutls_free(text.data);
    return r;
}

/* Else the first handshake would be the one to find out. */
static bool belong_together(const char *certificate_file, const char *key_file)
{
    gnutls_certificate_credentials_t both;
    if (gnutls_certificate_allocate_credentials(&both) < 0)
        return false;
    int r = gnutls_certificate_set_x509_key_file(both, certificate_file, key_file, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(both);
    return r >= 0;
}

static char *fault_of(struct certificate *c, const char *section, const char *certificate_file,
                      const char *key_file)
{
    struct stat s;
    unsigned count = CHAIN_MAX;
    if (stat(key_file, &s) == 0 && s.st_mode & S_IROTH)
        return xasprintf("%stls_key: %s may be read by everyone: chmod o-rwx", section, key_file);
    int r = gnutls_pcert_list_import_x509_file(c->chain, &count, certificate_file, GNUTLS_X509_FMT_PEM, NULL,
                                               NULL, 0);
    if (r < 0)
        return xasprintf("%stls_certificate: %s: %s", section, certificate_file, gnutls_strerror(r));
    c->count = count;
    r = import_key(c, key_file);
    if (r < 0)
        return xasprintf("%stls_key: %s: %s", section, key_file, gnutls_strerror(r));
    if (!belong_together(certificate_file, key_file))
        return xasprintf("%stls_key: %s is not the key of the certificate in %s", section, key_file,
                         certificate_file);
    return NULL;
}

int httpd_tls_load(const char *section, const char *certificate_file, const char *key_file, char **ret_why)
{
    struct certificate *c = xcalloc(1, sizeof(*c));
    if (gnutls_privkey_init(&c->key) < 0)
        abort(); /* out of memory */
    *ret_why = fault_of(c, section, certificate_file, key_file);
    if (*ret_why) {
        certificate_free(c);
        return -EINVAL;
    }
    pthread_mutex_lock(&lock);
    c->before = now;
    now = c;
    pthread_mutex_unlock(&lock);
    return 0;
}

void httpd_tls_unload(void)
{
    while (now) {
        struct certificate *before = now->before;
        certificate_free(now);
        now = before;
    }
}
