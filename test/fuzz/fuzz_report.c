/* A posted report, read in the format that the first byte says: list, form, JSON, XML; its second says how it
 * came. Whatever is in it, what comes out are records that the consumer can read. */
#include "callback/report.h"
#include "fuzz.h"

/* Configuration is not const, and nobody writes to this one. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

static char *fields[] = {"msg_id", "number", "status", "time", "error", "reference"};
static struct conf_status states[] = {{"DELIVRD", STATE_DELIVERED, 1}, {"ENROUTE", STATE_ACCEPTED, 2}};
#define STATES .statuses = states, .status_count = COUNT_OF(states)

static struct conf_gateway gateways[] = {
    {.name = "list",
     .file = "gateways/list.yaml",
     .report = {.posts.format = {.kind = "list",
                                 .fields = {fields, COUNT_OF(fields)},
                                 .record_separator = ";",
                                 .field_separator = ",",
                                 .parameter = "report",
                                 .time_format = "%Y-%m-%d %H:%M:%S",
                                 .time_zone = "Asia/Shanghai"},
                STATES}},
    {.name = "form",
     .file = "gateways/form.yaml",
     .report = {.posts.format = {.kind = "form",
                                 .at = {"id", "to", "s", "at", "e", "ref"},
                                 .time_format = ""},
                STATES}},
    {.name = "json",
     .file = "gateways/json.yaml",
     .report = {.posts.format = {.kind = "json",
                                 .records = "/list",
                                 .at = {"/id", "/to", "/s", "/at", "/e/0", "/ref"},
                                 .time_format = "iso"},
                STATES}},
    {.name = "xml",
     .file = "gateways/xml.yaml",
     .report = {.posts.format = {.kind = "xml",
                                 .records = "/reports/report",
                                 .at = {"/@id", "/to", "/s/code", "/at", "/s/text", "/ref"},
                                 .time_format = ""},
                STATES}},
};

static void check_records(const struct parsed *p)
{
    auto_buf body = {0};
    auto_chunk c = NULL;
    auto_free char *why = NULL;
    const char *at = p->records.data, *end = at + p->records.len;

    chunk_begin(&body, RECORD_STEPS);
    for (const char *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        holds(stop != NULL);
        chunk_add_raw(&body, at, (size_t)(stop - at));
    }
    chunk_end(&body);
    holds(chunk_decode(body.data, body.len, &c, &why) == 0 && c->bad_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct format *formats[COUNT_OF(gateways)];

    if (size < 2)
        return 0;
    size_t i = data[0] % COUNT_OF(gateways);
    if (!formats[i]) {
        char *why = NULL;
        formats[i] = format_new(&gateways[i], &gateways[i].report.posts.format, "report", &why);
        holds(formats[i] != NULL);
    }
    auto_free char *text = fuzz_text(data + 2, size - 2);
    struct posted request = {.at = INT64_C(1774008000000), .form = data[1] & 1};
    struct parsed parsed = {0};
    if (data[1] & 2) {
        request.query = text;
        request.query_len = strlen(text);
    } else {
        request.body = text;
        request.body_len = size - 2;
    }
    int result = report_parse(formats[i], &request, &parsed);
    holds(result == 0 || result == FORMAT_UNREADABLE);
    if (parsed.records.len > 0)
        check_records(&parsed);
    buf_deinit(&parsed.records);
    return 0;
}
