/* A process's live figures: named numbers and words, written as one JSON object into the table `service`. */
#include "lib/service.h"
#include "lib/buf.h"
#include "lib/clock.h"

#include "figures_write.sql.h"

#include <limits.h>

#define WRITE_EVERY_MS 1000
#define FIGURES_MAX    128

struct figure {
    char *name;
    char *word; /* NULL: value */
    int64_t value;
};

struct told_figure { /* a figure that is a metric, too */
    const struct figure_metric *row;
    struct series *series;
};

struct figures {
    char *service, *part;
    char host[HOST_NAME_MAX + 1];
    struct figure all[FIGURES_MAX];
    size_t count;
    struct told_figure *told;
    size_t told_count;
    int64_t written_mono_ms;
};

struct figures *figures_new(const char *service, const char *part)
{
    struct figures *f = xcalloc(1, sizeof(*f));

    f->service = xstrdup(service);
    f->part = xstrdup(part);
    if (gethostname(f->host, sizeof(f->host) - 1) != 0)
        f->host[0] = '\0';
    return f;
}

void figures_free(struct figures *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        free(f->all[i].name);
        free(f->all[i].word);
    }
    for (size_t i = 0; i < f->told_count; i++)
        series_free(f->told[i].series);
    free(f->told);
    free(f->service);
    free(f->part);
    free(f);
}

void figures_tell(struct figures *f, const struct figure_metric *rows, const char *of)
{
    for (const struct figure_metric *row = rows; row->figure; row++) {
        f->told = xrealloc(f->told, (f->told_count + 1) * sizeof(*f->told));
        f->told[f->told_count++] = (struct told_figure){
            .row = row,
            .series =
                of ? series_new(row->metric, of, row->value) : series_new(row->metric, row->value, NULL),
        };
    }
}

static void tell(const struct figures *f, const struct figure *one)
{
    for (size_t i = 0; i < f->told_count; i++) {
        const struct told_figure *t = &f->told[i];
        if (strcmp(t->row->figure, one->name) != 0)
            continue;
        if (t->row->word)
            series_set(t->series, one->word && strcmp(one->word, t->row->word) == 0);
        else
            series_set(t->series, one->value);
    }
}

static struct figure *named(struct figures *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->all[i].name, name) == 0)
            return &f->all[i];
    }
    if (f->count == FIGURES_MAX)
        abort(); /* names come from the code: a fault of the program */
    f->all[f->count].name = xstrdup(name);
    return &f->all[f->count++];
}

void figures_set(struct figures *f, const char *name, int64_t value)
{
    struct figure *one = named(f, name);

    free(one->word);
    one->word = NULL;
    one->value = value;
    tell(f, one);
}

void figures_set_str(struct figures *f, const char *name, const char *value)
{
    struct figure *one = named(f, name);
    char *word = xstrdup(value ? value : "");

    free(one->word);
    one->word = word;
    tell(f, one);
}

static void as_json(const struct figures *f, struct buf *out)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < f->count; i++) {
        const struct figure *one = &f->all[i];

        if (i > 0)
            buf_add_char(out, ',');
        buf_add_json_str(out, one->name, strlen(one->name));
        buf_add_char(out, ':');
        if (one->word)
            buf_add_json_str(out, one->word, strlen(one->word));
        else
            buf_add_i64(out, one->value);
    }
    buf_add_char(out, '}');
}

int figures_write(struct figures *f, struct db *d)
{
    const int64_t now = clock_mono_ms();

    if (f->written_mono_ms && now - f->written_mono_ms < WRITE_EVERY_MS)
        return 0;
    /* Never in the middle of someone's transaction: a failure here would be theirs. */
    if (!db_idle(d))
        return 0;
    auto_buf json = {0};
    auto_params p = db_params_new();
    as_json(f, &json);
    db_add_text(p, f->service);
    db_add_text(p, f->host);
    db_add_int(p, (int32_t)getpid());
    db_add_text(p, f->part);
    db_add_text(p, json.data);
    f->written_mono_ms = now;
    return MIN_OF(db_run(d, &sql_figures_write, p, NULL), 0);
}
