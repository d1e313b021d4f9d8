/* Telephone numbers: from what people keep in their tables to E.164.
 *
 * Calling codes are those of ITU-T's list of assigned codes that belong to countries or satellite nets
 * (freephone and premium codes take no messages). Numbers are not checked against each country's own plan:
 * plans change every year, and a wrong refusal is worse than a gateway's. The few plans kept here only settle
 * two doubts: whether bare digits ("8613800138000" or "13800138000") already start with the calling code, and
 * what stands before a number only at home (ITU-T's list of dialling procedures, its national prefixes). */
#include "lib/number.h"
#include <stdio.h>

#define DIGITS_MAX  15 /* ITU-T E.164, section 6.2 */
#define DIGITS_MIN  7  /* the shortest real ones: calling code and 4 digits (Niue) */
#define REST_LIKELY 8  /* bare digits after the calling code, in a country whose plan is not below */

/* Digits as read from the text, and what stood around them. */
struct reading {
    char digits[64];
    size_t count;
    bool plus;
    bool zero_in_brackets; /* "(0)": a trunk prefix written for home, not dialled from abroad */
    size_t bracket_at;     /* how many digits stood before it */
};

/* Lengths of national numbers (the significant number, without trunk prefix), for the doubts above. trunk:
 * what stands before them at home. NULL: a 0, with which no number of that country begins. Else numbers may
 * begin with it, so it is taken off only where a whole number is left. "": nothing is ever taken off (the 0
 * of Italy's numbers belongs to them). */
static const struct plan {
    const char *code;
    unsigned char least, most;
    const char *trunk;
} plans[] = {
    {"1", 10, 10, "1"},   {"20", 10, 10, NULL}, {"220", 7, 7, NULL},   {"225", 10, 10, ""},
    {"226", 8, 8, ""},    {"227", 8, 8, ""},    {"229", 10, 10, ""},   {"234", 8, 10, NULL},
    {"238", 7, 7, NULL},  {"239", 7, 7, NULL},  {"241", 8, 8, "0"},    {"242", 9, 9, ""},
    {"246", 7, 7, NULL},  {"247", 4, 6, ""},    {"248", 7, 7, NULL},   {"254", 9, 9, NULL},
    {"269", 7, 7, NULL},  {"27", 9, 9, NULL},   {"290", 4, 5, NULL},   {"291", 7, 7, NULL},
    {"297", 7, 7, NULL},  {"298", 6, 6, NULL},  {"299", 6, 6, NULL},   {"30", 10, 10, NULL},
    {"31", 9, 9, NULL},   {"32", 8, 9, NULL},   {"33", 9, 9, NULL},    {"34", 9, 9, NULL},
    {"351", 9, 9, NULL},  {"353", 7, 9, NULL},  {"354", 7, 9, NULL},   {"358", 6, 11, NULL},
    {"36", 8, 9, "06"},   {"370", 8, 8, "8"},   {"375", 9, 9, "80"},   {"376", 6, 9, NULL},
    {"378", 6, 10, ""},   {"380", 9, 9, NULL},  {"39", 9, 11, ""},     {"40", 9, 9, NULL},
    {"41", 9, 9, NULL},   {"420", 9, 9, NULL},  {"421", 9, 9, NULL},   {"43", 10, 13, NULL},
    {"44", 10, 10, NULL}, {"45", 8, 8, NULL},   {"46", 7, 9, NULL},    {"47", 8, 8, NULL},
    {"48", 9, 9, NULL},   {"49", 10, 11, NULL}, {"500", 5, 5, NULL},   {"501", 7, 7, NULL},
    {"508", 6, 9, NULL},  {"52", 10, 10, "01"}, {"55", 10, 11, NULL},  {"592", 7, 7, NULL},
    {"597", 6, 7, NULL},  {"599", 7, 8, NULL},  {"61", 9, 9, NULL},    {"65", 8, 8, NULL},
    {"672", 5, 6, NULL},  {"673", 7, 7, NULL},  {"674", 7, 7, NULL},   {"676", 5, 7, ""},
    {"677", 5, 7, NULL},  {"678", 5, 7, NULL},  {"679", 7, 7, NULL},   {"680", 7, 7, NULL},
    {"681", 6, 6, NULL},  {"682", 5, 5, NULL},  {"683", 4, 7, NULL},   {"685", 5, 7, NULL},
    {"687", 6, 6, NULL},  {"688", 5, 7, NULL},  {"690", 4, 7, NULL},   {"691", 7, 7, NULL},
    {"692", 7, 7, "1"},   {"7", 10, 10, "8"},   {"81", 9, 10, NULL},   {"82", 8, 10, NULL},
    {"84", 9, 10, NULL},  {"852", 8, 8, NULL},  {"853", 8, 8, NULL},   {"86", 10, 11, NULL},
    {"870", 9, 12, ""},   {"878", 12, 12, ""},  {"880", 10, 10, NULL}, {"881", 8, 9, ""},
    {"882", 7, 12, ""},   {"883", 9, 12, ""},   {"886", 9, 9, NULL},   {"90", 10, 10, NULL},
    {"91", 10, 10, NULL}, {"92", 9, 10, NULL},  {"960", 7, 7, NULL},   {"966", 9, 9, NULL},
    {"971", 8, 9, NULL},  {"972", 8, 9, NULL},  {"98", 10, 10, NULL},  {"992", 9, 9, ""},
    {"993", 8, 8, "8"},   {"994", 9, 9, NULL},  {"996", 9, 9, NULL},   {"998", 9, 9, "8"},
};

