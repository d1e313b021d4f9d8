/* The effective values, as YAML, secrets as ***: what `smschain config` shows. */
#include "lib/conf_internal.h"

struct printing {
    const struct conf *conf;
    struct buf *out;
};

static void indent(const struct printing *p, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_add_str(p->out, "  ");
}

/* The value with every secret from the environment replaced, in whatever address or header it stands. */
static char *masked(const struct printing *p, const char *value)
{
    char *text = xstrdup(value);

    for (size_t i = 0; i < p->conf->secrets.count; i++) {
        const char *secret = p->conf->secrets.items[i];
        for (char *at = strstr(text, secret); *secret && at; at = strstr(text, secret)) {
            auto_buf out = {0};
            buf_add(&out, text, (size_t)(at - text));
            buf_add_str(&out, "***");
            buf_add_str(&out, at + strlen(secret));
            free(text);
            text = buf_take(&out, NULL);
        }
    }
    return text;
}

/* May stand in YAML without quotes and mean this string. */
static bool is_plain(const char *s)
{
    static const char *const chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+";

    return *s && *s != '-' && s[strspn(s, chars)] == '\0' && strcmp(s, "null") != 0;
}

static void print_str(const struct printing *p, const char *value, int depth)
{
    auto_free char *text = masked(p, value);
    const char *at = text;

    if (is_plain(text)) {
        buf_add_str(p->out, text);
    } else if (strchr(text, '\n') && *text != ' ' && *text != '\n') {
        buf_add_str(p->out, text[strlen(text) - 1] == '\n' ? "|" : "|-");
        while (*at) {
            size_t len = strcspn(at, "\n");
            buf_add_char(p->out, '\n');
            if (len)
                indent(p, depth + 1);
            buf_add(p->out, at, len);
            at += len + (at[len] == '\n');
        }
    } else {
        buf_add_json_str(p->out, text, strlen(text)); /* JSON's strings are YAML's */
    }
}

static void print_number(const struct printing *p, const struct conf_key *key, int64_t n)
{
    char text[32];

    if (key->type == CONF_DURATION)
        buf_add_str(p->out, conf_duration_text(n, text));
    else if (key->type == CONF_SIZE)
        buf_add_str(p->out, conf_size_text(n, text));
    else
        buf_add_i64(p->out, n);
}

static void print_scalar(const struct printing *p, const struct conf_key *key, const char *from, int depth)
{
    const char *at = from + key->at;

    buf_add_char(p->out, ' ');
    if (key->type == CONF_STR || key->type == CONF_WORD) {
        const char *value = conf_pointer_at(from, key->at);
        if (key->secret && *value)
            buf_add_str(p->out, "\"***\"");
        else
            print_str(p, value, depth);
    } else if (key->type == CONF_WORD_ENUM) {
        buf_add_str(p->out, conf_word_of(key->words, *(const int *)(const void *)at));
    } else if (key->type == CONF_WORD_BOOL) {
        buf_add_str(p->out, conf_word_of(key->words, *(const bool *)at));
    } else if (key->type == CONF_BOOL) {
        buf_add_str(p->out, *(const bool *)at ? "true" : "false");
    } else {
        print_number(p, key, *(const int64_t *)(const void *)at);
    }
    buf_add_char(p->out, '\n');
}

static void print_list(const struct printing *p, const struct str_list *list, int depth)
{
    buf_add_str(p->out, " [");
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            buf_add_str(p->out, ", ");
        print_str(p, list->items[i], depth);
    }
    buf_add_str(p->out, "]\n");
}

static void print_map(const struct printing *p, const struct conf_key *key, const struct conf_map *map,
                      int depth)
{
    buf_add_str(p->out, map->count ? "\n" : " {}\n");
    for (size_t i = 0; i < map->count; i++) {
        indent(p, depth + 1);
        print_str(p, map->pairs[i].key, depth + 1);
        buf_add_str(p->out, ": ");
        print_str(p, key->secret ? "***" : map->pairs[i].value, depth + 1);
        buf_add_char(p->out, '\n');
    }
}

