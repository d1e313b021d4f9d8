/* From the tree into the struct, as the table says: defaults first, then what the file says; unknown keys,
 * missing keys and values that do not fit become errors, and reading goes on. */
#include "lib/conf_internal.h"
#include "lib/suggest.h"

#include <stdio.h>

#define KEYS_MAX 64 /* of one table; the unit test counts them */

const struct conf_word conf_state_words[] = {{"delivered", STATE_DELIVERED},
                                             {"undelivered", STATE_UNDELIVERED},
                                             {"rejected", STATE_REJECTED},
                                             {"expired", STATE_EXPIRED},
                                             {"unknown", STATE_UNKNOWN},
                                             {"progress", STATE_ACCEPTED},
                                             {0}};

static void fill_table(struct conf_reader *r, const struct conf_table *t, const struct conf_node *root,
                       char *into, const char *owner);

const struct conf_key *conf_table_key(const struct conf_table *t, const char *name, size_t len)
{
    for (const struct conf_key *key = t->keys; key->name; key++) {
        if (strlen(key->name) == len && !strncmp(key->name, name, len))
            return key;
    }
    return NULL;
}

/* ---- defaults and end ---- */
static bool is_str(const struct conf_key *key)
{
    return key->type == CONF_STR || key->type == CONF_WORD;
}

/* A default list is written as it would stand in the file: [one, two words]. */
static void set_default_list(const char *fallback, struct str_list *list)
{
    for (const char *at = fallback + 1; *at && *at != ']';) {
        size_t len = strcspn(at, ",]");
        auto_free char *item = xstrndup(at, len);
        str_list_add(list, item);
        at += len;
        at += strspn(at, ", ");
    }
}

static void set_defaults(const struct conf_table *t, char *into)
{
    char message[CONF_MESSAGE_MAX];

    for (const struct conf_key *key = t->keys; key->name; key++) {
        if (key->type == CONF_SECTION) {
            set_defaults(key->table, into + key->at);
        } else if (is_str(key)) {
            conf_pointer_set(into, key->at, xstrdup(key->fallback ? key->fallback : ""));
        } else if (key->type == CONF_STR_LIST && key->fallback) {
            set_default_list(key->fallback, (struct str_list *)(void *)(into + key->at));
        } else if (key->fallback && !conf_store(key, key->fallback, into + key->at, message)) {
            abort(); /* a default out of its own bounds: the unit test reads all of them */
        }
    }
}

static void free_map(struct conf_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        free(map->pairs[i].key);
        free(map->pairs[i].value);
    }
    free(map->pairs);
    *map = (struct conf_map){0};
}

static void free_key(const struct conf_key *key, char *from)
{
    size_t count =
        key->type == CONF_TABLES || key->type == CONF_STATES ? *(size_t *)(void *)(from + key->count_at) : 0;

    if (is_str(key)) {
        free(conf_pointer_at(from, key->at));
    } else if (key->type == CONF_STR_LIST) {
        str_list_deinit((struct str_list *)(void *)(from + key->at));
    } else if (key->type == CONF_MAP) {
        free_map((struct conf_map *)(void *)(from + key->at));
    } else if (key->type == CONF_SECTION) {
        conf_fill_free(key->table, from + key->at);
    } else if (key->type == CONF_TABLES) {
        for (size_t i = 0; i < count; i++)
            conf_fill_free(key->table, (char *)conf_pointer_at(from, key->at) + i * key->table->size);
        free(conf_pointer_at(from, key->at));
    } else if (key->type == CONF_STATES) {
        struct conf_status *statuses = conf_pointer_at(from, key->at);
        for (size_t i = 0; i < count; i++)
            free(statuses[i].word);
        free(statuses);
    }
}

void conf_fill_free(const struct conf_table *t, void *from)
{
    for (const struct conf_key *key = t->keys; key->name; key++)
        free_key(key, from);
}

/* ---- values ---- */
bool conf_node_is_null(const struct conf_node *n)
{
    return n->type == CONF_NODE_SCALAR && n->style == CONF_PLAIN &&
           (!*n->value || !strcmp(n->value, "~") || !strcmp(n->value, "null"));
}

static const char *node_word(const struct conf_node *n)
{
    return n->type == CONF_NODE_MAP ? "a mapping" : n->type == CONF_NODE_LIST ? "a list" : "a single value";
}

static bool expect_node(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n,
                        int type)
{
    static const char *const expected[] = {
        [CONF_NODE_SCALAR] = "a single value",
        [CONF_NODE_LIST] = "a list",
        [CONF_NODE_MAP] = "a mapping (key: value, indented)",
    };

    if ((int)n->type == type)
        return true;
    conf_error_at(r->report, r->file, n, "%s: expected %s, got %s", key->name, expected[type], node_word(n));
    return false;
}

