/* Reading a search: see search.h. */
#include "dashboard/search.h"
#include "lib/clock.h"
#include "lib/seq_id.h"
#include "lib/suggest.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

const struct search_qualifier search_qualifiers[] = {
    {"to", "+49 171 1234567", "messages to this number, in international or national form"},
    {"state", "undelivered,rejected", "messages that are in one of these states now"},
    {"rule", "repayment-reminder", "messages of this rule"},
    {"run", "123", "messages of this run"},
    {"gateway", "alpha", "messages that went by this gateway"},
    {"ext", "ORDER-4711", "the message with this id of another system"},
    {"msg_id", "7f3a01", "the message to which a gateway gave this id"},
    {"sms_id", "172000000000001", "the message with this id of ours; a seq_id will do, too"},
    {"after", "2026-01-31", "entered then or later: a day, 2026-01-31T08:15 (UTC), or 2h, 3d ago"},
    {"before", "2026-02-01", "entered earlier than then; the same forms"},
    {NULL, NULL, NULL},
};

struct reading {
    struct search *out;
    const char *country;
    int64_t now_ms;
    char *message;
    unsigned seen; /* bit by place in search_qualifiers */
};

static bool printf_like(2, 3) wrong(struct reading *r, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(r->message, SEARCH_MESSAGE_MAX, format, ap);
    va_end(ap);
    return false;
}

static bool read_big(const char *s, int64_t *ret)
{
    char *end;
    errno = 0;
    if (*s < '0' || *s > '9')
        return false;
    *ret = strtoll(s, &end, 10);
    return errno == 0 && *end == '\0' && *ret > 0;
}

/* "3d": so long ago. */
static bool read_ago(const char *s, int64_t now_ms, int64_t *ret)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end;
    errno = 0;
    long n = isdigit((unsigned char)*s) ? strtol(s, &end, 10) : -1;
    if (n < 0 || errno != 0 || n > 100000 || *end == '\0' || end[1] != '\0')
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].unit == *end) {
            *ret = now_ms - n * units[i].ms;
            return true;
        }
    }
    return false;
}

/* A day, or a day and a time of it, in UTC; or with a zone, as RFC 3339 has it. */
static bool read_time(const char *s, int64_t now_ms, int64_t *ret)
{
    static const char *const tails[] = {"T00:00:00Z", ":00Z", "Z", ""};
    static const size_t lengths[] = {10, 16, 19, 0};
    size_t len = strlen(s);
    if (read_ago(s, now_ms, ret))
        return true;
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        if (lengths[i] != 0 && lengths[i] != len)
            continue;
        auto_free char *whole = xasprintf("%s%s", s, tails[i]);
        return clock_parse_iso(whole, ret) && *ret > 0;
    }
    return false;
}

static bool add_state(struct reading *r, const char *word, size_t len)
{
    auto_free char *name = xstrndup(word, len);
    enum state state;
    if (!state_parse(name, &state)) {
        struct suggest near = {.word = name, .len = len};
        for (int i = 0; i <= STATE_DELIVERED; i++)
            if (state_word((enum state)i) != NULL)
                suggest_offer(&near, state_word((enum state)i));
        return wrong(
            r,
            "no state is called '%.40s'%s%s; there are queued submitted in_doubt accepted unknown expired "
            "rejected undelivered delivered stale suppressed cancelled render_error",
            name, near.best != NULL ? ", did you mean " : "", near.best != NULL ? near.best : "");
    }
    for (size_t i = 0; i < r->out->state_count; i++)
        if (r->out->states[i] == state)
            return true;
    r->out->states[r->out->state_count++] = state;
    return true;
}

static bool read_states(struct reading *r, const char *value)
{
    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ",");
        if (!add_state(r, at, len))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
}

static bool read_number(struct reading *r, const char *value)
{
    const char *country = r->country != NULL && *r->country != '\0' ? r->country : NULL;
    enum number_fault fault = number_normalise(value, country, &r->out->number);
    if (fault == NUMBER_OK)
        return true;
    r->out->number = 0;
    return wrong(r, "to: wants a whole number like +491711234567 (what stands there is none: %s)",
                 number_fault_word(fault));
}

static bool read_sms_id(struct reading *r, const char *value)
{
    struct seq_id id;
    if (seq_id_parse(value, &id)) {
        r->out->sms_id = id.sms_id;
        return true;
    }
    if (read_big(value, &r->out->sms_id) && r->out->sms_id < SMS_ID_END)
        return true;
    return wrong(r, "sms_id: wants an id of ours, 172000000000001, or a seq_id, 172000000000001.1.1");
}

