/* Loading: which files there are, into which struct each goes, and what to do with all that was found wrong.
 */
#include "lib/conf_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

struct loading {
    struct conf *conf;
    struct conf_report report;
    const char *section;
    struct conf_file **files;
    size_t file_count;
};

static const struct {
    const char *folder, *ending;
} kinds[CONF_KINDS] = {
    [CONF_KIND_MAIN] = {NULL, NULL},
    [CONF_KIND_SOURCE] = {"sources", ".yaml"},
    [CONF_KIND_TEMPLATE] = {"templates", ".liquid"},
    [CONF_KIND_GATEWAY] = {"gateways", ".yaml"},
    [CONF_KIND_RULE] = {"rules", ".yaml"},
    [CONF_KIND_CALLER] = {"callers", ".yaml"},
};

/* ---- arrays of conf by kind ---- */
static const struct {
    size_t array_at, count_at;
} arrays[CONF_KINDS] = {
    [CONF_KIND_SOURCE] = {offsetof(struct conf, sources), offsetof(struct conf, source_count)},
    [CONF_KIND_TEMPLATE] = {offsetof(struct conf, templates), offsetof(struct conf, template_count)},
    [CONF_KIND_GATEWAY] = {offsetof(struct conf, gateways), offsetof(struct conf, gateway_count)},
    [CONF_KIND_RULE] = {offsetof(struct conf, rules), offsetof(struct conf, rule_count)},
    [CONF_KIND_CALLER] = {offsetof(struct conf, callers), offsetof(struct conf, caller_count)},
};

static size_t *count_of(struct conf *c, enum conf_kind kind)
{
    return (size_t *)(void *)((char *)c + arrays[kind].count_at);
}

/* Every struct of these begins with name and file. */
struct named {
    char *name, *file;
};
_Static_assert(offsetof(struct conf_source, name) == 0 && offsetof(struct conf_template, name) == 0 &&
                   offsetof(struct conf_gateway, name) == 0 && offsetof(struct conf_rule, name) == 0 &&
                   offsetof(struct conf_caller, name) == 0,
               "name comes first");
_Static_assert(offsetof(struct conf_source, file) == sizeof(char *) &&
                   offsetof(struct conf_template, file) == sizeof(char *) &&
                   offsetof(struct conf_gateway, file) == sizeof(char *) &&
                   offsetof(struct conf_rule, file) == sizeof(char *) &&
                   offsetof(struct conf_caller, file) == sizeof(char *),
               "file comes second");

static void *array_at(struct conf *c, enum conf_kind kind, size_t index)
{
    if (kind == CONF_KIND_MAIN)
        return &c->main;
    return (char *)conf_pointer_at(c, arrays[kind].array_at) + index * conf_tables[kind].size;
}

/* A new, zeroed element; its index. */
static size_t array_add(struct conf *c, enum conf_kind kind, const char *name, const char *file)
{
    size_t index = (*count_of(c, kind))++, size = conf_tables[kind].size;

    conf_pointer_set(c, arrays[kind].array_at,
                     xrealloc(conf_pointer_at(c, arrays[kind].array_at), (index + 1) * size));
    struct named *added = array_at(c, kind, index);
    memset(added, 0, size);
    added->name = xstrdup(name);
    added->file = xstrdup(file);
    return index;
}

/* ---- files ---- */
static void file_free(struct conf_file *f)
{
    if (!f)
        return;
    conf_node_free(f->root);
    free(f->path);
    free(f->text);
    free(f);
}

/* Reads the whole file; false: said why. */
static bool file_read(struct loading *l, struct conf_file *f)
{
    struct stat st;
    auto_fd int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0) {
        conf_error(&l->report, f, 0, 0, "cannot be read: %s", strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)CONF_FILE_MAX) {
        conf_error(&l->report, f, 0, 0, "expected a file of at most %zu bytes", CONF_FILE_MAX);
        return false;
    }
    f->text = xcalloc(1, (size_t)st.st_size + 1);
    while (f->len < (size_t)st.st_size) {
        ssize_t n = read(fd, f->text + f->len, (size_t)st.st_size - f->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        f->len += (size_t)n;
    }
    if (memchr(f->text, '\0', f->len)) {
        conf_error(&l->report, f, 0, 0, "holds a zero byte; expected text in UTF-8");
        return false;
    }
    return true;
}

static struct conf_file *file_add(struct loading *l, enum conf_kind kind, const char *path)
{
    struct conf_file *f = xcalloc(1, sizeof(*f));

    f->kind = kind;
    f->index = SIZE_MAX;
    f->path = xstrdup(path);
    l->files = xrealloc(l->files, (l->file_count + 1) * sizeof(struct conf_file *));
    l->files[l->file_count++] = f;
    return f;
}

