/* What somebody types to find messages: qualifiers like `state:rejected rule:dunning after:2d`, read into
 * plain values. Pure. */
#pragma once
#include "lib/base.h"
#include "lib/number.h"
#include "lib/state.h"

#define SEARCH_WORD_MAX    200 /* bytes of a value */
#define SEARCH_TEXT_MAX    1000
#define SEARCH_STATES_MAX  13
#define SEARCH_MESSAGE_MAX 400

struct search {
    int64_t number;              /* to: 0 any */
    int64_t sms_id;              /* sms_id: 0 any */
    int64_t run_id;              /* run: 0 any */
    int64_t after_ms, before_ms; /* entered from … up to, not including; 0 any */
    char rule[SEARCH_WORD_MAX + 1], gateway[SEARCH_WORD_MAX + 1], ext[SEARCH_WORD_MAX + 1],
        msg_id[SEARCH_WORD_MAX + 1];
    enum state states[SEARCH_STATES_MAX]; /* any of these */
    size_t state_count;                   /* 0 any */
};

struct search_qualifier {
    const char *name, *value, *help; /* "to", "+4917…", what it finds */
};
extern const struct search_qualifier search_qualifiers[]; /* ends with name NULL */

/* country: calling code of numbers in national form, "" or NULL none; now_ms: what `after:2d` counts from.
 * False: `message` says what is wrong and what was meant. An empty text finds everything. */
bool search_parse(const char *text, const char *country, int64_t now_ms, struct search *ret,
                  char message[SEARCH_MESSAGE_MAX]);
