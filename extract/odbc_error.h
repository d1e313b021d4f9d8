/* What a driver's words mean. Pure: no call of ODBC. */
#pragma once
#include "extract/odbc_frame.h"
#include "lib/base.h"

#define ODBC_WORDS_SIZE 400

struct odbc_diagnosis {
    char state[6]; /* SQLSTATE */
    long native;   /* the database's own number */
    char words[ODBC_WORDS_SIZE];
};
enum odbc_phase { ODBC_CONNECTING, ODBC_SETTING_UP, ODBC_READING };
struct odbc_trouble {
    enum odbc_frame_kind kind; /* ODBC_AWAY, ODBC_REFUSED */
    int line;                  /* of the SQL, from 0 */
    bool too_long;             /* the statement's time is over: the server says so */
    char why[ODBC_WORDS_SIZE + 240];
};
/* product: SQL_DBMS_NAME, "" unknown. connected: the connection still stands. connection: its words must not
 * be told (passwords); NULL none. What may quote a row's value is told as its code only. */
void odbc_explain(struct odbc_trouble *t, enum odbc_phase phase, const struct odbc_diagnosis *d,
                  const char *product, bool connected, const char *connection);
