/* Charts as SVG: see chart.h. */
#include "dashboard/chart.h"
#include "dashboard/spell.h"

#define WIDTH  960.0
#define HEIGHT 260.0
#define LEFT   64.0
#define RIGHT  8.0
#define TOP    12.0
#define BOTTOM 28.0
#define STEPS  4
#define LABELS 8 /* below the columns, at most */

int64_t chart_step(int64_t max, int steps)
{
    static const int64_t round[] = {1, 2, 5};
    for (int64_t ten = 1; ten < INT64_MAX / 100; ten *= 10)
        for (size_t i = 0; i < COUNT_OF(round); i++)
            if (round[i] * ten >= (max + steps - 1) / steps)
                return round[i] * ten;
    return INT64_MAX / 100;
}

static int64_t value(const struct chart *c, size_t column, size_t series)
{
    return c->values[column * c->series_count + series];
}

static int64_t column_sum(const struct chart *c, size_t column)
{
    int64_t sum = 0;
    for (size_t s = 0; s < c->series_count; s++)
        sum += value(c, column, s);
    return sum;
}

static int64_t series_sum(const struct chart *c, size_t series)
{
    int64_t sum = 0;
    for (size_t i = 0; i < c->column_count; i++)
        sum += value(c, i, series);
    return sum;
}

static void add_scale(struct buf *out, int64_t step)
{
    char number[SPELL_SIZE];
    for (int i = 0; i <= STEPS; i++) {
        double y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * i / STEPS;
        htmlf(out, "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
              WIDTH - RIGHT, y, y);
        htmlf(out, "<text class=\"scale\" x=\"%.0f\" y=\"%.1f\">%s</text>", LEFT - 8, y + 4,
              spell_number(step * i, number));
    }
}

static void add_columns(struct buf *out, const struct chart *c, double slot, double per_one)
{
    double width = slot > 6 ? slot - 2 : slot > 2 ? slot - 1 : slot;
    for (size_t i = 0; i < c->column_count; i++) {
        double y = HEIGHT - BOTTOM, x = LEFT + slot * (double)i + (slot - width) / 2;
        char number[SPELL_SIZE];
        if (column_sum(c, i) == 0)
            continue;
        htmlf(out, "<g><title>%s: %s %s</title>", c->labels[i], spell_number(column_sum(c, i), number),
              c->unit);
        for (size_t s = 0; s < c->series_count; s++) {
            double height = (double)value(c, i, s) * per_one;
            if (height <= 0)
                continue;
            y -= height;
            htmlf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
                  c->series[s].class, x, y, width, height);
        }
        buf_add_str(out, "</g>");
    }
}

static void add_labels(struct buf *out, const struct chart *c, double slot)
{
    size_t every = MAX_OF((c->column_count + LABELS - 1) / LABELS, (size_t)1);
    for (size_t i = 0; i < c->column_count; i += every)
        htmlf(out, "<text class=\"label\" x=\"%.1f\" y=\"%.0f\">%s</text>", LEFT + slot * ((double)i + 0.5),
              HEIGHT - 8, c->labels[i]);
}

/* The same without eyes: only columns and series that have something. */
static void add_table(struct buf *out, const struct chart *c)
{
    char number[SPELL_SIZE];
    htmlf(out,
          "<details class=\"figures\"><summary>The same as a table</summary>\n<div "
          "class=\"wide\"><table><caption class=\"unseen\">%s</caption>"
          "<thead><tr><th scope=\"col\">When</th>",
          c->title);
    for (size_t s = 0; s < c->series_count; s++)
        if (series_sum(c, s) > 0)
            htmlf(out, "<th scope=\"col\" class=\"n\">%s</th>", c->series[s].word);
    buf_add_str(out, "</tr></thead><tbody>\n");
    for (size_t i = c->column_count; i-- > 0;) {
        if (column_sum(c, i) == 0)
            continue;
        htmlf(out, "<tr><th scope=\"row\">%s</th>", c->labels[i]);
        for (size_t s = 0; s < c->series_count; s++)
            if (series_sum(c, s) > 0)
                htmlf(out, "<td class=\"n\">%s</td>", spell_number(value(c, i, s), number));
        buf_add_str(out, "</tr>\n");
    }
    buf_add_str(out, "</tbody></table></div></details>\n");
}

static void add_key(struct buf *out, const struct chart *c)
{
    char number[SPELL_SIZE];
    buf_add_str(out, "<ul class=\"key\">");
    for (size_t s = 0; s < c->series_count; s++)
        if (series_sum(c, s) > 0)
            htmlf(out, "<li class=\"%s\">%s <b>%s</b></li>", c->series[s].class, c->series[s].word,
                  spell_number(series_sum(c, s), number));
    buf_add_str(out, "</ul>\n");
}

void chart_add(struct buf *out, const struct chart *c)
{
    int64_t max = 0;
    for (size_t i = 0; i < c->column_count; i++)
        max = MAX_OF(max, column_sum(c, i));
    htmlf(out, "<figure class=\"chart\"><figcaption>%s</figcaption>\n", c->title);
    if (max == 0) {
        buf_add_str(out, "<p class=\"empty\">Nothing in this time.</p></figure>\n");
        return;
    }
    int64_t step = chart_step(max, STEPS);
    double slot = (WIDTH - LEFT - RIGHT) / (double)c->column_count;
    add_key(out, c);
    htmlf(out,
          "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"%s\"><svg viewBox=\"0 0 %.0f "
          "%.0f\" role=\"img\" aria-label=\"%s, "
          "stacked columns; the figures stand in the table below\">",
          c->title, WIDTH, HEIGHT, c->title);
    add_scale(out, step);
    add_columns(out, c, slot, (HEIGHT - BOTTOM - TOP) / (double)(step * STEPS));
    add_labels(out, c, slot);
    buf_add_str(out, "</svg></div>\n");
    add_table(out, c);
    buf_add_str(out, "</figure>\n");
}
