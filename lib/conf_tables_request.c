/* The declared keys of a request over HTTP: what is asked, who we are, how it is signed. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
const struct conf_word conf_methods[] = {{"GET", 0}, {"POST", 1}, {"PUT", 2}, {0}};
const struct conf_word conf_auth_words[] = {{"none", 0}, {"basic", 1}, {"bearer", 2}, {0}};
const struct conf_word conf_tls_words[] = {{"auto", 0}, {"1.2", 1}, {"1.3", 2}, {0}};
static const struct conf_word algorithms[] = {{"hmac-sha256", DIGEST_SHA256 | CONF_SIGN_KEYED},
                                              {"hmac-sha1", DIGEST_SHA1 | CONF_SIGN_KEYED},
                                              {"hmac-sha512", DIGEST_SHA512 | CONF_SIGN_KEYED},
                                              {"hmac-md5", DIGEST_MD5 | CONF_SIGN_KEYED},
                                              {"sha256", DIGEST_SHA256},
                                              {"sha1", DIGEST_SHA1},
                                              {"sha512", DIGEST_SHA512},
                                              {"md5", DIGEST_MD5},
                                              {0}};
static const struct conf_word digest_forms[] = {
    {"hex", DIGEST_HEX}, {"hex_upper", DIGEST_HEX_UPPER}, {"base64", DIGEST_BASE64}, {0}};

#define S(field) offsetof(struct conf_sign, field)
static const struct conf_key sign_keys[] = {
    {.name = "algorithm", .type = CONF_WORD_ENUM, .at = S(algorithm), .words = algorithms, .fallback = "hmac-sha256",
     .help = "Those without `hmac` are plain digests: then `text` holds the `key`."},
    {.name = "key", .type = CONF_STR, .at = S(key), .secret = true, .max = 8192,
     .help = "The secret that both sides know."},
    {.name = "text", .type = CONF_STR, .at = S(text), .line_at = S(text_line), .max = 8192,
     .help = "What is signed: a template over the names of a request and over `method`, `url`, `host`, `path`, `query` "
             "(the address's parts), `body` and `key`. What holds the signature cannot be signed."},
    {.name = "form", .type = CONF_WORD_ENUM, .at = S(form), .words = digest_forms, .fallback = "hex",
     .help = "How the signature is written."},
    {0},
};
const struct conf_table conf_sign_table = {.keys = sign_keys};

#define Q(field) offsetof(struct conf_request, field)
static const struct conf_key submit_keys[] = {
    CONF_REQUEST_ROWS,
    {.name = "numbers_max", .type = CONF_INT, .at = Q(numbers_max), .fallback = "1", .min = 1, .max = 1000,
     .unit = "numbers",
     .help = "How many messages of equal text and sender may share one request (then the request uses `numbers`)."},
    {.name = "messages_max", .type = CONF_INT, .at = Q(messages_max), .fallback = "1", .min = 1, .max = 500,
     .unit = "messages",
     .help = "How many messages, each with its own text, may share one request (then it uses `messages`)."},
    {.name = "message", .type = CONF_STR, .at = Q(message), .line_at = Q(message_line), .max = 65536,
     .help = "One of them: a template over `number`, `text`, `sender`, `seq_id`, `encoding`, `segments` and "
             "`request_id`, made for each; joined they are the name `messages`."},
    {.name = "message_separator", .type = CONF_STR, .at = Q(message_separator), .fallback = ",", .max = 64,
     .help = "What stands between two of them."},
    {0},
};
const struct conf_table conf_submit_table = {.keys = submit_keys};
