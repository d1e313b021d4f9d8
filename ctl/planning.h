/* smschain plan: what the parts of it share. Rows come by the source's own driver, become groups as in
 * extract, are asked about in the ledger without being entered, and are judged as render does. */
#pragma once
#include "ctl/ctl.h"
#include "extract/group.h"
#include "render/planned.h"

#define PLANNING_SAMPLES_MAX 1000
#define PLANNING_REASONS     64

struct planning_count { /* rows that make no message, by reason */
    char *reason;
    int64_t rows;
};
struct planning {
    struct ctl *ctl;
    struct conf *conf; /* with the sources' secrets */
    const struct conf_rule *rule;
    const struct conf_template *tmpl;
    struct plan *plan;
    struct judge judge;
    struct planned *planned;
    struct source *source;
    struct reading reading;
    struct group groups[2]; /* one is read while the ledger is asked about the other */
    const struct group *asked;
    struct db_params *params;
    struct buf body, record;

    int64_t at_ms, begun_ms, took_ms;
    int64_t rows, duplicate, suppressed, invalid;
    struct planning_count invalid_by[PLANNING_REASONS], suppressed_by[PLANNING_REASONS];
    size_t invalid_reasons, suppressed_reasons;

    struct planning_sample {
        char *text, *gateway;
        int64_t number;
        struct text_shape shape;
    } * samples;
    size_t sample_count, samples_wanted;

    struct { /* of the ledger */
        bool known, once_per_known, paused;
        char *held_why;
        int64_t last_run, last_at_ms, last_rows, last_new;
        int64_t runs, recipients; /* the last runs, five at most, and their new messages together */
        struct planned *last; /* NULL: nobody has written down what that run was */
    } ledger;
    bool json, progress;
};

/* Reads and judges all rows. 0, or an exit code after having said why. */
int must_check planning_read(struct planning *p);

/* ---- what follows from the figures ---- */
int64_t planning_send_ms(const struct planning *p,
                         const struct planned_gateway *g); /* at that gateway's rate */
/* Messages that would leave after valid_for: they end as stale. */
int64_t planning_stale(const struct planning *p);
/* Why the run would not go out by itself, a line each; nothing: it would. */
void planning_warnings(const struct planning *p, struct buf *out);

void planning_print(const struct planning *p);
void planning_json(const struct planning *p);
