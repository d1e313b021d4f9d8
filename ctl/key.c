/* smschain key: an API key for a caller, shown once, and its hash for the caller's file. Nothing is kept. */
#include "ctl/ctl.h"
#include "lib/digest.h"
#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

#define KEY_BYTES 32

/* 256 bits of chance, in characters that no shell and no header minds. */
static char *make_key(void)
{
    uint8_t bytes[KEY_BYTES];
    auto_buf b = {0};

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        abort();
    buf_add_base64(&b, bytes, sizeof(bytes));
    for (char *c = b.data; *c != '\0'; c++) {
        if (*c == '+')
            *c = '-';
        else if (*c == '/')
            *c = '_';
        else if (*c == '=')
            *c = '\0';
    }
    return xstrdup(b.data);
}

static bool is_name(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
            return false;
    return len > 0 && len <= 64;
}

int cmd_key(struct ctl *c)
{
    bool json = ctl_take_flag(c, "--json");
    auto_buf hash = {0}, out = {0};

    if (!ctl_no_options_left(c) || c->argc != 2)
        return ctl_usage("key");
    const char *caller = c->argv[1];
    if (!is_name(caller) || strcmp(caller, CALLER_OPERATOR) == 0)
        return ctl_fail(EXIT_REFUSED, "'%s' is no name of a caller's file", caller);
    auto_free char *key = make_key();
    digest_add(&hash, DIGEST_SHA256, DIGEST_HEX, key, strlen(key));
    if (json) {
        buf_add_char(&out, '{');
        show_json_text(&out, "caller", caller);
        show_json_text(&out, "key", key);
        show_json_text(&out, "key_hash", hash.data);
        buf_add_char(&out, '}');
        printf("%s\n", out.data);
    } else {
        printf("API key of %s, shown now and never again:\n  %s\n"
               "For %s/callers/%s.yaml (beside the old one, while it is changed; then SIGHUP to extract):\n"
               "  key_hashes: [%s]\n",
               caller, key, c->conf_dir, caller, hash.data);
    }
    return EXIT_DONE;
}