static void fill_scalar(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n,
                        char *into, const char *owner, bool from_file)
{
    char message[CONF_MESSAGE_MAX] = "";
    auto_free char *text = NULL;

    if (!expect_node(r, key, n, CONF_NODE_SCALAR))
        return;
    int code = from_file ? conf_read_secret(r, key, owner, n, &text) : conf_expand(r, key, owner, n, &text);
    if (code)
        return;
    if (!conf_store(key, text, into + key->at, message))
        conf_error_at(r->report, r->file, n, "%s: %s", key->name, message);
    if (key->line_at)
        *(int *)(void *)(into + key->line_at) = n->text_line;
}

int conf_key_about(const struct conf_key *key)
{
    const char *end = strstr(key->help, ". ");

    return end ? (int)(end - key->help) + 1 : (int)strlen(key->help);
}

static bool count_fits(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n)
{
    if ((int64_t)n->count < key->min)
        conf_error_at(r->report, r->file, n, "%s: is empty, expected at least %lld. %.*s", key->name,
                      (long long)key->min, conf_key_about(key), key->help);
    else if (key->max && (int64_t)n->count > key->max)
        conf_error_at(r->report, r->file, n, "%s: expected at most %lld, got %zu", key->name,
                      (long long)key->max, n->count);
    else
        return true;
    return false;
}

static void fill_list(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n,
                      char *into, const char *owner)
{
    struct str_list *list = (struct str_list *)(void *)(into + key->at);
    char message[CONF_MESSAGE_MAX] = "";

    bool alone = key->or_one && n->type == CONF_NODE_SCALAR;
    if (!alone && (!expect_node(r, key, n, CONF_NODE_LIST) || !count_fits(r, key, n)))
        return;
    str_list_deinit(list); /* the default */
    for (size_t i = 0; i < (alone ? 1 : n->count); i++) {
        const struct conf_node *item = alone ? n : n->items[i];
        auto_free char *text = NULL;
        if (!expect_node(r, key, item, CONF_NODE_SCALAR) || conf_expand(r, key, owner, item, &text))
            continue;
        if (key->form && !key->form(text, message))
            conf_error_at(r->report, r->file, item, "%s: %s", key->name, message);
        else
            str_list_add(list, text + (key->form == conf_form_number && *text == '+'));
    }
}

static void fill_map(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n, char *into,
                     const char *owner)
{
    struct conf_map *map = (struct conf_map *)(void *)(into + key->at);
    char message[CONF_MESSAGE_MAX] = "";

    if (!expect_node(r, key, n, CONF_NODE_MAP) || !count_fits(r, key, n))
        return;
    map->pairs = xcalloc(n->count + 1, sizeof(*map->pairs));
    for (size_t i = 0; i < n->count; i++) {
        const struct conf_node *value = n->pairs[i].value;
        auto_free char *text = NULL;
        if (!expect_node(r, key, value, CONF_NODE_SCALAR) || conf_expand(r, key, owner, value, &text))
            continue;
        if (key->form && !key->form(text, message))
            conf_error_at(r->report, r->file, value, "%s: %s: %s", key->name, n->pairs[i].key->value,
                          message);
        else
            map->pairs[map->count++] = (struct conf_pair){
                .key = xstrdup(n->pairs[i].key->value), .value = xstrdup(text), .line = value->text_line};
    }
}

static void fill_states(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n,
                        char *into, const char *owner)
{
    struct conf_status *statuses;
    size_t count = 0;

    if (!expect_node(r, key, n, CONF_NODE_MAP) || !count_fits(r, key, n))
        return;
    statuses = xcalloc(n->count + 1, sizeof(*statuses));
    for (size_t i = 0; i < n->count; i++) {
        const struct conf_node *value = n->pairs[i].value;
        int state = 0;
        char message[CONF_MESSAGE_MAX] = "";
        auto_free char *text = NULL;
        if (!expect_node(r, key, value, CONF_NODE_SCALAR) || conf_expand(r, key, owner, value, &text))
            continue;
        const struct conf_key as_word = {
            .name = key->name, .type = CONF_WORD_ENUM, .words = conf_state_words};
        if (!conf_store(&as_word, text, &state, message))
            conf_error_at(r->report, r->file, value, "%s: %s: %s", key->name, n->pairs[i].key->value,
                          message);
        else
            statuses[count++] = (struct conf_status){.word = xstrdup(n->pairs[i].key->value),
                                                     .state = (enum state)state,
                                                     .line = n->pairs[i].key->line};
    }
    conf_pointer_set(into, key->at, statuses);
    *(size_t *)(void *)(into + key->count_at) = count;
}

/* Every item of the list gets its struct, also where it is wrong: indexes stay those of the file. */
static void fill_tables(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n,
                        char *into, const char *owner)
{
    const struct conf_table *t = key->table;

    if (!expect_node(r, key, n, CONF_NODE_LIST) || !count_fits(r, key, n))
        return;
    char *items = xcalloc(n->count + 1, t->size);
    for (size_t i = 0; i < n->count; i++) {
        char *item = items + i * t->size;
        set_defaults(t, item);
        if (t->line_at)
            *(int *)(void *)(item + t->line_at) = n->items[i]->line;
        if (expect_node(r, key, n->items[i], CONF_NODE_MAP))
            fill_table(r, t, n->items[i], item, owner);
    }
    conf_pointer_set(into, key->at, items);
    *(size_t *)(void *)(into + key->count_at) = n->count;
}

