/* One exchange over HTTP with libcurl, sent once and no more.
 *
 * libcurl repeats a request, POST too, when a connection it has used before dies before any byte of the
 * answer. Its PREREQ callback comes before every sending, the hidden repeat included: the first call marks
 * the messages, a second one aborts. Where it was never called, not a byte was sent. */
#include "dispatch/http.h"

#include <strings.h>

static int before_sending(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct http_transfer *t = arg;
    const struct gateway_events *events = &t->gateway->opts.events;
    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    if (t->is_probe)
        return CURL_PREREQFUNC_OK; /* connects only: there is nothing to send */
    if (t->open == NULL)
        return CURL_PREREQFUNC_ABORT;
    if (t->first_bytes > 0) {
        t->first_bytes++;
        return CURL_PREREQFUNC_ABORT;
    }
    if (!events->first_byte(events->arg, t->open)) {
        t->too_old = true;
        return CURL_PREREQFUNC_ABORT;
    }
    t->first_bytes = 1;
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    size_t len = size * count;
    buf_add(&t->answer, data, len);
    if (!t->answer.overflowed)
        return len;
    t->answer_too_big = true;
    return 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    static const char name[] = "retry-after:";
    struct http_transfer *t = arg;
    size_t len = size * count, head = sizeof(name) - 1;
    t->header_bytes += len;
    if (t->header_bytes > HTTP_HEADERS_MAX_BYTES) {
        t->answer_too_big = true;
        return 0;
    }
    if (len > head && len - head < sizeof(t->retry_after) && strncasecmp(data, name, head) == 0) {
        size_t n = len - head;
        memcpy(t->retry_after, data + head, n);
        while (n > 0 && (t->retry_after[n - 1] == '\r' || t->retry_after[n - 1] == '\n'))
            n--;
        t->retry_after[n] = '\0';
    }
    return len;
}

static void set_up(struct http_transfer *t)
{
    const struct conf_gateway *conf = t->gateway->opts.conf;
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_sending);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_USERAGENT, "smschain/" SMSCHAIN_VERSION);
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* not by some variable of the environment */
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_HTTPAUTH,
                     (long)CURLAUTH_BASIC); /* of the URL, if it has one: sent at once, no asking back */
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)HTTP_IDLE_MAX_S);
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, 0L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)conf->connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)conf->answer_timeout_ms);
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_ANSWER_MAX_BYTES);
}

static void set_method(struct http_transfer *t)
{
    const struct conf_gateway *conf = t->gateway->opts.conf;
    bool has_body = conf->request.body != NULL && *conf->request.body != '\0';
    if (has_body || strcasecmp(conf->request.method, "POST") == 0)
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    else
        curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, conf->request.method);
}

struct http_transfer *http_transfer_new(struct gateway *g)
{
    struct http_transfer *t = xcalloc(1, sizeof(*t));
    *t = (struct http_transfer){
        .gateway = g, .easy = curl_easy_init(), .answer = {.max = HTTP_ANSWER_MAX_BYTES}};
    if (t->easy == NULL)
        abort(); /* out of memory: as xmalloc has it */
    request_init(&t->request, g->template);
    set_up(t);
    set_method(t);
    return t;
}

void http_transfer_free(struct http_transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    request_deinit(&t->request);
    buf_deinit(&t->answer);
    free(t);
}

static void begin(struct http_transfer *t)
{
    t->first_bytes = 0;
    t->too_old = t->answer_too_big = false;
    t->header_bytes = 0;
    t->retry_after[0] = t->error[0] = '\0';
    buf_clear(&t->answer);
}

static int build(struct http_transfer *t, const struct gateway_request *r)
{
    int64_t first = r->items[0].number;
    auto_free int64_t *numbers = r->count > 1 ? xmalloc(r->count * sizeof(*numbers)) : NULL;
    for (size_t i = 0; r->count > 1 && i < r->count; i++)
        numbers[i] = r->items[i].number;
    struct request_values v = {.numbers = r->count > 1 ? numbers : &first,
                               .number_count = r->count,
                               .text = r->text,
                               .sender = r->sender,
                               .encoding = r->encoding,
                               .seq_id = r->items[0].seq_id,
                               .segments = r->segments};
    return request_build(t->gateway->template, &v, &t->request);
}

static struct curl_slist *append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (longer == NULL)
        abort();
    return longer;
}

int http_transfer_prepare(struct http_transfer *t, struct gateway_request *r)
{
    begin(t);
    int rc = build(t, r);
    if (rc < 0)
        return rc;
    t->open = r;
    t->is_probe = false;
    struct curl_slist **headers =
        request_headers_fixed(t->gateway->template) ? &t->gateway->fixed_headers : &t->headers;
    if (headers == &t->headers) {
        curl_slist_free_all(t->headers);
        t->headers = NULL;
    }
    if (*headers == NULL) {
        *headers = append(NULL, "Expect:"); /* no waiting for "100 Continue" */
        for (size_t i = 0; i < t->request.header_count; i++)
            *headers = append(*headers, t->request.headers[i].data);
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(t->easy, CURLOPT_URL, t->request.url.data);
    if (t->request.has_body) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request.body.len);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS,
                         t->request.body.data != NULL ? t->request.body.data : "");
    } else if (strcasecmp(t->request.method, "POST") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, "");
    }
    return 0;
}

void http_transfer_prepare_probe(struct http_transfer *t, const char *url)
{
    begin(t);
    t->open = NULL;
    t->is_probe = true;
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)t->gateway->opts.conf->connect_timeout_ms);
}