static void print_states(const struct printing *p, const struct conf_status *statuses, size_t count,
                         int depth)
{
    buf_add_str(p->out, count ? "\n" : " {}\n");
    for (size_t i = 0; i < count; i++) {
        indent(p, depth + 1);
        print_str(p, statuses[i].word, depth + 1);
        buf_addf(p->out, ": %s\n", conf_word_of(conf_state_words, (int)statuses[i].state));
    }
}

/* dash: the first key stands behind a list's "- ". */
static void print_table(const struct printing *p, const struct conf_table *t, const char *from, int depth,
                        bool dash);

static void print_tables(const struct printing *p, const struct conf_table *t, const char *items,
                         size_t count, int depth)
{
    buf_add_str(p->out, count ? "\n" : " []\n");
    for (size_t i = 0; i < count; i++)
        print_table(p, t, items + i * t->size, depth + 2, true);
}

static void print_key(const struct printing *p, const struct conf_key *key, const char *from, int depth)
{
    size_t count = key->type == CONF_TABLES || key->type == CONF_STATES
                       ? *(const size_t *)(const void *)(from + key->count_at)
                       : 0;

    buf_addf(p->out, "%s:", key->name);
    if (key->type == CONF_SECTION) {
        buf_add_char(p->out, '\n');
        print_table(p, key->table, from + key->at, depth + 1, false);
    } else if (key->type == CONF_TABLES) {
        print_tables(p, key->table, conf_pointer_at(from, key->at), count, depth);
    } else if (key->type == CONF_STATES) {
        print_states(p, conf_pointer_at(from, key->at), count, depth);
    } else if (key->type == CONF_STR_LIST) {
        print_list(p, (const struct str_list *)(const void *)(from + key->at), depth);
    } else if (key->type == CONF_MAP) {
        print_map(p, key, (const struct conf_map *)(const void *)(from + key->at), depth);
    } else {
        print_scalar(p, key, from, depth);
    }
}

static void print_table(const struct printing *p, const struct conf_table *t, const char *from, int depth,
                        bool dash)
{
    for (const struct conf_key *key = t->keys; key->name; key++) {
        bool first = dash && key == t->keys;
        if (key->kind && conf_key_is_foreign(key, (const struct conf_rule *)(const void *)from))
            continue;
        indent(p, first ? depth - 1 : depth);
        if (first)
            buf_add_str(p->out, "- ");
        print_key(p, key, from, depth);
    }
}

static void print_file(const struct printing *p, enum conf_kind kind, const char *file, const void *from)
{
    buf_addf(p->out, "\n# %s\n", file);
    if (kind != CONF_KIND_MAIN)
        buf_add_str(p->out, "---\n");
    print_table(p, &conf_tables[kind], from, 0, false);
}

void conf_print(const struct conf *c, struct buf *out)
{
    const struct printing p = {.conf = c, .out = out};
    auto_free char *file = xasprintf("%s/smschain.yaml", c->dir);

    buf_add_str(out, "# effective values: what the files say, and defaults; secrets are not shown\n");
    print_file(&p, CONF_KIND_MAIN, file, &c->main);
    for (size_t i = 0; i < c->source_count; i++)
        print_file(&p, CONF_KIND_SOURCE, c->sources[i].file, &c->sources[i]);
    for (size_t i = 0; i < c->template_count; i++)
        print_file(&p, CONF_KIND_TEMPLATE, c->templates[i].file, &c->templates[i]);
    for (size_t i = 0; i < c->gateway_count; i++)
        print_file(&p, CONF_KIND_GATEWAY, c->gateways[i].file, &c->gateways[i]);
    for (size_t i = 0; i < c->rule_count; i++)
        print_file(&p, CONF_KIND_RULE, c->rules[i].file, &c->rules[i]);
    for (size_t i = 0; i < c->caller_count; i++)
        print_file(&p, CONF_KIND_CALLER, c->callers[i].file, &c->callers[i]);
}
