/* What the configuration's own files share: the YAML tree with its places, the tables' rows, the list of
 * errors. Nobody but lib/conf*.c and their test includes this. The way of a file: conf_node_parse
 * (conf_yaml.c) makes the tree, conf_fill (conf_fill.c) fills the struct as the table says with the scalars
 * of conf_value.c, conf_check (conf_check.c) looks across files, conf_report_print (conf_report.c) writes
 * what was found wrong. */
#pragma once
#include "lib/conf.h"
#include "lib/template.h"
#include "lib/zone.h"

#define CONF_FILE_MAX    ((size_t)1 << 20) /* bytes */
#define CONF_DEPTH_MAX   16
#define CONF_MESSAGE_MAX 600

/* ---- the tree ---- */
struct conf_node {
    enum { CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP } type;
    enum { CONF_PLAIN, CONF_QUOTED, CONF_LITERAL, CONF_FOLDED } style;
    int line, column; /* from 1, column in characters */
    int text_line;    /* of the value's first line: the one after a literal's `|` */
    int text_column;  /* of its first character */
    char *value;      /* scalar */
    struct conf_node_pair {
        struct conf_node *key, *value;
    } * pairs;                /* map */
    struct conf_node **items; /* list */
    size_t count;
};

enum conf_kind {
    CONF_KIND_MAIN, CONF_KIND_SOURCE, CONF_KIND_TEMPLATE, CONF_KIND_GATEWAY, CONF_KIND_RULE, CONF_KIND_CALLER
};
#define CONF_KINDS 6

struct conf_file { /* lives while the configuration is loaded, not after */
    enum conf_kind kind;
    size_t index; /* in conf's array of that kind; SIZE_MAX: it has none, only errors */
    char *path;   /* as shown: DIR/rules/x.yaml */
    char *text;
    size_t len;
    struct conf_node *root; /* NULL: unreadable, already an error */
};

/* ---- errors ---- */
struct conf_report {
    struct conf_problem {
        const struct conf_file *file;
        int line, column; /* line 0: the file as a whole */
        size_t order;
        char *message;
    } * problems;
    size_t count;
};
void conf_error(struct conf_report *r, const struct conf_file *f, int line, int column, const char *format,
                ...) printf_like(5, 6);
void conf_error_at(struct conf_report *r, const struct conf_file *f, const struct conf_node *n,
                   const char *format, ...) printf_like(4, 5);
void conf_report_print(struct conf_report *r, struct buf *out); /* in order of file, line, column */
void conf_report_deinit(struct conf_report *r);

/* NULL: not YAML, and the error says so. first_line: of text in its file; the tree's lines count from there.
 */
struct conf_node *conf_node_parse(const struct conf_file *f, const char *text, size_t len, int first_line,
                                  struct conf_report *report);
void conf_node_free(struct conf_node *n);
/* The value at a dotted path of keys ("request.url"); NULL: not there. */
const struct conf_node *conf_node_at(const struct conf_node *root, const char *path);
bool conf_node_is_null(const struct conf_node *n); /* counts as not given */

/* ---- the tables ---- */
enum conf_type {
    CONF_STR,       /* char * */
    CONF_WORD,      /* char *, one of words */
    CONF_WORD_ENUM, /* int, the word's number */
    CONF_WORD_BOOL, /* bool, the word's number */
    CONF_INT,       /* int64_t */
    CONF_BOOL,      /* bool */
    CONF_DURATION,  /* int64_t, ms */
    CONF_SIZE,      /* int64_t, bytes */
    CONF_STR_LIST,  /* struct str_list */
    CONF_MAP,       /* struct conf_map */
    CONF_STATES,    /* struct conf_status array: a mapping of their word to our state or `progress` */
    CONF_SECTION,   /* a mapping with keys of its own, stored in a struct at `at` (0: in the same struct) */
    CONF_TABLES,    /* an array of structs: a list of mappings */
};
struct conf_word {
    const char *word;
    int number;
};
/* True, or false and message says what is wrong: "expected …". */
typedef bool conf_form(const char *value, char message[CONF_MESSAGE_MAX]);

