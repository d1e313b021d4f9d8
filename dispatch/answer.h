/* What a gateway's answer says, by the lines of `answer:` in its configuration; the first line that fits
 * decides. Pure: compiled once, read many times, no I/O, no log. */
#pragma once
#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/slots.h"

struct answer_rules;
/* < 0: *ret_why says which line is wrong and how (caller frees). */
int must_check answer_compile(const struct conf_gateway *g, struct answer_rules **ret, char **ret_why);
int must_check answer_compile_lines(const struct conf_answer *lines, size_t count, struct answer_rules **ret,
                                    char **ret_why);
void answer_free(struct answer_rules *r);

#define ANSWER_REFUSED_MAX 1024 /* numbers refused singly in one answer */
#define ANSWER_ERROR_SIZE  200 /* as GATEWAY_ERROR_SIZE */

struct answer {
    enum answer_kind is; /* 0: no line fits: nothing is known. ANSWER_RESULTS: see results.h */
    int line;            /* of the line that fits; 0: none */
    bool msg_id_missing; /* accepted, but its id is not there, or is none (too long, blanks, control
                            characters) */
    char msg_id[SLOT_MSG_ID_SIZE];
    bool own_id; /* the gateway gives no ids (`msg_id: ""`): our seq_id is the id */
    char reason[SLOT_REASON_SIZE];
    char error[ANSWER_ERROR_SIZE];       /* the beginning of a refusal's body, for a person */
    int64_t refused[ANSWER_REFUSED_MAX]; /* numbers named as refused */
    size_t refused_count;
    bool refused_unreadable; /* something was named that is no number, or too many */
};
/* body need not end in NUL, but body[len] must be readable and 0. */
void answer_read(const struct answer_rules *r, int status, const char *body, size_t len, struct answer *ret);

/* Retry-After (RFC 9110): seconds or an HTTP date. -1: neither. At most ANSWER_RETRY_AFTER_MAX_MS. */
#define ANSWER_RETRY_AFTER_MAX_MS 3600000
int64_t answer_retry_after_ms(const char *value, int64_t now_wall_ms);
