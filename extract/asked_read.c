/* A request on demand is read: its members by name and type, its idempotency key; what is wrong is gathered,
 * not only the first of it. What the members mean is checked in asked_check.c. Pure, but for random keys. */
#include "extract/asked_internal.h"
#include "lib/record.h"
#include "lib/suggest.h"
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#define PROBLEMS_MAX 20
#define NAME_SHOWN   64 /* bytes of a foreign name */

/* ---- problems ---- */

void asked_problem(struct asked_problems *p, unsigned status, const char *type, const char *pointer,
                   const char *detail, ...)
{
    auto_buf words = {0};
    va_list ap;

    if (p->count == PROBLEMS_MAX)
        return;
    va_start(ap, detail);
    buf_vaddf(&words, detail, ap);
    va_end(ap);
    p->items = xrealloc(p->items, (p->count + 1) * sizeof(*p->items));
    p->items[p->count++] = (struct asked_problem){
        .status = status, .type = type, .pointer = xstrdup(pointer), .detail = buf_take(&words, NULL)};
}

void asked_problems_deinit(struct asked_problems *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].pointer);
        free(p->items[i].detail);
    }
    free(p->items);
    *p = (struct asked_problems){0};
}

char *asked_pointer(const char *parent, const char *member)
{
    auto_buf b = {0};

    buf_addf(&b, "%s/", parent);
    for (size_t i = 0; member[i] != '\0' && i < NAME_SHOWN; i++) {
        if (member[i] == '~')
            buf_add_str(&b, "~0");
        else if (member[i] == '/')
            buf_add_str(&b, "~1");
        else
            buf_add_char(&b, member[i]);
    }
    return buf_take(&b, NULL);
}

/* ---- members ---- */

static const struct member {
    const char *name;
    enum json_type type;
    const char *expected;
} members[] = {
    {"recipient", json_type_string, "a string: the number"},
    {"template", json_type_string, "a string: a template's name"},
    {"params", json_type_object, "an object of strings, numbers, booleans and nulls"},
    {"text", json_type_string, "a string"},
    {"lane", json_type_string, "\"instant\" or \"bulk\""},
    {"route", json_type_array, "a list of gateways' names"},
    {"valid_for", json_type_string, "a duration such as \"10m\""},
    {"send_at", json_type_string, "a time such as \"2026-01-31T08:15:00Z\""},
    {"ext_id", json_type_string, "a string"},
};

static void unknown_member(struct asked_reading *r, const char *name)
{
    struct suggest s = {.word = name, .len = strlen(name)};
    auto_free char *pointer = asked_pointer("", name);

    for (size_t i = 0; i < COUNT_OF(members); i++)
        suggest_offer(&s, members[i].name);
    if (s.best)
        asked_problem(r->problems, 422, "unknown_member", pointer,
                      "there is no such member; did you mean '%s'?", s.best);
    else
        asked_problem(r->problems, 422, "unknown_member", pointer, "there is no such member");
}

static void check_names(struct asked_reading *r)
{
    struct json_object_iter it;

    json_object_object_foreachC(r->request, it)
    {
        size_t i = 0;
        while (i < COUNT_OF(members) && strcmp(members[i].name, it.key) != 0)
            i++;
        if (i == COUNT_OF(members))
            unknown_member(r, it.key);
    }
}

/* NULL: not there (null counts as that), or of the wrong type, which is said. */
static struct json_object *member(struct asked_reading *r, const char *name)
{
    struct json_object *value = NULL;
    auto_free char *pointer = asked_pointer("", name);
    size_t i = 0;

    while (strcmp(members[i].name, name) != 0)
        i++;
    if (!json_object_object_get_ex(r->request, name, &value) || !value)
        return NULL;
    if (json_object_is_type(value, members[i].type))
        return value;
    asked_problem(r->problems, 422, "wrong_type", pointer, "expected %s", members[i].expected);
    return NULL;
}

