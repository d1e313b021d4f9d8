/* A gateway that takes GET /send?content=TEXT&mobile=N1,N2,N3 and answers one id for all: "OK:<id>",
 * "OK:<id>;refused:N2,N3" or "ERR:<code>:<text>". */
#include "test/sim/sim.h"
#include <stdio.h>

#define NUMBERS_MAX 1000

struct alpha_request {
    char *numbers[NUMBERS_MAX];
    bool refused[NUMBERS_MAX];
    size_t count, refused_count;
    char *text;
};

static void read_form(char *rest, struct alpha_request *a, char **mobile)
{
    char *name, *value;
    while (form_next(&rest, &name, &value)) {
        if (strcmp(name, "content") == 0)
            a->text = value;
        else if (strcmp(name, "mobile") == 0)
            *mobile = value;
    }
}

static bool read_request(struct http_request *r, struct alpha_request *a)
{
    char *mobile = NULL, *number;
    read_form(r->query, a, &mobile);
    if (strcmp(r->method, "POST") == 0)
        read_form(r->body, a, &mobile);
    while (mobile != NULL && (number = strsep(&mobile, ",")) != NULL) {
        number = number_read(number);
        if (number == NULL || a->count == NUMBERS_MAX)
            return false;
        a->numbers[a->count++] = number;
    }
    return a->count > 0 && a->text != NULL && *a->text != '\0';
}

static void error(struct gateway *g, struct conn *c, const char *what)
{
    struct buf body = {0};
    buf_addf(&body, "ERR:%s", what);
    gateway_answer(g, c, 200, &body, "text/plain");
    buf_deinit(&body);
}

static void accept_numbers(struct gateway *g, struct conn *c, const struct alpha_request *a, struct buf *body)
{
    struct accepted one = {
        .id = gateway_new_id(g), .text = a->text, .kind = REPORT_LIST, .early = share_hits(&g->knobs.early)};
    char id[32];
    id_format(g->knobs.id_form, one.id, id);
    buf_addf(body, "OK:%s", id);
    const char *separator = ";refused:";
    for (size_t i = 0; i < a->count; i++) {
        if (a->refused[i]) {
            buf_addf(body, "%s%s", separator, a->numbers[i]);
            separator = ",";
            continue;
        }
        one.number = a->numbers[i];
        gateway_accept(g, c, &one);
    }
}

void alpha_send(struct gateway *g, struct conn *c, struct http_request *r)
{
    static const struct answer throttled = {429, "text/plain", "too fast"};
    if (gateway_before(g, c, &throttled) == DONE_WITH)
        return;
    struct alpha_request a = {0};
    if (!read_request(r, &a)) {
        g->counters.bad_requests++;
        error(g, c, "2:bad request");
        return;
    }
    for (size_t i = 0; i < a.count; i++) {
        a.refused[i] = gateway_refuses(g, a.numbers[i]);
        a.refused_count += a.refused[i];
    }
    if (a.refused_count == a.count || (a.refused_count > 0 && g->knobs.refuse_whole != 0)) {
        g->counters.refused += (int64_t)a.count;
        error(g, c, "7:refused");
        return;
    }
    g->counters.refused += (int64_t)a.refused_count;
    struct buf body = {0};
    accept_numbers(g, c, &a, &body);
    gateway_answer(g, c, 200, &body, "text/plain");
    buf_deinit(&body);
}
