/* The JSON of a request on demand: read strictly, and one digest for all ways of writing the same. Pure. */
#include "extract/asked_internal.h"
#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdio.h>

#define DEPTH_MAX 16

int asked_parse(const void *body, size_t len, struct json_object **ret, char **ret_why)
{
    const char *text = len > 0 ? body : "";
    struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);

    if (!t)
        abort(); /* as xmalloc: no memory */
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--; /* strict: nothing may follow the value */
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *ret = json_tokener_parse_ex(t, text, (int)len);
    enum json_tokener_error e = json_tokener_get_error(t);
    size_t end = json_tokener_get_parse_end(t);
    json_tokener_free(t);
    if (e == json_tokener_success && end == len)
        return 0;
    *ret_why = xasprintf("no JSON: %s at byte %zu",
                         e == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(e), end);
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

bool asked_cell(struct json_object *value, char **ret)
{
    const char *text;

    *ret = NULL;
    switch (json_object_get_type(value)) {
    case json_type_null:
        return true;
    case json_type_string:
        text = json_object_get_string(value);
        if (memchr(text, '\0', (size_t)json_object_get_string_len(value)))
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
