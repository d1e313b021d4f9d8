/* A plan as one JSON object. */
#include "ctl/planning.h"
#include "lib/number.h"
#include <inttypes.h>
#include <stdio.h>

static void add_counts(struct buf *b, const char *name, const struct planning_count *by, size_t count)
{
    buf_addf(b, ",\"%s\":{", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        buf_add_json_str(b, by[i].reason, strlen(by[i].reason)); /* a person's words */
        buf_addf(b, ":%" PRId64, by[i].rows);
    }
    buf_add_char(b, '}');
}

static void add_times(const struct planning *p, struct buf *b)
{
    int64_t longest = 0;

    buf_add_str(b, ",\"send_ms\":{");
    for (size_t i = 0; i < p->planned->gateway_count; i++) {
        const struct planned_gateway *g = &p->planned->gateways[i];
        show_json_big(b, g->name, planning_send_ms(p, g));
        longest = MAX_OF(longest, planning_send_ms(p, g));
    }
    buf_add_char(b, '}');
    show_json_big(b, "longest_ms", longest);
}

static void add_last(const struct planning *p, struct buf *b)
{
    if (p->ledger.last_run == 0)
        return;
    buf_add_str(b, ",\"last_run\":{");
    show_json_big(b, "run", p->ledger.last_run);
    show_json_time(b, "at", p->ledger.last_at_ms);
    show_json_big(b, "recipients", p->ledger.last_new);
    if (p->ledger.last) {
        buf_add_str(b, ",\"planned\":");
        planned_encode(p->ledger.last, b);
    }
    buf_add_char(b, '}');
}

static void add_samples(const struct planning *p, struct buf *b)
{
    char number[NUMBER_SIZE];

    buf_add_str(b, ",\"samples\":[");
    for (size_t i = 0; i < p->sample_count; i++) {
        const struct planning_sample *s = &p->samples[i];
        buf_add_str(b, i > 0 ? ",{" : "{");
        show_json_text(b, "number", number_mask(s->number, number));
        show_json_text(b, "gateway", s->gateway);
        show_json_text(b, "encoding", text_encoding_word(s->shape.encoding));
        show_json_big(b, "segments", (int64_t)s->shape.segments);
        show_json_text(b, "text", s->text);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

static void add_warnings(const struct planning *p, struct buf *b)
{
    auto_buf lines = {0};
    char *rest = NULL;
    bool first = true;

    planning_warnings(p, &lines);
    buf_add_str(b, ",\"mind\":[");
    for (char *line = lines.data ? strtok_r(lines.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (!first)
            buf_add_char(b, ',');
        buf_add_json_str(b, line, strlen(line));
        first = false;
    }
    buf_add_char(b, ']');
}

void planning_json(const struct planning *p)
{
    auto_buf b = {0};

    buf_add_char(&b, '{');
    show_json_text(&b, "rule", p->rule->name);
    show_json_time(&b, "at", p->at_ms);
    show_json_text(&b, "template_version", p->tmpl->version);
    show_json_big(&b, "rows", p->rows);
    show_json_big(&b, "recipients", p->planned->messages + p->planned->errors);
    show_json_big(&b, "duplicate", p->duplicate);
    show_json_big(&b, "suppressed", p->suppressed);
    show_json_big(&b, "invalid", p->invalid);
    show_json_big(&b, "stale", planning_stale(p));
    add_counts(&b, "suppressed_by", p->suppressed_by, p->suppressed_reasons);
    add_counts(&b, "invalid_by", p->invalid_by, p->invalid_reasons);
    buf_add_str(&b, ",\"planned\":");
    planned_encode(p->planned, &b);
    add_times(p, &b);
    add_last(p, &b);
    add_samples(p, &b);
    add_warnings(p, &b);
    show_json_big(&b, "took_ms", p->took_ms);
    printf("%s}\n", b.data);
}
