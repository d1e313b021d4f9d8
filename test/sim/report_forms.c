/* How each kind of gateway writes its reports, where it sends them, and which answer it takes for a yes. */
#include "lib/clock.h"
#include "test/sim/sim.h"
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#define JSON_TYPE "application/json"
#define CHINA_S   (8 * 3600) /* Asia/Shanghai has had no other offset since 1991 */
#define FATES     (FATE_REJECTED + 1)
#define WHEN_SIZE 32

static char *shanghai_time(int64_t at_ms, char out[WHEN_SIZE])
{
    time_t t = (time_t)(at_ms / 1000 + CHINA_S);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, WHEN_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

static void list_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const char *const words[FATES] = {"ACCEPTD", "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD"};
    char id[32], when[WHEN_SIZE];
    id_format(g->knobs.report_id_form, r->id, id);
    buf_addf(out, "%s,%s,%s,%s", id, r->number, words[r->fate], shanghai_time(r->at_ms, when));
}

static void json_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const char *const words[FATES] = {"ENROUTE", "DELIVERED", "UNDELIVERABLE", "EXPIRED", "REJECTED"};
    static const char *const errors[FATES] = {"", "", "absent subscriber", "validity over",
                                              "blocked by operator"};
    char id[32], when[CLOCK_ISO_SIZE];
    id_format(g->knobs.report_id_form, r->id, id);
    buf_addf(out, "{\"id\":\"%s\",\"to\":\"+%s\",\"status\":\"%s\",\"time\":\"%s\"", id, r->number,
             words[r->fate], clock_iso(r->at_ms, when));
    if (*errors[r->fate] != '\0')
        buf_addf(out, ",\"error\":\"%s\"", errors[r->fate]);
    if (*r->reference != '\0' && g->knobs.report_reference != 0)
        buf_addf(out, ",\"ref\":\"%s\"", r->reference);
    buf_add_char(out, '}');
}

/* MessageStatus=…: a form, in the body. */
static void twilio_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const char *const words[FATES] = {"sent", "delivered", "undelivered", "undelivered", "failed"};
    static const char *const errors[FATES] = {"", "", "30003", "30003", "30007"};
    buf_addf(out,
             "MessageSid=SM%032llx&SmsSid=SM%032llx&MessageStatus=%s&SmsStatus=%s&To=%%2B%s&From=smschain",
             (unsigned long long)r->id, (unsigned long long)r->id, words[r->fate], words[r->fate], r->number);
    buf_addf(out, "&AccountSid=%s&ApiVersion=2010-04-01", g->knobs.user);
    if (*errors[r->fate] != '\0')
        buf_addf(out, "&ErrorCode=%s", errors[r->fate]);
}

static void infobip_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const struct {
        int group_id, id, error_id;
        const char *group, *name, *error_group, *error;
    } words[FATES] = {
        {1, 7, 0, "PENDING", "PENDING_ENROUTE", "OK", "NO_ERROR"},
        {3, 5, 0, "DELIVERED", "DELIVERED_TO_HANDSET", "OK", "NO_ERROR"},
        {2, 9, 27, "UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED", "HANDSET_ERRORS", "EC_ABSENT_SUBSCRIBER"},
        {4, 15, 0, "EXPIRED", "EXPIRED_EXPIRED", "OK", "NO_ERROR"},
        {5, 8, 0, "REJECTED", "REJECTED_DND", "OK", "NO_ERROR"}};
    char when[WHEN_SIZE];
    time_t at = (time_t)(r->at_ms / 1000);
    struct tm tm;
    gmtime_r(&at, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S.000+0000", &tm);
    buf_addf(out,
             "{\"bulkId\":\"1\",\"messageId\":\"%s\",\"to\":\"%s\",\"sentAt\":\"%s\",\"doneAt\":\"%s\","
             "\"smsCount\":1,",
             r->reference, r->number, when, when);
    buf_addf(
        out,
        "\"callbackData\":null,\"status\":{\"groupId\":%d,\"groupName\":\"%s\",\"id\":%d,\"name\":\"%s\","
        "\"description\":\"\"},\"error\":{\"groupId\":%d,\"groupName\":\"%s\",\"id\":%d,\"name\":\"%s\","
        "\"description\":\"\",\"permanent\":false}}",
        words[r->fate].group_id, words[r->fate].group, words[r->fate].id, words[r->fate].name,
        words[r->fate].error_id != 0, words[r->fate].error_group, words[r->fate].error_id,
        words[r->fate].error);
}

static void aliyun_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const char *const words[FATES] = {"", "DELIVERED", "UNDELIV", "EXPIRED", "REJECTD"};
    char id[32], when[WHEN_SIZE];
    id_format(g->knobs.report_id_form, r->id, id);
    shanghai_time(r->at_ms, when);
    buf_addf(out,
             "{\"phone_number\":\"%s\",\"send_time\":\"%s\",\"report_time\":\"%s\",\"success\":%s,\"err_"
             "code\":\"%s\","
             "\"err_msg\":\"\",\"sms_size\":\"1\",\"biz_id\":\"%s^0\",\"out_id\":\"%s\"}",
             r->number, when, when, r->fate == FATE_DELIVERED ? "true" : "false", words[r->fate], id,
             r->reference);
}