/* ---- templates: front matter, then text ---- */

/* The line's length with its end; *ret_bare without. */
static size_t line_length(const char *at, size_t left, size_t *ret_bare)
{
    const char *end = memchr(at, '\n', left);
    size_t len = end ? (size_t)(end - at) + 1 : left;

    *ret_bare = len - (end != NULL);
    if (*ret_bare && at[*ret_bare - 1] == '\r')
        --*ret_bare;
    return len;
}

static bool is_fence(const char *at, size_t left)
{
    size_t bare;

    line_length(at, left, &bare);
    return bare == 3 && !memcmp(at, "---", 3);
}

/* The head belongs to it, since footer, smart and time zone make the text as well; and so does the name, so that
 * one version is one template's. */
static void template_version(const char *name, const char *whole, char **ret)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    auto_buf hex = {0}, hashed = {0};

    buf_add(&hashed, name, strlen(name) + 1);
    buf_add_str(&hashed, whole);
    if (!EVP_Digest(hashed.data, hashed.len, digest, &size, EVP_sha256(), NULL) || size < 8)
        abort(); /* SHA-256 is always there */
    for (unsigned i = 0; i < 8; i++)
        buf_addf(&hex, "%02x", digest[i]);
    *ret = buf_take(&hex, NULL);
}

/* The text without carriage returns (a file written on Windows) and without the last line break. */
static void template_text(struct conf_template *t, const char *text, size_t len, int line)
{
    auto_buf out = {0};

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\r' || i + 1 >= len || text[i + 1] != '\n')
            buf_add_char(&out, text[i]);
    }
    t->text = buf_take(&out, &len);
    if (len && t->text[len - 1] == '\n')
        t->text[--len] = '\0';
    t->text_line = line;
}

static void load_template(struct conf_reader *r, struct conf_file *f, struct conf_template *t)
{
    const char *text = f->text ? f->text : "", *at = text, *end = text + f->len;
    size_t bare;
    int line = 1;

    if (f->text && !is_fence(at, (size_t)(end - at))) {
        conf_error(r->report, f, 1, 1,
                   "expected '---', then keys such as 'class: service', '---' again, then the text");
    } else if (f->text) {
        do {
            at += line_length(at, (size_t)(end - at), &bare);
            line++;
        } while (at < end && !is_fence(at, (size_t)(end - at)));
        size_t head = line_length(text, f->len, &bare);
        if (at >= end)
            conf_error(r->report, f, 1, 1, "this '---' has no second one that ends the keys");
        else
            f->root = conf_node_parse(f, text + head, (size_t)(at - text) - head, 2, r->report);
        if (at < end) {
            at += line_length(at, (size_t)(end - at), &bare);
            line++;
        }
    }
    conf_fill(r, &conf_tables[CONF_KIND_TEMPLATE], f->root, t);
    template_text(t, at, (size_t)(end - at), line);
    t->whole = xstrdup(text);
    template_version(t->name, t->whole, &t->version);
}

/* Rows of tasks have columns of their own, and these two make each one and the same. */
static void complete_rule(struct conf_rule *rule)
{
    if (!rule->tasks || rule->once_per.count > 0)
        return;
    str_list_add(&rule->once_per, "task_id");
    str_list_add(&rule->once_per, "ext_id");
}

/* ---- loading ---- */
static void load_file(struct loading *l, enum conf_kind kind, const char *path, const char *name)
{
    struct conf_file *f = file_add(l, kind, path);
    struct conf_reader r = {.report = &l->report,
                            .file = f,
                            .dir = l->conf->dir,
                            .section = l->section,
                            .secrets = &l->conf->secrets};
    char message[CONF_MESSAGE_MAX];

    if (name && !conf_form_name(name, message))
        conf_error(&l->report, f, 0, 0, "the file's name: %s", message);
    f->index = name ? array_add(l->conf, kind, name, path) : 0;
    void *into = array_at(l->conf, kind, f->index);
    bool is_read = file_read(l, f);
    if (!is_read) {
        free(f->text);
        f->text = NULL;
        f->len = 0;
    }
    if (kind == CONF_KIND_TEMPLATE) {
        load_template(&r, f, into);
        return;
    }
    if (is_read)
        f->root = conf_node_parse(f, f->text, f->len, 1, &l->report);
    conf_fill(&r, &conf_tables[kind], f->root, into);
    if (kind == CONF_KIND_RULE)
        complete_rule(into);
}

static int is_visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* What somebody has put into the folder for us to read, and we would pass over: greet.yml, Greet.YAML, a
 * folder. */
