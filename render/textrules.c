/* Words are compared in the form of lib/keyword.h (case folded, composed, everything between words one
 * space), with a space before and behind, so that strstr finds whole words and phrases. */
#include "render/textrules.h"
#include "lib/keyword.h"
#include "render/smart.h"
#include <glib.h>
#include <stdio.h>

struct words {
    char **forms;
    size_t count;
};
struct text_rules {
    const struct conf_template *conf;
    struct words forbidden, required;
};

/* ---- words ---- */

/* Scripts that are written without spaces: there each character counts as a word. */
static bool has_no_spaces(gunichar c)
{
    switch ((int)g_unichar_get_script(c)) {
    case G_UNICODE_SCRIPT_HAN:
    case G_UNICODE_SCRIPT_HIRAGANA:
    case G_UNICODE_SCRIPT_KATAKANA:
    case G_UNICODE_SCRIPT_THAI:
    case G_UNICODE_SCRIPT_LAO:
    case G_UNICODE_SCRIPT_KHMER:
    case G_UNICODE_SCRIPT_MYANMAR:
        return true;
    default:
        return false;
    }
}

static void add_space(struct buf *out)
{
    if (out->len == 0 || out->data[out->len - 1] != ' ')
        buf_add_char(out, ' ');
}

/* "Click HERE!" -> " click here " */
static char *form_of(const char *text)
{
    auto_free char *form = keyword_form(text);
    auto_buf out = {0};

    add_space(&out);
    for (char *at = form, *next; *at; at = next) {
        gunichar c = g_utf8_get_char(at);
        next = g_utf8_next_char(at);
        bool alone = c >= 0x80 && has_no_spaces(c);
        if (alone)
            add_space(&out);
        if (c == ' ')
            add_space(&out);
        else
            buf_add(&out, at, (size_t)(next - at));
        if (alone)
            add_space(&out);
    }
    add_space(&out);
    return buf_take(&out, NULL);
}

static struct words words_new(const struct str_list *list)
{
    struct words w = {.forms = xcalloc(list->count + 1, sizeof(*w.forms)), .count = list->count};

    for (size_t i = 0; i < list->count; i++)
        w.forms[i] = form_of(list->items[i]);
    return w;
}

static void words_deinit(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->forms[i]);
    free(w->forms);
}

/* The first of the words that stands in the form, or with `there` false that does not; count: none. */
static size_t find_word(const struct words *w, const char *form, bool there)
{
    size_t i = 0;

    while (i < w->count && (strstr(form, w->forms[i]) != NULL) != there)
        i++;
    return i;
}

/* ---- what is done to a text, and what it must be like ---- */

struct text_rules *text_rules_new(const struct conf_template *conf)
{
    struct text_rules *r = xcalloc(1, sizeof(*r));

    r->conf = conf;
    r->forbidden = words_new(&conf->forbidden);
    r->required = words_new(&conf->required);
    return r;
}

void text_rules_free(struct text_rules *r)
{
    if (!r)
        return;
    words_deinit(&r->forbidden);
    words_deinit(&r->required);
    free(r);
}

static bool ends_with(const struct buf *text, const char *end)
{
    size_t len = strlen(end);

    return text->len >= len && memcmp(text->data + text->len - len, end, len) == 0;
}

/* One space between them, unless one of the two brings white space of its own. */
static void add_footer(struct buf *text, const char *footer)
{
    if (ends_with(text, footer))
        return;
    if (text->len > 0 && !g_ascii_isspace(text->data[text->len - 1]) && !g_ascii_isspace(*footer))
        buf_add_char(text, ' ');
    buf_add_str(text, footer);
}

static void finish(const struct conf_template *conf, struct buf *text)
{
    if (*conf->footer)
        add_footer(text, conf->footer);
    if (conf->smart)
        smart_replace(text);
}

static const char *broken(char *error, size_t size, const struct conf_template *conf, const char *reason,
                          const char *format, ...) printf_like(5, 6);
static const char *broken(char *error, size_t size, const struct conf_template *conf, const char *reason,
                          const char *format, ...)
{
    va_list ap;
    int len = snprintf(error, size, "%s:%d: ", conf->file, conf->text_line);

    va_start(ap, format);
    if (len > 0 && (size_t)len < size)
        vsnprintf(error + len, size - (size_t)len, format, ap);
    va_end(ap);
    return reason;
}

static const char *check_words(const struct text_rules *r, const char *text, char *error, size_t size)
{
    const struct conf_template *conf = r->conf;

    if (r->forbidden.count + r->required.count == 0)
        return NULL;
    auto_free char *form = form_of(text);
    size_t i = find_word(&r->forbidden, form, true);
    if (i < r->forbidden.count)
        return broken(error, size, conf, "forbidden_word", "the text has the forbidden word '%.100s'",
                      conf->forbidden.items[i]);
    i = find_word(&r->required, form, false);
    if (i < r->required.count)
        return broken(error, size, conf, "missing_word", "the text has not the required word '%.100s'",
                      conf->required.items[i]);
    return NULL;
}

const char *text_rules_apply(const struct text_rules *rules, const struct conf_template *conf,
                             struct buf *text, struct text_shape *shape, char *error, size_t error_size)
{
    size_t most = rules ? (size_t)conf->max_segments : TEXT_SEGMENTS_MAX;
    uint32_t beyond;

    if (rules)
        finish(conf, text);
    if (text->overflowed)
        return broken(error, error_size, conf, "text_too_long", "the text is longer than %zu bytes",
                      text->max);
    if (!text_measure(text->data, text->len, shape))
        return broken(error, error_size, conf, "template", "the text is not UTF-8");
    if (rules && conf->gsm_only && text_beyond_gsm7(text->data, text->len, &beyond, 1) > 0)
        return broken(error, error_size, conf, "not_gsm7",
                      "gsm_only: the text has a character outside GSM 7-bit (U+%04X)", beyond);
    const char *reason = rules ? check_words(rules, text->data, error, error_size) : NULL;
    if (!reason && shape->segments > most)
        reason =
            broken(error, error_size, conf, "text_too_long", "the text has %zu segments, %zu are %s",
                   shape->segments, most, most < TEXT_SEGMENTS_MAX ? "allowed (max_segments)" : "possible");
    return reason;
}
