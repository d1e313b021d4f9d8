/* Reading what a search finds, from the newest id down, in rounds that are each one bounded question: so
 * every round is quick however many messages there are, a page is some rounds, a whole export all of them,
 * and neither repeats or leaves out a message that stands still. */
#pragma once
#include "dashboard/search.h"
#include "lib/db.h"

#define SEARCH_BATCH 500 /* candidates a round */

enum search_column { /* of a round's rows, search_rows.sql */
                     F_SMS_ID,
                     F_CREATED,
                     F_CHANGED,
                     F_NUMBER,
                     F_RULE,
                     F_RUN,
                     F_STATE,
                     F_REASON,
                     F_GATEWAY,
                     F_ATTEMPT,
                     F_SEGMENTS,
                     F_PARTS,
                     F_VERSION,
                     F_EXT
};

struct search_reader;
/* below: only ids below this one (what is behind a page), 0: from the newest on. */
struct search_reader *search_reader_new(struct db *d, const struct search *s, int64_t below);
void search_reader_free(struct search_reader *r);
/* One round: at most `most` rows, the newest first (maybe none); *ret db_result_free. 0, or db_run's code. */
int must_check search_round(struct search_reader *r, int64_t most, struct db_result **ret);
bool search_ended(const struct search_reader *r);
int64_t search_below(const struct search_reader *r); /* where the next round goes on */
/* A name in the search that nothing has: "there is no rule 'x'"; NULL: all are known. After the first round.
 */
const char *search_unknown(const struct search_reader *r);
