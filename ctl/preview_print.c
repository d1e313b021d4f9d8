/* A preview as a person reads it: each segment by itself, and what is dear in it. Colours on a terminal,
 * marks below the line elsewhere. */
#include "ctl/preview.h"
#include "lib/number.h"
#include <locale.h>
#include <stdio.h>
#include <wchar.h>

#define INDENT "  "
#define DEAR   "\033[33;1m" /* takes two places */
#define FORCES "\033[31;1m" /* forces UCS-2 */
#define PLAIN  "\033[0m"

struct line { /* of a segment, as far as it has come */
    struct buf text, marks;
    bool marked;
};

static void end_line(struct line *l, bool colours)
{
    printf(INDENT "%s\n", l->text.data ? l->text.data : "");
    if (l->marked && !colours) {
        while (l->marks.len > 0 && l->marks.data[l->marks.len - 1] == ' ')
            l->marks.data[--l->marks.len] = '\0';
        printf(INDENT "%s\n", l->marks.data);
    }
    buf_clear(&l->text);
    buf_clear(&l->marks);
    l->marked = false;
}

/* '2' below what takes two places, '!' below what forces UCS-2. */
static void add_character(struct line *l, const struct text_character *c, bool colours)
{
    char mark = c->beyond_gsm7 ? '!' : c->units > 1 ? '2' : ' ';
    int columns = wcwidth((wchar_t)c->code);

    if (mark != ' ' && colours)
        buf_add_str(&l->text, mark == '!' ? FORCES : DEAR);
    if (columns < 0) {
        buf_add_char(&l->text, '?'); /* nothing that steers a terminal */
        columns = 1;
    } else {
        buf_add(&l->text, c->bytes, c->len);
    }
    if (mark != ' ' && colours)
        buf_add_str(&l->text, PLAIN);
    for (int i = 0; i < columns; i++)
        buf_add_char(&l->marks, i == 0 ? mark : ' ');
    l->marked = l->marked || mark != ' ';
}

static void print_segments(const struct judgement *j)
{
    bool colours = isatty(STDOUT_FILENO) == 1;
    size_t segment = SIZE_MAX;
    struct line line = {0};
    struct text_character c;
    struct text_walk walk;

    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* wcwidth */
    text_walk_begin(&walk, j->text, j->len, &j->shape);
    while (text_walk_next(&walk, &c)) {
        if (c.segment != segment) {
            if (segment != SIZE_MAX)
                end_line(&line, colours);
            segment = c.segment;
            printf("segment %zu of %zu\n", segment + 1, j->shape.segments);
        }
        if (c.code == '\n')
            end_line(&line, colours);
        else
            add_character(&line, &c, colours);
    }
    end_line(&line, colours);
    buf_deinit(&line.text);
    buf_deinit(&line.marks);
}

static void print_dear(const struct judgement *j)
{
    uint32_t codes[PLANNED_PER_TEXT];
    size_t count = text_beyond_gsm7(j->text, j->len, codes, COUNT_OF(codes));
    char shown[SHOW_CHARACTER_SIZE];

    if (count == 0)
        return;
    printf("UCS-2 because of ");
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i > 0 ? " · " : "", show_character(codes[i], shown));
    printf(": %zu places a segment instead of %d\n", j->shape.segments > 1 ? (size_t)67 : (size_t)70,
           j->shape.segments > 1 ? 153 : 160);
}

/* The template's own line with a caret below the place. */
static void print_caret(const struct judgement *j)
{
    const char *at = j->tmpl->text, *end;

    for (int line = j->tmpl->text_line; line < j->line && at; line++) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return;
    end = strchrnul(at, '\n');
    printf(INDENT "%.*s\n" INDENT "%*s^\n", (int)(end - at), at, j->column - 1, "");
}

static void print_route(const struct preview *p, const struct plan *plan, const struct judgement *j)
{
    struct planned *one = planned_new();
    struct planned_cost cost[1];
    char number[NUMBER_SIZE], money[PLANNED_MONEY_SIZE];

    planned_add(one, plan, j, p->number, NULL);
    printf("to %s by %s", number_mask(p->number, number), j->gateways[0]);
    for (size_t i = 1; i < j->gateway_count; i++)
        printf("%s%s", i == 1 ? ", else " : ", ", j->gateways[i]);
    if (planned_costs(one, cost, COUNT_OF(cost)) > 0)
        printf(", %s %s", planned_money(cost[0].micro, money), cost[0].currency);
    putchar('\n');
    planned_free(one);
}

static void print_json(const struct judgement *j)
{
    auto_buf b = {0};

    buf_add_char(&b, '{');
    if (j->reason) {
        show_json_text(&b, "reason", j->reason);
        show_json_text(&b, "error", j->error);
    } else {
        auto_free char *text = xstrndup(j->text, j->len);
        show_json_text(&b, "text", text);
        show_json_text(&b, "encoding", text_encoding_word(j->shape.encoding));
        show_json_big(&b, "segments", (int64_t)j->shape.segments);
        show_json_big(&b, "units", (int64_t)j->shape.units);
        show_json_text(&b, "template_version", j->tmpl->version);
        show_json_text(&b, "gateway", j->gateways[0]);
    }
    printf("%s}\n", b.data);
}

void preview_print(const struct preview *p, const struct plan *plan, const struct judgement *j)
{
    if (p->json) {
        print_json(j);
        return;
    }
    if (j->reason) {
        printf("render error %s\n%s\n", j->reason, j->error);
        if (j->line > 0)
            print_caret(j);
        return;
    }
    printf("%s, %zu segment%s, %zu %s\n", text_encoding_word(j->shape.encoding), j->shape.segments,
           j->shape.segments == 1 ? "" : "s", j->shape.units,
           j->shape.encoding == TEXT_GSM7 ? "septets" : "UTF-16 units");
    print_segments(j);
    print_dear(j);
    if (p->rule)
        print_route(p, plan, j);
}
