/* Requests on demand as callers send them: whatever the bytes, each is refused with its problems, or becomes
 * a record that render takes. */
#include "extract/asked_internal.h"
#include "fuzz.h"
#include "fuzz_dir.h"

#include <json-c/json.h>
#include <stdio.h>
#include <sys/stat.h>

static void write_file(const char *dir, const char *name, const char *text)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    holds(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void make_files(const char *dir)
{
    static const char *const folders[] = {"templates", "gateways", "callers"};

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        auto_free char *path = xasprintf("%s/%s", dir, folders[i]);
        holds(mkdir(path, 0700) == 0);
    }
    write_file(dir, "smschain.yaml",
               "country_code: \"49\"\ndatabase:\n  conninfo: dbname=x\nbroker:\n  host: h\n");
    write_file(dir, "gateways/g.yaml",
               "rate: 10\nwindow: 10\nrequest:\n  url: \"http://g/{{ number }}/{{ text }}\"\nanswer:\n"
               "  - {status: 200, is: accepted, msg_id: body}\n");
    write_file(dir, "templates/code.liquid",
               "---\nclass: code\n---\n{{ code }} {{ sum | default: 1 | money }}\n");
    write_file(dir, "templates/free.liquid",
               "---\nclass: service\nmax_segments: 3\nforbidden: [casino]\n---\n{{ text }}\n");
    write_file(dir, "callers/c.yaml",
               "broker_user: c\ntemplates: [code]\ntext_template: free\nlanes: [instant, bulk]\n"
               "daily_cap: 1\nroute:\n  - gateway: g\n");
}

/* Read once: a configuration is never changed. */
static struct asked_conf *make_conf(void)
{
    const char *dir = fuzz_dir();
    struct conf *conf = NULL;
    auto_buf report = {0};

    make_files(dir);
    int r = conf_load(dir, "extract", &conf, &report);
    if (r < 0)
        fputs(report.data, stderr);
    holds(r == 0);
    struct confhold *hold = confhold_new(conf);
    struct asked_conf *c = asked_conf_new(hold, &report);
    confhold_unref(hold);
    holds(c != NULL);
    return c;
}

static struct asked_conf *conf;

static void forget(void)
{
    asked_conf_unref(conf);
}

static void record_is_one(const struct asked *a)
{
    auto_buf body = {0};
    auto_chunk c = NULL;
    auto_free char *why = NULL;

    chunk_begin(&body, RECORD_ROWS);
    buf_addf(&body, "{\"sms_id\":1,\"number\":%lld,\"run\":1%s", (long long)a->number, a->record);
    chunk_end(&body);
    holds(chunk_decode(body.data, body.len, &c, &why) == 0 && c->count == 1 && c->bad_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *request = NULL;
    auto_free char *why = NULL;
    struct asked_problems problems = {0};

    if (!conf) {
        conf = make_conf();
        (void)atexit(forget);
    }
    int r = asked_parse(data, size, &request, &why);
    holds((r == 0) == (why == NULL));
    if (r < 0)
        return 0;
    struct asked *a =
        asked_read(conf, asked_caller_by_user(conf, "c"), request, "key", INT64_C(1769846400000), &problems);
    holds((problems.count == 0) == (a->record != NULL));
    for (size_t i = 0; i < problems.count; i++)
        holds(problems.items[i].status >= 400 && problems.items[i].detail && problems.items[i].pointer);
    if (a->record)
        record_is_one(a);
    asked_problems_deinit(&problems);
    asked_free(a);
    json_object_put(request);
    return 0;
}
