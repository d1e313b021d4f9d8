/* One table says which fields a kind has, of which type, and which of them it needs. */
#include "dispatch/adapter_line.h"

#include <json-c/json.h>
#include <stdio.h>

#define DEPTH_MAX 16

/* ---- reading ---- */

static const struct {
    const char *word;
    enum adapter_kind kind;
} kinds[] = {
    {"hello", ADAPTER_HELLO},     {"accepted", ADAPTER_ACCEPTED}, {"refused", ADAPTER_REFUSED},
    {"retry", ADAPTER_RETRY},     {"in_doubt", ADAPTER_IN_DOUBT}, {"report", ADAPTER_REPORT},
    {"inbound", ADAPTER_INBOUND}, {"ping", ADAPTER_PING},         {"pong", ADAPTER_PONG},
    {"error", ADAPTER_ERROR},
};

#define OF(kind)     (1u << ADAPTER_##kind)
#define OF_ANSWERS   (OF(ACCEPTED) | OF(REFUSED) | OF(RETRY) | OF(IN_DOUBT))
#define OF_NEGATIVES (OF(REFUSED) | OF(RETRY) | OF(IN_DOUBT))
#define L(field)     offsetof(struct adapter_line, field)
static const struct field {
    const char *name;
    enum { FIELD_POSITIVE, FIELD_FROM_0, FIELD_BOOL, FIELD_STR } type;
    size_t at;
    unsigned has, needs; /* kinds, a bit each */
} fields[] = {
    {"id", FIELD_POSITIVE, L(id), OF_ANSWERS | OF(PING) | OF(PONG), OF_ANSWERS},
    {"token", FIELD_POSITIVE, L(token), OF(REPORT) | OF(INBOUND), OF(REPORT) | OF(INBOUND)},
    {"version", FIELD_POSITIVE, L(version), OF(HELLO), OF(HELLO)},
    {"name", FIELD_STR, L(name), OF(HELLO), 0},
    {"msg_id", FIELD_STR, L(msg_id), OF(ACCEPTED) | OF(REPORT) | OF(INBOUND), OF(ACCEPTED)},
    {"seq_id", FIELD_STR, L(seq_id), OF(REPORT), 0},
    {"reason", FIELD_STR, L(reason), OF_NEGATIVES | OF(ERROR), 0},
    {"error", FIELD_STR, L(error), OF_NEGATIVES | OF(REPORT) | OF(ERROR), 0},
    {"throttled", FIELD_BOOL, L(throttled), OF(RETRY), 0},
    {"elsewhere", FIELD_BOOL, L(elsewhere), OF(RETRY), 0},
    {"retry_after_ms", FIELD_FROM_0, L(retry_after_ms), OF(RETRY), 0},
    {"status", FIELD_STR, L(status), OF(REPORT), OF(REPORT)},
    {"number", FIELD_STR, L(number), OF(REPORT), 0},
    {"from", FIELD_STR, L(from), OF(INBOUND), OF(INBOUND)},
    {"to", FIELD_STR, L(to), OF(INBOUND), 0},
    {"text", FIELD_STR, L(text), OF(INBOUND), OF(INBOUND)},
    {"at", FIELD_POSITIVE, L(at), OF(REPORT) | OF(INBOUND), 0},
};

static enum adapter_kind kind_of(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].word, word) == 0)
            return kinds[i].kind;
    return 0;
}

/* Each gives NULL, or what is wrong, as it follows the field's name. */
static const char *read_number(struct json_object *from, int64_t least, int64_t *to)
{
    if (!json_object_is_type(from, json_type_int))
        return "is not an integer";
    int64_t n = json_object_get_int64(from); /* beyond 64 bits json-c gives the end of its range */
    if (n < least || n > ADAPTER_NUMBER_MAX)
        return least > 0 ? "is not from 1 to 2^53 - 1" : "is not from 0 to 2^53 - 1";
    *to = n;
    return NULL;
}

static const char *read_str(struct json_object *from, const char **to)
{
    if (!json_object_is_type(from, json_type_string))
        return "is not a string";
    const char *s = json_object_get_string(from);
    if (memchr(s, '\0', (size_t)json_object_get_string_len(from)) != NULL)
        return "holds U+0000"; /* cutting it off there would change the meaning silently */
    *to = s;
    return NULL;
}

static const char *read_field(const struct field *f, struct json_object *from, struct adapter_line *l)
{
    void *to = (char *)l + f->at;
    switch (f->type) {
    case FIELD_POSITIVE:
        return read_number(from, 1, to);
    case FIELD_FROM_0:
        return read_number(from, 0, to);
    case FIELD_BOOL:
        if (!json_object_is_type(from, json_type_boolean))
            return "is not true or false";
        *(bool *)to = json_object_get_boolean(from);
        return NULL;
    case FIELD_STR:
        return read_str(from, to);
    }
    return "is of no known type";
}

