/* The filter `money`: decimal text to an amount for people, in the text's own digits, so that nothing is ever
 * rounded by a floating-point number on the way. */
#include "lib/template_node.h"

#define MONEY_DIGITS_MAX   60
#define MONEY_DECIMALS_MAX 12
#define MONEY_UNREADABLE   "'money' reads a plain decimal number such as 1234.5"

struct amount {
    bool negative;
    char digits[1 + MONEY_DIGITS_MAX +
                MONEY_DECIMALS_MAX]; /* a zero in front takes the carry; then `whole` digits, … */
    size_t whole, count;             /* … and the rest of `count` behind the point */
};

static size_t digits_at(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && s[n] >= '0' && s[n] <= '9')
        n++;
    return n;
}

/* [+-] digits [. digits], white space around it. The digits that are kept are padded or cut to `decimals`. */
static bool read_amount(const char *s, size_t len, size_t decimals, struct amount *ret, char *ret_next_digit)
{
    *ret = (struct amount){.digits = "0", .whole = 1, .count = 1};
    while (len > 0 && template_is_space(*s)) {
        s++;
        len--;
    }
    while (len > 0 && template_is_space(s[len - 1]))
        len--;
    if (len > 0 && (*s == '-' || *s == '+')) {
        ret->negative = *s == '-';
        s++;
        len--;
    }
    size_t whole = digits_at(s, len);
    size_t fraction = whole < len && s[whole] == '.' ? digits_at(s + whole + 1, len - whole - 1) : 0;
    if (whole + (fraction > 0 ? fraction + 1 : 0) != len || len == 0 || whole > MONEY_DIGITS_MAX)
        return false;

    memcpy(ret->digits + 1, s, whole);
    ret->whole += whole;
    ret->count += whole;
    for (size_t i = 0; i < decimals; i++)
        ret->digits[ret->count++] = i < fraction ? s[whole + 1 + i] : '0';
    *ret_next_digit = decimals < fraction ? s[whole + 1 + decimals] : '0';
    return true;
}

static void round_up(struct amount *a)
{
    for (size_t i = a->count; i-- > 0;) {
        if (a->digits[i] != '9') {
            a->digits[i]++;
            return;
        }
        a->digits[i] = '0';
    }
}

static bool is_zero(const struct amount *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->digits[i] != '0')
            return false;
    return true;
}

const char *filter_money_check(size_t index, const char *text, size_t len)
{
    struct value v = value_str(text, len);
    int64_t n;

    return value_whole_number(&v, &n) && n >= 0 && n <= MONEY_DECIMALS_MAX
               ? NULL
               : "the decimals are a number from 0 to 12";
}

static int write_amount(struct render *r, const struct filter_call *call, const struct amount *a,
                        struct value *v)
{
    const char *group = r->scope->currency_group ? r->scope->currency_group : ",";
    const char *point = r->scope->currency_decimal ? r->scope->currency_decimal : ".";
    size_t first = 0, decimals = a->count - a->whole;

    while (first + 1 < a->whole && a->digits[first] == '0')
        first++;
    size_t groups = (a->whole - first - 1) / 3;
    size_t len = a->negative + (a->whole - first) + groups * strlen(group) + decimals +
                 (decimals > 0 ? strlen(point) : 0);
    char *room = render_room(r, call, len), *to = room;
    if (!room)
        return -EINVAL;
    if (a->negative)
        *to++ = '-';
    for (size_t i = first; i < a->whole; i++) {
        *to++ = a->digits[i];
        if (i + 1 < a->whole && (a->whole - i - 1) % 3 == 0)
            to = mempcpy(to, group, strlen(group));
    }
    if (decimals > 0)
        memcpy(mempcpy(to, point, strlen(point)), a->digits + a->whole, decimals);
    *v = value_str(room, len);
    return 0;
}

int filter_money(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                 const struct value *named)
{
    struct amount a;
    int64_t decimals = 2;
    char next_digit;

    if (call->arg_count > 0 &&
        (!value_whole_number(&args[0], &decimals) || decimals < 0 || decimals > MONEY_DECIMALS_MAX))
        return render_refuse(r, call->args[0].place, "'money': the decimals are a number from 0 to %d",
                             MONEY_DECIMALS_MAX);
    if ((v->type != VALUE_STR && v->type != VALUE_NUMBER) ||
        !read_amount(v->str, v->len, (size_t)decimals, &a, &next_digit))
        return render_refuse(r, call->place, MONEY_UNREADABLE);
    if (next_digit >= '5')
        round_up(&a);
    a.negative = a.negative && !is_zero(&a);
    return write_amount(r, call, &a, v);
}
