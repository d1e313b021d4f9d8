/* What a run is, in figures: how many messages and segments in which encoding, by which gateways, for how
 * much, and what cannot be rendered. Added up judgement by judgement by whoever reads a run's rows; stored
 * with the run as JSON. Its size does not grow with the rows. Pure. */
#pragma once
#include "render/judge.h"

#define PLANNED_CHARACTERS 64 /* different ones; what is beyond is counted as others */
#define PLANNED_PER_TEXT   16 /* of one text */
#define PLANNED_GATEWAYS   256
#define PLANNED_CURRENCIES 16 /* of one gateway */
#define PLANNED_REASONS    32
#define PLANNED_EXAMPLES   5
#define PLANNED_KEY_SIZE   200

struct planned_cost {
    char currency[4];
    int64_t micro; /* exact, in millionths; stays at INT64_MAX where it would go over */
};
struct planned {
    int64_t messages, segments; /* that can be sent */
    int64_t errors;             /* rows that cannot be rendered; with messages: all that were judged */
    int64_t shapes[2][TEXT_SEGMENTS_MAX + 1]; /* messages by enum text_encoding and segments */
    struct planned_character {                /* that force UCS-2 */
        uint32_t code;
        int64_t messages;
    } characters[PLANNED_CHARACTERS];
    size_t character_count;
    int64_t other_characters;
    struct planned_gateway {
        char *name;
        int64_t messages, segments;
        int64_t unpriced; /* segments to which no line of its `prices` fits */
        struct planned_cost costs[PLANNED_CURRENCIES];
        size_t cost_count;
    } * gateways;
    size_t gateway_count;
    struct planned_error {
        char *reason;
        int64_t count;
        struct planned_example {
            char *key, *error;
        } examples[PLANNED_EXAMPLES]; /* the first ones */
        size_t example_count;
    } reasons[PLANNED_REASONS];
    size_t reason_count;
};

struct planned *planned_new(void);
void planned_free(struct planned *f);
/* key: what a person finds the row by, of a row that cannot be rendered (planned_key); NULL: not said. */
void planned_add(struct planned *f, const struct plan *plan, const struct judgement *j, int64_t number,
                 const char *key);
/* "contract_id 17, due_on 2026-02-01": the values of once_per; a value that is a number is masked. */
void planned_key(const struct row_record *row, const struct conf_rule *rule, const char *country,
                 char out[PLANNED_KEY_SIZE]);
/* Over all gateways: at most `max` currencies. Returns how many. */
size_t planned_costs(const struct planned *f, struct planned_cost *ret, size_t max);

void planned_encode(const struct planned *f, struct buf *out); /* one JSON object */
struct planned *planned_decode(const char *json, size_t len);  /* NULL: not such an object */
#define PLANNED_MONEY_SIZE 32
char *planned_money(int64_t micro, char out[PLANNED_MONEY_SIZE]); /* "12.34", "0.0425": two places at least */
