/* A bare HTTP client: N requests over C keep-alive connections with curl multi and nothing else. It is the
 * floor under dispatch (the same requests without claim, slot or step) and the load on the intake. http_load
 * [--post-body TEXT] [--header TEXT]… URL REQUESTS CONNECTIONS %d in URL or body becomes the request's
 * number. Prints one JSON line: {"requests":…,"failed":…,"seconds":…} */
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>

struct load {
    CURLM *multi;
    const char *url, *body;
    struct curl_slist *headers;
    int64_t total, started, finished, failed;
};

static size_t drop_body(char *data, size_t size, size_t count, void *arg)
{
    return size * count;
}

/* Replaces the first %d. Foreign formats never reach printf. */
static void put_numbered(struct buf *b, const char *pattern, int64_t n)
{
    const char *hole = strstr(pattern, "%d");

    if (!hole) {
        buf_add_str(b, pattern);
        return;
    }
    buf_add(b, pattern, (size_t)(hole - pattern));
    buf_add_i64(b, n);
    buf_add_str(b, hole + 2);
}

static void start_next(struct load *l, CURL *easy)
{
    auto_buf text = {0};

    if (l->started == l->total)
        return;
    put_numbered(&text, l->url, l->started);
    curl_easy_setopt(easy, CURLOPT_URL, text.data);
    if (l->body) {
        buf_clear(&text);
        put_numbered(&text, l->body, l->started);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, text.data);
    }
    l->started++;
    curl_multi_add_handle(l->multi, easy);
}

static void take_finished(struct load *l)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(l->multi, &left))) {
        CURL *easy = m->easy_handle;
        long status = 0;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (m->data.result != CURLE_OK || status < 200 || status > 299)
            l->failed++;
        l->finished++;
        curl_multi_remove_handle(l->multi, easy);
        start_next(l, easy);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"post-body", required_argument, NULL, 'b'}, {"header", required_argument, NULL, 'h'}, {0}};
    struct load l = {0};
    int64_t begun, connections;
    int opt, running;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'b')
            l.body = optarg;
        else if (opt == 'h')
            l.headers = curl_slist_append(l.headers, optarg);
        else
            return 2;
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: http_load [--post-body TEXT] [--header TEXT]… URL REQUESTS CONNECTIONS\n");
        return 2;
    }
    l.url = argv[optind];
    l.total = atoll(argv[optind + 1]);
    connections = atoll(argv[optind + 2]);

    curl_global_init(CURL_GLOBAL_ALL);
    l.multi = curl_multi_init();
    curl_multi_setopt(l.multi, CURLMOPT_MAXCONNECTS, (long)connections);
    begun = clock_mono_ms();
    for (int64_t i = 0; i < connections; i++) {
        CURL *easy = curl_easy_init();

        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, l.headers);
        start_next(&l, easy);
    }
    while (l.finished < l.total) {
        curl_multi_perform(l.multi, &running);
        take_finished(&l);
        curl_multi_poll(l.multi, NULL, 0, 100, NULL);
    }
    printf("{\"requests\":%lld,\"failed\":%lld,\"seconds\":%.3f}\n", (long long)l.finished,
           (long long)l.failed, (double)(clock_mono_ms() - begun) / 1000.0);
    return 0;
}
