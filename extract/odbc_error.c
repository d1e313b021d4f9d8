/* Drivers' errors as away, refused, too long: see odbc_error.h. */
#include "extract/odbc_error.h"
#include <ctype.h>
#include <stdio.h>

static bool has_class(const struct odbc_diagnosis *d, const char *const *classes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(d->state, classes[i], strlen(classes[i])) == 0)
            return true;
    return false;
}
#define HAS_CLASS(d, classes) has_class((d), (classes), COUNT_OF(classes))

static bool is_sqlite(const char *product)
{
    return strcmp(product, "SQLite") == 0;
}

/* Passes by itself: the connection, the server's resources, a lock. */
static bool is_away(const struct odbc_diagnosis *d, const char *product, bool connected)
{
    static const char *const passing[] = {"08", "HYT01", "40", "53", "57P"};
    enum { BUSY = 5, LOCKED = 6, CANNOT_OPEN = 14, LOCK_WAIT_TIMEOUT = 1205, SHUTTING_DOWN = 1053 };

    if (!connected || HAS_CLASS(d, passing))
        return true;
    if (is_sqlite(product))
        return d->native == BUSY || d->native == LOCKED || d->native == CANNOT_OPEN;
    return d->native == LOCK_WAIT_TIMEOUT || d->native == SHUTTING_DOWN;
}

static bool is_too_long(const struct odbc_diagnosis *d)
{
    enum { MAX_STATEMENT_TIME = 1969, MAX_EXECUTION_TIME = 3024 }; /* MariaDB, MySQL */

    return strcmp(d->state, "HYT00") == 0 || d->native == MAX_STATEMENT_TIME ||
           d->native == MAX_EXECUTION_TIME;
}

/* These tell of names, rights and syntax; others may quote a value. SQLite has but one state, and its
 * messages of statements hold names only. */
static bool words_are_safe(const struct odbc_diagnosis *d, const char *product)
{
    static const char *const of_names[] = {"42", "37", "S0", "3D", "3F", "IM", "25", "07", "HYC00", "21"};

    return is_sqlite(product) || HAS_CLASS(d, of_names);
}

static void hide(char *words, const char *secret, size_t len)
{
    auto_free char *copy = xstrndup(secret, len);

    for (char *at = words; len > 0 && (at = strstr(at, copy)) != NULL; at += len)
        memset(at, '*', len);
}

/* The values of PWD, PASSWORD and the like. */
static void hide_passwords(char *words, const char *connection)
{
    static const char *const keys[] = {"PWD", "PASSWORD", "SECRET", "TOKEN", "TLSKEYPWD"};

    for (const char *at = connection; at && *at; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
        size_t key = strcspn(at, "=;");
        const char *value = at + key + 1;
        at += strspn(at, " \t");
        for (size_t i = 0; i < COUNT_OF(keys) && at[strcspn(at, "=;")] == '='; i++) {
            bool braced = *value == '{';
            if (strncasecmp(at, keys[i], strlen(keys[i])) == 0)
                hide(words, value + braced, strcspn(value + braced, braced ? "}" : ";"));
        }
    }
}

/* Without "[driver][server]" at the head, on one line, long numbers hidden but for two digits. */
static void tidy(char out[ODBC_WORDS_SIZE], const char *words)
{
    size_t n = 0;

    while (*words == '[' && strchr(words, ']')) {
        words = strchr(words, ']') + 1;
        words += strspn(words, " ");
    }
    while (*words && n + 1 < ODBC_WORDS_SIZE) {
        size_t digits = strspn(words, "0123456789"), space = strspn(words, " \t\r\n");
        size_t run = MAX_OF(MAX_OF(digits, space), (size_t)1);
        if (space > 0)
            out[n++] = ' ';
        for (size_t i = 0; space == 0 && i < run && n + 1 < ODBC_WORDS_SIZE; i++)
            out[n++] = digits >= 7 && i >= 2 ? '*' : words[i];
        words += run;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

/* "… at line 3": MariaDB and MySQL count so. */
static int line_in(const char *words)
{
    const char *last = NULL;
    long line;

    for (const char *at = words; (at = strstr(at, " at line ")) != NULL; at++)
        last = at + strlen(" at line ");
    line = last && isdigit((unsigned char)*last) ? strtol(last, NULL, 10) : 1;
    return line > 0 && line < 100000 ? (int)line - 1 : 0;
}

void odbc_explain(struct odbc_trouble *t, enum odbc_phase phase, const struct odbc_diagnosis *d,
                  const char *product, bool connected, const char *connection)
{
    char words[ODBC_WORDS_SIZE];
    static const char *const not_there[] = {"IM002", "IM003", "IM004", "01000"};

    *t = (struct odbc_trouble){.kind = ODBC_REFUSED};
    tidy(words, d->words);
    hide_passwords(words, connection);
    if (phase == ODBC_CONNECTING) {
        t->kind = ODBC_AWAY;
        snprintf(t->why, sizeof(t->why), "no connection: %s (SQLSTATE %s, error %ld)%s", words, d->state,
                 d->native,
                 HAS_CLASS(d, not_there)
                     ? "; is the driver installed, and is its name or the data source's in "
                       "odbcinst.ini or odbc.ini? (odbcinst -q -d, odbcinst -q -s)"
                     : "");
    } else if (is_too_long(d)) {
        t->too_long = true;
    } else if (is_away(d, product, connected)) {
        t->kind = ODBC_AWAY;
        snprintf(t->why, sizeof(t->why), "%s (SQLSTATE %s, error %ld)",
                 words_are_safe(d, product) || !connected || strncmp(d->state, "08", 2) == 0
                     ? words
                     : "the database cannot answer now",
                 d->state, d->native);
    } else if (words_are_safe(d, product)) {
        t->line = phase == ODBC_READING ? line_in(d->words) : 0;
        snprintf(t->why, sizeof(t->why), "%s (SQLSTATE %s)", words, d->state);
    } else {
        snprintf(t->why, sizeof(t->why), "the database stopped the statement with error %s (%ld)%s", d->state,
                 d->native,
                 strncmp(d->state, "22", 2) == 0 ? " (a value that it cannot calculate with or convert)"
                                                 : "");
    }
}
