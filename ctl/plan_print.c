/* A plan for a person's eyes. */
#include "ctl/planning.h"
#include "ctl/show_planned.h"
#include "lib/clock.h"
#include "lib/number.h"
#include <inttypes.h>
#include <stdio.h>

static void print_skipped(const char *what, int64_t rows, const struct planning_count *by, size_t count)
{
    char n[32];

    if (rows == 0)
        return;
    printf("  %-14s %12s", what, show_grouped(rows, n));
    for (size_t i = 0; i < count; i++) {
        printf("%s", i > 0 ? " · " : "  ");
        show_cut(by[i].reason, 40);
        printf(" %s", show_grouped(by[i].rows, n));
    }
    putchar('\n');
}

static void print_rows(const struct planning *p)
{
    char n[32], took[48];
    int64_t stale = planning_stale(p);

    printf("rows             %12s  read in %s\n", show_grouped(p->rows, n), show_duration(p->took_ms, took));
    printf("recipients       %12s\n", show_grouped(p->planned->messages + p->planned->errors, n));
    print_skipped("duplicate", p->duplicate, NULL, 0);
    print_skipped("suppressed", p->suppressed, p->suppressed_by, p->suppressed_reasons);
    print_skipped("invalid", p->invalid, p->invalid_by, p->invalid_reasons);
    if (stale > 0)
        printf("  %-14s %12s  will not leave within valid_for, and are not sent then\n", "stale",
               show_grouped(stale, n));
    printf("render errors    %12s\n", show_grouped(p->planned->errors, n));
    show_planned_errors(p->planned, "  ");
}

static void print_shapes(const struct planned *f)
{
    char n[32];

    printf("segments         %12s\n", show_grouped(f->segments, n));
    for (int e = TEXT_GSM7; e <= TEXT_UCS2; e++)
        for (int s = 1; s <= TEXT_SEGMENTS_MAX; s++)
            if (f->shapes[e][s] > 0)
                printf("  %-5s %3d of    %12s messages  %5.1f %%\n",
                       text_encoding_word((enum text_encoding)e), s, show_grouped(f->shapes[e][s], n),
                       100.0 * (double)f->shapes[e][s] / (double)f->messages);
    if (f->character_count == 0)
        return;
    printf("  UCS-2 because of ");
    for (size_t i = 0; i < f->character_count; i++) {
        char c[SHOW_CHARACTER_SIZE];
        printf("%s%s in %s", i > 0 ? " · " : "", show_character(f->characters[i].code, c),
               show_grouped(f->characters[i].messages, n));
    }
    printf("%s\n", f->other_characters > 0 ? " · and others" : "");
}

static void print_gateways(const struct planning *p)
{
    const struct planned *f = p->planned;
    struct planned_cost costs[PLANNED_CURRENCIES];
    int64_t longest = 0;
    char n[32], m[32], took[48], end[SHOW_TIME_SIZE];

    printf("gateways\n");
    for (size_t i = 0; i < f->gateway_count; i++) {
        const struct planned_gateway *g = &f->gateways[i];
        int64_t ms = planning_send_ms(p, g);
        longest = MAX_OF(longest, ms);
        printf("  %-14s %12s messages %12s segments  %s  ", g->name, show_grouped(g->messages, n),
               show_grouped(g->segments, m), show_duration(ms, took));
        show_costs(g->costs, g->cost_count);
        putchar('\n');
    }
    printf("cost             ");
    show_costs(costs, planned_costs(f, costs, COUNT_OF(costs)));
    printf("\ntime             %s at the gateways' rates, so until %s UTC\n", show_duration(longest, took),
           show_time(p->at_ms + longest, end));
}

static void print_last(const struct planning *p)
{
    struct planned_cost now[PLANNED_CURRENCIES], then[PLANNED_CURRENCIES];
    int64_t recipients = p->planned->messages + p->planned->errors;
    char n[32], d[32], at[SHOW_TIME_SIZE];

    if (p->ledger.last_run == 0) {
        printf("last run         none was read to its end\n");
        return;
    }
    printf("last run         %" PRId64 " of %s: %s recipients, now %s%s", p->ledger.last_run,
           show_time(p->ledger.last_at_ms, at), show_grouped(p->ledger.last_new, n),
           recipients >= p->ledger.last_new ? "+" : "", show_grouped(recipients - p->ledger.last_new, d));
    if (p->ledger.last) {
        size_t before = planned_costs(p->ledger.last, then, COUNT_OF(then));
        size_t count = planned_costs(p->planned, now, COUNT_OF(now));
        printf("; cost ");
        show_costs(then, before);
        printf(", now ");
        if (p->planned->messages > 0)
            show_costs(now, count);
        else
            printf("nothing");
    }
    putchar('\n');
}

static void print_samples(const struct planning *p)
{
    char number[NUMBER_SIZE];

    if (p->sample_count > 0)
        printf("texts\n");
    for (size_t i = 0; i < p->sample_count; i++) {
        const struct planning_sample *s = &p->samples[i];
        printf("  %s by %s, %s, %zu segment%s\n", number_mask(s->number, number), s->gateway,
               text_encoding_word(s->shape.encoding), s->shape.segments, s->shape.segments == 1 ? "" : "s");
        show_text(s->text, strlen(s->text), "    ");
    }
}

void planning_print(const struct planning *p)
{
    char at[SHOW_TIME_SIZE];
    auto_buf warnings = {0};

    printf("plan of rule %s (%s), as if fired at %s UTC; nothing was sent or entered\n\n", p->rule->name,
           p->rule->file, show_time(p->at_ms, at));
    print_rows(p);
    print_shapes(p->planned);
    print_gateways(p);
    print_last(p);
    print_samples(p);
    planning_warnings(p, &warnings);
    if (warnings.len > 0)
        printf("mind\n  ");
    for (size_t i = 0; i < warnings.len; i++) {
        putchar(warnings.data[i]);
        if (warnings.data[i] == '\n' && i + 1 < warnings.len)
            printf("  ");
    }
}
