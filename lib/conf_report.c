/* Errors of the configuration: gathered while everything is read, then written in order of file, line and
 * column, each with the line it is about and a caret under the place. */
#include "lib/conf_internal.h"

#include <stdarg.h>
#include <stdio.h>

static void problem_add(struct conf_report *r, const struct conf_file *f, int line, int column,
                        const char *format, va_list ap) printf_like(5, 0);
static void problem_add(struct conf_report *r, const struct conf_file *f, int line, int column,
                        const char *format, va_list ap)
{
    auto_buf message = {0};

    buf_vaddf(&message, format, ap);
    r->problems = xrealloc(r->problems, (r->count + 1) * sizeof(*r->problems));
    r->problems[r->count] = (struct conf_problem){
        .file = f, .line = line, .column = column, .order = r->count, .message = buf_take(&message, NULL)};
    r->count++;
}

void conf_error(struct conf_report *r, const struct conf_file *f, int line, int column, const char *format,
                ...)
{
    va_list ap;

    va_start(ap, format);
    problem_add(r, f, line, column, format, ap);
    va_end(ap);
}

void conf_error_at(struct conf_report *r, const struct conf_file *f, const struct conf_node *n,
                   const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    problem_add(r, f, n ? n->line : 0, n ? n->column : 0, format, ap);
    va_end(ap);
}

static int problem_order(const void *left, const void *right)
{
    const struct conf_problem *a = left, *b = right;

    if (a->file != b->file) {
        if (a->file->kind != b->file->kind)
            return a->file->kind < b->file->kind ? -1 : 1;
        return strcmp(a->file->path, b->file->path);
    }
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order < b->order ? -1 : 1; /* as they were found */
}

/* The text of a line (from 1) without its end; NULL: there is none. */
static const char *line_of(const struct conf_file *f, int line, size_t *ret_len)
{
    const char *at = f->text, *end = f->text ? f->text + f->len : NULL;

    for (int i = 1; at && at < end && i < line; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at)
            at++;
    }
    if (!at || at >= end)
        return NULL;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    *ret_len = (size_t)((stop ? stop : end) - at);
    if (*ret_len && at[*ret_len - 1] == '\r')
        --*ret_len;
    return at;
}

/* The caret stands under the character: tabs are kept as tabs, the rest becomes one space a character. */
static void caret_print(const char *text, size_t len, int column, struct buf *out)
{
    int at = 1;

    for (size_t i = 0; at < column && i < len; i++) {
        if (((unsigned char)text[i] & 0xC0) == 0x80)
            continue; /* inside a character */
        buf_add_char(out, text[i] == '\t' ? '\t' : ' ');
        at++;
    }
    buf_add_str(out, "^\n");
}

static void problem_print(const struct conf_problem *p, struct buf *out)
{
    size_t len = 0;
    const char *text = p->line > 0 ? line_of(p->file, p->line, &len) : NULL;

    buf_add_str(out, p->file->path);
    if (p->line > 0)
        buf_addf(out, ":%d:%d", p->line, p->column);
    buf_addf(out, ": error: %s\n", p->message);
    if (text) {
        buf_addf(out, "%5d | ", p->line);
        buf_add(out, text, len);
        buf_add_str(out, "\n      | ");
        caret_print(text, len, p->column, out);
    }
    buf_add_char(out, '\n');
}

void conf_report_print(struct conf_report *r, struct buf *out)
{
    if (r->count)
        qsort(r->problems, r->count, sizeof(*r->problems), problem_order);
    for (size_t i = 0; i < r->count; i++)
        problem_print(&r->problems[i], out);
}

void conf_report_deinit(struct conf_report *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->problems[i].message);
    free(r->problems);
    *r = (struct conf_report){0};
}
