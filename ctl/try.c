/* smschain try: one real message by a gateway's own driver, outside ledger and queues, and everything that
 * was said on the way, with secrets hidden. For setting up a gateway, and for asking what it answers now. */
#include "ctl/ctl.h"
#include "dispatch/gateway.h"
#include "lib/clock.h"
#include "lib/hide.h"
#include "lib/log.h"
#include "lib/number.h"
#include "lib/request.h"
#include "render/text.h"
#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <syslog.h>

#define GRACE_MS     5000 /* beyond the driver's own timeouts */
#define WAIT_MS      100
#define VALID_MS     3600000 /* what a gateway is told that asks */
#define SEGMENTS_MAX 255

struct trial {
    const struct conf_gateway *gateway;
    struct hide hide;
    int64_t number, begun_ms;
    struct text_shape shape;
    char seq_id[SEQ_ID_SIZE];
    const char *text, *sender;
    bool json;
    struct buf request, answer; /* as they are shown: text, or members of a JSON object */
    struct buf
        lines; /* of a driver without requests: what went over its link, text or items of a JSON array */
    int line;
    unsigned sends;
    bool over_link; /* not by requests over HTTP */
    int waits;      /* for the answers of so many: a long text may go in segments, one by one */
    int64_t took_ms;
    enum outcome outcome;
    char *reason, *error, *msg_id;
};

static void trial_deinit(struct trial *t)
{
    hide_deinit(&t->hide);
    buf_deinit(&t->request);
    buf_deinit(&t->answer);
    buf_deinit(&t->lines);
    free(t->reason);
    free(t->error);
    free(t->msg_id);
}

/* A reference that no message of the ledger has: today's last ones, which the sequence never reaches. */
static void make_seq_id(char out[SEQ_ID_SIZE])
{
    int64_t now = clock_wall_ms();
    struct seq_id id = {.sms_id = sms_id_day_first(clock_day_2020(now) + 1) - 1 - now % (1 << 20),
                        .segment = 1,
                        .attempt = 1};
    seq_id_format(&id, out);
}

/* ---- what is shown ---- */

/* Bodies may be anything: what would steer a terminal is shown as a question mark. */
static void add_shown(struct buf *b, const char *indent, const struct buf *text)
{
    buf_add_str(b, indent);
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        buf_add_char(b, iscntrl((unsigned char)c) && c != '\n' && c != '\t' ? '?' : c);
        if (c == '\n' && i + 1 < text->len)
            buf_add_str(b, indent);
    }
    buf_add_char(b, '\n');
}

