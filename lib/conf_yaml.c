/* YAML into a tree that knows where everything stood. Only what a configuration needs: one document, no
 * anchors, no aliases, no tags; keys are words. Two equal keys in one mapping are an error here, where both
 * places are known. */
#include "lib/conf_internal.h"

#include <yaml.h>

struct reading {
    yaml_parser_t yaml;
    yaml_event_t event; /* the one not yet used */
    bool have_event;
    const struct conf_file *file;
    struct conf_report *report;
    const char *text;
    size_t len;
    size_t characters; /* in text */
    int line_shift;    /* what to add to the parser's line (from 0) */
};

static int mark_line(const struct reading *r, yaml_mark_t m)
{
    return (int)m.line + r->line_shift;
}

/* The line in the text handed to the parser, counted from 0. */
static const char *raw_line(const struct reading *r, size_t line, size_t *ret_len)
{
    const char *at = r->text, *end = r->text + r->len;

    for (size_t i = 0; i < line; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return NULL;
        at++;
    }
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    *ret_len = (size_t)((stop ? stop : end) - at);
    return at;
}

static bool tab_indents(const struct reading *r, size_t line, int *ret_column)
{
    size_t len = 0;
    const char *text = raw_line(r, line, &len);

    for (size_t i = 0; text && i < len && (text[i] == ' ' || text[i] == '\t'); i++) {
        if (text[i] == '\t') {
            *ret_column = (int)i + 1;
            return true;
        }
    }
    return false;
}

/* What the parser could not read, in words for someone who does not know its grammar. */
static void syntax_error(struct reading *r)
{
    const yaml_parser_t *y = &r->yaml;
    int line = mark_line(r, y->problem_mark), column = (int)y->problem_mark.column + 1;
    const char *problem = y->problem ? y->problem : "cannot be read";

    if (y->error == YAML_READER_ERROR) {
        size_t lines = 0;
        for (size_t i = 0; i < y->problem_offset && i < r->len; i++)
            lines += r->text[i] == '\n';
        conf_error(r->report, r->file, (int)lines + r->line_shift, 1, "not YAML: %s (files are UTF-8)",
                   problem);
        return;
    }
    if (tab_indents(r, y->problem_mark.line, &column)) {
        conf_error(r->report, r->file, line, column,
                   "not YAML: a tab; expected spaces, YAML does not indent with tabs");
        return;
    }
    if (!strcmp(problem, "mapping values are not allowed in this context")) {
        conf_error(r->report, r->file, line, column,
                   "not YAML: a ':' where no key can end; expected quotes around a value that holds ': ', "
                   "and keys of one mapping exactly below each other");
        return;
    }
    if (y->context && y->problem_mark.index >= r->characters) /* nothing to show at the end: where it began */
        conf_error(r->report, r->file, mark_line(r, y->context_mark), (int)y->context_mark.column + 1,
                   "not YAML: %s %s, which begins here", problem, y->context);
    else if (y->context)
        conf_error(r->report, r->file, line, column, "not YAML: %s %s (begun in line %d)", problem,
                   y->context, mark_line(r, y->context_mark));
    else
        conf_error(r->report, r->file, line, column, "not YAML: %s", problem);
}

static bool peek(struct reading *r)
{
    if (r->have_event)
        return true;
    if (!yaml_parser_parse(&r->yaml, &r->event)) {
        syntax_error(r);
        return false;
    }
    r->have_event = true;
    return true;
}

static void skip(struct reading *r)
{
    yaml_event_delete(&r->event);
    r->have_event = false;
}

static struct conf_node *node_new(const struct reading *r, int type)
{
    struct conf_node *n = xcalloc(1, sizeof(*n));

    n->type = type;
    n->line = n->text_line = mark_line(r, r->event.start_mark);
    n->column = n->text_column = (int)r->event.start_mark.column + 1;
    return n;
}

/* Where a scalar's own text begins: after a quote, or in the line below `|` behind its indentation. */
static void place_text(const struct reading *r, struct conf_node *n)
{
    if (n->style == CONF_QUOTED) {
        n->text_column++;
    } else if (n->style == CONF_LITERAL || n->style == CONF_FOLDED) {
        n->text_line++;
        n->text_column = 1;
        for (size_t line = r->event.start_mark.line + 1;; line++) {
            size_t len = 0, spaces = 0;
            const char *text = raw_line(r, line, &len);
            while (text && spaces < len && text[spaces] == ' ')
                spaces++;
            if (!text || (spaces < len && text[spaces] != '\r')) {
                n->text_column = (int)spaces + 1;
                return;
            }
        }
    }
}

static struct conf_node *read_scalar(struct reading *r)
{
    struct conf_node *n = node_new(r, CONF_NODE_SCALAR);
    size_t len = r->event.data.scalar.length;

    switch (r->event.data.scalar.style) {
    case YAML_LITERAL_SCALAR_STYLE:
        n->style = CONF_LITERAL;
        break;
    case YAML_FOLDED_SCALAR_STYLE:
        n->style = CONF_FOLDED;
        break;
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        n->style = CONF_QUOTED;
        break;
    case YAML_ANY_SCALAR_STYLE:
    case YAML_PLAIN_SCALAR_STYLE:
        n->style = CONF_PLAIN;
        break;
    }
    place_text(r, n);
    n->value = xstrndup((const char *)r->event.data.scalar.value, len);
    if (strlen(n->value) != len)
        conf_error_at(r->report, r->file, n, "a value cannot hold a zero character");
    skip(r);
    return n;
}

