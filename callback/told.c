/* From the wire's record to a step that the fold can trust: whatever is wrong with a record is found here, so
 * that the database never refuses a whole batch over it. */
#include "callback/told.h"
#include "callback/hash.h"
#include "lib/clock.h"

#define TIME_FIRST_MS                                                                                        \
    INT64_C(1420070400000) /* 2015: before the first sms_id; a clock that says less is not set */
#define TIME_LAST_MS INT64_C(7258118400000) /* 2200 */
#define NUMBER_MAX   INT64_C(999999999999999)

bool told_is_time(int64_t wall_ms)
{
    return wall_ms >= TIME_FIRST_MS && wall_ms < TIME_LAST_MS;
}

/* A text of at most max bytes, not cut inside a UTF-8 character. */
static const char *copy_cut(struct arena *a, const char *s, size_t max)
{
    if (!s || !*s)
        return NULL;
    size_t len = strnlen(s, max + 1);
    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
            len--;
    }
    char *copy = arena_bytes(a, len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

static const char *check_id(const struct step_record *r, const struct told_rules *rules, struct told *t)
{
    if (!r->seq_id || (r->step == STEP_QUARANTINE))
        return NULL;
    if (!seq_id_parse(r->seq_id, &t->id))
        return "seq_id is none of ours";
    t->named = true;
    bool before_any = r->step == STEP_OUTCOME && t->id.attempt == 0;
    if ((!before_any && t->id.attempt < 1) || t->id.segment < 1 || t->id.segment > TOLD_SEGMENTS_MAX)
        return "seq_id names no attempt";
    if (r->step != STEP_STATUS && !before_any) {
        t->parts =
            (int16_t)MAX_OF(r->parts, 1); /* who makes attempts says it; a whole text needs no word for it */
        if (t->id.segment > t->parts)
            return "seq_id names a segment above its message's parts";
    }
    if (sms_id_day(t->id.sms_id) < clock_day_2020(rules->now_ms) - (int)rules->keep_days)
        return "the message is older than claims are kept (database.claims_keep)";
    return NULL;
}

static const char *check_msg_id(const struct step_record *r, const struct told_rules *rules, struct arena *a,
                                struct told *t)
{
    char compared[MSG_ID_SIZE];
    if (!r->msg_id || !*r->msg_id || r->step == STEP_QUARANTINE)
        return r->step == STEP_ACCEPTED || (r->step == STEP_STATUS && !t->named) ? "msg_id is empty" : NULL;
    if (!msg_id_compared(r->msg_id, rules->form, compared))
        return "msg_id is empty or too long";
    t->msg_id = arena_copy(a, compared);
    t->written = strcmp(compared, r->msg_id) == 0 ? t->msg_id : arena_copy(a, r->msg_id);
    return NULL;
}

static const char *check_values(const struct step_record *r, struct told *t)
{
    enum state state;
    if (!told_is_time(r->at))
        return "'at' is no moment of our time";
    if (r->number < 0 || r->number > NUMBER_MAX)
        return "number is none";
    if (r->segments < 0 || r->segments > TOLD_SEGMENTS_MAX)
        return "segments is out of range";
    if (r->parts < 0 || r->parts > TOLD_SEGMENTS_MAX)
        return "parts is out of range";
    if (r->state && !state_parse(r->state, &state))
        return "state is none that is known";
    t->state =
        r->state && (r->step == STEP_STATUS || r->step == STEP_OUTCOME) ? (int16_t)state : TOLD_NO_STATE;
    return NULL;
}

static uint64_t digest_of(const struct told *t)
{
    uint64_t h = hash_int(0, t->step);
    h = hash_int(h, t->state);
    h = hash_str(h, t->gateway->text);
    h = hash_str(h, t->reason->text);
    h = hash_int(h, t->gateway_at);
    return hash_str(h, t->error);
}

const char *told_from_record(const struct step_record *r, const struct told_rules *rules, struct words *words,
                             struct arena *arena, struct told *ret)
{
    *ret = (struct told){
        .step = (enum step)r->step, .at = r->at, .number = r->number, .segments = (int16_t)r->segments};
    const char *wrong = check_values(r, ret);
    if (!wrong)
        wrong = check_id(r, rules, ret);
    if (!wrong)
        wrong = check_msg_id(r, rules, arena, ret);
    if (wrong)
        return wrong;
    ret->gateway_at =
        told_is_time(r->gateway_at) ? r->gateway_at : 0; /* a gateway's clock may say anything */
    ret->gateway = words_get(words, WORD_GATEWAY, r->gateway);
    ret->reason = words_get(words, WORD_REASON, r->reason);
    ret->error = copy_cut(arena, r->error, TOLD_ERROR_MAX);
    ret->origin = copy_cut(arena, r->origin, WORD_BYTES_MAX);
    ret->version = words_get(words, WORD_VERSION, r->version);
    ret->raw = r->step == STEP_QUARANTINE ? arena_copy(arena, r->raw ? r->raw : "") : NULL;
    ret->instant = r->lane && strcmp(r->lane, "instant") == 0;
    ret->digest = digest_of(ret);
    return NULL;
}

/* Strings of a record are not const, though writing one only reads them. */
static char *as_member(const char *s)
{
    return (char *)(uintptr_t)s;
}

void told_encode(const struct told *t, struct buf *out)
{
    char seq_id[SEQ_ID_SIZE];
    struct step_record r = {.step = t->step,
                            .at = t->at,
                            .number = t->number,
                            .gateway_at = t->gateway_at,
                            .segments = t->segments,
                            .parts = t->parts > 1 ? t->parts : 0,
                            .msg_id = as_member(t->written),
                            .error = as_member(t->error),
                            .raw = as_member(t->raw),
                            .origin = as_member(t->origin)};
    r.lane = t->instant ? as_member("instant") : NULL;
    r.version = t->version->text[0] ? t->version->text : NULL;
    r.gateway = t->gateway->text[0] ? t->gateway->text : NULL;
    r.reason = t->reason->text[0] ? t->reason->text : NULL;
    r.seq_id = t->named ? seq_id_format(&t->id, seq_id) : NULL;
    r.state = t->state == TOLD_NO_STATE ? NULL : as_member(state_word((enum state)t->state));
    if (t->step == STEP_QUARANTINE) { /* needs both, and neither may be lost by having been empty */
        r.error = as_member(t->error ? t->error : "");
        r.reason = t->reason->text;
    }
    chunk_add_step(out, &r);
}

int64_t told_event_digest(const struct told *t)
{
    return (int64_t)hash_int(hash_int(t->digest, t->id.segment), t->id.attempt);
}

int64_t told_park_digest(const struct told *t)
{
    uint64_t h = hash_str(t->digest, t->msg_id);
    h = hash_int(h, t->number);
    h = hash_str(h, t->raw);
    if (t->step != STEP_QUARANTINE)
        h = hash_int(h, t->at);
    if (t->named)
        h = hash_int(hash_int(hash_int(h, t->id.sms_id), t->id.segment), t->id.attempt);
    return (int64_t)h;
}
