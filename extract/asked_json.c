/* The JSON of a request on demand: read strictly, and one digest for all ways of writing the same. Pure. */
#include "extract/asked_internal.h"
#include "lib/buf.h"
#include <ctype.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdio.h>

#define DEPTH_MAX 16

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- what the library lets pass ---- */

struct strict { /* a text that json-c has read without complaint is looked over once more */
    const char *text;
    size_t len, at;
    size_t names;  /* members, each time that one is written */
    bool cut_name; /* the last string holds U+0000, at which json-c ends a member's name */
};

/* From the character behind the opening quote to the one behind the closing one. NULL, or what is wrong. */
static const char *look_at_string(struct strict *s)
{
    s->cut_name = false;
    for (; s->at < s->len && s->text[s->at] != '"'; s->at++) {
        if ((unsigned char)s->text[s->at] < 0x20)
            return "a control character in a string";
        if (s->text[s->at] != '\\')
            continue;
        s->at++;
        s->cut_name = s->cut_name || (s->len - s->at >= 5 && memcmp(s->text + s->at, "u0000", 5) == 0);
    }
    s->at++;
    return NULL;
}

static bool is_digit_at(const struct strict *s, size_t at)
{
    return at < s->len && isdigit((unsigned char)s->text[at]);
}

/* Of what stands outside a string: NaN, Infinity, "1." and "-01", which json-c takes for numbers. */
static bool is_no_number(const struct strict *s, char c)
{
    return c == 'N' || c == 'I' || (c == '.' && !is_digit_at(s, s->at)) ||
           (c == '-' && is_digit_at(s, s->at) && s->text[s->at] == '0' && is_digit_at(s, s->at + 1));
}

/* NULL, or what is wrong, at *ret_at. */
static const char *look_over(struct strict *s, size_t *ret_at)
{
    const char *wrong = NULL;

    while (!wrong && s->at < s->len) {
        char c = s->text[s->at++];
        if (c == '"')
            wrong = look_at_string(s);
        else if (is_no_number(s, c))
            wrong = "number expected";
        else if (c == ':' && s->cut_name)
            wrong = "a member's name holds U+0000";
        s->names += c == ':';
    }
    *ret_at = s->at;
    return wrong || utf8_is_text(s->text, s->len) ? wrong : "not all of it is UTF-8, seen";
}

static size_t count_members(struct json_object *v)
{
    size_t count = 0;

    if (json_object_is_type(v, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(v); i++)
            count += count_members(json_object_array_get_idx(v, i));
    } else if (json_object_is_type(v, json_type_object)) {
        json_object_object_foreach(v, name, value)
        {
            (void)name;
            count += 1 + count_members(value);
        }
    }
    return count;
}

/* ---- reading ---- */

/* NULL, or what is wrong, at *ret_at. */
static const char *parse(const char *text, size_t len, struct json_object **ret, size_t *ret_at)
{
    struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);

    if (!t)
        abort(); /* as xmalloc: no memory */
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *ret = json_tokener_parse_ex(t, text, (int)len);
    enum json_tokener_error e = json_tokener_get_error(t);
    *ret_at = json_tokener_get_parse_end(t);
    if (e == json_tokener_continue) { /* a value that only its end ends: 7, true, null */
        *ret = json_tokener_parse_ex(t, "\n", 1);
        e = json_tokener_get_error(t);
    }
    json_tokener_free(t);
    if (e == json_tokener_continue)
        return "it ends too early";
    if (e != json_tokener_success)
        return json_tokener_error_desc(e);
    if (*ret_at < len)
        return "something follows the value";
    return *ret ? NULL : "expected an object, not null";
}

int asked_parse(const void *body, size_t len, struct json_object **ret, char **ret_why)
{
    struct strict s = {.text = len > 0 ? body : "", .len = len};
    const char *wrong;
    size_t at;

    while (s.len > 0 && is_space(s.text[s.len - 1]))
        s.len--; /* strict: nothing may follow the value */
    wrong = parse(s.text, s.len, ret, &at);
    if (!wrong)
        wrong = look_over(&s, &at);
    if (!wrong &&
        s.names != count_members(*ret)) /* which of the two did whoever looked at it before us take? */
        wrong = "an object has two members of the same name, seen";
    if (!wrong)
        return 0;
    *ret_why = xasprintf("no JSON: %s at byte %zu", wrong, at);
    json_object_put(*ret);
    *ret = NULL;
    return -EINVAL;
}

/* ---- the digest ---- */

/* The library fails here only when it has no memory or no SHA-256 at all: nothing can go on then. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

/* Each part with its kind and length before it, so that no two values give the same bytes. */
static void add(EVP_MD_CTX *ctx, char kind, const char *bytes, size_t len)
{
    char head[32];
    int n = snprintf(head, sizeof(head), "%c%zu:", kind, len);

    must(EVP_DigestUpdate(ctx, head, (size_t)n));
    must(EVP_DigestUpdate(ctx, bytes, len));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_value(EVP_MD_CTX *ctx, struct json_object *v);

static void add_object(EVP_MD_CTX *ctx, struct json_object *v)
{
    size_t count = (size_t)json_object_object_length(v), n = 0;
    auto_free const char **names = xcalloc(count + 1, sizeof(*names));
    struct json_object_iter it;

    json_object_object_foreachC(v, it)
    {
        names[n++] = it.key;
    }
    qsort(names, n, sizeof(*names), by_name);
    add(ctx, '{', "", 0);
    for (size_t i = 0; i < n; i++) {
        add(ctx, 'm', names[i], strlen(names[i]));
        add_value(ctx, json_object_object_get(v, names[i]));
    }
    add(ctx, '}', "", 0);
}

static void add_value(EVP_MD_CTX *ctx, struct json_object *v)
{
    const char *text;

    switch (json_object_get_type(v)) {
    case json_type_object:
        add_object(ctx, v);
        return;
    case json_type_array:
        add(ctx, '[', "", 0);
        for (size_t i = 0; i < json_object_array_length(v); i++)
            add_value(ctx, json_object_array_get_idx(v, i));
        add(ctx, ']', "", 0);
        return;
    case json_type_string:
        add(ctx, 's', json_object_get_string(v), (size_t)json_object_get_string_len(v));
        return;
    case json_type_null:
    case json_type_boolean:
    case json_type_int:
    case json_type_double:
        text = json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN);
        add(ctx, 'v', text, strlen(text));
        return;
    }
}

void asked_body_digest(struct json_object *value, uint8_t out[KEY_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    must(ctx && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL));
    add_value(ctx, value);
    must(EVP_DigestFinal_ex(ctx, digest, NULL));
    EVP_MD_CTX_free(ctx);
    memcpy(out, digest, KEY_SIZE);
}

/* ---- values ---- */

const char *asked_string(struct json_object *value)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;

    return text && memchr(text, '\0', (size_t)json_object_get_string_len(value)) ? NULL : text;
}

bool asked_cell(struct json_object *value, char **ret)
{
    const char *text;

    *ret = NULL;
    switch (json_object_get_type(value)) {
    case json_type_null:
        return true;
    case json_type_string:
        text = asked_string(value);
        if (!text)
            return false;
        *ret = xstrdup(text);
        return true;
    case json_type_int: /* json-c turns what is beyond its range into the end of the range */
        if (json_object_get_int64(value) == INT64_MIN || json_object_get_uint64(value) == UINT64_MAX)
            return false;
        /* fallthrough */
    case json_type_boolean:
    case json_type_double:
        *ret = xstrdup(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        return true;
    case json_type_object:
    case json_type_array:
        break;
    }
    return false;
}
