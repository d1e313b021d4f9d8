/* Which line of `answer:` fits, and what it takes from the body. */
#include "dispatch/answer.h"
#include "lib/pointer.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <time.h>

#define GROUPS_MAX 10 /* match, match:1 … match:9 */

struct source { /* where a value is taken from */
    enum { FROM_NOWHERE, FROM_BODY, FROM_STATUS, FROM_MATCH, FROM_POINTER } from;
    unsigned group;
    const char *pointer; /* of the configuration */
};

struct rule {
    const struct conf_answer *conf;
    bool has_match;
    regex_t match;
    struct source msg_id, reason, refused;
};

struct answer_rules {
    size_t count;
    struct rule *rules;
};

static bool given(const char *s)
{
    return s != NULL && *s != '\0';
}

/* "200", "200-299", "4xx", several with commas. */
static bool status_fits(const char *spec, int status)
{
    while (*spec != '\0') {
        char *end;
        while (*spec == ' ' || *spec == ',')
            spec++;
        long low = strtol(spec, &end, 10), high = low;
        if (end == spec)
            return false;
        if ((end[0] == 'x' || end[0] == 'X') && end - spec == 1) {
            low *= 100;
            high = low + 99;
            while (*end == 'x' || *end == 'X')
                end++;
        } else if (*end == '-') {
            spec = end + 1;
            high = strtol(spec, &end, 10);
            if (end == spec)
                return false;
        }
        if (status >= low && status <= high)
            return true;
        spec = end + strspn(end, " ");
        if (*spec != '\0' && *spec != ',')
            return false;
    }
    return false;
}

static bool status_is_good(const char *spec)
{
    const char *p = spec;
    if (!isdigit((unsigned char)*p))
        return false;
    /* A spec is good if the walk over it meets no stranger: then some status between 100 and 599 fits. */
    for (int status = 100; status <= 599; status++)
        if (status_fits(spec, status))
            return strspn(spec, "0123456789xX-, ") == strlen(spec);
    return false;
}

static bool source_parse(const char *spec, bool has_match, size_t groups, struct source *ret)
{
    *ret = (struct source){.from = FROM_NOWHERE};
    if (!given(spec))
        return true;
    if (strcmp(spec, "body") == 0) {
        ret->from = FROM_BODY;
    } else if (strcmp(spec, "status") == 0) {
        ret->from = FROM_STATUS;
    } else if (strncmp(spec, "match", 5) == 0) {
        ret->from = FROM_MATCH;
        ret->group = 1;
        if (spec[5] == ':' && spec[6] >= '1' && spec[6] <= '9' && spec[7] == '\0')
            ret->group = (unsigned)(spec[6] - '0');
        else if (spec[5] != '\0')
            return false;
        return has_match && ret->group <= groups;
    } else if (*spec == '/') {
        ret->from = FROM_POINTER;
        ret->pointer = spec;
    } else {
        return false;
    }
    return true;
}

static int rule_compile(const struct conf_answer *c, struct rule *r, char **ret_why)
{
    r->conf = c;
    if (given(c->status) && !status_is_good(c->status)) {
        *ret_why = xasprintf("line %d: answer.status '%s' is none of 200, 200-299, 4xx", c->line, c->status);
        return -EINVAL;
    }
    if (given(c->match)) {
        int e = regcomp(&r->match, c->match, REG_EXTENDED);
        if (e != 0) {
            char words[120];
            regerror(e, &r->match, words, sizeof(words));
            *ret_why = xasprintf("line %d: answer.match: %s", c->line, words);
            return -EINVAL;
        }
        r->has_match = true;
    }
    size_t groups = r->has_match ? r->match.re_nsub : 0;
    const char *wrong = !source_parse(c->msg_id, r->has_match, groups, &r->msg_id)   ? "msg_id"
                        : !source_parse(c->reason, r->has_match, groups, &r->reason) ? "reason"
                        : !source_parse(c->refused_numbers, r->has_match, groups, &r->refused)
                            ? "refused_numbers"
                            : NULL;
    if (wrong == NULL)
        return 0;
    *ret_why =
        xasprintf("line %d: answer.%s is none of body, status, match, match:N (a group of `match`), /pointer",
                  c->line, wrong);
    return -EINVAL;
}

