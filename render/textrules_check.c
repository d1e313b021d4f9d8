/* Rules that no text of a template can keep, found when the configuration is loaded: in the head alone, and
 * in the head beside the fixed text that stands in every message. */
#include "lib/keyword.h"
#include "lib/template.h"
#include "render/smart.h"
#include "render/textrules.h"
#include <glib.h>
#include <stdio.h>

struct checking {
    const struct conf_template *conf;
    struct conf_text_problem *problems;
    size_t count;
};

static struct conf_text_problem *add(struct checking *k, const char *key, const char *format, ...)
    printf_like(3, 4);
static struct conf_text_problem *add(struct checking *k, const char *key, const char *format, ...)
{
    va_list ap;

    if (k->count == CONF_TEXT_PROBLEMS)
        return &k->problems[k->count - 1]; /* what is right there is said, and the rest the next time */
    struct conf_text_problem *p = &k->problems[k->count++];
    *p = (struct conf_text_problem){.key = key};
    va_start(ap, format);
    vsnprintf(p->message, sizeof(p->message), format, ap);
    va_end(ap);
    return p;
}

/* The first character that keeps a text from being GSM 7-bit, also after smart; 0: none. */
static uint32_t beyond(const struct checking *k, const char *text, size_t len)
{
    auto_buf copy = {0};
    uint32_t found = 0;

    buf_add(&copy, text, len);
    if (k->conf->smart)
        smart_replace(&copy);
    return copy.len > 0 && text_beyond_gsm7(copy.data, copy.len, &found, 1) > 0 ? found : 0;
}

static void say_beyond(struct checking *k, const char *key, const char *text)
{
    uint32_t c = beyond(k, text, strlen(text));
    char utf8[8] = "";

    if (c == 0)
        return;
    (void)g_unichar_to_utf8(c, utf8);
    add(k, key, "%s: '%s' (U+%04X) is not in the GSM 7-bit alphabet, and gsm_only is set", key, utf8, c);
}

/* ---- the head alone ---- */

static void check_words(struct checking *k, const char *key, const struct str_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        auto_free char *form = keyword_form(words->items[i]);
        if (!*form)
            add(k, key, "%s: expected words with letters or digits, got '%.80s'", key, words->items[i]);
    }
}

/* A small letter may be missing in the alphabet while its capital is there, and case does not count. */
static void check_required(struct checking *k)
{
    const struct str_list *words = &k->conf->required;

    for (size_t i = 0; k->conf->gsm_only && i < words->count; i++) {
        gchar *upper = g_utf8_strup(words->items[i], -1);
        if (beyond(k, upper, strlen(upper)) != 0)
            say_beyond(k, "required", words->items[i]);
        g_free(upper);
    }
}

/* Is `word` forbidden, by the rules of its own template? Only words are asked about here. */
static const char *forbidden_in(const struct checking *k, const char *text)
{
    struct conf_template words_only = {.file = k->conf->file,
                                       .footer = (char *)(uintptr_t) "",
                                       .forbidden = k->conf->forbidden,
                                       .max_segments = TEXT_SEGMENTS_MAX};
    struct text_rules *rules = text_rules_new(&words_only);
    struct text_shape shape;
    auto_buf copy = {0};
    char error[300] = "";

    buf_add_str(&copy, text);
    const char *reason = text_rules_apply(rules, &words_only, &copy, &shape, error, sizeof(error));
    text_rules_free(rules);
    if (!reason || strcmp(reason, "forbidden_word") != 0)
        return NULL;
    for (size_t i = 0; i < k->conf->forbidden.count; i++) {
        auto_free char *quoted = xasprintf("'%.100s'", k->conf->forbidden.items[i]);
        if (strstr(error, quoted))
            return k->conf->forbidden.items[i];
    }
    return NULL;
}

static void check_forbidden(struct checking *k)
{
    const char *word;

    for (size_t i = 0; i < k->conf->required.count; i++) {
        word = forbidden_in(k, k->conf->required.items[i]);
        if (word)
            add(k, "required", "required: '%.80s' holds '%.80s', which is forbidden",
                k->conf->required.items[i], word);
    }
    word = *k->conf->footer ? forbidden_in(k, k->conf->footer) : NULL;
    if (word)
        add(k, "footer", "footer: holds '%.80s', which is forbidden", word);
}

