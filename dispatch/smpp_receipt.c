/* The text is cut at the keys that it is known to have; whatever stands between two of them is the first
 * one's value. So spaces, commas, line breaks, other cases and unknown keys do no harm. `text:` ends it: the
 * rest is the message's. */
#include "dispatch/smpp_receipt.h"
#include "dispatch/smpp_time.h"

#include <ctype.h>
#include <stdio.h>

#define RECEIPT_TEXT_MAX 1024 /* receipts are short; what follows is the message's own text */

enum key { KEY_ID, KEY_SUB, KEY_DLVRD, KEY_SUBMIT, KEY_DONE, KEY_STAT, KEY_ERR, KEY_TEXT, KEY_COUNT };

/* A space stands for any number of spaces and underscores, none too. */
static const struct {
    const char *word;
    enum key key;
} keys[] = {
    {"id", KEY_ID},         {"msg id", KEY_ID},      {"message id", KEY_ID}, {"sub", KEY_SUB},
    {"dlvrd", KEY_DLVRD},   {"dlvd", KEY_DLVRD},     {"dlv", KEY_DLVRD},     {"submit date", KEY_SUBMIT},
    {"submit", KEY_SUBMIT}, {"done date", KEY_DONE}, {"done", KEY_DONE},     {"stat", KEY_STAT},
    {"status", KEY_STAT},   {"state", KEY_STAT},     {"err", KEY_ERR},       {"error", KEY_ERR},
    {"err code", KEY_ERR},  {"error code", KEY_ERR}, {"text", KEY_TEXT},     {"txt", KEY_TEXT},
};

static const struct {
    const char *word;
    enum state state;
} words[] = {
    {"DELIVRD", STATE_DELIVERED},
    {"DELIVERED", STATE_DELIVERED},
    {"DELIVERD", STATE_DELIVERED},
    {"DELIVRED", STATE_DELIVERED},
    {"DELIVERY", STATE_DELIVERED},
    {"DLVRD", STATE_DELIVERED},
    {"EXPIRED", STATE_EXPIRED},
    {"EXPIRD", STATE_EXPIRED},
    {"DELETED", STATE_UNDELIVERED},
    {"UNDELIV", STATE_UNDELIVERED},
    {"UNDELIVERABLE", STATE_UNDELIVERED},
    {"UNDELIVERED", STATE_UNDELIVERED},
    {"UNDELIVRD", STATE_UNDELIVERED},
    {"UNDELVD", STATE_UNDELIVERED},
    {"FAILED", STATE_UNDELIVERED},
    {"FAIL", STATE_UNDELIVERED},
    {"REJECTD", STATE_REJECTED},
    {"REJECTED", STATE_REJECTED},
    {"REJECT", STATE_REJECTED},
    {"REJECTE", STATE_REJECTED},
    {"REJETED", STATE_REJECTED},
    {"UNKNOWN", STATE_UNKNOWN},
    {"UNKNOWD", STATE_UNKNOWN},
    {"UNKNOW", STATE_UNKNOWN},
    {"ACCEPTD", STATE_ACCEPTED},
    {"ACCEPTED", STATE_ACCEPTED},
    {"ACKED", STATE_ACCEPTED},
    {"ENROUTE", STATE_ACCEPTED},
    {"EN_ROUTE", STATE_ACCEPTED},
    {"EN ROUTE", STATE_ACCEPTED},
    {"BUFFERED", STATE_ACCEPTED},
    {"BUFFRED", STATE_ACCEPTED},
    {"SCHEDULED", STATE_ACCEPTED},
    {"SENT", STATE_ACCEPTED},
};

