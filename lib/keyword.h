/* STOP and START: what an inbound message asks for, by the configured words of all languages. Pure.
 *
 * Texts and words are compared without regard to case, accents' form, punctuation and white space: both are
 * cut into runs of letters and digits. A STOP word counts where it is the whole text or its first word; a
 * START word only where it is the whole text, since it takes something back. */
#pragma once
#include "lib/conf.h"

enum keyword { KEYWORD_NONE, KEYWORD_STOP, KEYWORD_START };
const char *keyword_word(enum keyword k); /* "stop", "start"; NULL: none */

struct keywords; /* the words, made ready */
struct keywords *keywords_new(const struct conf_inbound *conf);
void keywords_free(struct keywords *k);
#define auto_keywords cleanup_with(keywords_free_pointed) struct keywords *
static inline void keywords_free_pointed(struct keywords **k)
{
    keywords_free(*k);
}
/* *ret_language: whose word it was ("en", "other"; static), NULL if none. */
enum keyword keyword_of(const struct keywords *k, const char *text, const char **ret_language);

/* The form in which texts and words are compared: "  Stop, ALL! " -> "stop all". Not UTF-8: "". */
char *keyword_form(const char *text);
extern const char *const keyword_languages[INBOUND_LANGUAGES]; /* by enum inbound_language */
