/* Who may look: a trusted proxy's word, a session, a token, or the loopback interface where that is open.
 * Tries of tokens are counted by address. */
#pragma once
#include "dashboard/page.h"
#include "dashboard/setting.h"

#define SESSION_COOKIE "smschain_session"
#define SESSION_MS     ((int64_t)12 * 3600 * 1000)
#define USER_SIZE      96

struct access_question {
    struct address peer;
    const char *(*header)(const void *arg, const char *name); /* NULL: there is none */
    const void *arg;
    const char *session; /* the cookie; NULL: none */
};
struct who {
    enum role role; /* ROLE_NONE: nobody that may look */
    char user[USER_SIZE];
    int64_t until_ms; /* a session's end; 0: none */
    int retry_s;      /* > 0: so many seconds after too many wrong tokens */
};
/* Never waits. */
void access_who(const struct setting *s, const struct access_question *q, int64_t now_ms, struct who *ret);
/* The address that tries are counted by: the one before a trusted proxy, as it says. */
struct address access_address(const struct setting *s, const struct access_question *q);
/* A token that somebody has typed. ROLE_NONE: wrong, or retry_s. */
void access_token(const struct setting *s, const struct address *from, const char *token, int64_t now_ms,
                  struct who *ret);
/* The value of a session's cookie. */
char *access_session(const struct setting *s, enum role role, int64_t until_ms);
/* A POST of our own page, not of another site's. */
bool access_same_site(const struct access_question *q);
