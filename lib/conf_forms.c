/* What a word must look like: one function a form, each true or with a sentence that says what was expected.
 */
#include "lib/clock.h"
#include "lib/conf_internal.h"
#include "lib/keyword.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>

static struct conf_checkers checkers;

void conf_set_checkers(const struct conf_checkers *c)
{
    checkers = *c;
}

static bool wrong(char message[CONF_MESSAGE_MAX], const char *format, ...) printf_like(2, 3);
static bool wrong(char message[CONF_MESSAGE_MAX], const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(message, CONF_MESSAGE_MAX, format, ap);
    va_end(ap);
    return false;
}

bool conf_source_driver_check(const char *driver, char message[CONF_MESSAGE_MAX])
{
    return !checkers.source_driver || checkers.source_driver(driver, message, CONF_MESSAGE_MAX);
}

size_t conf_text_rules_check(const struct conf_template *t, struct conf_text_problem ret[CONF_TEXT_PROBLEMS])
{
    return checkers.text_rules ? checkers.text_rules(t, ret) : 0;
}

static bool all_digits(const char *s)
{
    return *s && s[strspn(s, "0123456789")] == '\0';
}

bool conf_form_not_empty(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (value[strspn(value, " \t\r\n")] == '\0')
        return wrong(message, "is empty");
    return true;
}

/* Names of rules, gateways, …: they become parts of queue names, addresses and log lines. */
bool conf_form_name(const char *value, char message[CONF_MESSAGE_MAX])
{
    static const char *const chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (!isalnum((unsigned char)*value) || value[strspn(value, chars)] != '\0' || strlen(value) > 64)
        return wrong(message, "expected a name of at most 64 letters, digits, - and _, got '%.80s'", value);
    return true;
}

bool conf_form_absolute(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (*value != '/')
        return wrong(message, "expected an absolute path, got '%s'", value);
    return true;
}

bool conf_form_zone(const char *value, char message[CONF_MESSAGE_MAX])
{
    struct zone *z = *value ? zone_open(value) : NULL;

    if (!z)
        return wrong(message, "no time zone '%s'; expected a name of the tz database such as Europe/Berlin",
                     value);
    zone_close(z);
    return true;
}

bool conf_form_listen(const char *value, char message[CONF_MESSAGE_MAX])
{
    const char *colon = strrchr(value, ':');
    long port = colon && all_digits(colon + 1) && strlen(colon + 1) <= 5 ? atol(colon + 1) : -1;
    bool bracketed = *value == '[' && colon && colon > value + 1 && colon[-1] == ']';

    if (!colon || colon == value || port < 1 || port > 65535 ||
        (!bracketed && memchr(value, ':', (size_t)(colon - value))))
        return wrong(message, "expected ADDRESS:PORT such as 127.0.0.1:8085 or [::1]:8085, got '%s'", value);
    return true;
}

/* Port 0: any that is free. */
bool conf_form_listen_or_none(const char *value, char message[CONF_MESSAGE_MAX])
{
    size_t len = strlen(value);

    if (len == 0 || (len > 2 && strcmp(value + len - 2, ":0") == 0))
        return true;
    return conf_form_listen(value, message);
}

bool conf_form_host_port(const char *value, char message[CONF_MESSAGE_MAX])
{
    char ignored[CONF_MESSAGE_MAX];

    if (strpbrk(value, " \t/@") || strlen(value) > 260 || !conf_form_listen(value, ignored))
        return wrong(message, "expected HOST:PORT such as smpp.example.com:2775 or [2001:db8::1]:2775, got '%.80s'",
                     value);
    return true;
}

bool conf_form_digits(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (!all_digits(value) || *value == '0' || strlen(value) > 15)
        return wrong(message,
                     "expected the first digits of a number in international form without the plus, got '%s'",
                     value);
    return true;
}

bool conf_form_sha256(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (strlen(value) != 64 || value[strspn(value, "0123456789abcdef")] != '\0')
        return wrong(message, "expected the SHA-256 of an API key, 64 digits 0-9 a-f, as `smschain key` prints it");
    return true;
}

bool conf_form_lane(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (strcmp(value, "instant") != 0 && strcmp(value, "bulk") != 0)
        return wrong(message, "expected instant or bulk, got '%.80s'", value);
    return true;
}