static const struct plan *plan_of(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(plans); i++)
        if (strcmp(plans[i].code, code) == 0)
            return &plans[i];
    return NULL;
}

static bool in_ranges(int code, const int (*ranges)[2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

/* How many of the first digits are a calling code: 1 to 3, 0 for none. No code is the beginning of another.
 */
static size_t calling_code_length(const char *digits, size_t count)
{
    static const int two[][2] = {{20, 20}, {27, 27}, {30, 34}, {36, 36}, {39, 41}, {43, 49}, {51, 58},
                                 {60, 66}, {81, 82}, {84, 84}, {86, 86}, {90, 95}, {98, 98}};
    static const int three[][2] = {{211, 213}, {216, 216}, {218, 218}, {220, 258}, {260, 269}, {290, 291},
                                   {297, 299}, {350, 359}, {370, 383}, {385, 387}, {389, 389}, {420, 421},
                                   {423, 423}, {500, 509}, {590, 599}, {670, 670}, {672, 683}, {685, 692},
                                   {850, 850}, {852, 853}, {855, 856}, {870, 870}, {878, 878}, {880, 883},
                                   {886, 886}, {960, 968}, {970, 977}, {992, 996}, {998, 998}};
    int code = 0;

    for (size_t n = 1; n <= 3 && n <= count; n++) {
        code = code * 10 + (digits[n - 1] - '0');
        if ((n == 1 && (code == 1 || code == 7)) || (n == 2 && in_ranges(code, two, COUNT_OF(two))) ||
            (n == 3 && in_ranges(code, three, COUNT_OF(three))))
            return n;
    }
    return 0;
}

/* The length in bytes of a separator that people and their programs leave in numbers; 0: it is none. */
static size_t separator_length(const char *s)
{
    static const char *const wide[] = {
        "\xc2\xa0",     "\xe2\x80\xaf", "\xe2\x80\x87", /* no-break spaces */
        "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xaa", "\xe2\x80\xac",
        "\xe2\x80\xad",                                                 /* marks of direction */
        "\xe2\x80\x90", "\xe2\x80\x91", "\xe2\x80\x92", "\xe2\x80\x93", /* hyphens, dashes */
    };

    if (strchr(" \t.-/()[]\r\n", *s))
        return 1;
    for (size_t i = 0; i < COUNT_OF(wide); i++)
        if (strncmp(s, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    return 0;
}

static enum number_fault read_digits(const char *text, struct reading *r)
{
    *r = (struct reading){0};
    for (const char *s = text; *s != '\0';) {
        if (strncmp(s, "(0)", 3) == 0 && r->count > 0 && !r->zero_in_brackets) {
            r->zero_in_brackets = true;
            r->bracket_at = r->count;
            s++; /* the 0 itself is read: whether it stays depends on the country */
        } else if (*s >= '0' && *s <= '9') {
            if (r->count == sizeof(r->digits) - 1)
                return NUMBER_TOO_LONG;
            r->digits[r->count++] = *s++;
        } else if (*s == '+' && r->count == 0 && !r->plus) {
            r->plus = true;
            s++;
        } else {
            size_t n = separator_length(s);
            if (n == 0)
                return NUMBER_LETTERS;
            s += n;
        }
    }
    return r->count == 0 ? (r->plus ? NUMBER_TOO_SHORT : NUMBER_EMPTY) : NUMBER_OK;
}

static bool whole(const struct plan *plan, size_t count)
{
    return count >= plan->least && count <= plan->most;
}

static const char *without_trunk(const char *digits, const struct plan *plan)
{
    const char *trunk = plan && plan->trunk ? plan->trunk : "0";
    size_t count = strlen(digits), trunk_len = strlen(trunk);

    if (trunk_len == 0)
        return digits;
    if (strncmp(digits, trunk, trunk_len) == 0 && (!plan || !plan->trunk || whole(plan, count - trunk_len)))
        return digits + trunk_len;
    return *digits == '0' && strcmp(trunk, "0") != 0 ? digits + 1 : digits;
}

/* Argentina writes a mobile number at home with 15 between area code and number, and for all others with 9
 * before both. Area codes have two digits (11 only), three or four; the 15 can stand in one place only. */
static void mobile_of_argentina(char *significant)
{
    size_t area = strncmp(significant, "1115", 4) == 0     ? 2
                  : strncmp(significant + 3, "15", 2) == 0 ? 3
                  : strncmp(significant + 4, "15", 2) == 0 ? 4
                                                           : 0;
    if (area == 0)
        return;
    memmove(significant + area + 1, significant + area + 2, strlen(significant + area + 2) + 1);
    memmove(significant + 1, significant, area);
    *significant = '9';
}

/* Calling code and what stands behind it, with or without trunk prefix. */
static enum number_fault join(const char *code, const char *rest, int64_t *ret)
{
    char whole_number[96], significant[80];
    int64_t n = 0;
    size_t count;

    snprintf(significant, sizeof(significant), "%s", without_trunk(rest, plan_of(code)));
    if (strcmp(code, "54") == 0 && strlen(significant) == 12)
        mobile_of_argentina(significant);
    snprintf(whole_number, sizeof(whole_number), "%s%s", code, significant);
    count = strlen(whole_number);
    if (count < DIGITS_MIN)
        return NUMBER_TOO_SHORT;
    if (count > DIGITS_MAX)
        return NUMBER_TOO_LONG;
    for (size_t i = 0; i < count; i++)
        n = n * 10 + (whole_number[i] - '0');
    *ret = n;
    return NUMBER_OK;
}

/* Digits that begin with a calling code. */
static enum number_fault international(const char *digits, int64_t *ret)
{
    size_t count = strlen(digits), len = calling_code_length(digits, count);
    char code[4];

    if (len == 0)
        return count == 0 ? NUMBER_TOO_SHORT : NUMBER_BAD_COUNTRY;
    snprintf(code, sizeof(code), "%.*s", (int)len, digits);
    return join(code, digits + len, ret);
}

/* Do bare digits, with neither plus nor trunk prefix, already begin with the country's calling code? */
static bool has_calling_code(const char *digits, const char *country)
{
    const struct plan *plan = plan_of(country);
    size_t code = strlen(country);

    if (strncmp(digits, country, code) != 0)
        return false;
    if (!plan)
        return strlen(digits) - code >= REST_LIKELY;
    /* Where both readings fit (plans of many lengths: Austria, Finland), people there would have written the
     * trunk 0. */
    return whole(plan, strlen(without_trunk(digits + code, plan)));
}

static enum number_fault national(const char *digits, const char *country, int64_t *ret)
{
    if (calling_code_length(country, strlen(country)) != strlen(country))
        return NUMBER_BAD_COUNTRY;
    if (has_calling_code(digits, country))
        return international(digits, ret);
    if (strlen(without_trunk(digits, plan_of(country))) < 4)
        return NUMBER_TOO_SHORT;
    return join(country, digits, ret);
}

enum number_fault number_normalise(const char *text, const char *country, int64_t *ret_e164)
{
    struct reading r;
    enum number_fault fault;
    const char *digits;
    size_t skip = 0;

    if (!text)
        return NUMBER_EMPTY;
    fault = read_digits(text, &r);
    if (fault != NUMBER_OK)
        return fault;
    if (!r.plus && strncmp(r.digits, "00", 2) == 0)
        skip = 2;
    digits = r.digits + skip;
    if (r.plus || skip > 0) {
        size_t code = calling_code_length(digits, r.count - skip);
        if (r.zero_in_brackets && r.bracket_at != skip + code)
            return NUMBER_LETTERS; /* "(0)" elsewhere than after the calling code: no number anybody means */
        return international(digits, ret_e164);
    }
    if (r.zero_in_brackets) /* "49 (0)171 1234567" */
        return country && *country && strlen(country) == r.bracket_at &&
                       strncmp(digits, country, r.bracket_at) == 0
                   ? international(digits, ret_e164)
                   : NUMBER_LETTERS;
    if (country && *country)
        return national(digits, country, ret_e164);
    return digits[0] == '0' || r.count < DIGITS_MIN + 2 ? NUMBER_NO_COUNTRY : international(digits, ret_e164);
}

const char *number_fault_word(enum number_fault f)
{
    switch (f) {
    case NUMBER_OK:
        return "ok";
    case NUMBER_EMPTY:
        return "empty";
    case NUMBER_LETTERS:
        return "letters";
    case NUMBER_TOO_SHORT:
        return "too_short";
    case NUMBER_TOO_LONG:
        return "too_long";
    case NUMBER_NO_COUNTRY:
        return "no_country";
    case NUMBER_BAD_COUNTRY:
        return "bad_country";
    }
    return "unknown";
}

char *number_format(int64_t e164, char out[NUMBER_SIZE])
{
    snprintf(out, NUMBER_SIZE, "+%lld", (long long)e164);
    return out;
}

char *number_mask(int64_t e164, char out[NUMBER_SIZE])
{
    size_t len;

    number_format(e164, out);
    len = strlen(out);
    /* "+49" and the last two stay; of a number too short for that, nothing does. */
    for (size_t i = 1; i < len; i++)
        if (len < 8 || (i > 2 && i < len - 2))
            out[i] = '*';
    return out;
}
