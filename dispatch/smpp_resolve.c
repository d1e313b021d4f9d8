/* getaddrinfo_a and no call-back: asked now and then, so nothing runs in a thread of ours. Addresses in
 * digits need no thread at all. */
#include "dispatch/smpp_resolve.h"

#include <netdb.h>

#define HOST_SIZE 264

struct smpp_resolve {
    char host[HOST_SIZE], port[8];
    struct addrinfo hints;
    struct gaicb ask;
    bool asked; /* a thread of the C library may be at work on `ask` */
    int rc;
};

void smpp_resolve_host(const char *host_port, char *out, size_t size)
{
    const char *colon = strrchr(host_port, ':');
    size_t len = colon != NULL ? (size_t)(colon - host_port) : strlen(host_port);
    if (len >= 2 && host_port[0] == '[' && host_port[len - 1] == ']') {
        host_port++;
        len -= 2;
    }
    len = MIN_OF(len, size - 1);
    memcpy(out, host_port, len);
    out[len] = '\0';
}

struct smpp_resolve *smpp_resolve_begin(const char *host_port)
{
    struct smpp_resolve *r = xcalloc(1, sizeof(*r));
    const char *colon = strrchr(host_port, ':');
    smpp_resolve_host(host_port, r->host, sizeof(r->host));
    strncpy(r->port, colon != NULL ? colon + 1 : "2775", sizeof(r->port) - 1);
    r->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    r->rc = getaddrinfo(r->host, r->port, &r->hints, &r->ask.ar_result);
    if (r->rc == 0)
        return r;
    r->hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    r->ask = (struct gaicb){.ar_name = r->host, .ar_service = r->port, .ar_request = &r->hints};
    struct gaicb *list[] = {&r->ask};
    r->rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    r->asked = r->rc == 0;
    return r;
}

int smpp_resolve_turn(struct smpp_resolve *r, const struct addrinfo **ret, const char **ret_why)
{
    if (r->asked) {
        r->rc = gai_error(&r->ask);
        if (r->rc == EAI_INPROGRESS)
            return SMPP_RESOLVE_WAITS;
        r->asked = false;
    }
    *ret_why = r->rc != 0 ? gai_strerror(r->rc) : "";
    if (r->rc != 0)
        return -EHOSTUNREACH;
    *ret = r->ask.ar_result;
    return 0;
}

void smpp_resolve_free(struct smpp_resolve *r)
{
    if (r == NULL)
        return;
    if (r->asked && gai_cancel(&r->ask) == EAI_NOTCANCELED) {
        /* A thread is writing there. It ends by the resolver's own time limit; leaving it these few bytes is
         * better than waiting for it. */
        return;
    }
    if (r->ask.ar_result != NULL)
        freeaddrinfo(r->ask.ar_result);
    free(r);
}