bool conf_form_country(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (*value && (!all_digits(value) || *value == '0' || strlen(value) > 3))
        return wrong(message, "expected a calling code such as \"49\", got '%s'", value);
    return true;
}

bool conf_form_number(const char *value, char message[CONF_MESSAGE_MAX])
{
    const char *digits = value + (*value == '+');
    size_t len = strlen(digits);

    if (!all_digits(digits) || *digits == '0' || len < 7 || len > 15)
        return wrong(message, "expected a number in international form such as +491711234567");
    return true;
}

bool conf_form_conninfo(const char *value, char message[CONF_MESSAGE_MAX])
{
    static const char *const not_here[] = {"user", "password", "passfile"};

    if (strstr(value, "://"))
        return wrong(message, "expected libpq keywords (host=… port=… dbname=…), not a URL");
    for (const char *at = value; *at; at += strcspn(at, " \t\n"), at += strspn(at, " \t\n")) {
        for (size_t i = 0; i < COUNT_OF(not_here); i++) {
            size_t len = strlen(not_here[i]);
            if (!strncmp(at, not_here[i], len) && at[len + strspn(at + len, " \t")] == '=')
                return wrong(message,
                             "'%s' does not belong here: every service has its own database_user and "
                             "database_password",
                             not_here[i]);
        }
    }
    return conf_form_not_empty(value, message);
}

bool conf_form_url(const char *value, char message[CONF_MESSAGE_MAX])
{
    const char *host = !strncmp(value, "http://", 7)    ? value + 7
                       : !strncmp(value, "https://", 8) ? value + 8
                                                        : NULL;

    if (!*value)
        return true;
    if (!host || !*host || *host == '/')
        return wrong(message, "expected an address that begins with http://HOST or https://HOST");
    for (const char *at = value; *at; at++) {
        if (*at == '\n' || *at == '\r')
            return wrong(message, "expected an address in one line");
    }
    return true;
}

bool conf_form_pointer(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (*value && *value != '/')
        return wrong(message, "expected a JSON pointer, which begins with '/', such as /data/id; got '%s'",
                     value);
    for (const char *at = strchr(value, '~'); at; at = strchr(at + 1, '~')) {
        if (at[1] != '0' && at[1] != '1')
            return wrong(message, "in a JSON pointer '~' is written ~0 and '/' within a name ~1; got '%s'",
                         value);
    }
    return true;
}

bool conf_form_regex(const char *value, char message[CONF_MESSAGE_MAX])
{
    regex_t compiled;
    char why[128];

    if (!*value)
        return true;
    int code = regcomp(&compiled, value, REG_EXTENDED);
    if (code) {
        regerror(code, &compiled, why, sizeof(why));
        return wrong(message, "not a POSIX extended regular expression: %s", why);
    }
    regfree(&compiled);
    return true;
}

static int status_number(const char *s, size_t len)
{
    if (len != 3 || !isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]) ||
        !isdigit((unsigned char)s[2]))
        return -1;
    int n = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
    return n >= 100 && n <= 599 ? n : -1;
}

bool conf_form_status(const char *value, char message[CONF_MESSAGE_MAX])
{
    size_t len = strlen(value);
    bool ok = len == 0 || (len == 3 && status_number(value, 3) > 0);

    if (len == 3 && *value >= '1' && *value <= '5' && !strcmp(value + 1, "xx"))
        ok = true;
    if (len == 7 && value[3] == '-')
        ok = status_number(value, 3) > 0 && status_number(value + 4, 3) >= status_number(value, 3);
    if (!ok)
        return wrong(message, "expected an HTTP status: 200, 200-299 or 4xx; got '%s'", value);
    return true;
}

static bool taken_word(const char *value)
{
    return !*value || !strcmp(value, "body") || !strcmp(value, "match") ||
           (!strncmp(value, "match:", 6) && strlen(value) == 7 && value[6] >= '1' && value[6] <= '9');
}

bool conf_form_taken(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (taken_word(value))
        return true;
    if (*value != '/')
        return wrong(message, "expected body, match, match:2 or a JSON pointer such as /id; got '%s'", value);
    return conf_form_pointer(value, message);
}

bool conf_form_reason(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (taken_word(value) || !strcmp(value, "status"))
        return true;
    if (*value != '/')
        return wrong(message,
                     "expected status, body, match, match:2 or a JSON pointer such as /code; got '%s'",
                     value);
    return conf_form_pointer(value, message);
}