struct conf_key {
    const char *name;
    enum conf_type type;
    size_t at;            /* offset of the value in the table's struct */
    size_t count_at;      /* CONF_STATES, CONF_TABLES: offset of the count */
    size_t line_at;       /* offset of an int for the line of the value's text; 0: none */
    const char *fallback; /* the default as it would be written; NULL: "", 0, empty */
    int64_t min, max;     /* int, duration, size; a string's longest where max is set; lists: how many */
    const char *unit;     /* of an int: "rows" */
    const struct conf_word *words;
    conf_form *form;                /* of a string, of each item of a list, of each value of a map */
    const struct conf_table *table; /* CONF_SECTION, CONF_TABLES */
    const char *owner;              /* the service that needs it; inherited by what is below; NULL: all */
    const char *driver; /* of a gateway: the driver that it belongs to, others refuse it; NULL: all */
    const char *kind;   /* of a rule: CONF_OF_SQL or CONF_OF_TASKS, the other kind refuses it; NULL: both */
    bool required, secret;
    bool or_one; /* of a list: one value may stand alone */
    const char *help;
};
#define CONF_OF_SQL   "sql"
#define CONF_OF_TASKS "tasks"
/* Is the key of the other kind of rule? False for all keys of other files. */
static inline bool conf_key_is_foreign(const struct conf_key *key, const struct conf_rule *rule)
{
    return key->kind && (strcmp(key->kind, CONF_OF_TASKS) == 0) != rule->tasks;
}
struct conf_table {
    const char *title; /* "conf/rules/NAME.yaml" */
    const char *about;
    size_t size;                 /* of the struct */
    size_t line_at;              /* as above, for an item of CONF_TABLES; 0: none */
    const struct conf_key *keys; /* ends with an empty name */
};
extern const struct conf_table conf_tables[CONF_KINDS]; /* by kind */
/* The pointer at an offset, whatever it points to: copied, since the struct knows it by its own type. */
static inline void *conf_pointer_at(const void *base, size_t at)
{
    void *p;
    memcpy(&p, (const char *)base + at, sizeof(p));
    return p;
}
static inline void conf_pointer_set(void *base, size_t at, void *p)
{
    memcpy((char *)base + at, &p, sizeof(p));
}
const struct conf_key *conf_table_key(const struct conf_table *t, const char *name, size_t len);

/* ---- reading by the tables ---- */
struct conf_reader {
    struct conf_report *report;
    const struct conf_file *file;
    const char *dir, *section;
    struct str_list *secrets; /* values that never are printed (conf.secrets) */
};
/* Defaults, then what root says; what is wrong is in the report and stays at its default. root may be NULL.
 */
void conf_fill(struct conf_reader *r, const struct conf_table *t, const struct conf_node *root, void *into);
void conf_fill_free(const struct conf_table *t, void *from);

enum { CONF_NOT_OURS = 1 }; /* a variable of another service's section is not set: the default stands */
/* The scalar with its ${NAME}s replaced; *ret is the caller's. -EINVAL: reported. */
int must_check conf_expand(struct conf_reader *r, const struct conf_key *key, const char *owner,
                           const struct conf_node *n, char **ret);
/* The content of the file named by KEY_file. */
int must_check conf_read_secret(struct conf_reader *r, const struct conf_key *key, const char *owner,
                                const struct conf_node *n, char **ret);
/* Stores a scalar's text. False: message says what was expected. */
bool conf_store(const struct conf_key *key, const char *text, void *into, char message[CONF_MESSAGE_MAX]);
bool conf_is_for(const char *owner, const char *section); /* does this service need it? */
void str_list_add(struct str_list *l, const char *item);
void str_list_deinit(struct str_list *l);

char *conf_size_text(int64_t bytes, char out[32]);
const char *conf_word_of(const struct conf_word *words, int number);
void conf_words_text(const struct conf_word *words, struct buf *out); /* "GET, POST or PUT" */
extern const struct conf_word conf_state_words[];                     /* report.states: our side */