static void refuse_entry(struct loading *l, enum conf_kind kind, const char *path, const char *name)
{
    static const char *const meant[] = {".yaml", ".yml", ".liquid", ".txt"};
    size_t len = strlen(name);
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        conf_error(&l->report, file_add(l, kind, path), 0, 0,
                   "is a folder, whose files are not read: move them up, or this out of %s/",
                   kinds[kind].folder);
    for (size_t i = 0; i < COUNT_OF(meant); i++) {
        size_t ending = strlen(meant[i]);
        if (len > ending && !strcasecmp(name + len - ending, meant[i]))
            conf_error(&l->report, file_add(l, kind, path), 0, 0,
                       "is not read: expected a name that ends in %s", kinds[kind].ending);
    }
}

/* Names that differ by case alone are one name to people, to some file systems and to some shells. */
static void refuse_same_name(struct loading *l, enum conf_kind kind)
{
    for (size_t i = 1; i < *count_of(l->conf, kind); i++) {
        const struct named *one = array_at(l->conf, kind, i);
        for (size_t k = 0; k < i; k++) {
            const struct named *other = array_at(l->conf, kind, k);
            if (!strcasecmp(one->name, other->name))
                conf_error(&l->report, file_add(l, kind, one->file), 0, 0,
                           "has the name of %s but for its case: expected a name of its own", other->file);
        }
    }
}

static void load_folder(struct loading *l, enum conf_kind kind)
{
    const char *ending = kinds[kind].ending;
    auto_free char *folder = xasprintf("%s/%s", l->conf->dir, kinds[kind].folder);
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_visible, alphasort);

    if (count < 0 && errno != ENOENT)
        conf_error(&l->report, file_add(l, kind, folder), 0, 0, "cannot be read: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        size_t len = strlen(name), ending_len = strlen(ending);
        auto_free char *path = xasprintf("%s/%s", folder, name);
        if (len > ending_len && !strcmp(name + len - ending_len, ending)) {
            auto_free char *stem = xstrndup(name, len - ending_len);
            load_file(l, kind, path, stem);
        } else {
            refuse_entry(l, kind, path, name);
        }
        free(entries[i]);
    }
    free(entries);
    refuse_same_name(l, kind);
}

static void load_all(struct loading *l)
{
    auto_free char *path = xasprintf("%s/smschain.yaml", l->conf->dir);

    load_file(l, CONF_KIND_MAIN, path, NULL);
    for (int kind = CONF_KIND_MAIN + 1; kind < CONF_KINDS; kind++)
        load_folder(l, (enum conf_kind)kind);
    for (size_t i = 0; i < l->file_count; i++) {
        if (l->files[i]->root && l->files[i]->root->type == CONF_NODE_MAP)
            conf_check(&(struct conf_checking){
                .conf = l->conf, .file = l->files[i], .section = l->section, .report = &l->report});
    }
}

int conf_load(const char *dir, const char *section, struct conf **ret, struct buf *report)
{
    struct loading l = {.conf = xcalloc(1, sizeof(*l.conf)), .section = section ? section : ""};
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/')
        len--;
    l.conf->dir = xstrndup(dir, len);
    load_all(&l);
    bool good = l.report.count == 0;
    conf_report_print(&l.report, report);
    conf_report_deinit(&l.report);
    for (size_t i = 0; i < l.file_count; i++)
        file_free(l.files[i]);
    free(l.files);
    if (!good) {
        conf_free(l.conf);
        *ret = NULL;
        return -EINVAL;
    }
    *ret = l.conf;
    return 0;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    conf_fill_free(&conf_tables[CONF_KIND_MAIN], &c->main);
    for (int kind = CONF_KIND_MAIN + 1; kind < CONF_KINDS; kind++) {
        for (size_t i = 0; i < *count_of(c, (enum conf_kind)kind); i++) {
            struct named *n = array_at(c, (enum conf_kind)kind, i);
            free(n->name);
            free(n->file);
            if (kind == CONF_KIND_TEMPLATE) {
                free(c->templates[i].text);
                free(c->templates[i].whole);
                free(c->templates[i].version);
            }
            conf_fill_free(&conf_tables[kind], n);
        }
        free(conf_pointer_at(c, arrays[kind].array_at));
    }
    str_list_deinit(&c->secrets);
    free(c->dir);
    free(c);
}

/* ---- looking up: a handful of each, so a walk is enough ---- */
#define LOOK_UP(type, array)                                                                                 \
    const struct conf_##type *conf_##type(const struct conf *c, const char *name)                            \
    {                                                                                                        \
        for (size_t i = 0; i < c->type##_count; i++) {                                                       \
            if (!strcmp(c->array[i].name, name))                                                             \
                return &c->array[i];                                                                         \
        }                                                                                                    \
        return NULL;                                                                                         \
    }
LOOK_UP(rule, rules)
LOOK_UP(template, templates)
LOOK_UP(gateway, gateways)
LOOK_UP(source, sources)
LOOK_UP(caller, callers)
