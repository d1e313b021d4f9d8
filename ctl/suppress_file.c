/* smschain suppress import and export: whole lists as CSV (number, scope, reason, since). A file goes in
 * whole or not at all, in one transaction, line by line over COPY, so memory stays as it is however long the
 * file. */
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/number.h"
#include "suppress_export.sql.h"
#include "suppress_merge.sql.h"
#include "suppress_stage.sql.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>

#define LINE_BYTES  4096
#define FIELDS      4
#define ERRORS_SHOW 20

struct import {
    const char *file, *scope, *reason, *country;
    bool skip_bad;
    FILE *in;
    char delimiter;
    int64_t line, good, bad;
    struct db_copy *copy;
};

struct fields {
    char *at[FIELDS];
    size_t count;
};

static void bad(struct import *m, const char *what)
{
    if (m->bad++ < ERRORS_SHOW)
        fprintf(stderr, "smschain: %s:%lld: %s\n", m->file, (long long)m->line, what);
}

static char *trimmed(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

/* One field in place: RFC 4180 section 2, quotes doubled within quotes. NULL: a quote that does not end, or
 * something behind it. */
static char *next_field(char **at, char delimiter)
{
    char *s = *at, *out = s, *first = s;
    if (*s == '"') {
        bool open = true;
        for (s++; open && *s != '\0'; s++) {
            if (*s == '"' && s[1] == '"')
                *out++ = *s++;
            else if (*s == '"')
                open = false;
            else
                *out++ = *s;
        }
        if (open || (*s != '\0' && *s != delimiter))
            return NULL;
    } else {
        while (*s != '\0' && *s != delimiter)
            *out++ = *s++;
    }
    *at = *s == '\0' ? NULL : s + 1;
    *out = '\0';
    return first;
}

static const char *split(char *line, char delimiter, struct fields *ret)
{
    *ret = (struct fields){0};
    for (char *at = line; at != NULL;) {
        if (ret->count == FIELDS)
            return "more than four fields; expected number,scope,reason,since";
        char *field = next_field(&at, delimiter);
        if (field == NULL)
            return "a quote does not end (a reason may hold no line break), or stands within a field";
        ret->at[ret->count++] = trimmed(field);
    }
    return NULL;
}

bool suppress_scope(const char *scope)
{
    return strcmp(scope, "all") == 0 || strcmp(scope, "marketing") == 0;
}

static void import_fields(struct import *m, const struct fields *f)
{
    const char *scope = f->count > 1 && *f->at[1] != '\0' ? f->at[1] : m->scope;
    const char *reason = f->count > 2 && *f->at[2] != '\0' ? f->at[2] : m->reason;
    int64_t number = 0, since_ms = 0;
    enum number_fault fault = number_normalise(f->at[0], m->country, &number);
    if (fault != NUMBER_OK) {
        auto_free char *what = xasprintf("the first field is no number: %s", number_fault_word(fault));
        bad(m, what);
    } else if (!suppress_scope(scope)) {
        bad(m, "the second field is no scope: expected all or marketing");
    } else if (!utf8_is_text(reason, strlen(reason))) {
        bad(m, "the reason is not UTF-8");
    } else if (f->count > 3 && *f->at[3] != '\0' && !clock_parse_iso(f->at[3], &since_ms)) {
        bad(m, "the fourth field is no time like 2026-01-31T08:15:00Z");
    } else {
        db_copy_row(m->copy, 4);
        db_copy_big(m->copy, number);
        db_copy_text(m->copy, scope);
        db_copy_text(m->copy, reason);
        db_copy_time(m->copy, since_ms);
        m->good++;
    }
}

static char delimiter_of(const char *line)
{
    size_t at = strcspn(line, ",;\t");
    return line[at] != '\0' ? line[at] : ',';
}

static void import_line(struct import *m, char *line)
{
    struct fields f;
    if (m->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3; /* a byte order mark */
    if (m->line == 1)
        m->delimiter = delimiter_of(line);
    line = trimmed(line);
    if (*line == '\0')
        return;
    const char *wrong = split(line, m->delimiter, &f);
    if (wrong != NULL)
        bad(m, wrong);
    else if (m->line > 1 || strcasecmp(f.at[0], "number") != 0) /* else: the head line */
        import_fields(m, &f);
}

/* The rest of a line that is too long is read away. */
static void read_lines(struct import *m)
{
    char line[LINE_BYTES];
    while (fgets(line, sizeof(line), m->in) != NULL) {
        size_t len = strlen(line);
        m->line++;
        if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
            int c;
            while ((c = fgetc(m->in)) != EOF && c != '\n')
                continue;
            bad(m, "the line is longer than 4,000 bytes");
            continue;
        }
        import_line(m, line);
    }
}

static int merge(struct ctl *c, const struct import *m)
{
    auto_result merged = NULL;
    int code = ctl_sql(c, &sql_suppress_merge, NULL, &merged);
    FAULT("ctl.suppress_merged");
    if (code == 0)
        code = ctl_commit(c);
    if (code != 0)
        return code;
    int64_t fresh = db_affected(merged);
    printf("imported: %lld new, %lld known already", (long long)fresh, (long long)(m->good - fresh));
    printf(m->bad > 0 ? ", %lld bad lines left out\n" : "\n", (long long)m->bad);
    return m->bad > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static int import_opened(struct ctl *c, struct import *m)
{
    int code = ctl_begin(c);
    if (code == 0)
        code = ctl_sql(c, &sql_suppress_stage, NULL, NULL);
    if (code != 0)
        return code;
    int r = db_copy_begin(c->db, "suppress_stage (number, scope, reason, since)", &m->copy);
    if (r != 0)
        return ctl_fail(r < 0 ? EXIT_UNREACHABLE : EXIT_REFUSED, "database, copy: %s", db_error(c->db));
    read_lines(m);
    bool readable = ferror(m->in) == 0;
    r = db_copy_end(c->db, m->copy);
    if (!readable)
        return ctl_fail(EXIT_REFUSED, "%s: cannot be read to its end; nothing was imported", m->file);
    if (r != 0)
        return ctl_fail(r < 0 || r == DB_FULL ? EXIT_UNREACHABLE : EXIT_REFUSED,
                        "database, copy: %s; nothing was imported", db_error(c->db));
    if (m->bad > ERRORS_SHOW)
        fprintf(stderr, "smschain: … and %lld more bad lines\n", (long long)m->bad - ERRORS_SHOW);
    if (m->bad > 0 && !m->skip_bad)
        return ctl_fail(EXIT_REFUSED,
                        "%lld of %lld lines are bad; nothing was imported; mend them, or --skip-bad leaves "
                        "them out",
                        (long long)m->bad, (long long)m->line);
    return merge(c, m);
}

int suppress_import(struct ctl *c, const char *file, bool skip_bad, const char *scope, const char *reason)
{
    const char *country = c->conf->main.country_code;
    bool standard = strcmp(file, "-") == 0;
    struct import m = {.file = file,
                       .scope = scope,
                       .reason = reason != NULL ? reason : "import",
                       .country = country != NULL && *country != '\0' ? country : NULL,
                       .skip_bad = skip_bad,
                       .in = standard ? stdin : fopen(file, "re")};
    if (m.in == NULL)
        return ctl_fail(EXIT_REFUSED, "%s: %s", file, strerror(errno));
    int code = import_opened(c, &m);
    if (code != EXIT_DONE && code != EXIT_ATTENTION)
        db_rollback(c->db);
    if (!standard)
        fclose(m.in);
    return code;
}

/* ---- export ---- */

static void csv_text(FILE *out, const char *s)
{
    if (strpbrk(s, ",;\t\"\r\n") == NULL && !isspace((unsigned char)*s)) {
        fputs(s, out);
        return;
    }
    fputc('"', out);
    for (; *s != '\0'; s++) {
        if (*s == '"')
            fputc('"', out);
        fputc(*s == '\n' || *s == '\r' ? ' ' : *s, out); /* import reads line by line */
    }
    fputc('"', out);
}

static int write_rows(struct ctl *c, FILE *out, int64_t *ret_count)
{
    int r = db_stream_begin(c->db, sql_suppress_export.text);
    fputs("number,scope,reason,since\n", out);
    while (r == 0) {
        auto_result row = NULL;
        char number[NUMBER_SIZE], since[CLOCK_ISO_SIZE];
        r = db_stream_next(c->db, &row);
        if (r != 0 || row == NULL)
            break;
        fprintf(out, "%s,%s,", number_format(db_big(row, 0, 0), number), db_text(row, 0, 1));
        csv_text(out, db_text(row, 0, 2));
        fprintf(out, ",%s\n", clock_iso(db_time_ms(row, 0, 3), since));
        (*ret_count)++;
    }
    if (r == 0)
        return 0;
    return ctl_fail(r < 0 ? EXIT_UNREACHABLE : EXIT_REFUSED, "database, suppression: %s", db_error(c->db));
}

/* Beside the file first, then in its place: whoever reads it sees the old list or the new one whole. */
static int export_to_file(struct ctl *c, const char *file, int64_t *ret_count)
{
    auto_free char *beside = xasprintf("%s.new", file);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out == NULL)
        return ctl_fail(EXIT_REFUSED, "%s: %s", beside, strerror(errno));
    int code = write_rows(c, out, ret_count);
    bool written = fflush(out) == 0 && fsync(fd) == 0;
    int error = errno;
    written = fclose(out) == 0 && written;
    if (code == 0 && (!written || rename(beside, file) != 0))
        code = ctl_fail(EXIT_REFUSED, "%s: %s", file, strerror(written ? errno : error));
    if (code != 0)
        unlink(beside);
    return code;
}

int suppress_export(struct ctl *c, const char *file)
{
    int64_t count = 0;
    if (strcmp(file, "-") == 0) {
        int code = write_rows(c, stdout, &count);
        return code == 0 && fflush(stdout) != 0
                   ? ctl_fail(EXIT_REFUSED, "standard output: %s", strerror(errno))
                   : code;
    }
    int code = export_to_file(c, file, &count);
    if (code == 0)
        printf("exported: %lld, with whole numbers, to\n%s\n", (long long)count, file);
    return code;
}