/* ---- forms ---- */
conf_form conf_form_not_empty, conf_form_name, conf_form_absolute, conf_form_zone, conf_form_listen, conf_form_listen_or_none,
    conf_form_digits, conf_form_share, conf_form_kept_share, conf_form_share_or_number, conf_form_digits_or_none, conf_form_price, conf_form_currency, conf_form_country, conf_form_number, conf_form_conninfo, conf_form_url,
    conf_form_pointer, conf_form_regex, conf_form_status, conf_form_taken, conf_form_reason, conf_form_cron,
    conf_form_at, conf_form_token, conf_form_field, conf_form_time_format, conf_form_one_line, conf_form_path,
    conf_form_user, conf_form_proxy, conf_form_keyword, conf_form_network,
    conf_form_header, conf_form_secret, conf_form_signs, conf_form_absolute_or_none, conf_form_host_port,
    conf_form_sha256, conf_form_lane,
    conf_form_long_token;
bool conf_civil_parse(const char *s, struct zone_civil *ret); /* "YYYY-MM-DD HH:MM[:SS]" */

/* ---- across files ---- */
/* Text rules that cannot hold; 0 where nobody knows. */
size_t conf_text_rules_check(const struct conf_template *t, struct conf_text_problem ret[CONF_TEXT_PROBLEMS]);
/* Is a source's driver built in? True where nobody knows. */
bool conf_source_driver_check(const char *driver, char message[CONF_MESSAGE_MAX]);

struct conf_checking {
    const struct conf *conf;
    const struct conf_file *file; /* the one looked at */
    const char *section;
    struct conf_report *report;
};
/* One file; all files are read by then. */
void conf_check(struct conf_checking *k);
void conf_check_gateway(struct conf_checking *k, const struct conf_gateway *g); /* conf_check_gateway.c */
void conf_check_report(struct conf_checking *k, const struct conf_gateway *g);  /* conf_check_intake.c */
void conf_check_inbound(struct conf_checking *k, const struct conf_gateway *g);
/* The keys that the sections report and inbound share. `may`: the roles that this section has, *ret_roles: those that
 * are configured, a bit each. NULL: there is no such section, or what is wrong with it is said; else where to point
 * when a role is missing. */
#define CONF_ROLE_BIT(role) (1u << (role))
const struct conf_node *conf_check_posts(struct conf_checking *k, const char *section,
                                         const struct conf_posts *posts, unsigned may, unsigned *ret_roles);
/* A request's templates: the names that stand in them, a bit each, by their place in conf_request_name. */
struct conf_request_names {
    const char *const *own; /* the caller's names; NULL at the end */
    uint64_t url, headers, parameters, body, sign, all;
    bool ok; /* all compile and know their names */
};
uint64_t conf_request_bit(const struct conf_request_names *n, const char *name);
void conf_check_request(struct conf_checking *k, const struct conf_request *c, const struct conf_sign *sign,
                        const char *path, struct conf_request_names *n); /* path: "request" */
void conf_check_submit(struct conf_checking *k, const struct conf_gateway *g);
void conf_check_http(struct conf_checking *k, const struct conf_http *h, const char *path); /* path "": the file's own keys */
void conf_check_heartbeat(struct conf_checking *k, const struct conf_gateway *g); /* conf_check_heartbeat.c */
void conf_check_prices(struct conf_checking *k, const struct conf_gateway *g); /* conf_prices.c */
void conf_check_smpp(struct conf_checking *k, const struct conf_gateway *g);   /* conf_check_smpp.c */
void conf_check_adapter(struct conf_checking *k, const struct conf_gateway *g); /* conf_check_adapter.c */
void conf_check_caller(struct conf_checking *k, const struct conf_caller *caller); /* conf_check_callers.c */
/* Is there such a template, such a gateway? n NULL: nothing is said. */
void conf_check_template_name(struct conf_checking *k, const struct conf_node *n, const char *name);
void conf_check_gateway_name(struct conf_checking *k, const struct conf_node *n, const char *name);
/* A template that has a sender of its own may be from no other. path: of the key that holds `sender`. */
void conf_check_sender(struct conf_checking *k, const char *path, const char *sender, const char *template_name);
/* The first sentence of a key's help, as "…is missing. IT". Its length. */
int conf_key_about(const struct conf_key *key);
void conf_check_follow(struct conf_checking *k, const struct conf_gateway *g); /* conf_check_follow.c: lookup, poll */
/* Compiles a template that is the value of n. NULL: said where and why. */
struct template *conf_check_template(struct conf_checking *k, const struct conf_node *n, const char *text);
