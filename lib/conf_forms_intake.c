/* Forms of the keys that say who may post. */
#include "lib/address.h"
#include "lib/conf_internal.h"

#include <stdio.h>

static bool expected(char message[CONF_MESSAGE_MAX], const char *what)
{
    snprintf(message, CONF_MESSAGE_MAX, "expected %s", what);
    return false;
}

bool conf_form_network(const char *value, char message[CONF_MESSAGE_MAX])
{
    struct network n;

    return network_parse(value, &n) ||
           expected(message,
                    "an address or a network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32, with no "
                    "bits set behind the mask");
}

bool conf_form_header(const char *value, char message[CONF_MESSAGE_MAX])
{
    static const char *const chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return value[strspn(value, chars)] == '\0' || expected(message, "a header's name such as X-Signature");
}

/* Short secrets are found by trying. */
bool conf_form_secret(const char *value, char message[CONF_MESSAGE_MAX])
{
    size_t len = strlen(value);

    return len == 0 || (len >= 8 && len <= 512) || expected(message, "8 to 512 bytes");
}

/* Of the page: whoever finds it by trying is in. */
bool conf_form_long_token(const char *value, char message[CONF_MESSAGE_MAX])
{
    size_t len = strlen(value);

    return len == 0 || (len >= 16 && len <= 512) || expected(message, "16 to 512 bytes, best random ones");
}

bool conf_form_signs(const char *value, char message[CONF_MESSAGE_MAX])
{
    return strstr(value, "{body}") != NULL ||
           expected(message, "{body} in it: what is not signed is nobody's word");
}

bool conf_form_absolute_or_none(const char *value, char message[CONF_MESSAGE_MAX])
{
    return !*value || conf_form_absolute(value, message);
}