/* All fields are looked at, also behind a bad one: a bad line's id and token tell what it was about. */
static int read_fields(struct adapter_line *l, const char *kind, char why[ADAPTER_WHY_SIZE])
{
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const struct field *f = &fields[i];
        struct json_object *value = NULL;
        const char *wrong = NULL;
        if ((f->has & 1u << l->kind) == 0)
            continue;
        if (json_object_object_get_ex(l->root, f->name, &value) && value != NULL)
            wrong = read_field(f, value, l);
        else if ((f->needs & 1u << l->kind) != 0)
            wrong = "is missing";
        if (wrong == NULL || rc != 0)
            continue;
        snprintf(why, ADAPTER_WHY_SIZE, "%s: '%s' %s", kind, f->name, wrong);
        rc = ADAPTER_BAD;
    }
    if (rc == 0 && l->kind == ADAPTER_REPORT && l->msg_id == NULL && l->seq_id == NULL) {
        snprintf(why, ADAPTER_WHY_SIZE, "report: neither 'msg_id' nor 'seq_id' is there");
        rc = ADAPTER_BAD;
    }
    return rc;
}

static struct json_object *parse(const char *text, size_t len, char why[ADAPTER_WHY_SIZE])
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (tokener == NULL)
        abort();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error e = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (e != json_tokener_success || end != len) {
        const char *what = e == json_tokener_success    ? "something follows the object"
                           : e == json_tokener_continue ? "it ends too early"
                                                        : json_tokener_error_desc(e);
        snprintf(why, ADAPTER_WHY_SIZE, "not JSON at byte %zu: %s", end, what);
        json_object_put(root);
        root = NULL;
    } else if (!json_object_is_type(root, json_type_object)) {
        snprintf(why, ADAPTER_WHY_SIZE, "not a JSON object");
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(tokener);
    return root;
}

int adapter_line_read(const char *text, size_t len, struct adapter_line *ret, char ret_why[ADAPTER_WHY_SIZE])
{
    struct json_object *kind = NULL;
    const char *word = NULL;
    *ret = (struct adapter_line){.retry_after_ms = -1};
    ret_why[0] = '\0';
    if (len >= ADAPTER_LINE_MAX) {
        snprintf(ret_why, ADAPTER_WHY_SIZE, "longer than %zu bytes", ADAPTER_LINE_MAX);
        return ADAPTER_UNREADABLE;
    }
    ret->root = parse(text, len, ret_why);
    if (ret->root == NULL)
        return ADAPTER_UNREADABLE;
    if (!json_object_object_get_ex(ret->root, "kind", &kind) || read_str(kind, &word) != NULL) {
        snprintf(ret_why, ADAPTER_WHY_SIZE, "'kind' is missing or is not a string");
        return ADAPTER_UNREADABLE;
    }
    ret->kind = kind_of(word);
    if (ret->kind == 0) {
        snprintf(ret_why, ADAPTER_WHY_SIZE, "this 'kind' is not known in version %d", ADAPTER_VERSION);
        return ADAPTER_UNKNOWN;
    }
    return read_fields(ret, word, ret_why);
}

void adapter_line_free(struct adapter_line *l)
{
    json_object_put(l->root);
    *l = (struct adapter_line){0};
}

/* ---- writing ---- */

static void begin(struct buf *b, const char *kind)
{
    buf_addf(b, "{\"kind\":\"%s\"", kind);
}

static void add_number(struct buf *b, const char *name, int64_t n)
{
    buf_addf(b, ",\"%s\":", name);
    buf_add_i64(b, n);
}

static void add_str(struct buf *b, const char *name, const char *s)
{
    if (s == NULL)
        s = "";
    buf_addf(b, ",\"%s\":", name);
    buf_add_json_str(b, s, strlen(s));
}

static void end(struct buf *b)
{
    buf_add(b, "}\n", 2);
}

void adapter_add_hello(struct buf *b, const struct adapter_hello *h)
{
    begin(b, "hello");
    buf_addf(b, ",\"versions\":[%d]", ADAPTER_VERSION);
    add_str(b, "gateway", h->gateway);
    add_str(b, "software", "smschain " SMSCHAIN_VERSION);
    add_number(b, "window", h->window);
    add_number(b, "line_bytes", (int64_t)ADAPTER_LINE_MAX);
    add_number(b, "answer_timeout_ms", h->answer_timeout_ms);
    add_number(b, "ping_interval_ms", h->ping_interval_ms);
    end(b);
}

void adapter_add_submit(struct buf *b, const struct adapter_submit *s)
{
    begin(b, "submit");
    add_number(b, "id", s->id);
    add_str(b, "seq_id", s->seq_id);
    buf_addf(b, ",\"number\":\"%lld\"", (long long)s->number);
    add_str(b, "text", s->text);
    add_str(b, "sender", s->sender);
    add_str(b, "encoding", s->encoding);
    add_number(b, "segments", s->segments);
    add_number(b, "valid_until", s->valid_until);
    end(b);
}

void adapter_add_kept(struct buf *b, int64_t token, bool kept)
{
    begin(b, "kept");
    add_number(b, "token", token);
    buf_addf(b, ",\"kept\":%s", kept ? "true" : "false");
    end(b);
}

void adapter_add_ping(struct buf *b, int64_t id)
{
    begin(b, "ping");
    add_number(b, "id", id);
    end(b);
}

void adapter_add_pong(struct buf *b, int64_t id)
{
    begin(b, "pong");
    if (id > 0)
        add_number(b, "id", id);
    end(b);
}

void adapter_add_error(struct buf *b, const char *reason, const char *error, int64_t id, int64_t token)
{
    begin(b, "error");
    add_str(b, "reason", reason);
    add_str(b, "error", error);
    if (id > 0)
        add_number(b, "id", id);
    if (token > 0)
        add_number(b, "token", token);
    end(b);
}
