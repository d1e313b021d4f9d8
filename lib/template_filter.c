/* The filters over text and lists, and the table of all filters. Semantics are Liquid's; where ours differ on
 * purpose docs/templates.md says so. A filter replaces *v and names no value in its errors. */
#include "lib/template_node.h"
#include <glib.h>

static int set_room(struct value *v, const char *room, size_t len)
{
    *v = value_str(room, len);
    return 0;
}

static bool is_ascii(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 0x80)
            return false;
    return true;
}

static const char *next_char(const char *p, const char *end)
{
    do
        p++;
    while (p < end && ((unsigned char)*p & 0xc0) == 0x80);
    return p;
}

static size_t count_chars(const char *s, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

/* Where the character number `chars` begins, or the end. */
static size_t char_offset(const char *s, size_t len, size_t chars)
{
    const char *p = s, *end = s + len;

    while (chars-- > 0 && p < end)
        p = next_char(p, end);
    return (size_t)(p - s);
}

bool value_whole_number(const struct value *v, int64_t *ret)
{
    char digits[24];
    char *end;

    if ((v->type != VALUE_STR && v->type != VALUE_NUMBER) || v->len == 0 || v->len >= sizeof(digits))
        return false;
    memcpy(digits, v->str, v->len);
    digits[v->len] = '\0';
    if (template_is_space(digits[0]) || digits[0] == '+')
        return false;
    errno = 0;
    *ret = strtoll(digits, &end, 10);
    return errno == 0 && *end == '\0';
}

/* ---- default ---- */

static int filter_default(struct render *r, const struct filter_call *call, struct value *v,
                          struct value *args, const struct value *named)
{
    bool allow_false = call->has_named[0] && named[0].type != VALUE_FALSE;
    bool stands_in = v->type == VALUE_NIL || (v->type == VALUE_FALSE && !allow_false) ||
                     (v->type == VALUE_STR && v->len == 0) || (v->type == VALUE_LIST && v->count == 0);

    if (!stands_in)
        return 0;
    *v = call->arg_count > 0 ? args[0] : value_str("", 0);
    return 0;
}

/* ---- letters ---- */

static int change_case(struct render *r, const struct filter_call *call, struct value *v,
                       gchar *(*change)(const gchar *, gssize), int (*change_ascii)(int))
{
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    if (!is_ascii(v->str, v->len)) {
        g_autofree gchar *changed = change(v->str, (gssize)v->len);
        size_t len = strlen(changed);
        char *room = render_room(r, call, len);
        return room ? set_room(v, memcpy(room, changed, len), len) : -EINVAL;
    }
    char *room = render_room(r, call, v->len);
    if (!room)
        return -EINVAL;
    for (size_t i = 0; i < v->len; i++)
        room[i] = (char)change_ascii((unsigned char)v->str[i]);
    return set_room(v, room, v->len);
}

static int ascii_up(int c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static int ascii_down(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static int filter_upcase(struct render *r, const struct filter_call *call, struct value *v,
                         struct value *args, const struct value *named)
{
    return change_case(r, call, v, g_utf8_strup, ascii_up);
}

static int filter_downcase(struct render *r, const struct filter_call *call, struct value *v,
                           struct value *args, const struct value *named)
{
    return change_case(r, call, v, g_utf8_strdown, ascii_down);
}

static int two_texts(struct render *r, const struct filter_call *call, struct value *v, struct value first,
                     struct value second)
{
    char *room = render_room(r, call, first.len + second.len);

    if (!room)
        return -EINVAL;
    memcpy(mempcpy(room, first.str, first.len), second.str, second.len);
    return set_room(v, room, first.len + second.len);
}

static int filter_capitalize(struct render *r, const struct filter_call *call, struct value *v,
                             struct value *args, const struct value *named)
{
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    size_t split = char_offset(v->str, v->len, 1);
    struct value first = value_str(v->str, split), rest = value_str(v->str + split, v->len - split);
    code = change_case(r, call, &first, g_utf8_strup, ascii_up);
    if (code == 0)
        code = change_case(r, call, &rest, g_utf8_strdown, ascii_down);
    return code < 0 ? code : two_texts(r, call, v, first, rest);
}

/* ---- pieces ---- */

static int filter_strip(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                        const struct value *named)
{
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    while (v->len > 0 && template_is_space(v->str[0])) {
        v->str++;
        v->len--;
    }
    while (v->len > 0 && template_is_space(v->str[v->len - 1]))
        v->len--;
    return 0;
}

static const char *check_truncate(size_t index, const char *text, size_t len)
{
    struct value v = value_str(text, len);
    int64_t n;

    return index == 0 && !value_whole_number(&v, &n) ? "the length is a whole number" : NULL;
}

static int filter_truncate(struct render *r, const struct filter_call *call, struct value *v,
                           struct value *args, const struct value *named)
{
    struct value ellipsis = value_str("...", 3);
    int64_t length = 50;
    int code = value_text(r, call, v);

    if (code == 0 && call->arg_count > 1) {
        ellipsis = args[1];
        code = value_text(r, call, &ellipsis);
    }
    if (code < 0)
        return code;
    if (call->arg_count > 0 && !value_whole_number(&args[0], &length))
        return render_refuse(r, call->args[0].place, "'truncate': the length is a whole number");
    if (length < 0)
        length = 0;
    if (count_chars(v->str, v->len) <= (size_t)length)
        return 0;
    size_t ellipsis_chars = count_chars(ellipsis.str, ellipsis.len);
    size_t kept = (size_t)length > ellipsis_chars ? (size_t)length - ellipsis_chars : 0;
    return two_texts(r, call, v, value_str(v->str, char_offset(v->str, v->len, kept)), ellipsis);
}

static int filter_append(struct render *r, const struct filter_call *call, struct value *v,
                         struct value *args, const struct value *named)
{
    int code = value_text(r, call, v);

    if (code == 0)
        code = value_text(r, call, &args[0]);
    return code < 0 ? code : two_texts(r, call, v, *v, args[0]);
}

static int filter_prepend(struct render *r, const struct filter_call *call, struct value *v,
                          struct value *args, const struct value *named)
{
    int code = value_text(r, call, v);

    if (code == 0)
        code = value_text(r, call, &args[0]);
    return code < 0 ? code : two_texts(r, call, v, args[0], *v);
}

/* Where `what` stands next from p on. An empty `what` stands before every character and at the end. */
static const char *find_next(const char *p, const char *end, const struct value *what)
{
    return what->len == 0 ? p : memmem(p, (size_t)(end - p), what->str, what->len);
}

static int filter_replace(struct render *r, const struct filter_call *call, struct value *v,
                          struct value *args, const struct value *named)
{
    struct value what = args[0], by = call->arg_count > 1 ? args[1] : value_str("", 0);
    int code = value_text(r, call, v);

    if (code == 0)
        code = value_text(r, call, &what);
    if (code == 0)
        code = value_text(r, call, &by);
    if (code < 0)
        return code;

    const char *end = v->str + v->len;
    size_t count = 0;
    if (what.len == 0)
        count = count_chars(v->str, v->len) + 1;
    else
        for (const char *p = v->str; (p = find_next(p, end, &what)); p += what.len)
            count++;
    if (count == 0)
        return 0;
    size_t len = v->len - count * what.len;
    if (by.len > 0 &&
        count > (r->max + 1) / by.len) /* room refuses it; this keeps the product from wrapping */
        len = r->max + 1;
    else
        len += count * by.len;
    char *room = render_room(r, call, len);
    if (!room)
        return -EINVAL;

    char *to = room;
    const char *p = v->str;
    for (; count > 0; count--) {
        const char *at = find_next(p, end, &what);
        to = mempcpy(mempcpy(to, p, (size_t)(at - p)), by.str, by.len);
        p = at + what.len;
        if (what.len == 0 && p < end) {
            const char *behind = next_char(p, end);
            to = mempcpy(to, p, (size_t)(behind - p));
            p = behind;
        }
    }
    memcpy(to, p, (size_t)(end - p));
    return set_room(v, room, len);
}

/* ---- lists ---- */

static int filter_join(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                       const struct value *named)
{
    struct value by = call->arg_count > 0 ? args[0] : value_str(" ", 1);
    size_t len = 0;
    int code = value_text(r, call, &by);

    if (code < 0 || v->type != VALUE_LIST)
        return code;
    for (size_t i = 0; i < v->count; i++)
        len += strlen(v->items[i]) + (i > 0 ? by.len : 0);
    char *room = render_room(r, call, len);
    if (!room)
        return -EINVAL;
    char *to = room;
    for (size_t i = 0; i < v->count; i++) {
        if (i > 0)
            to = mempcpy(to, by.str, by.len);
        to = mempcpy(to, v->items[i], strlen(v->items[i]));
    }
    return set_room(v, room, len);
}

static int filter_size(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                       const struct value *named)
{
    size_t n = v->count;
    char digits[24], *p = digits + sizeof(digits);

    if (v->type != VALUE_LIST) {
        int code = value_text(r, call, v);
        if (code < 0)
            return code;
        n = count_chars(v->str, v->len);
    }
    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    size_t len = (size_t)(digits + sizeof(digits) - p);
    char *room = render_room(r, call, len);
    if (!room)
        return -EINVAL;
    *v = (struct value){.type = VALUE_NUMBER, .str = memcpy(room, p, len), .len = len};
    return 0;
}

const struct filter template_filters[] = {
    {"default", 0, 1, {"allow_false"}, true, filter_default, NULL},
    {"date", 1, 1, {NULL}, false, filter_date, filter_date_check},
    {"money", 0, 1, {NULL}, false, filter_money, filter_money_check},
    {"upcase", 0, 0, {NULL}, false, filter_upcase, NULL},
    {"downcase", 0, 0, {NULL}, false, filter_downcase, NULL},
    {"capitalize", 0, 0, {NULL}, false, filter_capitalize, NULL},
    {"strip", 0, 0, {NULL}, false, filter_strip, NULL},
    {"truncate", 0, 2, {NULL}, false, filter_truncate, check_truncate},
    {"append", 1, 1, {NULL}, false, filter_append, NULL},
    {"prepend", 1, 1, {NULL}, false, filter_prepend, NULL},
    {"replace", 1, 2, {NULL}, false, filter_replace, NULL},
    {"url_encode", 0, 0, {NULL}, false, filter_url_encode, NULL},
    {"json", 0, 0, {NULL}, false, filter_json, NULL},
    {"xml_escape", 0, 0, {NULL}, false, filter_xml_escape, NULL},
    {"base64_encode", 0, 0, {NULL}, false, filter_base64_encode, NULL},
    {"md5", 0, 0, {NULL}, false, filter_md5, NULL},
    {"sha1", 0, 0, {NULL}, false, filter_sha1, NULL},
    {"sha256", 0, 0, {NULL}, false, filter_sha256, NULL},
    {"join", 0, 1, {NULL}, false, filter_join, NULL},
    {"size", 0, 0, {NULL}, false, filter_size, NULL},
};
const size_t template_filter_count = COUNT_OF(template_filters);
