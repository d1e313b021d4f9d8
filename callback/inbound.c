/* Records of phones' messages, in and out. */
#include "callback/inbound.h"
#include "callback/told.h"
#include "lib/drain.h"
#include "lib/number.h"

#include <openssl/evp.h>

#define NUMBER_LEAST INT64_C(1000000) /* seven digits: what is shorter is a short code */

/* ---- from the gateway's post ---- */

static bool fits(const char *s, size_t max)
{
    return !format_given(s) || strlen(s) <= max;
}

/* What keeps this record from being understood, or NULL. *ret_reason is from a small set. */
static char *fault_of(const struct parsing *p, const struct format_record *r, const char **ret_reason)
{
    const char *file = p->gateway->file;
    *ret_reason = "no_number";
    if (!format_given(r->field[ROLE_NUMBER]))
        return xasprintf("the message has no sender (%s: inbound: number says where it stands)", file);
    *ret_reason = "no_text";
    if (!r->field[ROLE_TEXT])
        return xasprintf("the message has no text (%s: inbound: text says where it stands)", file);
    *ret_reason = "text_too_long";
    if (!fits(r->field[ROLE_TEXT], INBOUND_TEXT_MAX))
        return xasprintf("the text is longer than %d bytes (%s)", INBOUND_TEXT_MAX, file);
    *ret_reason = "field_too_long";
    if (!fits(r->field[ROLE_NUMBER], INBOUND_FIELD_MAX) || !fits(r->field[ROLE_TO], INBOUND_FIELD_MAX) ||
        !fits(r->field[ROLE_MSG_ID], INBOUND_FIELD_MAX))
        return xasprintf("sender, recipient or id is longer than %d bytes (%s)", INBOUND_FIELD_MAX, file);
    return NULL;
}

/* Strings of a record are not const, though writing one only reads them. */
static char *as_member(const char *s)
{
    return (char *)(uintptr_t)s;
}

static char *given_member(const char *s)
{
    return format_given(s) ? as_member(s) : NULL;
}

static void take(struct parsing *p, const struct format_record *f)
{
    const char *reason;
    auto_free char *fault = fault_of(p, f, &reason);
    if (fault) {
        format_refuse(p, reason, fault, f->raw, f->raw_len);
        return;
    }
    struct inbound_record r = {.at = p->at,
                               .gateway = p->gateway->name,
                               .from = as_member(f->field[ROLE_NUMBER]),
                               .to = given_member(f->field[ROLE_TO]),
                               .text = as_member(f->field[ROLE_TEXT]),
                               .msg_id = given_member(f->field[ROLE_MSG_ID])};
    bool time_read = format_record_time(p, f, &r.gateway_at);
    drain_line_begin(&p->parsed->records, RECORD_INBOUND);
    chunk_add_inbound(&p->parsed->records, &r);
    format_end_line(p);
    p->parsed->understood++;
    if (!time_read) { /* the message is too good to be lost over it; a person is told beside */
        auto_free char *why = xasprintf(
            "the message is taken, but its time does not fit inbound.time_format of %s", p->gateway->file);
        format_refuse(p, "bad_time", why, f->raw, f->raw_len);
    }
}

int inbound_parse(const struct format *f, const struct posted *request, struct parsed *ret)
{
    return format_parse(f, request, take, ret);
}

/* ---- from the wire ---- */

int64_t inbound_number(const char *text, const char *country)
{
    int64_t number = format_number(text);
    while (*text == ' ')
        text++;
    if (text[0] == '0' && text[1] != '0')
        number =
            number_normalise(text, country && *country ? country : NULL, &number) == NUMBER_OK ? number : 0;
    return number >= NUMBER_LEAST ? number : 0;
}

void inbound_hash(const char *const *parts, size_t count, uint8_t out[INBOUND_DIGEST])
{
    uint8_t whole[EVP_MAX_MD_SIZE];
    auto_buf all = {0};
    for (size_t i = 0; i < count; i++)
        buf_addf(&all, "%zu:%s,", strlen(parts[i]), parts[i]); /* no two lists of parts give the same */
    if (EVP_Q_digest(NULL, "SHA256", NULL, all.data, all.len, whole, NULL) != 1)
        abort(); /* no memory, or no SHA-256 at all: nothing can go on then */
    memcpy(out, whole, INBOUND_DIGEST);
}