static const struct { /* message_state [5.2.28] */
    const char *word;
    enum state state;
} message_states[] = {
    [0] = {"SCHEDULED", STATE_ACCEPTED}, /* of version 5 */
    [1] = {"ENROUTE", STATE_ACCEPTED},    [2] = {"DELIVRD", STATE_DELIVERED},
    [3] = {"EXPIRED", STATE_EXPIRED},     [4] = {"DELETED", STATE_UNDELIVERED},
    [5] = {"UNDELIV", STATE_UNDELIVERED}, [6] = {"ACCEPTD", STATE_ACCEPTED},
    [7] = {"UNKNOWN", STATE_UNKNOWN},     [8] = {"REJECTD", STATE_REJECTED},
};

struct value {
    const char *at;
    size_t len; /* 0: there is none */
};

static bool is_gap(char c)
{
    return c != '\0' && strchr(" \t\r\n,;|&", c);
}

static const char *skip_spaces(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '_'))
        p++;
    return p;
}

/* Where the word ends that begins at p; NULL: it is another one. */
static const char *match(const char *word, const char *p, const char *end)
{
    for (; *word; word++) {
        if (*word == ' ')
            p = skip_spaces(p, end);
        else if (p == end || tolower((unsigned char)*p++) != *word)
            return NULL;
    }
    return p;
}

/* A key and its ':' or '=' at `at`; where they end, or NULL: there is none. */
static const char *key_at(const char *at, const char *end, enum key *ret)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *p = match(keys[i].word, at, end);
        if (p)
            p = skip_spaces(p, end);
        if (p && p < end && (*p == ':' || *p == '=')) {
            *ret = keys[i].key;
            return p + 1;
        }
    }
    return NULL;
}

static struct value trimmed(const char *at, const char *end)
{
    while (at < end && (is_gap(*at) || *at == '"' || *at == '\''))
        at++;
    while (end > at && (is_gap(end[-1]) || end[-1] == '"' || end[-1] == '\''))
        end--;
    return (struct value){at, (size_t)(end - at)};
}

/* The first of two equal keys counts: a second one is the message's own text. */
static void cut(const char *text, size_t len, struct value ret[KEY_COUNT])
{
    const char *end = text + len, *from = NULL;
    enum key open = KEY_COUNT, key = KEY_COUNT;

    memset(ret, 0, sizeof(*ret) * KEY_COUNT);
    for (const char *p = text; p < end && open != KEY_TEXT;) {
        const char *after = p == text || is_gap(p[-1]) ? key_at(p, end, &key) : NULL;
        if (!after) {
            p++;
            continue;
        }
        if (open != KEY_COUNT && ret[open].len == 0)
            ret[open] = trimmed(from, p);
        open = key;
        p = from = after;
    }
    if (open != KEY_COUNT && open != KEY_TEXT && ret[open].len == 0)
        ret[open] = trimmed(from, end);
}

static struct value first_word(struct value v)
{
    size_t len = 0;

    while (len < v.len && !is_gap(v.at[len]))
        len++;
    return (struct value){v.at, len};
}

static bool copy(char *out, size_t size, struct value v)
{
    if (v.len >= size)
        return false;
    if (v.len > 0)
        memcpy(out, v.at, v.len);
    out[v.len] = '\0';
    return true;
}

static bool look_up(const char *word, enum state *ret)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i].word, word) == 0) {
            *ret = words[i].state;
            return true;
        }
    return false;
}

