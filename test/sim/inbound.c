/* Messages from phones, by order: POST /control/inbound?gateway=alpha&from=491711234567&to=22922&text=STOP
 * &id=77&at_ms=…&count=2. Gateways whose name begins with alpha write a form, all others JSON; what is not
 * answered 2xx is posted again, as a report is. */
#include "lib/clock.h"
#include "test/sim/sim.h"
#include <stdio.h>
#include <time.h>

#define CHINA_S (8 * 3600) /* alpha's clock, as in its reports */

static void add_field(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s%s=", out->len > 0 ? "&" : "", name);
    buf_add_url_encoded(out, value, strlen(value));
}

static void write_form(struct buf *out, const struct form *f, const char *id, int64_t at_ms)
{
    char when[32];
    time_t t = (time_t)(at_ms / 1000 + CHINA_S);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    add_field(out, "from", form_value(f, "from"));
    add_field(out, "to", form_value(f, "to") != NULL ? form_value(f, "to") : "");
    add_field(out, "msg", form_value(f, "text"));
    add_field(out, "id", id);
    add_field(out, "at", when);
}

static void add_member(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s\"%s\":", out->len > 0 ? "," : "{", name);
    buf_add_json_str(out, value, strlen(value));
}

static void write_json(struct buf *out, const struct form *f, const char *id, int64_t at_ms)
{
    char when[CLOCK_ISO_SIZE];
    add_member(out, "id", id);
    add_member(out, "from", form_value(f, "from"));
    add_member(out, "to", form_value(f, "to") != NULL ? form_value(f, "to") : "");
    add_member(out, "text", form_value(f, "text"));
    add_member(out, "time", clock_iso(at_ms, when));
    buf_add_char(out, '}');
}

/* The address of the gateway's inbound messages is that of its reports, with the one word changed. */
static char *inbound_url(const struct gateway *g)
{
    const char *url = g->knobs.report_url, *word = strstr(url, "/report/");
    return word != NULL ? xasprintf("%.*s/inbound/%s", (int)(word - url), url, word + 8) : NULL;
}

static void post(struct gateway *g, const struct form *f, const char *id, int64_t at_ms, char *url)
{
    bool as_form = strncmp(g->name, "alpha", 5) == 0;
    struct buf body = {0};
    struct report *r = xmalloc(sizeof(*r));
    (as_form ? write_form : write_json)(&body, f, id, at_ms);
    *r = (struct report){.gateway = g,
                         .at_ms = at_ms,
                         .kind = as_form ? REPORT_INBOUND_FORM : REPORT_INBOUND_JSON,
                         .inbound = buf_take(&body, NULL),
                         .url = xstrdup(url)};
    g->counters.inbound_made++;
    report_ready(r);
}

bool inbound_order(struct http_request *r, struct buf *why)
{
    static int64_t next_id;
    struct form f;
    if (!form_read(r, &f) || form_value(&f, "gateway") == NULL || form_value(&f, "from") == NULL ||
        form_value(&f, "text") == NULL) {
        buf_add_str(why, "gateway, from and text are needed; to, id, at_ms, count may be given\n");
        return false;
    }
    const char *name = form_value(&f, "gateway"), *count = form_value(&f, "count");
    const char *at = form_value(&f, "at_ms"), *id = form_value(&f, "id");
    struct gateway *g = gateway_named(name, strlen(name));
    if (g != NULL && g->speaks_smpp)
        return smpp_inbound_order(g, &f, why);
    auto_free char *url = g != NULL ? inbound_url(g) : NULL;
    if (url == NULL) {
        buf_add_str(why, "that gateway has no report_url with /report/ in it\n");
        return false;
    }
    auto_free char *own_id = xasprintf("mo%lld-%lld", (long long)loop_now_ms(), (long long)++next_id);
    int64_t at_ms = at != NULL ? strtoll(at, NULL, 10) : loop_now_ms();
    for (int64_t n = count != NULL ? strtoll(count, NULL, 10) : 1; n > 0; n--)
        post(g, &f, id != NULL ? id : own_id, at_ms, url);
    return true;
}