static bool read_value(struct reading *r, const char *name, const char *value)
{
    const struct {
        const char *name;
        char *into;
    } words[] = {{"rule", r->out->rule},
                 {"gateway", r->out->gateway},
                 {"ext", r->out->ext},
                 {"msg_id", r->out->msg_id}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i].name, name) == 0) {
            snprintf(words[i].into, SEARCH_WORD_MAX + 1, "%s", value);
            return true;
        }
    }
    if (strcmp(name, "to") == 0)
        return read_number(r, value);
    if (strcmp(name, "state") == 0)
        return read_states(r, value);
    if (strcmp(name, "sms_id") == 0)
        return read_sms_id(r, value);
    if (strcmp(name, "run") == 0)
        return read_big(value, &r->out->run_id) || wrong(r, "run: wants the number of a run, like run:123");
    if (read_time(value, r->now_ms, strcmp(name, "after") == 0 ? &r->out->after_ms : &r->out->before_ms))
        return true;
    return wrong(r, "%s: wants a time: 2026-01-31, 2026-01-31T08:15 (UTC), or so long ago: 90m, 2h, 3d",
                 name);
}

static bool take(struct reading *r, const char *name, const char *value)
{
    struct suggest near = {.word = name, .len = strlen(name)};
    for (unsigned i = 0; search_qualifiers[i].name != NULL; i++) {
        suggest_offer(&near, search_qualifiers[i].name);
        if (strcmp(search_qualifiers[i].name, name) != 0)
            continue;
        if (*value == '\0')
            return wrong(r, "%s: wants a value, like %s:%s", name, name, search_qualifiers[i].value);
        if ((r->seen & 1u << i) != 0 && strcmp(name, "state") != 0)
            return wrong(r, "%s: stands there twice; a message has only one", name);
        r->seen |= 1u << i;
        return read_value(r, name, value);
    }
    return wrong(r, "there is no qualifier '%.40s:'%s%s%s", name, near.best != NULL ? ", did you mean " : "",
                 near.best != NULL ? near.best : "", near.best != NULL ? ":" : "");
}

/* A word without a qualifier: a number, or one that could be anything. */
static bool take_bare(struct reading *r, const char *word)
{
    if (*word == '+' || strspn(word, "0123456789") == strlen(word))
        return take(r, strlen(word) >= 15 && *word != '+' ? "sms_id" : "to", word);
    return wrong(r, "what is '%.40s'? Say rule:%.40s, ext:%.40s or msg_id:%.40s", word, word, word, word);
}

/* The next word: up to a space outside quotes, the quotes taken off. False: none is left, or (*ret NULL) it
 * cannot be read. */
static bool next_word(const char **at, char out[SEARCH_WORD_MAX + 40], bool *ret_whole)
{
    size_t len = 0;
    bool quoted = false;
    *ret_whole = true;
    while (isspace((unsigned char)**at))
        (*at)++;
    if (**at == '\0')
        return false;
    for (; **at != '\0' && (quoted || !isspace((unsigned char)**at)); (*at)++) {
        if (**at == '"')
            quoted = !quoted;
        else if (len < SEARCH_WORD_MAX + 39)
            out[len++] = **at;
        else
            *ret_whole = false;
    }
    out[len] = '\0';
    *ret_whole = *ret_whole && !quoted;
    return true;
}

/* "to:+49 171 1234567" is what people write: pieces of a number that follow belong to it. */
static void join_number(const char **at, char *value, size_t size)
{
    for (;;) {
        const char *from = *at;
        while (isspace((unsigned char)*from))
            from++;
        size_t len = strspn(from, "0123456789()/.-");
        if (len == 0 || (from[len] != '\0' && !isspace((unsigned char)from[len])) ||
            strlen(value) + len >= size)
            return;
        strncat(value, from, len);
        *at = from + len;
    }
}

bool search_parse(const char *text, const char *country, int64_t now_ms, struct search *ret,
                  char message[SEARCH_MESSAGE_MAX])
{
    struct reading r = {.out = ret, .country = country, .now_ms = now_ms, .message = message};
    char word[SEARCH_WORD_MAX + 40];
    bool whole;
    *ret = (struct search){0};
    *message = '\0';
    if (strlen(text) > SEARCH_TEXT_MAX)
        return wrong(&r, "the search is longer than %d bytes", SEARCH_TEXT_MAX);
    while (next_word(&text, word, &whole)) {
        char *colon = strchr(word, ':');
        if (!whole)
            return wrong(&r, "a quote \" is not closed, or a value is longer than %d bytes", SEARCH_WORD_MAX);
        if (colon == NULL) {
            if (*word == '+' || isdigit((unsigned char)*word))
                join_number(&text, word, sizeof(word));
            if (!take_bare(&r, word))
                return false;
            continue;
        }
        *colon = '\0';
        if (strlen(colon + 1) > SEARCH_WORD_MAX)
            return wrong(&r, "the value of %.40s: is longer than %d bytes", word, SEARCH_WORD_MAX);
        if (strcmp(word, "to") == 0)
            join_number(&text, colon + 1, sizeof(word) - (size_t)(colon + 1 - word));
        if (!take(&r, word, colon + 1))
            return false;
    }
    if (ret->after_ms != 0 && ret->before_ms != 0 && ret->after_ms >= ret->before_ms)
        return wrong(&r, "after: is not earlier than before:, so nothing can be between them");
    return true;
}