/* ---- the fixed text ---- */

/* Where in a piece a character stands first; where it came by composing, the piece's beginning. */
static void place_of(const struct template_piece *p, const char *utf8, int *ret_line, int *ret_column)
{
    const char *found = memmem(p->text, p->len, utf8, strlen(utf8));

    *ret_line = p->line;
    *ret_column = p->column;
    for (const char *at = p->text; found && at < found; at++) {
        if (*at == '\n') {
            ++*ret_line;
            *ret_column = 1;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            ++*ret_column;
        }
    }
}

static void check_piece(struct checking *k, const struct template_piece *p, bool first, bool last)
{
    /* What stands at an output may be the part of a word that goes on there. */
    auto_free char *text = xasprintf("%s%.*s%s", first ? "" : "x", (int)p->len, p->text, last ? "" : "x");
    const char *word = k->conf->forbidden.count > 0 ? forbidden_in(k, text) : NULL;
    uint32_t c = k->conf->gsm_only ? beyond(k, p->text, p->len) : 0;
    char utf8[8] = "";

    if (word) {
        struct conf_text_problem *at = add(k, NULL, "'%.80s' stands here, and it is forbidden", word);
        at->line = p->line;
        at->column = p->column;
    }
    if (c == 0)
        return;
    (void)g_unichar_to_utf8(c, utf8);
    struct conf_text_problem *at =
        add(k, NULL, "'%s' (U+%04X) is not in the GSM 7-bit alphabet, and gsm_only is set%s", utf8, c,
            k->conf->smart ? "" : "; `smart: true` replaces quotes, dashes and the like");
    place_of(p, utf8, &at->line, &at->column);
}

static size_t segments_of(const struct buf *text)
{
    struct text_shape shape = {0};

    return text->len > 0 && text_measure(text->data, text->len, &shape) ? shape.segments : 0;
}

/* Every text has at least these characters, so at least as many segments; of the two ways that smart may go
 * the shorter one counts. */
static void check_length(struct checking *k, struct buf *fixed)
{
    const struct conf_template *conf = k->conf;
    auto_buf footer = {0};

    buf_add_str(&footer, conf->footer);
    size_t alone = segments_of(&footer);
    if (conf->smart) {
        smart_replace(&footer);
        alone = MIN_OF(alone, segments_of(&footer));
    }
    if (alone > (size_t)conf->max_segments) {
        add(k, "footer", "footer: has %zu segments by itself, max_segments allows %lld", alone,
            (long long)conf->max_segments);
        return;
    }
    if (fixed->len < strlen(conf->footer) ||
        strcmp(fixed->data + fixed->len - strlen(conf->footer), conf->footer) != 0)
        buf_add_str(fixed, conf->footer);
    size_t all = segments_of(fixed);
    if (conf->smart) {
        smart_replace(fixed);
        all = MIN_OF(all, segments_of(fixed));
    }
    if (all > (size_t)conf->max_segments)
        add(k, "max_segments",
            "max_segments: the fixed text%s has %zu segments without any value, %lld are allowed",
            *conf->footer ? " with the footer" : "", all, (long long)conf->max_segments);
}

size_t text_rules_check(const struct conf_template *conf, struct conf_text_problem ret[CONF_TEXT_PROBLEMS])
{
    struct checking k = {.conf = conf, .problems = ret};
    struct template_error e;
    struct template *t;
    struct template_piece p;
    auto_buf fixed = {0};

    check_words(&k, "forbidden", &conf->forbidden);
    check_words(&k, "required", &conf->required);
    if (k.count > 0)
        return k.count;
    check_forbidden(&k);
    check_required(&k);
    if (conf->gsm_only)
        say_beyond(&k, "footer", conf->footer);
    if (template_compile(conf->text, strlen(conf->text), conf->text_line, &t, &e) < 0)
        return k.count; /* which is said elsewhere */
    buf_add_str(&fixed, "");
    for (size_t i = 0; template_piece(t, i, &p); i++) {
        if (p.is_output)
            continue;
        struct template_piece next;
        check_piece(&k, &p, i == 0, !template_piece(t, i + 1, &next));
        buf_add(&fixed, p.text, p.len);
    }
    template_free(t);
    check_length(&k, &fixed);
    return k.count;
}
