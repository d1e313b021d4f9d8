/* Where in a request the records stand, which format reads them, and what becomes of what cannot be read. */
#include "callback/format.h"
#include "lib/zone.h"

#include <ctype.h>

#define NUMBER_DIGITS_MAX 15 /* ITU-T E.164 */

enum format_kind { FORMAT_LIST, FORMAT_JSON, FORMAT_FORM, FORMAT_XML };
struct format {
    const struct conf_gateway *gateway; /* borrowed: lives as long as the configuration */
    const struct conf_format *conf;
    const char *section;
    struct zone *zone;
    enum format_kind kind;
};

static enum format_kind kind_of(const char *word)
{
    static const char *const words[] = {
        [FORMAT_LIST] = "list", [FORMAT_JSON] = "json", [FORMAT_FORM] = "form", [FORMAT_XML] = "xml"};
    for (size_t i = 0; word && i < COUNT_OF(words); i++) {
        if (strcmp(words[i], word) == 0)
            return (enum format_kind)i;
    }
    return FORMAT_LIST;
}

struct format *format_new(const struct conf_gateway *g, const struct conf_format *c, const char *section,
                          char **ret_why)
{
    const char *zone = format_given(c->time_zone) ? c->time_zone : "UTC";
    struct format *f = xcalloc(1, sizeof(*f));
    *f = (struct format){
        .gateway = g, .conf = c, .section = section, .zone = zone_open(zone), .kind = kind_of(c->kind)};
    if (f->zone)
        return f;
    *ret_why = xasprintf("%s: %s.time_zone: there is no time zone '%s'", g->file, section, zone);
    format_free(f);
    return NULL;
}

void format_free(struct format *f)
{
    if (!f)
        return;
    zone_close(f->zone);
    free(f);
}

/* ---- single fields ---- */

int64_t format_number(const char *text)
{
    int64_t n = 0;
    size_t digits = 0;
    while (isspace((unsigned char)*text))
        text++;
    if (*text == '\0')
        return 0;
    if (*text == '+')
        text++;
    else if (text[0] == '0' && text[1] == '0')
        text += 2;
    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        if (digits == NUMBER_DIGITS_MAX)
            return -1;
        n = n * 10 + (*text - '0');
    }
    while (isspace((unsigned char)*text))
        text++;
    return *text == '\0' && digits > 0 && n > 0 ? n : -1;
}

bool format_record_time(const struct parsing *p, const struct format_record *r, int64_t *ret_ms)
{
    *ret_ms = 0;
    return !format_given(r->field[ROLE_TIME]) ||
           format_time(r->field[ROLE_TIME], p->format->conf->time_format, p->format->zone, p->at, ret_ms);
}

/* ---- what cannot be understood ---- */

void format_end_line(struct parsing *p)
{
    buf_add_char(&p->parsed->records, '\n');
}

/* A journal's line holds no U+0000, which neither the wire nor the tables can keep. */
static char *without_nul(const char *raw, size_t len)
{
    auto_buf b = {0};
    for (size_t i = 0; i < len; i++) {
        if (raw[i])
            buf_add_char(&b, raw[i]);
        else
            buf_add_str(&b, "\xef\xbf\xbd");
    }
    return buf_take(&b, NULL);
}

static void add_quarantine(struct parsing *p, const char *reason, const char *error, const char *raw,
                           size_t raw_len)
{
    auto_free char *text = raw_len > 0 ? without_nul(raw, raw_len) : xstrdup("(empty)");
    auto_free char *why = xstrdup(error), *word = xstrdup(reason);
    struct step_record r = {.step = STEP_QUARANTINE,
                            .at = p->at,
                            .gateway = p->gateway->name,
                            .reason = word,
                            .error = why,
                            .raw = text};
    chunk_add_step(&p->parsed->records, &r);
    format_end_line(p);
}

void format_refuse(struct parsing *p, const char *reason, const char *error, const char *raw, size_t raw_len)
{
    add_quarantine(p, reason, error, raw, raw_len);
    p->parsed->refused++;
}

