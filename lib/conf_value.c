/* Scalars: ${NAME} from the environment, secrets from files, and words into numbers, durations and sizes. */
#include "lib/conf_internal.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define SECRET_LEN_MIN                                                                                       \
    6 /* a shorter one, hidden wherever its letters stand, would hide half of everything                     \
       */

bool conf_is_for(const char *owner, const char *section)
{
    return !owner || !*section || !strcmp(owner, section);
}

void str_list_add(struct str_list *l, const char *item)
{
    l->items = xrealloc(l->items, (l->count + 1) * sizeof(char *));
    l->items[l->count++] = xstrdup(item);
}

void str_list_deinit(struct str_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
    *l = (struct str_list){0};
}

/* ---- ${NAME} ---- */

/* Variables named like this are not shown, whatever key they stand in: an address may carry a key, too. */
static bool name_is_secret(const char *name)
{
    static const char *const words[] = {"PASSWORD", "SECRET", "TOKEN", "KEY", "CONNINFO"};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strstr(name, words[i]))
            return true;
    }
    return false;
}

/* at points behind "${". Appends the value; 0, CONF_NOT_OURS, or -EINVAL (reported). *ret_end: behind the
 * "}". */
static int expand_one(struct conf_reader *r, const char *owner, const struct conf_node *n, const char *at,
                      struct buf *out, const char **ret_end)
{
    const char *end = strchr(at, '}');
    size_t len = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    bool has_default = !strncmp(at + len, ":-", 2);

    if (!end || !len || isdigit((unsigned char)*at) || (at + len != end && !has_default)) {
        conf_error_at(r->report, r->file, n,
                      "expected ${NAME} or ${NAME:-default}; a plain '${' is written '$${'");
        return -EINVAL;
    }
    *ret_end = end + 1;
    auto_free char *name = xstrndup(at, len);
    const char *value = getenv(name);
    if (has_default && (!value || !*value)) {
        buf_add(out, at + len + 2, (size_t)(end - at) - len - 2);
        return 0;
    }
    if (!value) {
        if (!conf_is_for(owner, r->section))
            return CONF_NOT_OURS;
        conf_error_at(r->report, r->file, n, "the environment has no variable '%s'", name);
        return -EINVAL;
    }
    if (name_is_secret(name) && strlen(value) >= SECRET_LEN_MIN)
        str_list_add(r->secrets, value);
    buf_add_str(out, value);
    return 0;
}

int conf_expand(struct conf_reader *r, const struct conf_key *key, const char *owner,
                const struct conf_node *n, char **ret)
{
    auto_buf out = {0};
    const char *at = n->value;

    for (;;) {
        const char *dollar = strstr(at, "${");
        if (!dollar)
            break;
        if (dollar > at && dollar[-1] == '$') { /* "$${" is a plain "${" */
            buf_add(&out, at, (size_t)(dollar - at) - 1);
            buf_add_str(&out, "${");
            at = dollar + 2;
            continue;
        }
        buf_add(&out, at, (size_t)(dollar - at));
        int code = expand_one(r, owner, n, dollar + 2, &out, &at);
        if (code)
            return code;
    }
    buf_add_str(&out, at);
    *ret = buf_take(&out, NULL);
    if (key->secret && strlen(*ret) >= SECRET_LEN_MIN)
        str_list_add(r->secrets, *ret);
    return 0;
}

/* ---- KEY_file ---- */
int conf_read_secret(struct conf_reader *r, const struct conf_key *key, const char *owner,
                     const struct conf_node *n, char **ret)
{
    auto_free char *given = NULL;
    char content[4097];
    struct stat st;

    if (!conf_is_for(owner, r->section))
        return CONF_NOT_OURS;
    int code = conf_expand(r, &(struct conf_key){.name = key->name}, owner, n, &given);
    if (code)
        return code;
    auto_free char *path = *given == '/' ? xstrdup(given) : xasprintf("%s/%s", r->dir, given);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        conf_error_at(r->report, r->file, n, "cannot read '%s': %s", path, strerror(errno));
        return -EINVAL;
    }
    if (!S_ISREG(st.st_mode)) {
        conf_error_at(r->report, r->file, n, "'%s' is no file", path);
        return -EINVAL;
    }
    if (st.st_mode & S_IROTH) {
        conf_error_at(r->report, r->file, n,
                      "'%s' may be read by everyone (mode %04o), which a secret must not be: chmod o-rwx it",
                      path, (unsigned)(st.st_mode & 07777));
        return -EINVAL;
    }
    ssize_t len = read(fd, content, sizeof(content) - 1);
    if (len < 0 || (size_t)len == sizeof(content) - 1 || memchr(content, '\0', (size_t)len)) {
        conf_error_at(r->report, r->file, n,
                      "'%s' cannot be read, is longer than 4096 bytes or holds a zero byte", path);
        return -EINVAL;
    }
    if (len > 0 && content[len - 1] == '\n')
        len--;
    if (len > 0 && content[len - 1] == '\r')
        len--;
    *ret = xstrndup(content, (size_t)len);
    explicit_bzero(content, sizeof(content));
    if (strlen(*ret) >= SECRET_LEN_MIN)
        str_list_add(r->secrets, *ret);
    return 0;
}