static const char *string_member(struct asked_reading *r, const char *name)
{
    struct json_object *value = member(r, name);
    auto_free char *pointer = asked_pointer("", name);
    const char *text = asked_string(value);

    if (text || !value)
        return text;
    asked_problem(r->problems, 422, "wrong_type", pointer, "holds U+0000, which no text may");
    return NULL;
}

static void read_ext_id(struct asked_reading *r)
{
    const char *ext_id = string_member(r, "ext_id");

    if (!ext_id)
        return;
    if (*ext_id == '\0' || strlen(ext_id) > ASKED_EXT_MAX)
        asked_problem(r->problems, 422, "ext_id", "/ext_id", "expected 1 to %d bytes", ASKED_EXT_MAX);
    else
        r->asked->ext_id = xstrdup(ext_id);
}

static void read_params(struct asked_reading *r)
{
    struct json_object_iter it;

    r->params = member(r, "params");
    if (!r->params)
        return;
    r->cells = xcalloc((size_t)json_object_object_length(r->params) + 1, sizeof(*r->cells));
    json_object_object_foreachC(r->params, it)
    {
        auto_free char *pointer = asked_pointer("/params", it.key);
        char *value;
        if (asked_cell(it.val, &value))
            r->cells[r->cell_count++] = (struct row_cell){.name = xstrdup(it.key), .value = value};
        else
            asked_problem(
                r->problems, 422, "wrong_type", pointer,
                "expected a string without U+0000, a number of at most 64 bits, true, false or null");
    }
}

static void read_members(struct asked_reading *r)
{
    check_names(r);
    r->recipient = string_member(r, "recipient");
    r->template_name = string_member(r, "template");
    r->text = string_member(r, "text");
    r->lane = string_member(r, "lane");
    r->route = member(r, "route");
    read_params(r);
    read_ext_id(r);
    asked_check(r);
}

/* ---- the key ---- */

static bool key_is_fine(const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
            return false;
    return len > 0 && len <= ASKED_KEY_MAX;
}

static void make_key(struct asked_reading *r, const char *key)
{
    auto_free char *rule = xasprintf(CALLER_RULE_PREFIX "%s", r->caller->name);
    struct key_maker *maker;

    if (key && !key_is_fine(key))
        asked_problem(r->problems, 422, "idempotency_key", "",
                      "the idempotency key: expected 1 to %d bytes without control characters",
                      ASKED_KEY_MAX);
    if (!key || !key_is_fine(key)) {
        if (getrandom(r->asked->key, KEY_SIZE, 0) != KEY_SIZE)
            abort();
        return;
    }
    maker = key_maker_new(rule);
    key_make(maker, &key, 1, r->asked->key);
    key_maker_free(maker);
}

/* ---- the whole ---- */

struct asked *asked_read(const struct asked_conf *c, const struct conf_caller *caller,
                         struct json_object *request, const char *key, int64_t now_ms,
                         struct asked_problems *ret)
{
    struct asked *a = xcalloc(1, sizeof(*a));
    struct asked_reading r = {
        .conf = c, .caller = caller, .request = request, .now_ms = now_ms, .asked = a, .problems = ret};

    *ret = (struct asked_problems){0};
    a->caller = xstrdup(caller->name);
    a->cap = caller->daily_cap;
    make_key(&r, key);
    asked_body_digest(request, a->body);
    if (json_object_is_type(request, json_type_object))
        read_members(&r);
    else
        asked_problem(ret, 422, "wrong_type", "", "expected an object with the members of a request");
    for (size_t i = 0; i < r.cell_count; i++) {
        free(r.cells[i].name);
        free(r.cells[i].value);
    }
    free(r.cells);
    return a;
}

void asked_free(struct asked *a)
{
    if (!a)
        return;
    free(a->caller);
    free(a->ext_id);
    free(a->record);
    free(a);
}

bool asked_same_key(const struct asked *a, const struct asked *b)
{
    return memcmp(a->key, b->key, KEY_SIZE) == 0;
}
