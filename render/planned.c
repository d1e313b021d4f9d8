/* Adding up: see planned.h. */
#include "render/planned.h"
#include "lib/number.h"
#include <stdio.h>

struct planned *planned_new(void)
{
    return xcalloc(1, sizeof(struct planned));
}

void planned_free(struct planned *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->gateway_count; i++)
        free(f->gateways[i].name);
    free(f->gateways);
    for (size_t i = 0; i < f->reason_count; i++) {
        free(f->reasons[i].reason);
        for (size_t n = 0; n < f->reasons[i].example_count; n++) {
            free(f->reasons[i].examples[n].key);
            free(f->reasons[i].examples[n].error);
        }
    }
    free(f);
}

/* Money that does not fit stays at the top, where everybody sees that something is wrong. */
static int64_t add_up(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static bool add_cost(struct planned_cost *costs, size_t *count, size_t max, const char *currency,
                     int64_t micro)
{
    size_t at = 0;

    while (at < *count && strcmp(costs[at].currency, currency) != 0)
        at++;
    if (at == max)
        return false;
    if (at == *count) {
        costs[at] = (struct planned_cost){0};
        snprintf(costs[at].currency, sizeof(costs[at].currency), "%s", currency);
        (*count)++;
    }
    costs[at].micro = add_up(costs[at].micro, micro);
    return true;
}

/* NULL: there are too many. */
static struct planned_gateway *gateway_of(struct planned *f, const char *name)
{
    for (size_t i = 0; i < f->gateway_count; i++)
        if (strcmp(f->gateways[i].name, name) == 0)
            return &f->gateways[i];
    if (f->gateway_count == PLANNED_GATEWAYS)
        return NULL;
    f->gateways = xrealloc(f->gateways, (f->gateway_count + 1) * sizeof(*f->gateways));
    f->gateways[f->gateway_count] = (struct planned_gateway){.name = xstrdup(name)};
    return &f->gateways[f->gateway_count++];
}

static const struct price *price_of(const struct plan *plan, const char *gateway, int64_t number)
{
    for (size_t i = 0; plan->prices && i < plan->conf->gateway_count; i++)
        if (strcmp(plan->conf->gateways[i].name, gateway) == 0)
            return prices_find(plan->prices[i], number);
    return NULL;
}

static void add_gateway(struct planned *f, const struct plan *plan, const struct judgement *j, int64_t number)
{
    const struct price *price = price_of(plan, j->gateways[0], number);
    struct planned_gateway *g = gateway_of(f, j->gateways[0]);
    int64_t segments = (int64_t)j->shape.segments;

    if (!g)
        return;
    g->messages++;
    g->segments += segments;
    if (!price ||
        !add_cost(g->costs, &g->cost_count, PLANNED_CURRENCIES, price->currency, price->micro * segments))
        g->unpriced += segments;
}

static void add_characters(struct planned *f, const struct judgement *j)
{
    uint32_t codes[PLANNED_PER_TEXT];
    size_t count = text_beyond_gsm7(j->text, j->len, codes, COUNT_OF(codes));

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < f->character_count && f->characters[at].code != codes[i])
            at++;
        if (at == PLANNED_CHARACTERS) {
            f->other_characters++;
            continue;
        }
        if (at == f->character_count)
            f->characters[f->character_count++] = (struct planned_character){.code = codes[i]};
        f->characters[at].messages++;
    }
}

static void add_error(struct planned *f, const struct judgement *j, const char *key)
{
    size_t at = 0;

    f->errors++;
    while (at < f->reason_count && strcmp(f->reasons[at].reason, j->reason) != 0)
        at++;
    if (at == PLANNED_REASONS)
        return; /* counted in `errors`; no such number of reasons exists */
    if (at == f->reason_count)
        f->reasons[f->reason_count++] = (struct planned_error){.reason = xstrdup(j->reason)};
    struct planned_error *e = &f->reasons[at];
    e->count++;
    if (e->example_count < PLANNED_EXAMPLES)
        e->examples[e->example_count++] =
            (struct planned_example){.key = xstrdup(key ? key : ""), .error = xstrdup(j->error)};
}

void planned_add(struct planned *f, const struct plan *plan, const struct judgement *j, int64_t number,
                 const char *key)
{
    if (j->reason) {
        add_error(f, j, key);
        return;
    }
    f->messages++;
    f->segments += (int64_t)j->shape.segments;
    f->shapes[j->shape.encoding][MIN_OF(j->shape.segments, (size_t)TEXT_SEGMENTS_MAX)]++;
    if (j->shape.encoding == TEXT_UCS2)
        add_characters(f, j);
    add_gateway(f, plan, j, number);
}

static const char *cell_of(const struct row_record *row, const char *name)
{
    for (size_t i = 0; i < row->row.count; i++)
        if (strcmp(row->row.cells[i].name, name) == 0)
            return row->row.cells[i].value;
    return NULL;
}

void planned_key(const struct row_record *row, const struct conf_rule *rule, const char *country,
                 char out[PLANNED_KEY_SIZE])
{
    auto_buf b = {0};
    char masked[NUMBER_SIZE];

    for (size_t i = 0; i < rule->once_per.count; i++) {
        const char *name = rule->once_per.items[i], *value = cell_of(row, name);
        int64_t number = 0;
        if (value && number_normalise(value, country, &number) == NUMBER_OK && number == row->number)
            value = number_mask(number, masked);
        buf_addf(&b, "%s%s %.60s", i > 0 ? ", " : "", name, value ? value : "NULL");
    }
    snprintf(out, PLANNED_KEY_SIZE, "%s", b.data ? b.data : "");
}

size_t planned_costs(const struct planned *f, struct planned_cost *ret, size_t max)
{
    size_t count = 0;

    for (size_t g = 0; g < f->gateway_count; g++)
        for (size_t i = 0; i < f->gateways[g].cost_count; i++)
            (void)add_cost(ret, &count, max, f->gateways[g].costs[i].currency, f->gateways[g].costs[i].micro);
    return count;
}

char *planned_money(int64_t micro, char out[PLANNED_MONEY_SIZE])
{
    int len = snprintf(out, PLANNED_MONEY_SIZE, "%lld.%06lld", (long long)(micro / 1000000),
                       (long long)(micro % 1000000));

    for (int places = 6; places > 2 && out[len - 1] == '0'; places--)
        out[--len] = '\0';
    return out;
}
