/* Requests on demand into ledger and outbox: one statement for all that came together. See schema/0013. */
#include "extract/asked_internal.h"
#include "lib/fault.h"
#include "lib/record.h"

#include "asked_enter.sql.h"

#include <stdio.h>

static const struct {
    const char *word;
    enum asked_outcome outcome;
} words[] = {
    {"new", ASKED_NEW},
    {"same", ASKED_SAME},
    {"other", ASKED_OTHER},
    {"used", ASKED_USED},
    {"suppressed", ASKED_SUPPRESSED},
    {"capped", ASKED_CAPPED},
    {"held", ASKED_HELD},
    {"unknown", ASKED_UNKNOWN},
    {"away", ASKED_AWAY},
    {"failed", ASKED_FAILED},
};

const char *asked_outcome_word(enum asked_outcome o)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].outcome == o)
            return words[i].word;
    abort();
}

/* 'again', at the end of a day: another process has just entered that key in the other day's run. Who asks
 * once more is told what it did, so for now nothing is known. */
static enum asked_outcome outcome_of(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].outcome;
    return ASKED_AWAY;
}

static void add_numbers(struct db_params *p, struct asked *const *asked, size_t count)
{
    auto_free int64_t *big = xcalloc(count, sizeof(*big));
    auto_free int32_t *marketing = xcalloc(count, sizeof(*marketing));
    auto_free int32_t *lanes = xcalloc(count, sizeof(*lanes));

    for (size_t i = 0; i < count; i++) {
        big[i] = asked[i]->number;
        marketing[i] = asked[i]->marketing;
        lanes[i] = asked[i]->instant;
    }
    db_add_big_array(p, big, count);
    db_add_int_array(p, marketing, count);
    db_add_int_array(p, lanes, count);
}

static void add_keys(struct db_params *p, struct asked *const *asked, size_t count)
{
    auto_free uint8_t(*keys)[KEY_SIZE] = xcalloc(count, sizeof(*keys));

    for (size_t i = 0; i < count; i++)
        memcpy(keys[i], asked[i]->key, KEY_SIZE);
    db_add_uuid_array(p, (const uint8_t(*)[KEY_SIZE])keys, count);
    for (size_t i = 0; i < count; i++)
        memcpy(keys[i], asked[i]->body, KEY_SIZE);
    db_add_uuid_array(p, (const uint8_t(*)[KEY_SIZE])keys, count);
}

static void add_all(struct db_params *p, struct asked *const *asked, size_t count)
{
    auto_free const char **texts = xcalloc(count, sizeof(*texts));
    auto_free int64_t *big = xcalloc(count, sizeof(*big));
    auto_buf head = {0}, tail = {0};

    for (size_t i = 0; i < count; i++) {
        texts[i] = asked[i]->caller;
        big[i] = asked[i]->cap;
    }
    db_add_text_array(p, texts, count);
    db_add_big_array(p, big, count);
    add_keys(p, asked, count);
    add_numbers(p, asked, count);
    for (size_t i = 0; i < count; i++)
        big[i] = asked[i]->due_ms;
    db_add_time_array(p, big, count);
    for (size_t i = 0; i < count; i++) {
        big[i] = asked[i]->until_ms;
        texts[i] = asked[i]->record;
    }
    db_add_time_array(p, big, count);
    db_add_text_array(p, texts, count);
    chunk_begin(&head, RECORD_ROWS);
    chunk_end(&tail);
    db_add_text(p, head.data);
    db_add_text(p, tail.data);
    for (size_t i = 0; i < count; i++)
        texts[i] = asked[i]->ext_id;
    db_add_text_array(p, texts, count);
}

static void take_answers(const struct db_result *res, size_t count, struct asked_answer *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = (struct asked_answer){.outcome = ASKED_AWAY};
    for (int row = 0; row < db_rows(res); row++) {
        struct asked_answer *a = &ret[db_big(res, row, 0) - 1];
        a->outcome = outcome_of(db_text(res, row, 1));
        a->sms_id = db_big(res, row, 2);
        snprintf(a->why, sizeof(a->why), "%s", db_text(res, row, 3));
        if (a->outcome == ASKED_CAPPED)
            a->retry_after_s = db_big(res, row, 4);
    }
}

int asked_enter(struct db *d, struct asked *const *asked, size_t count, struct asked_answer *ret)
{
    auto_params p = db_params_new();
    auto_result res = NULL;
    int r;

    add_all(p, asked, count);
    FAULT("asked.entering");
    r = db_run(d, &sql_asked_enter, p, &res);
    if (r != 0)
        return r;
    FAULT("asked.entered");
    take_answers(res, count, ret);
    return 0;
}