/* A part's digest is that of the part without its times; those tell a copy from the same said again, by the
 * rule that stands in schema/0011_inbound_parts.sql. */
static void make_part_digest(struct inbound *in)
{
    auto_free char *place = xasprintf("%d %d %d", in->reference, in->part, in->parts);
    const char *parts[] = {in->gateway->text, in->msg_id, in->from, in->to, in->text, place};
    inbound_hash(parts, COUNT_OF(parts), in->digest);
}

void inbound_make_digest(struct inbound *in)
{
    auto_free char *time =
        *in->msg_id ? xstrdup("") : xasprintf("%lld", (long long)(in->gateway_at ? in->gateway_at : in->at));
    const char *parts[] = {in->gateway->text, in->msg_id, in->from, in->to, in->text, time};
    inbound_hash(parts, COUNT_OF(parts), in->digest);
}

bool inbound_is_part(const struct inbound *in)
{
    return in->part > 0;
}

/* What says that it is one of several and cannot be put together with others is taken as it is, and says that
 * the others are missing. */
static void take_place(const struct inbound_record *r, struct inbound *in)
{
    bool several = r->parts > 1 && r->parts <= INBOUND_PARTS_MAX && r->part >= 1 && r->part <= r->parts;
    bool fits =
        several && strlen(in->text) <= INBOUND_PART_MAX && r->reference >= 0 && r->reference <= INT32_MAX;
    in->parts = several ? (int32_t)r->parts : 1;
    in->part = fits ? (int32_t)r->part : 0;
    in->reference = fits ? (int32_t)r->reference : 0;
    in->missing = several && !fits ? in->parts - 1 : 0;
    in->headless = in->missing > 0 && r->part > 1;
}

static bool too_long(const char *s, size_t max)
{
    return s && strlen(s) > max;
}

const char *inbound_from_record(const struct inbound_record *r, const char *country, struct words *words,
                                struct arena *arena, struct inbound *ret)
{
    if (!told_is_time(r->at))
        return "'at' is no moment of our time";
    if (too_long(r->text, INBOUND_TEXT_MAX))
        return "text is too long";
    if (too_long(r->from, INBOUND_FIELD_MAX) || too_long(r->to, INBOUND_FIELD_MAX) ||
        too_long(r->msg_id, INBOUND_FIELD_MAX))
        return "from, to or msg_id is too long";
    *ret = (struct inbound){.at = r->at,
                            .gateway_at = told_is_time(r->gateway_at) ? r->gateway_at : 0,
                            .number = inbound_number(r->from, country),
                            .gateway = words_get(words, WORD_GATEWAY, r->gateway),
                            .from = arena_copy(arena, r->from),
                            .to = arena_copy(arena, r->to ? r->to : ""),
                            .text = arena_copy(arena, r->text),
                            .msg_id = arena_copy(arena, r->msg_id ? r->msg_id : "")};
    ret->said_at = ret->gateway_at ? MIN_OF(ret->gateway_at, ret->at) : ret->at;
    take_place(r, ret);
    if (inbound_is_part(ret))
        make_part_digest(ret);
    else
        inbound_make_digest(ret);
    return NULL;
}

void inbound_encode(const struct inbound *in, struct buf *out)
{
    struct inbound_record r = {.at = in->at,
                               .gateway = in->gateway->text,
                               .from = as_member(in->from),
                               .number = in->number,
                               .to = given_member(in->to),
                               .text = as_member(in->text),
                               .msg_id = given_member(in->msg_id),
                               .gateway_at = in->gateway_at,
                               .inbound = in->id,
                               .reference = in->part > 0 ? in->reference : 0,
                               .part = in->part,
                               .parts = in->parts > 1 ? in->parts : 0,
                               .missing = in->missing,
                               .keyword = as_member(keyword_word(in->keyword))};
    chunk_add_inbound(out, &r);
}
