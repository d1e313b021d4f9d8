/* The filters that put a value into a request: encodings and digests. */
#include "lib/digest.h"
#include "lib/template_node.h"

static int take_buf(struct render *r, const struct filter_call *call, struct value *v, const struct buf *b)
{
    char *room = render_room(r, call, b->overflowed ? r->max + 1 : b->len);

    if (!room)
        return -EINVAL;
    if (b->len > 0)
        memcpy(room, b->data, b->len);
    *v = value_str(room, b->len);
    return 0;
}

int filter_url_encode(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                      const struct value *named)
{
    auto_buf b = {.max = r->max};
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    buf_add_url_encoded(&b, v->str, v->len);
    return take_buf(r, call, v, &b);
}

int filter_json(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                const struct value *named)
{
    auto_buf b = {.max = r->max};

    if (v->type == VALUE_TRUE || v->type == VALUE_FALSE || v->type == VALUE_NUMBER)
        return value_text(r, call, v);
    if (v->type == VALUE_STR) {
        buf_add_json_str(&b, v->str, v->len);
        return take_buf(r, call, v, &b);
    }
    buf_add_char(&b, '[');
    for (size_t i = 0; i < v->count; i++) {
        if (i > 0)
            buf_add_char(&b, ',');
        buf_add_json_str(&b, v->items[i], strlen(v->items[i]));
    }
    buf_add_char(&b, ']');
    return take_buf(r, call, v, &b);
}

/* XML 1.0 has no place for most control characters, not even escaped: they become a space. */
int filter_xml_escape(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                      const struct value *named)
{
    auto_buf b = {.max = r->max};
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    for (size_t i = 0; i < v->len; i++) {
        char c = v->str[i];
        if (c == '&')
            buf_add_str(&b, "&amp;");
        else if (c == '<')
            buf_add_str(&b, "&lt;");
        else if (c == '>')
            buf_add_str(&b, "&gt;");
        else if (c == '"')
            buf_add_str(&b, "&quot;");
        else if (c == '\'')
            buf_add_str(&b, "&apos;");
        else if (c == '\r')
            buf_add_str(&b, "&#13;"); /* a bare one would be read as a line feed */
        else
            buf_add_char(&b, (unsigned char)c < 0x20 && c != '\n' && c != '\t' ? ' ' : c);
    }
    return take_buf(r, call, v, &b);
}

int filter_base64_encode(struct render *r, const struct filter_call *call, struct value *v,
                         struct value *args, const struct value *named)
{
    auto_buf b = {.max = r->max};
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    buf_add_base64(&b, v->str, v->len);
    return take_buf(r, call, v, &b);
}

static int digest(struct render *r, const struct filter_call *call, struct value *v, enum digest_algorithm a)
{
    auto_buf b = {.max = r->max};
    int code = value_text(r, call, v);

    if (code < 0)
        return code;
    digest_add(&b, a, DIGEST_HEX, v->str, v->len);
    return take_buf(r, call, v, &b);
}

int filter_md5(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
               const struct value *named)
{
    return digest(r, call, v, DIGEST_MD5);
}

int filter_sha1(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                const struct value *named)
{
    return digest(r, call, v, DIGEST_SHA1);
}

int filter_sha256(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                  const struct value *named)
{
    return digest(r, call, v, DIGEST_SHA256);
}