static const char *text_of(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

static void show_headers(struct trial *t, const struct request *q)
{
    const char *auth = t->gateway->http.auth.type;
    bool has_auth = auth != NULL && strcmp(auth, "none") != 0 && *auth != '\0';
    if (t->json)
        buf_add_str(&t->request, ",\"headers\":[");
    for (size_t i = 0; i < q->header_count; i++) {
        auto_buf line = {0};
        hide_in_header(&t->hide, q->header_lines[i], &line);
        if (t->json) {
            buf_add_str(&t->request, i > 0 ? "," : "");
            buf_add_json_str(&t->request, text_of(&line), line.len);
        } else {
            add_shown(&t->request, "  ", &line);
        }
    }
    if (t->json)
        buf_addf(&t->request, "%s%s]", has_auth && q->header_count > 0 ? "," : "",
                 has_auth ? "\"Authorization: ***\"" : "");
    else if (has_auth)
        buf_addf(&t->request, "  Authorization: %s *** (of auth:)\n",
                 strcmp(auth, "basic") == 0 ? "Basic" : "Bearer");
}

static void request_seen(void *arg, const struct request *q)
{
    struct trial *t = arg;
    auto_buf url = {0}, body = {0};
    if (q->signature.len > 0)
        hide_add(&t->hide, q->signature.data);
    hide_in_pairs(&t->hide, text_of(&q->url), q->url.len, &url);
    hide_in_pairs(&t->hide, text_of(&q->body), q->body.len, &body);
    if (t->json) {
        show_json_text(&t->request, "method", q->method);
        show_json_text(&t->request, "url", text_of(&url));
        show_headers(t, q);
        show_json_text(&t->request, "body", text_of(&body));
        return;
    }
    buf_addf(&t->request, "request\n  %s %s\n", q->method, text_of(&url));
    show_headers(t, q);
    if (q->has_body) {
        buf_add_char(&t->request, '\n');
        add_shown(&t->request, "  ", &body);
    }
}

static void result_seen(void *arg, const struct http_result *h, int line)
{
    struct trial *t = arg;
    auto_buf body = {0}, error = {0};
    t->line = line;
    t->sends = h->sends;
    hide_in(&t->hide, h->body, h->body_len, &body);
    hide_in(&t->hide, h->error, strlen(h->error), &error);
    if (t->json) {
        show_json_text(&t->answer, "end", http_end_word(h->end));
        show_json_big(&t->answer, "status", h->status);
        show_json_text(&t->answer, "content_type", h->content_type);
        show_json_text(&t->answer, "body", text_of(&body));
        show_json_text(&t->answer, "error", text_of(&error));
        return;
    }
    if (h->end != HTTP_ANSWERED) {
        buf_addf(&t->answer, "no answer (%s)\n", http_end_word(h->end));
        add_shown(&t->answer, "  ", &error);
        return;
    }
    buf_addf(&t->answer, "answer\n  HTTP %d %s\n\n", h->status, h->content_type);
    add_shown(&t->answer, "  ", &body);
}

static void line_seen(void *arg, bool ours, const char *line)
{
    struct trial *t = arg;
    auto_buf hidden = {0}, shown = {0};
    hide_in(&t->hide, line, strlen(line), &hidden);
    if (!t->json) {
        add_shown(&t->lines, ours ? "  > " : "  < ", &hidden);
        return;
    }
    buf_addf(&shown, "%s %s", ours ? ">" : "<", text_of(&hidden));
    buf_add_str(&t->lines, t->lines.len > 0 ? "," : "");
    buf_add_json_str(&t->lines, shown.data, shown.len);
}

/* ---- the driver's events ---- */

static bool first_byte(void *arg, struct gateway_request *r)
{
    struct trial *t = arg;
    if (t->over_link)
        t->sends++;
    return true;
}

static char *hidden(const struct trial *t, const char *s)
{
    auto_buf b = {0};
    if (s != NULL)
        hide_in(&t->hide, s, strlen(s), &b);
    return buf_take(&b, NULL);
}

static void answered(void *arg, struct gateway_request *r, const struct gateway_answer *a)
{
    struct trial *t = arg;
    const struct gateway_outcome *own = a->each; /* the answer tells of each message by itself: of this one */
    const char *msg_id = own == NULL ? a->msg_id : own->own_id ? NULL : own->msg_id;
    enum outcome outcome = own == NULL ? a->outcome : own->outcome;
    t->waits--;
    t->took_ms = clock_mono_ms() - t->begun_ms;
    if (outcome == OUTCOME_ACCEPTED) {
        char *ids = xasprintf("%s%s%s", t->msg_id != NULL ? t->msg_id : "", t->msg_id != NULL ? ", " : "",
                              msg_id != NULL ? msg_id : r->items[0].seq_id);
        free(t->msg_id);
        t->msg_id = ids;
    }
    if (t->reason == NULL || outcome != OUTCOME_ACCEPTED) { /* one segment that fails is what is told */
        t->outcome = outcome;
        free(t->reason);
        free(t->error);
        t->reason = hidden(t, own == NULL ? a->reason : own->reason);
        t->error = hidden(t, own == NULL ? a->error : own->error);
    }
    free(r);
}

static void probed(void *arg, bool connected) {}

static void turn(const struct gateway_driver *driver, struct gateway *g, struct trial *t)
{
    const struct conf_gateway *c = t->gateway;
    int64_t deadline = t->begun_ms + c->connect_timeout_ms + c->answer_timeout_ms + GRACE_MS;
    while (t->waits > 0 && clock_mono_ms() < deadline) {
        int64_t wait = driver->wait_ms(g);
        struct pollfd fd = {.fd = driver->fd(g), .events = POLLIN};
        (void)poll(&fd, 1, (int)(wait < 0 ? WAIT_MS : MIN_OF(wait, (int64_t)WAIT_MS)));
        driver->turn(g);
    }
}

static void send_segment(struct trial *t, const struct gateway_driver *driver, struct gateway *g,
                         struct gateway_cut cut, int segment)
{
    struct gateway_request *r = xcalloc(1, sizeof(*r) + sizeof(r->items[0]));
    struct seq_id id;
    r->claimed_mono_ms = t->begun_ms;
    r->count = 1;
    r->items[0] = (struct gateway_item){.number = t->number,
                                        .text = t->text,
                                        .sender = t->sender,
                                        .encoding = text_encoding_word(t->shape.encoding),
                                        .segments = (int64_t)t->shape.segments,
                                        .valid_until = clock_wall_ms() + VALID_MS,
                                        .cut = cut,
                                        .segment = segment};
    if (!seq_id_parse(t->seq_id, &id))
        abort(); /* made here */
    id.segment = segment;
    r->items[0].reference = (uint16_t)id.sms_id;
    seq_id_format(&id, r->items[0].seq_id);
    t->waits++;
    driver->send(g, r);
}

static int send_all(struct trial *t)
{
    const struct gateway_driver *driver = gateway_driver(t->gateway->driver);
    struct gateway_options o = {.conf = t->gateway,
                                .window = SEGMENTS_MAX,
                                .events = {.arg = t,
                                           .first_byte = first_byte,
                                           .answered = answered,
                                           .probed = probed,
                                           .request_seen = request_seen,
                                           .result_seen = result_seen,
                                           .line_seen = line_seen}};
    struct gateway_cut cut = {.parts = 1};
    const char *reason = NULL;
    auto_free char *why = NULL;
    struct gateway *g = NULL;
    if (driver != NULL && driver->cut != NULL && !driver->cut(t->gateway, t->text, -1, &cut, &reason))
        return ctl_fail(EXIT_REFUSED, "%s does not take this text: %s", t->gateway->file, reason);
    if (driver == NULL || driver->open(&o, &g, &why) < 0)
        return ctl_fail(EXIT_CONF, "%s: %s", t->gateway->file, why != NULL ? why : "there is no such driver");
    t->over_link = strcmp(driver->name, "http") != 0;
    t->begun_ms = clock_mono_ms();
    for (int segment = 1; segment <= cut.parts; segment++)
        send_segment(t, driver, g, cut, segment);
    turn(driver, g, t);
    driver->close(g); /* answers what is still open */
    return 0;
}

/* ---- the end ---- */

static int exit_code(const struct trial *t)
{
    return t->outcome == OUTCOME_ACCEPTED   ? EXIT_DONE
           : t->outcome == OUTCOME_IN_DOUBT ? EXIT_ATTENTION
                                            : EXIT_REFUSED;
}

/* Who has sent what outside the ledger stands in the machine's log, too: this command's own goes by. */
static void leave_trace(const struct trial *t)
{
    char number[NUMBER_SIZE];
    const char *msg_id = t->msg_id != NULL ? t->msg_id : "";
    log_init("smschain", LOG_LOGFMT, LOG_LEVEL_INFO);
    log_info("a message was tried outside the ledger", L_STR("gateway", t->gateway->name),
             L_NUMBER("number", t->number), L_STR("seq_id", t->seq_id),
             L_STR("outcome", outcome_word(t->outcome)), L_STR("msg_id", msg_id), L_INT("uid", getuid()));
    openlog("smschain", LOG_PID, LOG_USER);
    syslog(
        LOG_NOTICE,
        "a message was tried outside the ledger gateway=%s number=%s seq_id=%s outcome=%s msg_id=%s uid=%d",
        t->gateway->name, number_mask(t->number, number), t->seq_id, outcome_word(t->outcome), msg_id,
        (int)getuid());
    closelog();
}

static void print_why(const struct trial *t)
{
    if (t->line > 0)
        printf("%s, line %d\n", t->gateway->file, t->line);
    else if (t->sends == 0)
        printf("not a byte of the request has left\n");
    else if (t->over_link)
        printf("%s\n", t->outcome == OUTCOME_IN_DOUBT ? "no answer that makes anything certain"
                                                      : "the gateway's answer over its link");
    else
        printf("no line of answer: fits (%s), so nothing is certain\n", t->gateway->file);
}

static void print_trial(const struct trial *t)
{
    if (t->lines.len > 0)
        printf("over the link\n%s\n", text_of(&t->lines));
    else if (!t->over_link)
        printf("%s\n%s\n", text_of(&t->request), text_of(&t->answer));
    printf("outcome  %s after %lld ms%s%s\nby       ", outcome_word(t->outcome), (long long)t->took_ms,
           *t->reason != '\0' ? ", reason " : "", t->reason);
    print_why(t);
    if (t->outcome != OUTCOME_ACCEPTED && *t->error != '\0' && t->line == 0)
        printf("error    %s\n", t->error);
    if (t->msg_id != NULL)
        printf("msg_id   %s\n", t->msg_id);
    printf("seq_id   %s (in no ledger: its report finds no message and is parked until park_horizon)\n",
           t->seq_id);
}

static void json_trial(const struct trial *t)
{
    auto_buf b = {0};
    buf_add_char(&b, '{');
    show_json_text(&b, "gateway", t->gateway->name);
    show_json_text(&b, "seq_id", t->seq_id);
    show_json_text(&b, "outcome", outcome_word(t->outcome));
    show_json_text(&b, "reason", t->reason);
    show_json_text(&b, "error", t->error);
    show_json_text(&b, "msg_id", t->msg_id != NULL ? t->msg_id : "");
    show_json_text(&b, "file", t->gateway->file);
    show_json_big(&b, "line", t->line);
    show_json_big(&b, "sends", t->sends);
    show_json_big(&b, "took_ms", t->took_ms);
    printf("%s,\"request\":{%s},\"answer\":{%s},\"lines\":[%s]}\n", b.data, text_of(&t->request),
           text_of(&t->answer), text_of(&t->lines));
}

/* ---- words ---- */

static bool is_listed(const struct ctl *c, int64_t number)
{
    const struct str_list *only = &c->conf->main.extract.deliver_only_to;
    for (size_t i = 0; i < only->count; i++) {
        int64_t listed;
        const char *country = c->conf->main.country_code;
        if (number_normalise(only->items[i], country, &listed) == NUMBER_OK && listed == number)
            return true;
    }
    return only->count == 0;
}

static int prepare(struct ctl *c, const char *to, struct trial *t)
{
    const char *country = c->conf->main.country_code;
    t->gateway = conf_gateway(c->conf, c->argv[1]);
    if (t->gateway == NULL)
        return ctl_fail(EXIT_REFUSED, "no gateway %s in %s/gateways", c->argv[1], c->conf_dir);
    enum number_fault fault =
        number_normalise(to, country != NULL && *country != '\0' ? country : NULL, &t->number);
    if (fault != NUMBER_OK)
        return ctl_fail(EXIT_REFUSED, "--to: that is no number: %s", number_fault_word(fault));
    if (!is_listed(c, t->number))
        return ctl_fail(EXIT_REFUSED, "extract.deliver_only_to is set and does not list that number");
    if (*t->text == '\0' || !text_measure(t->text, strlen(t->text), &t->shape))
        return ctl_fail(EXIT_REFUSED, "--text is empty or not UTF-8");
    if (t->sender == NULL)
        t->sender = t->gateway->sender != NULL ? t->gateway->sender : "";
    make_seq_id(t->seq_id);
    hide_init(&t->hide, &c->conf->secrets);
    return 0;
}

static int try_it(struct ctl *c, const char *to, bool yes, struct trial *t)
{
    char number[NUMBER_SIZE];
    int code = ctl_conf(c, "dispatch");
    if (code == 0)
        code = prepare(c, to, t);
    if (code != 0)
        return code;
    if (!ctl_confirmed(yes, "Send one real message (%zu segments) by %s to %s?", t->shape.segments,
                       t->gateway->name, number_format(t->number, number)))
        return EXIT_REFUSED;
    t->outcome = OUTCOME_IN_DOUBT;
    code = send_all(t);
    if (code != 0)
        return code;
    leave_trace(t);
    (t->json ? json_trial : print_trial)(t);
    return exit_code(t);
}

int cmd_try(struct ctl *c)
{
    const char *to = NULL;
    struct trial t = {.json = ctl_take_flag(c, "--json")};
    bool yes = ctl_take_flag(c, "--yes");
    if (!ctl_take_value(c, "--to", &to) || !ctl_take_value(c, "--text", &t.text) ||
        !ctl_take_value(c, "--sender", &t.sender) || !ctl_no_options_left(c) || c->argc != 2 || to == NULL)
        return ctl_usage("try");
    if (t.text == NULL)
        t.text = "This is a test message.";
    int code = try_it(c, to, yes, &t);
    trial_deinit(&t);
    return code;
}
