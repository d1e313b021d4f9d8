/* One exchange over HTTP with libcurl, sent once and no more. */
#include "lib/http_internal.h"

#include <pthread.h>
#include <strings.h>

static void init_once(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort(); /* out of memory: as xmalloc has it */
    atexit(curl_global_cleanup);
}

/* ---- what libcurl calls ---- */

static int before_sending(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct http_exchange *x = arg;
    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    if (x->only_connects)
        return CURL_PREREQFUNC_OK; /* there is nothing to send */
    if (x->sends > 0) {
        x->sends++;
        return CURL_PREREQFUNC_ABORT;
    }
    if (!x->under_way || (x->first_byte != NULL && !x->first_byte(x->arg, x->what))) {
        x->stopped = true;
        return CURL_PREREQFUNC_ABORT;
    }
    x->sends = 1;
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
    struct http_exchange *x = arg;
    (void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
    if (x->go_on == NULL || x->go_on(x->arg))
        return 0;
    x->stopped = true;
    return 1;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_exchange *x = arg;
    size_t len = size * count;
    buf_add(&x->answer, data, len);
    if (!x->answer.overflowed)
        return len;
    x->too_big = true;
    return 0;
}

static void take_header(const char *line, size_t len, const char *name, char *out, size_t size)
{
    size_t head = strlen(name);
    if (len <= head || strncasecmp(line, name, head) != 0)
        return;
    for (line += head, len -= head; len > 0 && (*line == ' ' || *line == '\t'); len--)
        line++;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    if (len >= size)
        return;
    memcpy(out, line, len);
    out[len] = '\0';
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_exchange *x = arg;
    size_t len = size * count;
    if (x->header_bytes == 0) /* it answers: the connection may serve again */
        curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, 0L);
    x->header_bytes += len;
    if (x->header_bytes > HTTP_HEADERS_MAX_BYTES) {
        x->too_big = true;
        return 0;
    }
    take_header(data, len, "retry-after:", x->retry_after, sizeof(x->retry_after));
    take_header(data, len, "content-type:", x->content_type, sizeof(x->content_type));
    return len;
}

/* ---- options ---- */

static bool given(const char *s)
{
    return s != NULL && *s != '\0';
}

static void set_tls(CURL *e, const struct conf_http *c)
{
    bool ours = c != NULL && given(c->tls.certificate_file);
    const char *version = c != NULL && given(c->tls.version) ? c->tls.version : "auto";
    long from = CURL_SSLVERSION_TLSv1_2, to = CURL_SSLVERSION_MAX_DEFAULT;
    /* A server refuses a certificate of ours within a handshake of TLS 1.2, but after the first bytes of the
     * request in one of 1.3: then what certainly was not sent would be in doubt. */
    if (strcmp(version, "1.2") == 0 || (ours && strcmp(version, "auto") == 0))
        to = CURL_SSLVERSION_MAX_TLSv1_2;
    else if (strcmp(version, "1.3") == 0)
        from = CURL_SSLVERSION_TLSv1_3;
    curl_easy_setopt(e, CURLOPT_SSLVERSION, from | to);
    if (c != NULL && given(c->tls.ca_file)) {
        curl_easy_setopt(e, CURLOPT_CAINFO, c->tls.ca_file);
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* else the system's authorities would count as well */
    }
    if (!ours)
        return;
    curl_easy_setopt(e, CURLOPT_SSLCERT, c->tls.certificate_file);
    curl_easy_setopt(e, CURLOPT_SSLKEY, given(c->tls.key_file) ? c->tls.key_file : c->tls.certificate_file);
    /* Always something: without it OpenSSL would ask at the terminal. */
    curl_easy_setopt(e, CURLOPT_KEYPASSWD, c->tls.key_password != NULL ? c->tls.key_password : "");
}

static void set_proxy(CURL *e, const struct conf_http *c)
{
    curl_easy_setopt(e, CURLOPT_NOPROXY, ""); /* none of these two by some variable of the environment */
    if (c == NULL || !given(c->proxy.url)) {
        curl_easy_setopt(e, CURLOPT_PROXY, "");
        return;
    }
    curl_easy_setopt(e, CURLOPT_PROXY, c->proxy.url);
    curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, c->proxy.tunnel ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS,
                     1L); /* a Retry-After of the proxy is not the server's */
    if (given(c->tls.ca_file))
        curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, c->tls.ca_file);
    if (given(c->proxy.user)) {
        curl_easy_setopt(e, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC); /* sent at once, no asking back */
        curl_easy_setopt(e, CURLOPT_PROXYUSERNAME, c->proxy.user);
        curl_easy_setopt(e, CURLOPT_PROXYPASSWORD, c->proxy.password != NULL ? c->proxy.password : "");
    }
}

static void set_auth(CURL *e, const struct conf_http *c)
{
    curl_easy_setopt(e, CURLOPT_HTTPAUTH,
                     (long)CURLAUTH_BASIC); /* also of the URL, if it has one: sent at once */
    if (c == NULL || !given(c->auth.type))
        return;
    if (strcmp(c->auth.type, "basic") == 0) {
        curl_easy_setopt(e, CURLOPT_USERNAME, c->auth.user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, c->auth.password);
    } else if (strcmp(c->auth.type, "bearer") == 0) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, c->auth.token);
    }
}

