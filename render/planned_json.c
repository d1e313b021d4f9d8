/* Figures as JSON and back: what `run.planned` holds. A version that is not ours is not read. */
#include "render/planned.h"
#include <json-c/json.h>
#include <stdio.h>

#define PLANNED_VERSION 1
#define DEPTH_MAX       8

/* ---- writing ---- */

static void add_text(struct buf *out, const char *text)
{
    buf_add_json_str(out, text, strlen(text));
}

static void add_shapes(const struct planned *f, struct buf *out)
{
    bool first = true;

    buf_add_str(out, ",\"shapes\":[");
    for (int e = TEXT_GSM7; e <= TEXT_UCS2; e++) {
        for (int n = 1; n <= TEXT_SEGMENTS_MAX; n++) {
            if (f->shapes[e][n] == 0)
                continue;
            buf_addf(out, "%s{\"encoding\":\"%s\",\"segments\":%d,\"messages\":%lld}", first ? "" : ",",
                     text_encoding_word((enum text_encoding)e), n, (long long)f->shapes[e][n]);
            first = false;
        }
    }
    buf_add_str(out, "],\"characters\":[");
    for (size_t i = 0; i < f->character_count; i++)
        buf_addf(out, "%s{\"code\":%u,\"messages\":%lld}", i > 0 ? "," : "", f->characters[i].code,
                 (long long)f->characters[i].messages);
    buf_addf(out, "],\"other_characters\":%lld", (long long)f->other_characters);
}

static void add_costs(const struct planned_cost *costs, size_t count, struct buf *out)
{
    char money[PLANNED_MONEY_SIZE];

    buf_add_str(out, ",\"costs\":[");
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s{\"currency\":\"%s\",\"amount\":\"%s\",\"micro\":%lld}", i > 0 ? "," : "",
                 costs[i].currency, planned_money(costs[i].micro, money), (long long)costs[i].micro);
    buf_add_char(out, ']');
}