bool conf_form_cron(const char *value, char message[CONF_MESSAGE_MAX])
{
    char why[CONF_MESSAGE_MAX / 2] = "";

    if (!*value || !checkers.cron)
        return true;
    if (!checkers.cron(value, why, sizeof(why)))
        return wrong(message, "not a schedule: %s", why);
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

bool conf_civil_parse(const char *s, struct zone_civil *ret)
{
    static const char *const form = "dddd-dd-dd dd:dd:dd";
    size_t len = strlen(s);

    if (len != 16 && len != 19)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (form[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != form[i])
            return false;
    }
    *ret = (struct zone_civil){.year = atoi(s),
                               .month = atoi(s + 5),
                               .day = atoi(s + 8),
                               .hour = atoi(s + 11),
                               .minute = atoi(s + 14),
                               .second = len == 19 ? atoi(s + 17) : 0};
    return ret->year >= 2000 && ret->month >= 1 && ret->month <= 12 && ret->day >= 1 &&
           ret->day <= month_days(ret->year, ret->month) && ret->hour < 24 && ret->minute < 60 &&
           ret->second < 60;
}

bool conf_form_at(const char *value, char message[CONF_MESSAGE_MAX])
{
    struct zone_civil civil;
    int64_t ms;

    if (*value && !conf_civil_parse(value, &civil) && !clock_parse_iso(value, &ms))
        return wrong(
            message,
            "expected a moment: 2026-12-24 09:00 (in time_zone) or 2026-12-24T09:00:00+01:00; got '%s'",
            value);
    return true;
}

bool conf_form_token(const char *value, char message[CONF_MESSAGE_MAX])
{
    static const char *const chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~";
    size_t len = strlen(value);

    if (len && (len < 8 || len > 128 || value[strspn(value, chars)] != '\0'))
        return wrong(message,
                     "expected 8 to 128 letters, digits, '-', '_', '.' or '~': it stands in an address");
    return true;
}

bool conf_form_field(const char *value, char message[CONF_MESSAGE_MAX])
{
    auto_buf words = {0};

    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if (!strcmp(value, conf_role_words[i]))
            return true;
        buf_addf(&words, "%s%s", i ? ", " : "", conf_role_words[i]);
    }
    return !strcmp(value, "-") || wrong(message, "expected %s or - (skipped), got '%s'", words.data, value);
}

bool conf_form_time_format(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (*value && strcmp(value, "iso") && !strchr(value, '%'))
        return wrong(message,
                     "expected iso, \"\" (seconds since 1970) or a format such as %%Y-%%m-%%d %%H:%%M:%%S, "
                     "got '%s'",
                     value);
    return true;
}

bool conf_form_keyword(const char *value, char message[CONF_MESSAGE_MAX])
{
    auto_free char *form = keyword_form(value);

    if (!*form || strlen(value) > 64)
        return wrong(message, "expected a word of letters or digits, at most 64 bytes long, got '%.80s'",
                     value);
    return true;
}

bool conf_form_one_line(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (strpbrk(value, "\r\n"))
        return wrong(message, "expected one line");
    return true;
}

bool conf_form_path(const char *value, char message[CONF_MESSAGE_MAX])
{
    return !*value || conf_form_absolute(value, message);
}

/* A colon would end the name in an Authorization header. */
bool conf_form_user(const char *value, char message[CONF_MESSAGE_MAX])
{
    if (strpbrk(value, ":\r\n"))
        return wrong(message, "expected a name in one line, without a colon");
    return true;
}

bool conf_form_proxy(const char *value, char message[CONF_MESSAGE_MAX])
{
    const char *host = !strncmp(value, "http://", 7)    ? value + 7
                       : !strncmp(value, "https://", 8) ? value + 8
                                                        : NULL;
    const char *colon = host ? strrchr(host, ':') : NULL;
    long port = colon && all_digits(colon + 1) && strlen(colon + 1) <= 5 ? atol(colon + 1) : -1;

    if (*value && (!colon || colon == host || port < 1 || port > 65535 || strpbrk(host, "/@ \t\r\n")))
        return wrong(
            message,
            "expected http://HOST:PORT or https://HOST:PORT, the user and password in keys of their own");
    return true;
}
