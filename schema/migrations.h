/* The migrations of this folder, as they were when the command was built: numbered, forward only. One that was
 * applied is never edited again; `smschain migrate` refuses to go on if it was. */
#pragma once
#include <stddef.h>

struct migration {
    int number;
    const char *name, *sql;
};
extern const struct migration migrations[];
extern const size_t migration_count;
