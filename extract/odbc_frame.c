/* Frames: see odbc_frame.h. */
#include "extract/odbc_frame.h"

#define HEAD     5 /* kind, length */
#define NO_VALUE UINT32_MAX

static void add_size(struct buf *out, uint32_t n)
{
    buf_add(out, &n, sizeof(n));
}

size_t odbc_frame_begin(struct buf *out, enum odbc_frame_kind kind)
{
    size_t began = out->len;

    buf_add_char(out, (char)kind);
    add_size(out, 0);
    return began;
}

void odbc_frame_add(struct buf *out, const char *s, size_t len)
{
    add_size(out, s ? (uint32_t)len : NO_VALUE);
    if (!s)
        return;
    buf_add(out, s, len);
    buf_add(out, "", 1);
}

void odbc_frame_add_int(struct buf *out, int64_t n)
{
    auto_buf text = {0};

    buf_add_i64(&text, n);
    odbc_frame_add(out, text.data, text.len);
}

void odbc_frame_end(struct buf *out, size_t began)
{
    uint32_t len = (uint32_t)(out->len - began - HEAD);

    if (!out->overflowed)
        memcpy(out->data + began + 1, &len, sizeof(len));
}

ssize_t odbc_frame_take(const char *data, size_t len, struct odbc_frame *ret)
{
    uint32_t size;

    if (len < HEAD)
        return 0;
    memcpy(&size, data + 1, sizeof(size));
    if (size > ODBC_FRAME_MAX)
        return -EBADMSG;
    if (len - HEAD < size)
        return 0;
    *ret = (struct odbc_frame){(enum odbc_frame_kind)(unsigned char)data[0], data + HEAD, size};
    return (ssize_t)HEAD + (ssize_t)size;
}

bool odbc_frame_next(struct odbc_frame *f, const char **ret)
{
    uint32_t size;

    *ret = NULL;
    if (f->left < sizeof(size))
        return false;
    memcpy(&size, f->at, sizeof(size));
    if (size != NO_VALUE && f->left - sizeof(size) <= size)
        return false;
    f->at += sizeof(size);
    f->left -= sizeof(size);
    if (size == NO_VALUE)
        return true;
    *ret = f->at;
    f->at += (size_t)size + 1;
    f->left -= (size_t)size + 1;
    return true;
}