/* The caller's own address: a % and a letter in it becomes what that stands for. */
static void kannel_url(const struct report *r, const char *url, struct buf *out)
{
    static const int statuses[FATES] = {8, 1, 2, 2, 16};
    for (; *url != '\0'; url++) {
        char code = *url == '%' ? url[1] : '\0';
        if (code == 'd')
            buf_addf(out, "%d", statuses[r->fate]);
        else if (code == 'T')
            buf_addf(out, "%lld", (long long)(r->at_ms / 1000));
        else if (code == 'A')
            buf_add_str(out, r->fate == FATE_DELIVERED ? "" : "err%3A001");
        else if (code == '%')
            buf_add_char(out, '%');
        else
            buf_add_char(out, *url);
        url += code == 'd' || code == 'T' || code == 'A' || code == '%';
    }
}

static void inbound_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    buf_add_str(out, r->inbound);
}

static const struct report_form {
    void (*one)(const struct gateway *g, const struct report *r,
                struct buf *out); /* NULL: all in the address */
    const char *type, *opens, *between, *closes;
    bool opens_single; /* a report alone is written so, too */
    bool several;      /* in one call */
} forms[] = {
    [REPORT_LIST] = {list_one, "text/plain", "", ";", "", false, true},
    [REPORT_JSON] = {json_one, JSON_TYPE, "[", ",", "]", false, true},
    [REPORT_KANNEL] = {NULL, "", "", "", "", false, false},
    [REPORT_TWILIO] = {twilio_one, "application/x-www-form-urlencoded", "", "", "", false, false},
    [REPORT_INFOBIP] = {infobip_one, JSON_TYPE, "{\"results\":[", ",", "]}", true, true},
    [REPORT_ALIYUN] = {aliyun_one, JSON_TYPE, "[", ",", "]", true, true},
    [REPORT_INBOUND_FORM] = {inbound_one, "application/x-www-form-urlencoded", "", "", "", false, false},
    [REPORT_INBOUND_JSON] = {inbound_one, JSON_TYPE, "", "", "", false, false},
};

bool report_can_say(enum report_kind kind, int64_t mask, enum fate *inout_fate)
{
    static const int64_t bits[FATES] = {8, 1, 2, 2, 16};
    if ((kind == REPORT_KANNEL || kind == REPORT_TWILIO) && *inout_fate == FATE_EXPIRED)
        *inout_fate = FATE_UNDELIVERED;
    if (kind == REPORT_KANNEL)
        return (mask & bits[*inout_fate]) != 0;
    if (kind == REPORT_SMPP) /* registered_delivery, bits 1 and 0 [5.2.17] */
        return (mask & 3) == 1 || ((mask & 3) == 2 && *inout_fate > FATE_DELIVERED);
    return kind != REPORT_ALIYUN || *inout_fate != FATE_ACCEPTED;
}

bool report_may_join(const struct report *first, const struct report *next)
{
    return first->kind == next->kind && forms[first->kind].several &&
           strcmp(report_url(first), report_url(next)) == 0;
}

/* Without its reference: `ref` is a parameter of the address that was given with the request. */
static void add_path(const struct gateway *g, const struct report *r, const char *path, struct buf *out)
{
    const char *ref =
        r->kind == REPORT_TWILIO && g->knobs.report_reference == 0 ? strstr(path, "ref=") : NULL;
    if (ref == NULL) {
        buf_add_str(out, path);
        return;
    }
    buf_add(out, path, (size_t)(ref - path));
    buf_add_str(out, ref + strcspn(ref, "&"));
}

void report_format(const struct gateway *g, const struct report *first, struct buf *request)
{
    const struct report_form *form = &forms[first->kind];
    auto_buf body = {0};
    bool framed = form->opens_single || first->next != NULL;
    buf_add_str(&body, framed ? form->opens : "");
    for (const struct report *r = first; form->one != NULL && r != NULL; r = r->next) {
        buf_add_str(&body, r != first ? form->between : "");
        form->one(g, r, &body);
    }
    buf_add_str(&body, framed ? form->closes : "");

    const char *host = strstr(report_url(first), "://");
    host = host != NULL ? host + 3 : report_url(first);
    size_t host_len = strcspn(host, "/");
    const char *path = host[host_len] != '\0' ? host + host_len : "/";
    if (first->kind == REPORT_KANNEL || (first->kind == REPORT_LIST && g->knobs.report_get != 0)) {
        buf_add_str(request, "GET ");
        if (first->kind == REPORT_KANNEL) {
            kannel_url(first, path, request);
        } else {
            buf_addf(request, "%s?report=", path);
            buf_add_url_encoded(request, body.data, body.len);
        }
        buf_addf(request, " HTTP/1.1\r\nHost: %.*s\r\n\r\n", (int)host_len, host);
        return;
    }
    buf_add_str(request, "POST ");
    add_path(g, first, path, request);
    buf_addf(request, " HTTP/1.1\r\nHost: %.*s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
             (int)host_len, host, form->type, body.len);
    buf_add(request, body.data, body.len);
}

bool report_was_taken(const struct report *first, int status, const char *body)
{
    if (first->kind == REPORT_LIST || first->kind == REPORT_JSON)
        return status == 200;
    if (first->kind != REPORT_ALIYUN)
        return status >= 200 && status <= 299;
    struct json_object *o = json_tokener_parse(body), *code = NULL;
    bool taken =
        status == 200 && json_object_object_get_ex(o, "code", &code) && json_object_get_int(code) == 0;
    json_object_put(o);
    return taken;
}
