/* A gateway like Aliyun's SMS service: GET /?Action=SendSms&…&Signature=…, several numbers of one text a
 * request and one BizId for all of them. The signature (HMAC-SHA1 over the sorted parameters) is worked out
 * anew here; a nonce counts once, a timestamp a quarter of an hour. Numbers are refused together: the answer
 * does not say which. */
#include "lib/clock.h"
#include "test/sim/sim.h"
#include <json-c/json.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

#define JSON_TYPE   "application/json"
#define NUMBERS_MAX 1000
#define TOLERANCE_S 900
#define SIGNATURE   "Signature"
#define DIGEST_TEXT 29 /* base64 of 20 bytes, and its NUL */

static struct seen nonces;

static void answer_code(struct gateway *g, struct conn *c, int status, const char *code)
{
    struct buf body = {0};
    buf_addf(&body, "{\"Code\":\"%s\",\"Message\":\"%s\",\"RequestId\":\"%lld\"}", code, code,
             (long long)g->counters.requests);
    gateway_answer(g, c, status, &body, JSON_TYPE);
    buf_deinit(&body);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* METHOD&%2F&encoded(name=value&name=value…), names and values encoded once more. */
static void string_to_sign(const char *method, const struct form *f, struct buf *ret)
{
    char *lines[FORM_MAX];
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct buf line = {0};
        if (strcmp(f->pairs[i].name, SIGNATURE) == 0)
            continue;
        buf_add_url_encoded(&line, f->pairs[i].name, strlen(f->pairs[i].name));
        buf_add_char(&line, '=');
        buf_add_url_encoded(&line, f->pairs[i].value, strlen(f->pairs[i].value));
        lines[n++] = buf_take(&line, NULL);
    }
    qsort(lines, n, sizeof(*lines), by_name);
    auto_buf joined = {0};
    for (size_t i = 0; i < n; i++) {
        buf_addf(&joined, "%s%s", i > 0 ? "&" : "", lines[i]);
        free(lines[i]);
    }
    buf_addf(ret, "%s&%%2F&", method);
    buf_add_url_encoded(ret, joined.len > 0 ? joined.data : "", joined.len);
}

static bool signed_right(const struct gateway *g, const char *method, const struct form *f)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[DIGEST_TEXT];
    unsigned size = 0;
    const char *signature = form_value(f, SIGNATURE);
    auto_buf to_sign = {0};
    auto_free char *key = xasprintf("%s&", g->knobs.password);
    if (signature == NULL || *g->knobs.password == '\0')
        return false;
    string_to_sign(method, f, &to_sign);
    if (HMAC(EVP_sha1(), key, (int)strlen(key), (const unsigned char *)to_sign.data, to_sign.len, digest,
             &size) == NULL)
        abort();
    EVP_EncodeBlock(text, digest, (int)size);
    return strcmp((const char *)text, signature) == 0;
}

static bool in_time(const char *timestamp)
{
    struct tm tm = {0};
    const char *end = timestamp != NULL ? strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
    return end != NULL && *end == '\0' && llabs((long long)timegm(&tm) - loop_now_ms() / 1000) <= TOLERANCE_S;
}

/* NULL: all is well. */
static const char *wrong_credentials(const struct gateway *g, const char *method, const struct form *f)
{
    const char *key = form_value(f, "AccessKeyId"), *nonce = form_value(f, "SignatureNonce");
    if (key == NULL || (*g->knobs.user != '\0' && strcmp(g->knobs.user, key) != 0))
        return "InvalidAccessKeyId.NotFound";
    if (!signed_right(g, method, f))
        return "SignatureDoesNotMatch";
    if (!in_time(form_value(f, "Timestamp")))
        return "InvalidTimeStamp.Expired";
    if (nonce == NULL || seen_before(&nonces, hash_of(3, nonce, strlen(nonce))))
        return "SignatureNonceUsed";
    return NULL;
}

struct request {
    char *numbers[NUMBERS_MAX];
    size_t count;
    struct json_object *parameters;
    const char *text;
};

static bool read_request(const struct form *f, struct request *q)
{
    char *list = form_value(f, "PhoneNumbers"), *number, *action = form_value(f, "Action");
    const char *parameters = form_value(f, "TemplateParam"), *sender = form_value(f, "SignName");
    struct json_object *text = NULL;
    while (list != NULL && (number = strsep(&list, ",")) != NULL) {
        number = number_read(number);
        if (number == NULL || q->count == NUMBERS_MAX)
            return false;
        q->numbers[q->count++] = number;
    }
    q->parameters = parameters != NULL ? json_tokener_parse(parameters) : NULL;
    if (json_object_object_get_ex(q->parameters, "text", &text))
        q->text = json_object_get_string(text);
    return action != NULL && strcmp(action, "SendSms") == 0 && sender != NULL && q->count > 0 &&
           q->text != NULL;
}

static void accept_numbers(struct gateway *g, struct conn *c, const struct request *q, const char *out_id)
{
    struct accepted one = {.id = gateway_new_id(g),
                           .text = q->text,
                           .request_reference = out_id,
                           .kind = REPORT_ALIYUN,
                           .early = share_hits(&g->knobs.early)};
    struct buf body = {0};
    char id[32];
    for (size_t i = 0; i < q->count; i++) {
        one.number = q->numbers[i];
        gateway_accept(g, c, &one);
    }
    id_format(g->knobs.id_form, one.id, id);
    buf_addf(&body, "{\"Code\":\"OK\",\"Message\":\"OK\",\"RequestId\":\"%lld\",\"BizId\":\"%s^0\"}",
             (long long)g->counters.requests, id);
    gateway_answer(g, c, 200, &body, JSON_TYPE);
    buf_deinit(&body);
}

void aliyun_send(struct gateway *g, struct conn *c, struct http_request *r)
{
    static const struct answer throttled = {
        400, JSON_TYPE,
        "{\"Code\":\"Throttling.User\",\"Message\":\"Request was denied due to user flow control.\"}"};
    struct form f;
    if (gateway_before(g, c, &throttled) == DONE_WITH)
        return;
    if (!form_read(r, &f)) {
        g->counters.bad_requests++;
        answer_code(g, c, 400, "InvalidParameter");
        return;
    }
    const char *wrong = wrong_credentials(g, r->method, &f);
    if (wrong != NULL) {
        g->counters.unauthorised++;
        answer_code(g, c, 400, wrong);
        return;
    }
    auto_free struct request *q = xcalloc(1, sizeof(*q));
    bool readable = read_request(&f, q), refused = false;
    for (size_t i = 0; readable && i < q->count; i++)
        refused |= gateway_refuses(g, q->numbers[i]);
    if (!readable || refused) {
        g->counters.bad_requests += !readable;
        g->counters.refused += refused ? (int64_t)q->count : 0;
        answer_code(g, c, 200, readable ? "isv.MOBILE_NUMBER_ILLEGAL" : "isv.INVALID_PARAMETERS");
    } else {
        accept_numbers(g, c, q, form_value(&f, "OutId"));
    }
    json_object_put(q->parameters);
}

void aliyun_free(void)
{
    free(nonces.slots);
}