static void fill_key(struct conf_reader *r, const struct conf_key *key, const struct conf_node *n, char *into,
                     const char *owner)
{
    switch (key->type) {
    case CONF_STR_LIST:
        fill_list(r, key, n, into, owner);
        return;
    case CONF_MAP:
        fill_map(r, key, n, into, owner);
        return;
    case CONF_STATES:
        fill_states(r, key, n, into, owner);
        return;
    case CONF_TABLES:
        fill_tables(r, key, n, into, owner);
        return;
    case CONF_SECTION:
        if (expect_node(r, key, n, CONF_NODE_MAP))
            fill_table(r, key->table, n, into + key->at, owner);
        return;
    case CONF_STR:
    case CONF_WORD:
    case CONF_WORD_ENUM:
    case CONF_WORD_BOOL:
    case CONF_INT:
    case CONF_BOOL:
    case CONF_DURATION:
    case CONF_SIZE:
        fill_scalar(r, key, n, into, owner, false);
        return;
    }
}

/* ---- keys ---- */
/* Marks the key that was meant as seen: one slip is one error, not also "is missing". */
static void unknown_key(struct conf_reader *r, const struct conf_table *t, const struct conf_node *n,
                        bool *seen)
{
    struct suggest s = {.word = n->value, .len = strlen(n->value)};
    auto_buf known = {0};

    for (const struct conf_key *key = t->keys; key->name; key++) {
        suggest_offer(&s, key->name);
        buf_addf(&known, "%s%s", known.len ? ", " : "", key->name);
    }
    if (!s.best) {
        conf_error_at(r->report, r->file, n, "unknown key '%s'; expected one of %s", n->value, known.data);
        return;
    }
    conf_error_at(r->report, r->file, n, "unknown key '%s', did you mean '%s'?", n->value, s.best);
    seen[conf_table_key(t, s.best, strlen(s.best)) - t->keys] = true;
}

/* The row of a key, or of a secret's KEY_file. */
static const struct conf_key *find_key(const struct conf_table *t, const char *name, bool *ret_from_file)
{
    size_t len = strlen(name);
    const struct conf_key *key = conf_table_key(t, name, len);

    *ret_from_file = false;
    if (key || len <= 5 || strcmp(name + len - 5, "_file") != 0)
        return key;
    key = conf_table_key(t, name, len - 5);
    *ret_from_file = true;
    return key && key->secret && key->type == CONF_STR ? key : NULL;
}

static void missing_keys(struct conf_reader *r, const struct conf_table *t, const char *section,
                         const struct conf_node *root, const bool *seen)
{
    for (size_t i = 0; t->keys[i].name; i++) {
        const struct conf_key *key = &t->keys[i];
        if (seen[i] || key->driver || key->kind) /* of a driver, of a kind of rule: the checks know which one it is */
            continue;
        if (key->required)
            conf_error_at(r->report, r->file, root, "key '%s%s%s' is missing. %.*s", section,
                          *section ? "." : "", key->name, conf_key_about(key), key->help);
        else if (key->type == CONF_SECTION) /* which may have keys that must be */
            missing_keys(r, key->table, key->name, root, (bool[KEYS_MAX]){false});
    }
}

static void fill_table(struct conf_reader *r, const struct conf_table *t, const struct conf_node *root,
                       char *into, const char *owner)
{
    bool given[KEYS_MAX] = {false}, seen[KEYS_MAX] = {false};

    for (size_t i = 0; i < root->count; i++) {
        const struct conf_node *name = root->pairs[i].key, *value = root->pairs[i].value;
        bool from_file;
        const struct conf_key *key = find_key(t, name->value, &from_file);
        if (!key) {
            unknown_key(r, t, name, seen);
            continue;
        }
        size_t at = (size_t)(key - t->keys);
        if (given[at]) {
            if (conf_table_key(t, name->value, strlen(name->value)) != key || from_file)
                conf_error_at(r->report, r->file, name, "'%s' and '%s_file' are both given", key->name,
                              key->name);
            continue; /* or given twice: said where the tree was made */
        }
        if (conf_node_is_null(value))
            continue;
        given[at] = seen[at] = true;
        const char *whose = key->owner ? key->owner : owner;
        if (from_file)
            fill_scalar(r, key, value, into, whose, true);
        else
            fill_key(r, key, value, into, whose);
    }
    missing_keys(r, t, "", root, seen);
}

void conf_fill(struct conf_reader *r, const struct conf_table *t, const struct conf_node *root, void *into)
{
    set_defaults(t, into);
    if (!root)
        return;
    if (root->type != CONF_NODE_MAP)
        conf_error_at(r->report, r->file, root, "expected a mapping (key: value), got %s", node_word(root));
    else
        fill_table(r, t, root, into, NULL);
}
