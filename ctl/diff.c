/* What is equal at both ends stays; for the rest a table of longest common subsequences, which is small
 * because templates are. */
#include "ctl/diff.h"

struct lines {
    const char **at;
    size_t *len, count;
};

static struct lines split(const char *text)
{
    struct lines l = {0};
    size_t most = 1;

    for (const char *at = text; *at; at++)
        most += *at == '\n';
    l.at = xcalloc(most, sizeof(*l.at));
    l.len = xcalloc(most, sizeof(*l.len));
    while (*text) {
        size_t len = strcspn(text, "\n");
        l.at[l.count] = text;
        l.len[l.count++] = len > 0 && text[len - 1] == '\r' ? len - 1 : len;
        text += len + (text[len] == '\n');
    }
    return l;
}

static void lines_deinit(struct lines *l)
{
    free(l->at);
    free(l->len);
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
    return a->len[i] == b->len[k] && memcmp(a->at[i], b->at[k], a->len[i]) == 0;
}

static void add(struct diff *d, char is, const struct lines *l, size_t i)
{
    d->lines[d->count++] = (struct diff_line){.is = is, .text = l->at[i], .len = l->len[i]};
    d->equal = d->equal && is == ' ';
}

/* The middle parts, [from, a_end) and [from, b_end). */
static void middle(struct diff *d, const struct lines *a, const struct lines *b, size_t from, size_t a_end,
                   size_t b_end)
{
    size_t n = a_end - from, m = b_end - from, i = 0, k = 0;
    bool small = n <= DIFF_LINES_MAX && m <= DIFF_LINES_MAX;
    /* longest[i][k]: of the common subsequences of what begins at i and at k */
    auto_free uint16_t *longest = small ? xcalloc((n + 1) * (m + 1), sizeof(*longest)) : NULL;

#define LONGEST(I, K) longest[(I) * (m + 1) + (K)]
    for (size_t x = small ? n : 0; x-- > 0;)
        for (size_t y = m; y-- > 0;)
            LONGEST(x, y) = same(a, from + x, b, from + y) ? (uint16_t)(LONGEST(x + 1, y + 1) + 1)
                                                           : MAX_OF(LONGEST(x + 1, y), LONGEST(x, y + 1));
    while (small && i < n && k < m) {
        if (same(a, from + i, b, from + k)) {
            add(d, ' ', a, from + i++);
            k++;
        } else if (LONGEST(i + 1, k) >= LONGEST(i, k + 1)) {
            add(d, '-', a, from + i++);
        } else {
            add(d, '+', b, from + k++);
        }
    }
#undef LONGEST
    while (i < n)
        add(d, '-', a, from + i++);
    while (k < m)
        add(d, '+', b, from + k++);
}

void diff_texts(const char *first, const char *second, struct diff *ret)
{
    cleanup_with(lines_deinit) struct lines a = split(first), b = split(second);
    size_t begin = 0, a_end = a.count, b_end = b.count;

    *ret = (struct diff){.lines = xcalloc(a.count + b.count + 1, sizeof(*ret->lines)), .equal = true};
    while (begin < a_end && begin < b_end && same(&a, begin, &b, begin))
        add(ret, ' ', &a, begin++);
    while (a_end > begin && b_end > begin && same(&a, a_end - 1, &b, b_end - 1)) {
        a_end--;
        b_end--;
    }
    middle(ret, &a, &b, begin, a_end, b_end);
    for (size_t i = a_end; i < a.count; i++)
        add(ret, ' ', &a, i);
}

void diff_deinit(struct diff *d)
{
    free(d->lines);
    *d = (struct diff){0};
}