static void read_word(struct value v, struct smpp_receipt *r)
{
    const struct value tries[] = {v, first_word(v)}; /* "EN ROUTE" is one word, "DELIVRD OK" two */

    for (size_t i = 0; i < COUNT_OF(tries) && !r->state_known; i++) {
        if (tries[i].len == 0 || !copy(r->word, sizeof(r->word), tries[i]))
            continue;
        for (char *p = r->word; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        r->state_known = look_up(r->word, &r->state);
    }
}

/* What message_state says; a final word in the text is not taken back by a state that is on its way. */
static void read_message_state(const struct smpp_pdu *pdu, struct smpp_receipt *r)
{
    uint32_t n;

    if (!smpp_tlv_int(pdu, SMPP_TAG_MESSAGE_STATE, &n) || n >= COUNT_OF(message_states))
        return;
    if (r->state_known && r->state != STATE_ACCEPTED && message_states[n].state == STATE_ACCEPTED)
        return;
    strcpy(r->word, message_states[n].word);
    r->state = message_states[n].state;
    r->state_known = true;
}

static void read_error(const struct smpp_pdu *pdu, struct value err, struct smpp_receipt *r)
{
    const struct smpp_tlv *t = smpp_tlv(pdu, SMPP_TAG_NETWORK_ERROR_CODE);

    if (err.len > 0 && copy(r->error, sizeof(r->error), first_word(err)))
        return;
    if (t && t->length == 3) { /* [5.3.2.31]: kind of network, its error */
        const uint8_t *v = smpp_tlv_value(t);
        snprintf(r->error, sizeof(r->error), "network %u:%u", v[0], (unsigned)(v[1] << 8 | v[2]));
    }
}

/* The message's octets as ASCII: UCS-2 where data_coding says so, without a user data header. */
static size_t text_of(const struct smpp_pdu *pdu, char out[RECEIPT_TEXT_MAX])
{
    size_t len, used = 0;
    const uint8_t *m = smpp_message(pdu, &len);

    if ((pdu->esm_class & SMPP_ESM_UDHI) && len > 0) {
        size_t header = MIN_OF(len, (size_t)m[0] + 1);
        m += header;
        len -= header;
    }
    if (pdu->data_coding == SMPP_CODING_UCS2 && len % 2 == 0) {
        for (size_t i = 0; i < len && used < RECEIPT_TEXT_MAX; i += 2)
            out[used++] = m[i] == 0 ? (char)m[i + 1] : '?';
        return used;
    }
    used = MIN_OF(len, RECEIPT_TEXT_MAX);
    if (used > 0)
        memcpy(out, m, used);
    return used;
}

int smpp_receipt_read(const struct smpp_pdu *pdu, bool any_class, const struct zone *zone, int64_t now_ms,
                      struct smpp_receipt *ret)
{
    unsigned type =
        pdu->esm_class & SMPP_ESM_TYPE; /* 0x08 and 0x10 come from phones: answers, not receipts */
    bool said = type == SMPP_ESM_RECEIPT || type == SMPP_ESM_INTERMEDIATE;
    bool by_tlv = smpp_tlv(pdu, SMPP_TAG_RECEIPTED_MESSAGE_ID) && smpp_tlv(pdu, SMPP_TAG_MESSAGE_STATE);
    struct value v[KEY_COUNT];
    char text[RECEIPT_TEXT_MAX];

    *ret = (struct smpp_receipt){.state = STATE_UNKNOWN};
    cut(text, text_of(pdu, text), v);
    if (!said && !by_tlv && !(any_class && type == 0 && v[KEY_ID].len > 0 && v[KEY_STAT].len > 0))
        return SMPP_RECEIPT_NONE;
    if (!smpp_tlv_text(pdu, SMPP_TAG_RECEIPTED_MESSAGE_ID, ret->msg_id, sizeof(ret->msg_id)) ||
        ret->msg_id[0] == '\0') {
        if (!copy(ret->msg_id, sizeof(ret->msg_id), first_word(v[KEY_ID])))
            ret->msg_id[0] = '\0';
    }
    read_word(v[KEY_STAT], ret);
    read_message_state(pdu, ret);
    read_error(pdu, v[KEY_ERR], ret);
    const struct value word = first_word(v[KEY_DONE]);
    if (!smpp_time_parse(v[KEY_DONE].at, v[KEY_DONE].len, zone, now_ms, &ret->done_ms) &&
        !smpp_time_parse(word.at, word.len, zone, now_ms, &ret->done_ms))
        ret->done_ms = 0;
    return ret->msg_id[0] && ret->word[0] ? 0 : SMPP_RECEIPT_UNREADABLE;
}
