/* How foreign words and texts are shown on a terminal: nothing that steers it. */
#include "ctl/ctl.h"
#include <ctype.h>
#include <stdio.h>

static size_t character_bytes(const char *s)
{
    size_t n = 1;
    while (((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

int show_cut(const char *s, int columns)
{
    int shown = 0;
    size_t left = 0;
    for (const char *at = s; *at != '\0'; at += character_bytes(at))
        left++;
    bool cut = left > (size_t)columns;
    for (; *s != '\0' && shown < columns - cut; shown++) {
        size_t n = character_bytes(s);
        if (n == 1 && (iscntrl((unsigned char)*s) || (unsigned char)*s >= 0x80))
            putchar('?');
        else
            fwrite(s, 1, n, stdout);
        s += n;
    }
    if (cut)
        fputs("…", stdout);
    return shown + cut;
}

void show_text(const char *text, size_t len, const char *indent)
{
    printf("%s", indent);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            printf("\n%s", indent);
        else
            putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
    putchar('\n');
}

/* Characters that nobody sees, or that turn around what stands beside them. */
static bool is_unseen(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0xfeff || c == 0x3000;
}

char *show_character(uint32_t c, char out[SHOW_CHARACTER_SIZE])
{
    char bytes[5] = "";

    if (c < 0x80) {
        bytes[0] = (char)c;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
    } else {
        bytes[0] = (char)(0xf0 | (c >> 18 & 0x07));
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (c & 0x3f));
    }
    if (is_unseen(c))
        snprintf(out, SHOW_CHARACTER_SIZE, "U+%04X", (unsigned)c);
    else
        snprintf(out, SHOW_CHARACTER_SIZE, "%s (U+%04X)", bytes, (unsigned)c);
    return out;
}
