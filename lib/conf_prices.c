/* Exact decimal numbers: prices of a gateway, one line a prefix, and shares in per cent. */
#include "lib/conf_internal.h"

#include <ctype.h>
#include <stdio.h>

#define PLACES 6

bool conf_price_micro(const char *text, int64_t *ret)
{
    int64_t micro = 0;
    int places = -1; /* no point yet */

    if (!isdigit((unsigned char)*text))
        return false;
    for (; *text; text++) {
        if (*text == '.' && places < 0 && isdigit((unsigned char)text[1])) {
            places = 0;
            continue;
        }
        if (!isdigit((unsigned char)*text) || places >= PLACES || micro > CONF_PRICE_MAX)
            return false;
        micro = micro * 10 + (*text - '0');
        places += places >= 0;
    }
    for (places = MAX_OF(places, 0); places < PLACES; places++)
        if (__builtin_mul_overflow(micro, 10, &micro))
            return false;
    *ret = micro;
    return micro <= CONF_PRICE_MAX;
}

bool conf_form_price(const char *value, char message[CONF_MESSAGE_MAX])
{
    int64_t micro;

    if (conf_price_micro(value, &micro))
        return true;
    snprintf(message, CONF_MESSAGE_MAX,
             "expected a decimal number such as 0.0425, at most 1000 and with at most 6 places, got '%s'",
             value);
    return false;
}

bool conf_share(const char *text, int64_t *ret)
{
    size_t len = strlen(text);
    auto_free char *number = len > 1 && text[len - 1] == '%' ? xstrndup(text, len - 1) : xstrdup("");
    int64_t micro;

    if (!conf_price_micro(number, &micro) || micro % 100 != 0)
        return false;
    *ret = micro / 100;
    return true;
}

bool conf_form_share(const char *value, char message[CONF_MESSAGE_MAX])
{
    int64_t share;

    if (!*value || conf_share(value, &share))
        return true;
    snprintf(message, CONF_MESSAGE_MAX,
             "expected a share such as 30%% or 0.5%%, at most 1000%% and with at most 4 places, got '%s'",
             value);
    return false;
}

bool conf_form_kept_share(const char *value, char message[CONF_MESSAGE_MAX])
{
    int64_t share;

    if (conf_share(value, &share) && share <= 900000)
        return true;
    snprintf(message, CONF_MESSAGE_MAX, "expected a share from 0%% to 90%%, such as 10%%, got '%s'", value);
    return false;
}

bool conf_form_share_or_number(const char *value, char message[CONF_MESSAGE_MAX])
{
    size_t digits = strspn(value, "0123456789");
    int64_t share;

    if (!*value || (*value != '0' && digits > 0 && digits < 10 && value[digits] == '\0') ||
        (conf_share(value, &share) && share > 0 && share <= 1000000))
        return true;
    snprintf(message, CONF_MESSAGE_MAX,
             "expected a share such as 1%%, above 0%% and at most 100%%, or a number of messages, got '%s'",
             value);
    return false;
}

bool conf_form_currency(const char *value, char message[CONF_MESSAGE_MAX])
{
    bool letters = strlen(value) == 3;

    for (const char *c = value; *c && letters; c++)
        letters = *c >= 'A' && *c <= 'Z';
    if (!letters)
        snprintf(message, CONF_MESSAGE_MAX, "expected three capital letters such as EUR, got '%s'", value);
    return letters;
}

bool conf_form_digits_or_none(const char *value, char message[CONF_MESSAGE_MAX])
{
    return !*value || conf_form_digits(value, message);
}

/* Where two lines fit equally nobody could say what it costs. */
void conf_check_prices(struct conf_checking *k, const struct conf_gateway *g)
{
    for (size_t i = 0; i < g->price_count; i++) {
        const struct conf_price *p = &g->prices[i];
        for (size_t before = 0; before < i; before++) {
            if (strcmp(g->prices[before].prefix, p->prefix) != 0)
                continue;
            conf_error(k->report, k->file, p->line, 0, "prices: prefix '%s' has a price in line %d already",
                       p->prefix, g->prices[before].line);
            break;
        }
    }
}
