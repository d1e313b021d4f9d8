/* Figures of a run in words: see show_planned.h. */
#include "ctl/show_planned.h"
#include "ctl/ctl.h"
#include <inttypes.h>
#include <stdio.h>

const char *show_grouped(int64_t n, char out[SHOW_GROUPED_SIZE])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n), at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *show_duration(int64_t ms, char out[SHOW_DURATION_SIZE])
{
    int64_t s = (ms + 999) / 1000;

    if (s < 60)
        snprintf(out, SHOW_DURATION_SIZE, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(out, SHOW_DURATION_SIZE, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else
        snprintf(out, SHOW_DURATION_SIZE, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
    return out;
}

void show_costs(const struct planned_cost *costs, size_t count)
{
    char money[PLANNED_MONEY_SIZE];

    for (size_t i = 0; i < count; i++)
        printf("%s%s %s", i > 0 ? " + " : "", planned_money(costs[i].micro, money), costs[i].currency);
    if (count == 0)
        printf("no price known");
}

void show_planned_line(const struct planned *f)
{
    struct planned_cost costs[PLANNED_CURRENCIES];
    char n[SHOW_GROUPED_SIZE], m[SHOW_GROUPED_SIZE];
    size_t count = planned_costs(f, costs, COUNT_OF(costs));
    int64_t unpriced = 0;

    for (size_t i = 0; i < f->gateway_count; i++)
        unpriced += f->gateways[i].unpriced;
    printf("%s message%s in %s segment%s, ", show_grouped(f->messages, n), f->messages == 1 ? "" : "s",
           show_grouped(f->segments, m), f->segments == 1 ? "" : "s");
    if (f->messages > 0)
        show_costs(costs, count);
    else
        printf("no cost");
    if (unpriced > 0 && count > 0)
        printf(" and %s segment%s without a price", show_grouped(unpriced, n), unpriced == 1 ? "" : "s");
    if (f->errors > 0)
        printf("; %s row%s cannot be rendered", show_grouped(f->errors, n), f->errors == 1 ? "" : "s");
}

void show_planned_gateways(const struct planned *f, const char *indent)
{
    char n[SHOW_GROUPED_SIZE], m[SHOW_GROUPED_SIZE];

    for (size_t i = 0; i < f->gateway_count; i++) {
        const struct planned_gateway *g = &f->gateways[i];
        printf("%s%-14s %12s messages %12s segments  ", indent, g->name, show_grouped(g->messages, n),
               show_grouped(g->segments, m));
        show_costs(g->costs, g->cost_count);
        if (g->unpriced > 0 && g->cost_count > 0)
            printf(", and %s segments without a price", show_grouped(g->unpriced, n));
        putchar('\n');
    }
}

void show_planned_errors(const struct planned *f, const char *indent)
{
    char n[SHOW_GROUPED_SIZE];

    for (size_t i = 0; i < f->reason_count; i++) {
        const struct planned_error *e = &f->reasons[i];
        printf("%s%-14s %12s\n", indent, e->reason, show_grouped(e->count, n));
        for (size_t k = 0; k < e->example_count; k++) {
            printf("%s  ", indent);
            show_cut(e->examples[k].key, SHOW_COLUMNS);
            printf(": %s\n", e->examples[k].error);
        }
    }
}
