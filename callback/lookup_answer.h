/* What a gateway's answer to a look-up says, by the lines of `lookup.answer:`; the first that fits decides.
 * Pure: compiled once, read many times, no I/O, no log. */
#pragma once
#include "callback/msg_id.h"
#include "lib/conf.h"

struct lookup_rules;
/* NULL: *ret_why says which line is wrong (caller frees). */
struct lookup_rules *lookup_rules_new(const struct conf_gateway *g, char **ret_why);
void lookup_rules_free(struct lookup_rules *r);

#define LOOKUP_REASON_SIZE 64
struct lookup_answer {
    enum lookup_is is;        /* LOOKUP_LATER where no line fits */
    bool fits;                /* some line did */
    char msg_id[MSG_ID_SIZE]; /* "" none, or none that can be kept whole */
    char reason[LOOKUP_REASON_SIZE];
};
/* body[len] must be readable and 0. */
void lookup_read(const struct lookup_rules *r, int status, const char *body, size_t len,
                 struct lookup_answer *ret);

/* What an answer means for an attempt. */
enum lookup_step {
    LOOKUP_ASK_LATER,  /* nothing is settled */
    LOOKUP_TELL_STATE, /* a status that names the attempt */
    LOOKUP_TELL_ACCEPTED,
    LOOKUP_SEND_AGAIN, /* if the tables prove it too */
};
struct lookup_about {
    enum state state; /* of the message, or its segment: in doubt, or accepted */
    int64_t doubt_ms; /* since when it is in doubt */
    int64_t proof_after_ms, now_ms;
};
enum lookup_step lookup_decide(const struct lookup_answer *a, const struct lookup_about *about);
enum state lookup_state(enum lookup_is is); /* of LOOKUP_TELL_STATE */
const char *lookup_word(enum lookup_is is);
