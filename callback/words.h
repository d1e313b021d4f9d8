/* The words that tables hold as small numbers (table `word`): gateways, reasons and template versions, each kept once in
 * memory.
 * A word is known by its pointer; its number is asked for once a connection, since another database gives
 * other numbers. */
#pragma once
#include "lib/base.h"
#include "lib/db.h"

enum word_kind { WORD_GATEWAY, WORD_REASON, WORD_VERSION };
#define WORD_BYTES_MAX 64
#define WORDS_MAX      20000 /* above: 'other', as the database does above 10,000 reasons */

struct word {
    int id; /* word.id; 0: the empty word. Valid while the stamp is the connection's */
    uint64_t stamp;
    enum word_kind kind;
    char text[WORD_BYTES_MAX + 1];
};

struct words;
struct words *words_new(void);
void words_free(struct words *w);
/* NULL or "": the empty word (number 0). Longer than WORD_BYTES_MAX is cut. Never NULL. Any thread. */
struct word *words_get(struct words *w, enum word_kind kind, const char *text);
/* Asks for the numbers of all words that have none yet on this connection. As db_run. */
int must_check words_resolve(struct words *w, struct db *d);
/* How many template versions have been told of. Any thread. */
size_t words_versions(struct words *w);
/* A transaction in which words were resolved was rolled back: their numbers may never have existed. */
void words_forget(struct words *w);