int answer_compile(const struct conf_gateway *g, struct answer_rules **ret, char **ret_why)
{
    return answer_compile_lines(g->answers, g->answer_count, ret, ret_why);
}

int answer_compile_lines(const struct conf_answer *lines, size_t count, struct answer_rules **ret,
                         char **ret_why)
{
    struct answer_rules *r = xcalloc(1, sizeof(*r));
    r->rules = xcalloc(MAX_OF(count, (size_t)1), sizeof(*r->rules));
    for (size_t i = 0; i < count; i++) {
        r->count = i + 1;
        int rc = rule_compile(&lines[i], &r->rules[i], ret_why);
        if (rc < 0) {
            answer_free(r);
            return rc;
        }
    }
    *ret = r;
    return 0;
}

void answer_free(struct answer_rules *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        if (r->rules[i].has_match)
            regfree(&r->rules[i].match);
    free(r->rules);
    free(r);
}

struct reading {
    int status;
    const char *body;
    size_t len;
    regmatch_t groups[GROUPS_MAX];
};

static bool rule_fits(const struct rule *rule, struct reading *in)
{
    const struct conf_answer *c = rule->conf;
    if (given(c->status) && !status_fits(c->status, in->status))
        return false;
    /* A body with a NUL in it is not text: a regular expression would see its beginning only. */
    if (rule->has_match &&
        (strlen(in->body) != in->len || regexec(&rule->match, in->body, GROUPS_MAX, in->groups, 0) != 0))
        return false;
    if (given(c->pointer)) {
        auto_buf found = {0};
        if (pointer_read(in->body, in->len, c->pointer, &found) != 0)
            return false;
        const char *equals = c->equals != NULL ? c->equals : "";
        return found.len == strlen(equals) &&
               memcmp(found.data != NULL ? found.data : "", equals, found.len) == 0;
    }
    return true;
}