static void add_gateways(const struct planned *f, struct buf *out)
{
    buf_add_str(out, ",\"gateways\":[");
    for (size_t i = 0; i < f->gateway_count; i++) {
        const struct planned_gateway *g = &f->gateways[i];
        buf_add_str(out, i > 0 ? ",{\"gateway\":" : "{\"gateway\":");
        add_text(out, g->name);
        buf_addf(out, ",\"messages\":%lld,\"segments\":%lld,\"unpriced\":%lld", (long long)g->messages,
                 (long long)g->segments, (long long)g->unpriced);
        add_costs(g->costs, g->cost_count, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void add_reasons(const struct planned *f, struct buf *out)
{
    buf_add_str(out, ",\"reasons\":[");
    for (size_t i = 0; i < f->reason_count; i++) {
        const struct planned_error *e = &f->reasons[i];
        buf_add_str(out, i > 0 ? ",{\"reason\":" : "{\"reason\":");
        add_text(out, e->reason);
        buf_addf(out, ",\"count\":%lld,\"examples\":[", (long long)e->count);
        for (size_t n = 0; n < e->example_count; n++) {
            buf_add_str(out, n > 0 ? ",{\"key\":" : "{\"key\":");
            add_text(out, e->examples[n].key);
            buf_add_str(out, ",\"error\":");
            add_text(out, e->examples[n].error);
            buf_add_char(out, '}');
        }
        buf_add_str(out, "]}");
    }
    buf_add_char(out, ']');
}

void planned_encode(const struct planned *f, struct buf *out)
{
    struct planned_cost costs[PLANNED_CURRENCIES];
    size_t count = planned_costs(f, costs, COUNT_OF(costs));

    buf_addf(out, "{\"v\":%d,\"messages\":%lld,\"segments\":%lld,\"errors\":%lld", PLANNED_VERSION,
             (long long)f->messages, (long long)f->segments, (long long)f->errors);
    add_shapes(f, out);
    add_costs(costs, count, out); /* of all gateways; for readers, not read back */
    add_gateways(f, out);
    add_reasons(f, out);
    buf_add_char(out, '}');
}

/* ---- reading ---- */

static json_object *member(json_object *o, const char *name)
{
    json_object *value = NULL;

    return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, name, &value) ? value
                                                                                                  : NULL;
}

static int64_t big(json_object *o, const char *name)
{
    return json_object_get_int64(member(o, name));
}

static const char *text(json_object *o, const char *name)
{
    const char *s = json_object_get_string(member(o, name));

    return s ? s : "";
}

static size_t length(json_object *o, size_t max)
{
    return json_object_is_type(o, json_type_array) ? MIN_OF(json_object_array_length(o), max) : 0;
}

static void read_shapes(json_object *root, struct planned *f)
{
    json_object *shapes = member(root, "shapes"), *characters = member(root, "characters");

    for (size_t i = 0; i < length(shapes, SIZE_MAX); i++) {
        json_object *s = json_object_array_get_idx(shapes, i);
        int64_t n = big(s, "segments");
        enum text_encoding e =
            strcmp(text(s, "encoding"), text_encoding_word(TEXT_UCS2)) == 0 ? TEXT_UCS2 : TEXT_GSM7;
        if (n >= 1 && n <= TEXT_SEGMENTS_MAX)
            f->shapes[e][n] = big(s, "messages");
    }
    f->character_count = length(characters, PLANNED_CHARACTERS);
    for (size_t i = 0; i < f->character_count; i++) {
        json_object *c = json_object_array_get_idx(characters, i);
        f->characters[i] = (struct planned_character){(uint32_t)big(c, "code"), big(c, "messages")};
    }
    f->other_characters = big(root, "other_characters");
}

static void read_gateways(json_object *root, struct planned *f)
{
    json_object *gateways = member(root, "gateways");

    for (size_t i = 0; i < length(gateways, PLANNED_GATEWAYS); i++) {
        json_object *o = json_object_array_get_idx(gateways, i), *costs = member(o, "costs");
        struct planned_gateway g = {.name = xstrdup(text(o, "gateway")),
                                    .messages = big(o, "messages"),
                                    .segments = big(o, "segments"),
                                    .unpriced = big(o, "unpriced"),
                                    .cost_count = length(costs, PLANNED_CURRENCIES)};
        for (size_t n = 0; n < g.cost_count; n++) {
            json_object *c = json_object_array_get_idx(costs, n);
            snprintf(g.costs[n].currency, sizeof(g.costs[n].currency), "%.3s", text(c, "currency"));
            g.costs[n].micro = big(c, "micro");
        }
        f->gateways = xrealloc(f->gateways, (f->gateway_count + 1) * sizeof(*f->gateways));
        f->gateways[f->gateway_count++] = g;
    }
}

static void read_reasons(json_object *root, struct planned *f)
{
    json_object *reasons = member(root, "reasons");

    f->reason_count = length(reasons, PLANNED_REASONS);
    for (size_t i = 0; i < f->reason_count; i++) {
        json_object *o = json_object_array_get_idx(reasons, i), *examples = member(o, "examples");
        struct planned_error *e = &f->reasons[i];
        *e = (struct planned_error){.reason = xstrdup(text(o, "reason")),
                                    .count = big(o, "count"),
                                    .example_count = length(examples, PLANNED_EXAMPLES)};
        for (size_t n = 0; n < e->example_count; n++) {
            json_object *x = json_object_array_get_idx(examples, n);
            e->examples[n] = (struct planned_example){xstrdup(text(x, "key")), xstrdup(text(x, "error"))};
        }
    }
}

struct planned *planned_decode(const char *json, size_t len)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    json_object *root = tokener && len <= INT32_MAX ? json_tokener_parse_ex(tokener, json, (int)len) : NULL;
    struct planned *f = NULL;

    if (root && big(root, "v") == PLANNED_VERSION) {
        f = planned_new();
        f->messages = big(root, "messages");
        f->segments = big(root, "segments");
        f->errors = big(root, "errors");
        read_shapes(root, f);
        read_gateways(root, f);
        read_reasons(root, f);
    }
    json_object_put(root);
    json_tokener_free(tokener);
    return f;
}
