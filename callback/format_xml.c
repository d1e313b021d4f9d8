/* Records as XML elements: `records: /reports/report`, fields as paths within one (`/id`, `/@status`). Read
 * as a stream by expat. What XML can do beyond elements, attributes and text is refused: no DOCTYPE, so no
 * entities and nothing external; depth and names are bounded. Prefixes of names are passed over. */
#include "callback/format.h"

#include <ctype.h>
#include <expat.h>

#define DEPTH_MAX      32
#define PATH_MAX_BYTES 2048

struct xml {
    struct reading *reading;
    XML_Parser parser;
    const char *text; /* the whole, for the records' own bytes */
    size_t len;
    const char *wrong;
    char path[PATH_MAX_BYTES]; /* "/reports/report" */
    size_t path_len, depth;
    size_t ends[DEPTH_MAX + 1]; /* path_len above each depth */
    size_t record_depth;        /* 0: not in a record */
    size_t record_path_len;
    int64_t record_from;
    struct buf values[ROLE_COUNT];
    bool found[ROLE_COUNT];
    size_t collecting[ROLE_COUNT]; /* depth of the element whose text is this role's; 0: none */
};

static void stop(struct xml *x, const char *wrong)
{
    if (!x->wrong)
        x->wrong = wrong;
    XML_StopParser(x->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static bool enter(struct xml *x, const char *name)
{
    size_t len = strlen(name);
    if (x->depth == DEPTH_MAX || x->path_len + len + 2 > PATH_MAX_BYTES)
        return false;
    x->ends[x->depth++] = x->path_len;
    x->path[x->path_len++] = '/';
    memcpy(x->path + x->path_len, name, len + 1);
    x->path_len += len;
    return true;
}

static bool is_record(const struct xml *x)
{
    const char *records = x->reading->conf->records;
    return format_given(records) ? strcmp(x->path, records) == 0 : x->depth == 1;
}

static void begin_record(struct xml *x)
{
    x->record_depth = x->depth;
    x->record_path_len = x->path_len;
    x->record_from = XML_GetCurrentByteIndex(x->parser);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        buf_clear(&x->values[i]);
        x->found[i] = false;
        x->collecting[i] = 0;
    }
}

/* Of several equal elements the first one counts. */
static void look_for_element(struct xml *x)
{
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        const char *at = x->reading->conf->at[i];
        if (!format_given(at) || x->found[i] || strcmp(at, x->path + x->record_path_len) != 0)
            continue;
        x->found[i] = true;
        x->collecting[i] = x->depth;
    }
}

static void look_for_attribute(struct xml *x, const char *name, const char *value)
{
    char at[PATH_MAX_BYTES];
    size_t below = x->path_len - x->record_path_len, len = strlen(name);
    if (below + len + 3 > sizeof(at))
        return;
    memcpy(at, x->path + x->record_path_len, below);
    memcpy(at + below, "/@", 2);
    memcpy(at + below + 2, name, len + 1);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        const char *wanted = x->reading->conf->at[i];
        if (!format_given(wanted) || x->found[i] || strcmp(wanted, at) != 0)
            continue;
        x->found[i] = true;
        buf_add_str(&x->values[i], value);
    }
}

static void XMLCALL element_begins(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct xml *x = arg;
    if (!enter(x, local_name(name))) {
        stop(x, "its elements are nested too deep");
        return;
    }
    if (x->record_depth == 0 && is_record(x))
        begin_record(x);
    else if (x->record_depth > 0)
        look_for_element(x);
    for (size_t i = 0; x->record_depth > 0 && attributes[i]; i += 2)
        look_for_attribute(x, local_name(attributes[i]), attributes[i + 1]);
}

static void trim(struct buf *b)
{
    size_t from = 0;
    while (b->len > 0 && isspace((unsigned char)b->data[b->len - 1]))
        b->data[--b->len] = '\0';
    while (from < b->len && isspace((unsigned char)b->data[from]))
        from++;
    if (from > 0)
        memmove(b->data, b->data + from, b->len + 1 - from);
    b->len -= from;
}

static void end_record(struct xml *x)
{
    struct format_record found = {0};
    int64_t to = XML_GetCurrentByteIndex(x->parser) + XML_GetCurrentByteCount(x->parser);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        trim(&x->values[i]);
        found.field[i] = x->found[i] && x->values[i].len > 0 ? x->values[i].data : NULL;
    }
    if (x->record_from >= 0 && to > x->record_from && to <= (int64_t)x->len) {
        found.raw = x->text + x->record_from;
        found.raw_len = (size_t)(to - x->record_from);
    }
    x->record_depth = 0;
    reading_take(x->reading, &found);
}

static void XMLCALL element_ends(void *arg, const XML_Char *name)
{
    struct xml *x = arg;
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if (x->collecting[i] == x->depth)
            x->collecting[i] = 0;
    }
    if (x->record_depth == x->depth)
        end_record(x);
    x->path_len = x->ends[--x->depth];
    x->path[x->path_len] = '\0';
}

static void XMLCALL text_comes(void *arg, const XML_Char *text, int len)
{
    struct xml *x = arg;
    for (size_t i = 0; x->record_depth > 0 && i < ROLE_COUNT; i++) {
        if (x->collecting[i] > 0)
            buf_add(&x->values[i], text, (size_t)len);
    }
}

static void XMLCALL doctype_begins(void *arg, const XML_Char *name, const XML_Char *system_id,
                                   const XML_Char *public_id, int has_internal_subset)
{
    stop(arg, "it has a DOCTYPE, which is not read");
}

const char *format_read_xml(struct reading *r, const char *text, size_t len)
{
    struct xml x = {.reading = r, .text = text, .len = len, .parser = XML_ParserCreate(NULL)};
    if (!x.parser)
        abort(); /* out of memory */
    XML_SetUserData(x.parser, &x);
    XML_SetElementHandler(x.parser, element_begins, element_ends);
    XML_SetCharacterDataHandler(x.parser, text_comes);
    XML_SetStartDoctypeDeclHandler(x.parser, doctype_begins);
    bool parsed = len < INT32_MAX && XML_Parse(x.parser, text, (int)len, 1) == XML_STATUS_OK;
    XML_ParserFree(x.parser);
    for (size_t i = 0; i < ROLE_COUNT; i++)
        buf_deinit(&x.values[i]);
    if (x.wrong || !parsed)
        return x.wrong ? x.wrong : "it is not well-formed XML";
    return r->shaped == 0 ? "there is no element at the path `records`" : NULL;
}
