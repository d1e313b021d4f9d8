/* Unmatched reports, read in other ways: see unmatched.h. */
#include "dashboard/unmatched.h"
#include "callback/msg_id.h"
#include "unmatched_found.sql.h"
#include "unmatched_gateways.sql.h"
#include "unmatched_sample.sql.h"
#include <ctype.h>

const struct unmatched_words unmatched_words[UNMATCHED_READINGS] = {
    [READ_HEX] = {"if the reports' ids are read as hex", "report: {id: hex, answer_id: decimal}"},
    [READ_DECIMAL] = {"if the ids are read as decimal numbers, without zeros before them",
                      "report: {id: decimal}"},
    [READ_ANSWER_HEX] = {"if the answers' ids are read as hex", "report: {id: decimal, answer_id: hex}"},
    [READ_UPPER] = {"if the reports' ids are read in capital letters",
                    "report: {id: hex}, if they are hex numerals"},
    [READ_LOWER] = {"if the reports' ids are read in small letters",
                    "report: {id: hex}, if they are hex numerals"},
};

/* A decimal numeral of any length as a hex one in small letters. */
static bool decimal_to_hex(const char *s, char out[UNMATCHED_ID])
{
    uint8_t digits[MSG_ID_SIZE];
    size_t len = strlen(s), first = 0, count = 0;
    char reversed[UNMATCHED_ID];
    if (len == 0 || len >= sizeof(digits) || strspn(s, "0123456789") != len)
        return false;
    for (size_t i = 0; i < len; i++)
        digits[i] = (uint8_t)(s[i] - '0');
    do { /* long division by 16, the remainders from the last digit on */
        unsigned rest = 0;
        for (size_t i = first; i < len; i++) {
            unsigned v = rest * 10 + digits[i];
            digits[i] = (uint8_t)(v / 16);
            rest = v % 16;
        }
        reversed[count++] = "0123456789abcdef"[rest];
        while (first < len && digits[first] == 0)
            first++;
    } while (first < len);
    for (size_t i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    out[count] = '\0';
    return true;
}

static void fold(const char *s, char out[UNMATCHED_ID], int (*to)(int))
{
    size_t i = 0;
    for (; s[i] != '\0' && i < UNMATCHED_ID - 1; i++)
        out[i] = (char)to((unsigned char)s[i]);
    out[i] = '\0';
}

bool unmatched_read(enum unmatched_reading how, const char *msg_id, char out[UNMATCHED_ID])
{
    char folded[MSG_ID_SIZE];
    if (strlen(msg_id) > MSG_ID_MAX)
        return false;
    switch (how) {
    case READ_HEX:
    case READ_DECIMAL:
        if (!msg_id_compared(msg_id, how == READ_HEX ? MSG_ID_HEX : MSG_ID_DECIMAL, folded))
            return false;
        strcpy(out, folded);
        break;
    case READ_ANSWER_HEX:
        if (!decimal_to_hex(msg_id, out))
            return false;
        break;
    case READ_UPPER:
        fold(msg_id, out, toupper);
        break;
    case READ_LOWER:
        fold(msg_id, out, tolower);
        break;
    case UNMATCHED_READINGS:
        return false;
    }
    return strcmp(msg_id, out) != 0;
}

static int try_reading(struct db *d, struct unmatched_gateway *g, const struct db_result *sample,
                       enum unmatched_reading how)
{
    size_t rows = (size_t)db_rows(sample), count = 0;
    char(*forms)[UNMATCHED_ID] = xcalloc(2 * rows + 1, sizeof(*forms));
    const char **ids = xcalloc(2 * rows + 1, sizeof(*ids));
    int32_t *places = xcalloc(2 * rows + 1, sizeof(*places));
    auto_params p = db_params_new();
    auto_result found = NULL;
    for (size_t i = 0; i < rows; i++) {
        if (!unmatched_read(how, db_text(sample, (int)i, 0), forms[count]))
            continue;
        places[count] = (int32_t)i;
        ids[count] = forms[count];
        count++;
        if (how == READ_ANSWER_HEX) { /* answers may be kept in capital letters */
            fold(forms[count - 1], forms[count], toupper);
            places[count] = (int32_t)i;
            ids[count] = forms[count];
            count++;
        }
    }
    int rc = 0;
    if (count > 0) {
        db_add_int(p, g->gateway);
        db_add_text_array(p, ids, count);
        db_add_int_array(p, places, count);
        rc = db_run(d, &sql_unmatched_found, p, &found);
        g->matched[how] = rc == 0 ? db_big(found, 0, 0) : 0;
    }
    free(forms);
    free(ids);
    free(places);
    return rc;
}

static int try_readings(struct db *d, struct unmatched_gateway *g)
{
    auto_params p = db_params_new();
    auto_result sample = NULL;
    db_add_int(p, g->gateway);
    db_add_big(p, UNMATCHED_SAMPLE);
    int rc = db_run(d, &sql_unmatched_sample, p, &sample);
    g->tried = rc == 0 ? db_rows(sample) : 0;
    for (int how = 0; rc == 0 && how < UNMATCHED_READINGS; how++)
        rc = try_reading(d, g, sample, (enum unmatched_reading)how);
    return rc;
}

void unmatched_free(struct unmatched_gateway *g, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(g[i].name);
    free(g);
}

int unmatched_list(struct db *d, struct unmatched_gateway **ret, size_t *ret_count)
{
    auto_result rows = NULL;
    int rc = db_run(d, &sql_unmatched_gateways, NULL, &rows);
    *ret = NULL;
    *ret_count = 0;
    if (rc != 0)
        return rc;
    *ret_count = (size_t)db_rows(rows);
    *ret = xcalloc(*ret_count + 1, sizeof(**ret));
    for (size_t i = 0; rc == 0 && i < *ret_count; i++) {
        struct unmatched_gateway *g = &(*ret)[i];
        *g = (struct unmatched_gateway){.gateway = (int32_t)db_big(rows, (int)i, 0),
                                        .name = xstrdup(db_text(rows, (int)i, 1)),
                                        .parked = db_big(rows, (int)i, 2),
                                        .given_up = db_big(rows, (int)i, 3),
                                        .oldest_ms = db_time_ms(rows, (int)i, 4)};
        rc = try_readings(d, g);
    }
    return rc;
}
