/* The lexer of what stands between {{ and }} or {% and %}. Literals have no escapes, as in Liquid; a literal
 * may hold braces, since the closing ones are found by lexing and not by searching. */
#include "lib/template_node.h"

bool template_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* Liquid's names hold dashes and may end with a question mark; columns may have letters of any alphabet. */
static const char *name_end(const char *p, const char *end, char close)
{
    while (p < end && (is_name_start(*p) || is_digit(*p) || *p == '-')) {
        if (*p == '-' && end - p >= 3 && p[1] == close && p[2] == '}')
            return p; /* the dash belongs to the braces */
        p++;
    }
    return p < end && *p == '?' ? p + 1 : p;
}

static const char *number_end(const char *p, const char *end)
{
    if (*p == '-')
        p++;
    while (p < end && is_digit(*p))
        p++;
    if (end - p >= 2 && *p == '.' && is_digit(p[1])) {
        p++;
        while (p < end && is_digit(*p))
            p++;
    }
    return p;
}

static struct token lex_literal(const char *at, const char *end)
{
    const char *quote = memchr(at + 1, *at, (size_t)(end - at - 1));

    if (!quote)
        return (struct token){.kind = TOKEN_UNENDED, .at = at, .text = at, .len = (size_t)(end - at)};
    return (struct token){.kind = TOKEN_STR, .at = at, .text = at + 1, .len = (size_t)(quote - at - 1)};
}

static enum token_kind sign_kind(char c)
{
    return c == '|' ? TOKEN_PIPE : c == ':' ? TOKEN_COLON : c == ',' ? TOKEN_COMMA : TOKEN_OTHER;
}

struct token template_lex(const char **p, const char *end, char close)
{
    while (*p < end && template_is_space(**p))
        (*p)++;
    const char *at = *p;
    struct token t = {.kind = TOKEN_END, .at = at, .text = at};
    size_t left = (size_t)(end - at);

    if (left == 0)
        return t;
    if (left >= 3 && at[0] == '-' && at[1] == close && at[2] == '}') {
        t = (struct token){.kind = TOKEN_CLOSE, .at = at, .text = at, .len = 3, .trims = true};
    } else if (left >= 2 && at[0] == close && at[1] == '}') {
        t = (struct token){.kind = TOKEN_CLOSE, .at = at, .text = at, .len = 2};
    } else if (*at == '"' || *at == '\'') {
        t = lex_literal(at, end);
        *p = t.kind == TOKEN_STR ? t.text + t.len + 1 : end;
        return t;
    } else if (is_digit(*at) || (*at == '-' && left >= 2 && is_digit(at[1]))) {
        t.kind = TOKEN_NUMBER;
        t.len = (size_t)(number_end(at, end) - at);
    } else if (is_name_start(*at)) {
        t.kind = TOKEN_NAME;
        t.len = (size_t)(name_end(at, end, close) - at);
    } else {
        t.kind = sign_kind(*at);
        t.len = 1;
    }
    *p = at + t.len;
    return t;
}
