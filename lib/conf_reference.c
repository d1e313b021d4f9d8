/* docs/reference.md, printed from the tables; a unit test holds the file equal to this. */
#include "lib/conf_internal.h"

static const char head[] = "# Configuration: every key\n"
                           "\n"
                           "Printed from the tables in `lib/conf_tables*.c` "
                           "(`test/unit/test_conf --reference`); a test\n"
                           "holds it equal to them. How the files work together, with whole examples: "
                           "[configuring.md](configuring.md).\n"
                           "\n"
                           "- Everything stands in one folder (`--conf DIR`, else `$SMSCHAIN_CONF`, else "
                           "`/etc/smschain`). A file's name without its\n"
                           "  ending is the name of the rule, template, gateway or source.\n"
                           "- `${NAME}` in a value is taken from the environment, `${NAME:-default}` where "
                           "it may be missing or empty; a plain `${` is\n"
                           "  written `$${`. A key marked *secret* may be given as `KEY_file: PATH` instead "
                           "(relative to the folder): the file's\n"
                           "  content without its last line break; everyone must not be able to read it. A "
                           "variable that only another service\n"
                           "  needs may be missing.\n"
                           "- Durations are `250ms`, `60s`, `10m`, `24h`, `7d`; sizes `64KiB`, `16MiB`.\n"
                           "- `smschain check` tells all errors of all files at once, `smschain config` "
                           "shows the effective values.\n";

static void type_text(const struct conf_key *key, struct buf *out)
{
    switch (key->type) {
    case CONF_STR:
        buf_add_str(out, "text");
        break;
    case CONF_WORD:
    case CONF_WORD_ENUM:
    case CONF_WORD_BOOL:
        conf_words_text(key->words, out);
        break;
    case CONF_INT:
        buf_add_str(out, key->unit ? key->unit : "number");
        break;
    case CONF_BOOL:
        buf_add_str(out, "true or false");
        break;
    case CONF_DURATION:
        buf_add_str(out, "duration");
        break;
    case CONF_SIZE:
        buf_add_str(out, "size");
        break;
    case CONF_STR_LIST:
        buf_add_str(out, key->or_one ? "text, or list of texts" : "list of texts");
        break;
    case CONF_MAP:
    case CONF_STATES:
        buf_add_str(out, "mapping");
        break;
    case CONF_SECTION:
        buf_add_str(out, "section");
        break;
    case CONF_TABLES:
        buf_add_str(out, "list of sections");
        break;
    }
}

static void bounds_text(const struct conf_key *key, struct buf *out)
{
    char min[32], max[32];

    if (key->type == CONF_INT)
        buf_addf(out, ", %lld to %lld", (long long)key->min, (long long)key->max);
    else if (key->type == CONF_DURATION)
        buf_addf(out, ", %s to %s", conf_duration_text(key->min, min), conf_duration_text(key->max, max));
    else if (key->type == CONF_SIZE)
        buf_addf(out, ", %s to %s", conf_size_text(key->min, min), conf_size_text(key->max, max));
    else if (key->type == CONF_STR && key->max)
        buf_addf(out, ", at most %lld bytes", (long long)key->max);
    else if (key->max)
        buf_addf(out, ", %lld to %lld of them", (long long)key->min, (long long)key->max);
}

static bool has_keys(const struct conf_key *key)
{
    return key->type == CONF_SECTION || key->type == CONF_TABLES;
}

static void default_text(const struct conf_key *key, struct buf *out)
{
    if (key->required && key->driver)
        buf_addf(out, "**required** of driver %s", key->driver);
    else if (key->required && key->kind)
        buf_add_str(out, "**required** without `tasks`");
    else if (key->required)
        buf_add_str(out, "**required**");
    else if (key->driver && has_keys(key))
        buf_addf(out, "driver %s", key->driver);
    else if (key->fallback)
        buf_addf(out, "`%s`", key->fallback);
    else if (has_keys(key))
        buf_add_str(out, "");
    else if (key->type == CONF_STR || key->type == CONF_WORD)
        buf_add_str(out, "`\"\"`");
    else
        buf_add_str(out, "none");
    if (key->secret)
        buf_add_str(out, key->type == CONF_STR ? ", *secret*" : ", not shown");
}

/* In a table's cell a bar must not end the cell. */
static void cell(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

static void reference_rows(const struct conf_table *t, const char *prefix, struct buf *out)
{
    for (const struct conf_key *key = t->keys; key->name; key++) {
        auto_buf words = {0};
        buf_addf(out, "| `%s%s` | ", prefix, key->name);
        type_text(key, &words);
        bounds_text(key, &words);
        cell(words.data, out);
        buf_add_str(out, " | ");
        default_text(key, out);
        buf_add_str(out, " | ");
        cell(key->help, out);
        buf_add_str(out, " |\n");
        if (has_keys(key)) {
            auto_free char *below =
                xasprintf("%s%s%s.", prefix, key->name, key->type == CONF_TABLES ? "[]" : "");
            reference_rows(key->table, below, out);
        }
    }
}

void conf_print_reference(struct buf *out)
{
    buf_add_str(out, head);
    for (int kind = 0; kind < CONF_KINDS; kind++) {
        const struct conf_table *t = &conf_tables[kind];
        buf_addf(out, "\n## %s\n%s\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n",
                 t->title, t->about);
        reference_rows(t, "", out);
    }
}