static void source_read(const struct source *s, const struct reading *in, struct buf *out)
{
    switch (s->from) {
    case FROM_NOWHERE:
        return;
    case FROM_BODY:
        buf_add(out, in->body, in->len);
        return;
    case FROM_STATUS:
        buf_add_i64(out, in->status);
        return;
    case FROM_MATCH: {
        const regmatch_t *m = &in->groups[s->group];
        if (m->rm_so >= 0)
            buf_add(out, in->body + m->rm_so, (size_t)(m->rm_eo - m->rm_so));
        return;
    }
    case FROM_POINTER:
        if (pointer_read(in->body, in->len, s->pointer, out) != 0)
            buf_clear(out);
        return;
    }
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void read_msg_id(const struct rule *rule, const struct reading *in, struct answer *ret)
{
    auto_buf id = {0};
    if (rule->msg_id.from == FROM_NOWHERE) {
        ret->own_id = true;
        return;
    }
    source_read(&rule->msg_id, in, &id);
    const char *s = id.data != NULL ? id.data : "", *end = s + id.len;
    while (s < end && blank(*s))
        s++;
    while (s < end && blank(end[-1]))
        end--;
    size_t len = (size_t)(end - s);
    ret->msg_id_missing = len == 0 || len >= sizeof(ret->msg_id) || (len == 4 && memcmp(s, "null", 4) == 0);
    for (size_t i = 0; i < len && !ret->msg_id_missing; i++)
        ret->msg_id_missing = (unsigned char)s[i] <= ' ' || s[i] == 0x7F;
    if (ret->msg_id_missing)
        return;
    memcpy(ret->msg_id, s, len);
    ret->msg_id[len] = '\0';
}

/* Printable, cut at `size` and never within a UTF-8 sequence. */
static void copy_words(const char *s, size_t len, char *out, size_t size)
{
    size_t n = 0;
    while (len > 0 && blank(*s)) {
        s++;
        len--;
    }
    for (size_t i = 0; i < len && n + 1 < size; i++)
        out[n++] = (unsigned char)s[i] < 0x20 || s[i] == 0x7F ? ' ' : s[i];
    if (n + 1 == size && n < len)
        while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
            n--;
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

static void read_reason(const struct rule *rule, const struct reading *in, struct answer *ret)
{
    auto_buf words = {0};
    source_read(&rule->reason, in, &words);
    if (words.len > 0)
        copy_words(words.data, words.len, ret->reason, sizeof(ret->reason));
    if (ret->reason[0] == '\0')
        snprintf(ret->reason, sizeof(ret->reason), "%d", in->status);
}

/* Runs of digits; anything else separates, so a list, a JSON array and a quoted word are all read. */
static void read_refused(const struct rule *rule, const struct reading *in, struct answer *ret)
{
    auto_buf words = {0};
    source_read(&rule->refused, in, &words);
    const char *s = words.data != NULL ? words.data : "", *end = s + words.len;
    while (s < end) {
        int64_t number = 0;
        int count = 0;
        if (!isdigit((unsigned char)*s)) {
            s++;
            continue;
        }
        for (; s < end && isdigit((unsigned char)*s); s++, count++)
            number =
                count < 18 ? number * 10 + (*s - '0') : number; /* leading zeros fall away: 0049… is 49… */
        if (count > 17 || number == 0 || ret->refused_count == ANSWER_REFUSED_MAX) {
            ret->refused_unreadable = true;
            return;
        }
        ret->refused[ret->refused_count++] = number;
    }
}

void answer_read(const struct answer_rules *r, int status, const char *body, size_t len, struct answer *ret)
{
    struct reading in = {.status = status, .body = body, .len = len};
    ret->is = 0;
    ret->line = 0;
    ret->msg_id_missing = ret->own_id = ret->refused_unreadable = false;
    ret->msg_id[0] = ret->reason[0] = ret->error[0] = '\0';
    ret->refused_count = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct rule *rule = &r->rules[i];
        if (!rule_fits(rule, &in))
            continue;
        ret->is = rule->conf->is;
        ret->line = rule->conf->line;
        if (ret->is == ANSWER_ACCEPTED)
            read_msg_id(rule, &in, ret);
        else
            copy_words(body, len, ret->error, sizeof(ret->error));
        if (ret->is != ANSWER_ACCEPTED || rule->reason.from != FROM_NOWHERE ||
            rule->refused.from != FROM_NOWHERE)
            read_reason(rule, &in, ret);
        read_refused(rule, &in, ret);
        return;
    }
    copy_words(body, len, ret->error, sizeof(ret->error));
}

int64_t answer_retry_after_ms(const char *value, int64_t now_wall_ms)
{
    struct tm tm = {0};
    while (blank(*value))
        value++;
    if (isdigit((unsigned char)*value)) {
        char *end;
        unsigned long long s = strtoull(value, &end, 10);
        while (blank(*end))
            end++;
        if (*end != '\0')
            return -1;
        return s > ANSWER_RETRY_AFTER_MAX_MS / 1000 ? ANSWER_RETRY_AFTER_MAX_MS : (int64_t)s * 1000;
    }
    /* The fixed-length form, and the two old ones that a recipient must still read. */
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const char *end = strptime(value, forms[i], &tm);
        if (end == NULL)
            continue;
        while (blank(*end))
            end++;
        if (*end != '\0')
            continue;
        int64_t wait = (int64_t)timegm(&tm) * 1000 - now_wall_ms;
        return wait < 0 ? 0 : MIN_OF(wait, ANSWER_RETRY_AFTER_MAX_MS);
    }
    return -1;
}
