/* The table, and one walk: ASCII passes by, what stands in the table goes through it. */
#include "render/smart.h"
#include "render/text.h"
#include <glib.h>

struct replacement {
    gunichar first, last;
    const char *by;
};
/* In ascending order. Only what looks the same or shows nothing: no letter loses its accent here. */
static const struct replacement replacements[] = {
    {0x09, 0x09, " "},       /* tab */
    {0x60, 0x60, "'"},       /* ` */
    {0xa0, 0xa0, " "},       /* no-break space */
    {0xab, 0xab, "\""},      /* « */
    {0xad, 0xad, ""},        /* soft hyphen */
    {0xb4, 0xb4, "'"},       /* ´ */
    {0xbb, 0xbb, "\""},      /* » */
    {0x2000, 0x200a, " "},   /* spaces of fixed widths */
    {0x200b, 0x200b, ""},    /* zero width space */
    {0x2010, 0x2015, "-"},   /* hyphens, dashes, bar */
    {0x2018, 0x201b, "'"},   /* ‘ ’ ‚ ‛ */
    {0x201c, 0x201f, "\""},  /* “ ” „ ‟ */
    {0x2022, 0x2022, "-"},   /* • */
    {0x2026, 0x2026, "..."}, /* … */
    {0x2028, 0x2029, "\n"},  /* line, paragraph separator */
    {0x202f, 0x202f, " "},   /* narrow no-break space */
    {0x2032, 0x2032, "'"},   /* ′ */
    {0x2033, 0x2033, "\""},  /* ″ */
    {0x2039, 0x203a, "'"},   /* ‹ › */
    {0x2044, 0x2044, "/"},   /* fraction slash */
    {0x205f, 0x205f, " "},   /* medium mathematical space */
    {0x2060, 0x2060, ""},    /* word joiner */
    {0x2212, 0x2212, "-"},   /* minus */
    {0xfb00, 0xfb00, "ff"},  {0xfb01, 0xfb01, "fi"},  {0xfb02, 0xfb02, "fl"},
    {0xfb03, 0xfb03, "ffi"}, {0xfb04, 0xfb04, "ffl"}, {0xfeff, 0xfeff, ""}, /* byte order mark */
};

static const char *replacement_of(gunichar c)
{
    for (size_t i = 0; i < COUNT_OF(replacements) && replacements[i].first <= c; i++)
        if (c <= replacements[i].last)
            return replacements[i].by;
    return NULL;
}

void smart_replace(struct buf *text)
{
    auto_buf out = {.max = text->max};
    struct text_shape shape;

    if (text->len == 0 || !text_measure(text->data, text->len, &shape) || shape.encoding == TEXT_GSM7)
        return;
    gchar *composed = g_utf8_normalize(text->data, (gssize)text->len, G_NORMALIZE_DEFAULT_COMPOSE);
    if (!composed)
        return;
    for (gchar *at = composed, *next; *at; at = next) {
        const char *by = replacement_of(g_utf8_get_char(at));
        next = g_utf8_next_char(at);
        if (by)
            buf_add_str(&out, by);
        else
            buf_add(&out, at, (size_t)(next - at));
    }
    g_free(composed);
    if (out.overflowed || out.len == 0 || !text_measure(out.data, out.len, &shape) ||
        shape.encoding != TEXT_GSM7)
        return;
    buf_clear(text);
    buf_add(text, out.data, out.len);
}