static struct conf_node *read_node(struct reading *r, int depth);

static bool read_list(struct reading *r, struct conf_node *n, int depth)
{
    skip(r);
    for (;;) {
        if (!peek(r))
            return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        struct conf_node *item = read_node(r, depth + 1);
        if (!item)
            return false;
        n->items = xrealloc(n->items, (n->count + 1) * sizeof(struct conf_node *));
        n->items[n->count++] = item;
    }
    skip(r);
    return true;
}

/* Takes key; says so if it stands there already. */
static struct conf_node_pair *pair_add(struct reading *r, struct conf_node *n, struct conf_node *key)
{
    for (size_t i = 0; i < n->count; i++) {
        if (!strcmp(n->pairs[i].key->value, key->value)) {
            conf_error_at(r->report, r->file, key, "key '%s' is given twice, first in line %d", key->value,
                          n->pairs[i].key->line);
            break;
        }
    }
    n->pairs = xrealloc(n->pairs, (n->count + 1) * sizeof(struct conf_node_pair));
    n->pairs[n->count] = (struct conf_node_pair){.key = key};
    return &n->pairs[n->count++];
}

static bool read_map(struct reading *r, struct conf_node *n, int depth)
{
    skip(r);
    for (;;) {
        if (!peek(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (r->event.type != YAML_SCALAR_EVENT) {
            conf_error(r->report, r->file, mark_line(r, r->event.start_mark),
                       (int)r->event.start_mark.column + 1, "a key must be a word");
            return false;
        }
        struct conf_node_pair *pair = pair_add(r, n, read_scalar(r));
        if (!peek(r))
            return false;
        pair->value = read_node(r, depth + 1);
        if (!pair->value)
            return false;
    }
    skip(r);
    return true;
}

static const char *unwanted(const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (e->type == YAML_ALIAS_EVENT)
        return "an alias (*) has no place in a configuration; write the value again, or quote it";
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor)
        return "an anchor (&) has no place in a configuration; quote the value if it begins with &";
    if (tag)
        return "a tag (!) has no place in a configuration; quote the value if it begins with !";
    return NULL;
}

/* The event was peeked. NULL: reported. */
static struct conf_node *read_node(struct reading *r, int depth)
{
    int line = mark_line(r, r->event.start_mark), column = (int)r->event.start_mark.column + 1;
    const char *why = unwanted(&r->event);

    if (!why && depth > CONF_DEPTH_MAX)
        why = "nested too deeply";
    if (why) {
        conf_error(r->report, r->file, line, column, "%s", why);
        return NULL;
    }
    if (r->event.type == YAML_SCALAR_EVENT)
        return read_scalar(r);

    bool is_map = r->event.type == YAML_MAPPING_START_EVENT;
    struct conf_node *n = node_new(r, is_map ? CONF_NODE_MAP : CONF_NODE_LIST);
    if (!(is_map ? read_map(r, n, depth) : read_list(r, n, depth))) {
        conf_node_free(n);
        return NULL;
    }
    return n;
}

static struct conf_node *read_document(struct reading *r)
{
    struct conf_node *root = NULL;

    for (;;) {
        if (!peek(r))
            break;
        yaml_event_type_t type = r->event.type;
        if (type == YAML_STREAM_END_EVENT) {
            if (!root) { /* an empty file is an empty mapping: what is required is then missed by name */
                root = node_new(r, CONF_NODE_MAP);
                root->line = r->line_shift;
                root->column = 1;
            }
            return root;
        }
        if (root && type == YAML_DOCUMENT_START_EVENT) {
            conf_error(r->report, r->file, mark_line(r, r->event.start_mark), 1,
                       "a second document (---) in one file; expected one");
            break;
        }
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
            type == YAML_DOCUMENT_END_EVENT) {
            skip(r);
            continue;
        }
        root = read_node(r, 0);
        if (!root)
            break;
    }
    conf_node_free(root);
    return NULL;
}

struct conf_node *conf_node_parse(const struct conf_file *f, const char *text, size_t len, int first_line,
                                  struct conf_report *report)
{
    struct reading r = {.file = f, .report = report, .text = text, .len = len, .line_shift = first_line};

    for (size_t i = 0; i < len; i++)
        r.characters += ((unsigned char)text[i] & 0xC0) != 0x80;
    if (!yaml_parser_initialize(&r.yaml)) {
        conf_error(report, f, 0, 0, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
    struct conf_node *root = read_document(&r);
    if (r.have_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
    return root;
}

void conf_node_free(struct conf_node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++) {
        if (n->type == CONF_NODE_MAP) {
            conf_node_free(n->pairs[i].key);
            conf_node_free(n->pairs[i].value);
        } else {
            conf_node_free(n->items[i]);
        }
    }
    free(n->pairs);
    free(n->items);
    free(n->value);
    free(n);
}

const struct conf_node *conf_node_at(const struct conf_node *root, const char *path)
{
    while (root && *path) {
        size_t len = strcspn(path, ".");
        const struct conf_node *found = NULL;
        for (size_t i = 0; root->type == CONF_NODE_MAP && i < root->count; i++) {
            const char *key = root->pairs[i].key->value;
            if (!found && strlen(key) == len && !strncmp(key, path, len))
                found = root->pairs[i].value; /* the first, as conf_fill takes it */
        }
        root = found;
        path += len + (path[len] == '.');
    }
    return root;
}