/* ---- numbers with units ---- */
struct unit {
    const char *word;
    int64_t factor;
};
static const struct unit duration_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                             {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

/* "60s": a whole number directly followed by one of the units. */
static bool parse_units(const char *text, const struct unit *units, int64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    for (; units->word; units++) {
        if (!strcmp(end, units->word))
            return !errno && !__builtin_mul_overflow((int64_t)n, units->factor, ret);
    }
    return false;
}

static char *units_text(int64_t n, const struct unit *units, char out[32])
{
    const struct unit *best = units;

    for (; units->word; units++) {
        if (n && n % units->factor == 0)
            best = units;
    }
    snprintf(out, 32, "%lld%s", (long long)(n / best->factor), best->word);
    return out;
}

bool conf_duration(const char *text, int64_t *ret_ms)
{
    return parse_units(text, duration_units, ret_ms);
}

char *conf_duration_text(int64_t ms, char out[32])
{
    return units_text(ms, duration_units, out);
}

char *conf_size_text(int64_t bytes, char out[32])
{
    return units_text(bytes, size_units, out);
}

static bool parse_int(const char *text, int64_t *ret)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    *ret = n;
    return !errno && end > text && !*end && !isspace((unsigned char)*text) && *text != '+';
}

static bool store_int(const struct conf_key *key, const char *text, int64_t *into,
                      char message[CONF_MESSAGE_MAX])
{
    int64_t n;

    if (parse_int(text, &n) && n >= key->min && n <= key->max) {
        *into = n;
        return true;
    }
    snprintf(message, CONF_MESSAGE_MAX, "expected a whole number%s%s%s from %lld to %lld, got '%.100s'",
             key->unit ? " (" : "", key->unit ? key->unit : "", key->unit ? ")" : "", (long long)key->min,
             (long long)key->max, text);
    return false;
}

static bool store_units(const struct conf_key *key, const char *text, int64_t *into,
                        char message[CONF_MESSAGE_MAX])
{
    bool duration = key->type == CONF_DURATION;
    int64_t n;
    char min[32], max[32];

    if (parse_units(text, duration ? duration_units : size_units, &n) && n >= key->min && n <= key->max) {
        *into = n;
        return true;
    }
    if (duration)
        snprintf(message, CONF_MESSAGE_MAX,
                 "expected a duration (250ms, 60s, 10m, 24h, 7d) from %s to %s, got '%.100s'",
                 conf_duration_text(key->min, min), conf_duration_text(key->max, max), text);
    else
        snprintf(message, CONF_MESSAGE_MAX, "expected a size (64KiB, 16MiB) from %s to %s, got '%.100s'",
                 conf_size_text(key->min, min), conf_size_text(key->max, max), text);
    return false;
}

/* ---- words ---- */
const char *conf_word_of(const struct conf_word *words, int number)
{
    for (; words->word; words++) {
        if (words->number == number)
            return words->word;
    }
    return "";
}

void conf_words_text(const struct conf_word *words, struct buf *out)
{
    bool first = true;

    for (; words->word; words++) {
        if (!*words->word)
            continue;
        if (!first)
            buf_add_str(out, words[1].word ? ", " : " or ");
        buf_add_str(out, words->word);
        first = false;
    }
}

static bool store_word(const struct conf_key *key, const char *text, void *into,
                       char message[CONF_MESSAGE_MAX])
{
    for (const struct conf_word *w = key->words; w->word; w++) {
        if (strcmp(w->word, text))
            continue;
        if (key->type == CONF_WORD_ENUM) {
            *(int *)into = w->number;
        } else if (key->type == CONF_WORD_BOOL) {
            *(bool *)into = w->number != 0;
        } else {
            free(*(char **)into);
            *(char **)into = xstrdup(text);
        }
        return true;
    }
    auto_buf known = {0};
    conf_words_text(key->words, &known);
    snprintf(message, CONF_MESSAGE_MAX, "expected %s, got '%.100s'", known.data, text);
    return false;
}

static bool store_bool(const char *text, bool *into, char message[CONF_MESSAGE_MAX])
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};

    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *into = !strcmp(text, yes[i]);
            return true;
        }
    }
    snprintf(message, CONF_MESSAGE_MAX, "expected true or false, got '%.100s'", text);
    return false;
}

static bool store_str(const struct conf_key *key, const char *text, char **into,
                      char message[CONF_MESSAGE_MAX])
{
    if (key->max && (int64_t)strlen(text) > key->max) {
        snprintf(message, CONF_MESSAGE_MAX, "expected at most %lld bytes, got %zu", (long long)key->max,
                 strlen(text));
        return false;
    }
    if (key->form && !key->form(text, message))
        return false;
    free(*into);
    *into = xstrdup(text);
    return true;
}

bool conf_store(const struct conf_key *key, const char *text, void *into, char message[CONF_MESSAGE_MAX])
{
    switch (key->type) {
    case CONF_STR:
        return store_str(key, text, into, message);
    case CONF_WORD:
    case CONF_WORD_ENUM:
    case CONF_WORD_BOOL:
        return store_word(key, text, into, message);
    case CONF_INT:
        return store_int(key, text, into, message);
    case CONF_BOOL:
        return store_bool(text, into, message);
    case CONF_DURATION:
    case CONF_SIZE:
        return store_units(key, text, into, message);
    case CONF_STR_LIST:
    case CONF_MAP:
    case CONF_STATES:
    case CONF_SECTION:
    case CONF_TABLES:
        break;
    }
    snprintf(message, CONF_MESSAGE_MAX, "is no single value");
    return false;
}