static void set_up(struct http_exchange *x)
{
    CURL *e = x->easy;
    curl_easy_setopt(e, CURLOPT_PRIVATE, x);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_sending);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(e, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_USERAGENT, "smschain/" SMSCHAIN_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)HTTP_IDLE_MAX_S);
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, 0L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)x->opts.connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)x->opts.answer_timeout_ms);
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->opts.answer_max);
    set_tls(e, x->opts.conf);
    set_proxy(e, x->opts.conf);
    set_auth(e, x->opts.conf);
}

struct http_exchange *http_exchange_new(const struct http_options *opts)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    struct http_exchange *x = xcalloc(1, sizeof(*x));
    *x = (struct http_exchange){.easy = curl_easy_init(), .opts = *opts, .answer = {.max = opts->answer_max}};
    if (x->easy == NULL)
        abort();
    set_up(x);
    return x;
}

void http_exchange_free(struct http_exchange *x)
{
    if (x == NULL)
        return;
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    buf_deinit(&x->answer);
    free(x);
}

/* ---- a request ---- */

static void begin(struct http_exchange *x)
{
    x->under_way = true;
    x->only_connects = x->stopped = x->too_big = false;
    x->sends = 0;
    x->header_bytes = 0;
    x->content_type[0] = x->retry_after[0] = x->error[0] = '\0';
    buf_clear(&x->answer);
}

static struct curl_slist *append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (longer == NULL)
        abort();
    return longer;
}

/* Mostly the same as those of the request before. */
static void set_headers(struct http_exchange *x, const struct http_request *r)
{
    const struct curl_slist *have = x->headers != NULL ? x->headers->next : NULL;
    size_t i = 0;
    while (i < r->header_count && have != NULL && strcmp(have->data, r->headers[i]) == 0) {
        have = have->next;
        i++;
    }
    if (x->headers != NULL && i == r->header_count && have == NULL)
        return;
    struct curl_slist *list = append(NULL, "Expect:"); /* no waiting for "100 Continue" */
    for (i = 0; i < r->header_count; i++)
        list = append(list, r->headers[i]);
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, list);
    curl_slist_free_all(x->headers);
    x->headers = list;
}

void http_exchange_prepare(struct http_exchange *x, const struct http_request *r)
{
    begin(x);
    set_headers(x, r);
    curl_easy_setopt(x->easy, CURLOPT_URL, r->url);
    if (r->body != NULL || strcasecmp(r->method, "GET") != 0) {
        curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(r->body != NULL ? r->body_len : 0));
        curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS, r->body != NULL ? r->body : "");
    } else {
        curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, r->method);
    curl_easy_setopt(x->easy, CURLOPT_CONNECT_ONLY, 0L);
    curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 0L);
    /* Until an answer begins: libcurl keeps a connection whose sending has failed, and the next request on it
     * would be in doubt, too. */
    curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)x->opts.answer_timeout_ms);
    curl_easy_setopt(x->easy, CURLOPT_NOPROGRESS, x->go_on != NULL ? 0L : 1L);
}

void http_exchange_prepare_connect(struct http_exchange *x, const char *url)
{
    begin(x);
    x->only_connects = true;
    curl_easy_setopt(x->easy, CURLOPT_URL, url);
    curl_easy_setopt(x->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)x->opts.connect_timeout_ms);
}

/* ---- its end ---- */

enum http_end http_end_of(CURLcode code, unsigned sends, bool stopped, bool too_big, long connect_answer)
{
    if (stopped)
        return HTTP_STOPPED;
    if (too_big || code == CURLE_FILESIZE_EXCEEDED)
        return HTTP_ANSWER_TOO_BIG;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return HTTP_TIMEOUT;
    if (sends > 0)
        return code == CURLE_OK && sends == 1 ? HTTP_ANSWERED : HTTP_LOST;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_NAME_NOT_FOUND;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return HTTP_TLS_FAILED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return HTTP_BAD_REQUEST;
    default:
        return connect_answer >= 300 ? HTTP_PROXY_REFUSED : HTTP_NOT_CONNECTED;
    }
#pragma GCC diagnostic pop
}

void http_exchange_result(struct http_exchange *x, CURLcode code, struct http_result *ret)
{
    long status = 0, connect_answer = 0;
    curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &connect_answer);
    if (x->sends > 0)
        curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    x->under_way = false;
    *ret = (struct http_result){.end = http_end_of(code, x->sends, x->stopped, x->too_big, connect_answer),
                                .sends = x->sends,
                                .status = (int)status,
                                .body = x->answer.data != NULL ? x->answer.data : "",
                                .body_len = x->answer.len,
                                .content_type = x->content_type,
                                .retry_after = x->retry_after,
                                .error = ""};
    if (x->only_connects && code == CURLE_OK)
        ret->end = HTTP_ANSWERED;
    if (ret->end != HTTP_ANSWERED)
        ret->error = x->error[0] != '\0' ? x->error : curl_easy_strerror(code);
}

const char *http_end_word(enum http_end e)
{
    static const char *const words[] = {[HTTP_ANSWERED] = "answered",
                                        [HTTP_NAME_NOT_FOUND] = "name_not_found",
                                        [HTTP_NOT_CONNECTED] = "not_connected",
                                        [HTTP_PROXY_REFUSED] = "proxy_refused",
                                        [HTTP_TLS_FAILED] = "tls_failed",
                                        [HTTP_BAD_REQUEST] = "bad_request",
                                        [HTTP_TIMEOUT] = "timeout",
                                        [HTTP_LOST] = "connection_lost",
                                        [HTTP_ANSWER_TOO_BIG] = "answer_too_big",
                                        [HTTP_STOPPED] = "stopped"};
    return words[e];
}