void reading_take(struct reading *r, const struct format_record *record)
{
    r->shaped++;
    r->take(r->parsing, record);
}

void reading_refuse(struct reading *r, const char *reason, const char *error, const char *raw, size_t raw_len)
{
    format_refuse(r->parsing, reason, error, raw, raw_len);
}

/* ---- the request ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void format_url_decode(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = s[i] == '%' && i + 2 < len ? hex_digit(s[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
        if (low >= 0) {
            buf_add_char(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_add_char(out, s[i] == '+' ? ' ' : s[i]);
        }
    }
}

/* Finds name=value in "a=b&name=value&…"; the value is decoded into out. */
static bool parameter_of(const char *text, size_t len, const char *name, struct buf *out)
{
    const char *end = text + len;
    for (const char *pair = text; pair < end;) {
        const char *next = memchr(pair, '&', (size_t)(end - pair));
        const char *stop = next ? next : end;
        const char *equals = memchr(pair, '=', (size_t)(stop - pair));
        auto_buf key = {0};
        format_url_decode(&key, pair, (size_t)((equals ? equals : stop) - pair));
        if (equals && key.len == strlen(name) && memcmp(key.data, name, key.len) == 0) {
            format_url_decode(out, equals + 1, (size_t)(stop - equals - 1));
            return true;
        }
        pair = stop + 1;
    }
    return false;
}

/* The text of the records: in the parameter that is configured, in the query or in a form; else the raw body;
 * else, without a parameter configured, the raw query. */
static void text_of(const struct conf_format *c, const struct posted *r, struct buf *out)
{
    const char *name = c->parameter;
    if (format_given(name)) {
        if (r->query_len > 0 && parameter_of(r->query, r->query_len, name, out))
            return;
        if (r->form && parameter_of(r->body, r->body_len, name, out))
            return;
    }
    if (r->body_len > 0)
        buf_add(out, r->body, r->body_len);
    else if (!format_given(name) && r->query_len > 0)
        format_url_decode(out, r->query, r->query_len);
}

static const char *read_text(const struct format *f, struct reading *r, const struct posted *request)
{
    auto_buf text = {0};
    text_of(f->conf, request, &text);
    const char *start = text.data ? text.data : "";
    size_t len = text.len;
    if (len >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        start += 3;
        len -= 3;
    }
    if (f->kind == FORMAT_XML)
        return format_read_xml(r, start, len);
    return f->kind == FORMAT_JSON ? format_read_json(r, start, len) : format_read_list(r, start, len);
}

int format_parse(const struct format *f, const struct posted *posted, format_take *take, struct parsed *ret)
{
    /* What is not there is empty from here on: nobody computes with a null pointer. */
    const struct posted whole = {.query = posted->query ? posted->query : "",
                                 .query_len = posted->query ? posted->query_len : 0,
                                 .body = posted->body ? posted->body : "",
                                 .body_len = posted->body ? posted->body_len : 0,
                                 .form = posted->form,
                                 .at = posted->at},
                        *request = &whole;
    *ret = (struct parsed){0};
    struct parsing p = {.format = f, .gateway = f->gateway, .parsed = ret, .at = request->at};
    struct reading r = {.conf = f->conf, .file = f->gateway->file, .parsing = &p, .take = take};
    const char *wrong = f->kind == FORMAT_FORM ? format_read_form(&r, request) : read_text(f, &r, request);
    ret->empty = !wrong && ret->understood + ret->refused == 0;
    if (ret->empty)
        wrong = "there is no record in it";
    if (!wrong)
        return 0;
    buf_clear(&ret->records);
    ret->understood = ret->refused = 0;
    auto_free char *error = xasprintf("%s (%s: in %s)", wrong, f->section, f->gateway->file);
    if (request->body_len > 0)
        add_quarantine(&p, "unreadable", error, request->body, request->body_len);
    else
        add_quarantine(&p, "unreadable", error, request->query, request->query_len);
    return FORMAT_UNREADABLE;
}
