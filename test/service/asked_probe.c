/* Asks for messages from many threads at once through the writer alone, as the doors do: for what a queue
 * cannot show, how requests that come together are entered.
 *
 *   asked_probe CONF CALLER THREADS KEYS PREFIX     every thread asks with all the keys PREFIX0, PREFIX1 …;
 * prints how many answers there were of each kind, and which sms_id each key has */
#include "extract/asked.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>

#define KEYS_MAX 100000

static struct asked_conf *conf;
static const struct conf_caller *caller;
static struct asked_writer *writer;
static const char *prefix;
static long keys;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long answers[ASKED_FAILED + 1], left;
static int64_t sms_ids[KEYS_MAX];
static bool differ;

static void answered(void *arg, const struct asked_answer *a)
{
    int64_t *sms_id = arg;

    pthread_mutex_lock(&lock);
    answers[a->outcome]++;
    if (a->outcome == ASKED_NEW || a->outcome == ASKED_SAME) {
        differ |= *sms_id != 0 && *sms_id != a->sms_id;
        *sms_id = a->sms_id;
    }
    if (--left == 0)
        pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void ask(long n)
{
    auto_free char *key = xasprintf("%s%ld", prefix, n), *why = NULL;
    auto_free char *body = xasprintf(
        "{\"recipient\":\"+49152%08ld\",\"text\":\"Hello %s %ld\",\"lane\":\"instant\"}", n, prefix, n);
    struct json_object *request = NULL;
    struct asked_problems problems;
    struct asked *a;

    if (asked_parse(body, strlen(body), &request, &why) < 0)
        abort();
    a = asked_read(conf, caller, request, key, clock_wall_ms(), &problems);
    if (problems.count > 0)
        fprintf(stderr, "%s: %s\n", problems.items[0].type, problems.items[0].detail);
    asked_problems_deinit(&problems);
    json_object_put(request);
    while (asked_submit(writer, a, answered, &sms_ids[n]) == ASKED_FULL)
        usleep(1000);
}

static void *ask_all(void *arg)
{
    long first = (long)(intptr_t)arg;

    for (long i = 0; i < keys; i++)
        ask((first + i) % keys);
    return NULL;
}

static void load(const char *dir, const char *name)
{
    struct conf *c;
    auto_buf report = {0};

    if (conf_load(dir, "extract", &c, &report) < 0) {
        fputs(report.data, stderr);
        exit(2);
    }
    struct confhold *hold = confhold_new(c);
    conf = asked_conf_new(hold, &report);
    confhold_unref(hold);
    caller = conf ? conf_caller(asked_conf_conf(conf), name) : NULL;
    if (!caller)
        exit(2);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    stop_init();
    log_init("asked_probe", LOG_LOGFMT, LOG_LEVEL_WARN);
    load(argv[1], argv[2]);
    long threads = atol(argv[3]);
    keys = atol(argv[4]);
    prefix = argv[5];
    if (threads < 1 || threads > 256 || keys < 1 || keys > KEYS_MAX)
        return 2;
    left = threads * keys;
    writer = asked_writer_start(&(struct asked_writer_options){.main = &asked_conf_conf(conf)->main});
    pthread_t *started = xcalloc((size_t)threads, sizeof(*started));
    int64_t began = clock_mono_ms();
    for (long i = 0; i < threads; i++)
        if (pthread_create(&started[i], NULL, ask_all, (void *)(intptr_t)(i * 7)) != 0)
            abort();
    for (long i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    pthread_mutex_lock(&lock);
    while (left > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i <= ASKED_FAILED; i++)
        printf("answers %s %ld\n", asked_outcome_word((enum asked_outcome)i), answers[i]);
    printf("differ %d\nms %lld\n", differ, (long long)(clock_mono_ms() - began));
    asked_writer_stop(writer, 1000);
    asked_conf_unref(conf);
    free(started);
    return 0;
}
