/* Words and rank of the states. Ranks are made total (a number a state), so that no two states ever tie. */
#include "lib/state.h"

static const struct {
    enum state state;
    const char *word;
} words[] = {
    {STATE_QUEUED, "queued"},       {STATE_SUBMITTED, "submitted"},
    {STATE_IN_DOUBT, "in_doubt"},   {STATE_ACCEPTED, "accepted"},
    {STATE_STALE, "stale"},         {STATE_SUPPRESSED, "suppressed"},
    {STATE_CANCELLED, "cancelled"}, {STATE_RENDER_ERROR, "render_error"},
    {STATE_UNKNOWN, "unknown"},     {STATE_EXPIRED, "expired"},
    {STATE_REJECTED, "rejected"},   {STATE_UNDELIVERED, "undelivered"},
    {STATE_DELIVERED, "delivered"},
};

const char *state_word(enum state s)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (words[i].state == s)
            return words[i].word;
    }
    return NULL;
}

bool state_parse(const char *word, enum state *ret)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i].word, word) == 0) {
            *ret = words[i].state;
            return true;
        }
    }
    return false;
}

bool state_is_final(enum state s)
{
    return s > STATE_ACCEPTED;
}

bool state_replaces(int attempt_new, enum state state_new, int attempt_old, enum state state_old)
{
    bool open_new = state_new < STATE_ACCEPTED, open_old = state_old < STATE_ACCEPTED;
    if (open_new && open_old && attempt_new != attempt_old)
        return attempt_new > attempt_old;
    return state_new > state_old;
}
