/* A growing run of bytes with a maximum. Going over the maximum makes the buffer `overflowed`: it takes no
 * more, and the one who reads it at the end decides. Always NUL-terminated once something was added. */
#pragma once
#include "lib/base.h"
#include <stdarg.h>

struct buf {
    char *data;
    size_t len, cap;
    size_t max; /* bytes; 0: BUF_MAX_DEFAULT */
    bool overflowed;
};
#define BUF_MAX_DEFAULT (64u << 20)
#define auto_buf        cleanup_with(buf_deinit) struct buf

void buf_deinit(struct buf *b); /* leaves an empty, usable buffer */
void buf_clear(struct buf *b);  /* keeps the memory */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_i64(struct buf *b, int64_t n);
void buf_addf(struct buf *b, const char *format, ...) printf_like(2, 3);
void buf_vaddf(struct buf *b, const char *format, va_list ap) printf_like(2, 0);
/* The string with its quotes, escaped as RFC 8259 section 7 asks; bytes that are not UTF-8 become U+FFFD. */
void buf_add_json_str(struct buf *b, const char *s, size_t len);
/* Well-formed UTF-8 (RFC 3629) without U+0000: what a text column and JSON can hold. */
bool utf8_is_text(const char *s, size_t len);
void buf_add_url_encoded(struct buf *b, const char *s, size_t len); /* RFC 3986 section 2.1 */
/* Gives the bytes away (owned by the caller, free()), leaves the buffer empty. Never NULL. */
char *buf_take(struct buf *b, size_t *ret_len);
