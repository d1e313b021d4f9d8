/* What becomes of one row: its text, encoding, segments and gateways, or why it cannot be sent. The one place
 * that decides this: render makes messages by it, `smschain plan` and `preview` show it beforehand, extract
 * counts it before anything leaves. Pure; a judge belongs to one thread, the plan it reads to all. */
#pragma once
#include "lib/record.h"
#include "render/plan.h"
#include "render/route.h"
#include "render/text.h"

#define JUDGE_TEXT_BYTES_MAX (128u << 10) /* more than any 255 segments */
#define JUDGE_ERROR_SIZE     501          /* step's `error`: at most 500 bytes */

struct judge {
    const struct plan *plan;
    struct buf text;
    /* Rows of a chunk nearly always share their rule and template. */
    const struct conf_rule *rule;
    const struct plan_template *tmpl;
};
void judge_init(struct judge *j, const struct plan *plan);
void judge_deinit(struct judge *j);

struct judgement { /* its pointers: into the plan, the row, or until the judge's next row */
    const char
        *reason; /* NULL: it can be sent; a constant: template, empty_text, text_too_long, no_route, … */
    char error[JUDGE_ERROR_SIZE];     /* "file:line:column: words"; names no value of the row */
    int line, column;                 /* of the template's file, where the template itself failed; else 0 */
    const struct conf_template *tmpl; /* NULL: unknown_template, unknown_rule */
    const char *text;                 /* of these, all are set where reason is NULL: */
    size_t len;
    struct text_shape shape;
    char *gateways[ROUTE_MAX]; /* in the order to try */
    size_t gateway_count;
    char *sender; /* NULL: the gateway's */
};
/* row: as it stands in a chunk; of its sms_id nothing depends, so any will do. now_ms: for `"now" | date`.
 * True: it can be sent. */
bool judge_row(struct judge *j, const struct row_record *row, int64_t now_ms, struct judgement *ret);
