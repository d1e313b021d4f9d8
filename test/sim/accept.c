/* What accepting a message means, whatever the gateway speaks: a line in the log, the counting of duplicates,
 * its reports; and the knobs that spoil an answer. */
#include "test/sim/sim.h"
#include <fcntl.h>
#include <stdio.h>

static int log_fd = -1;
static struct buf log_lines;
static FILE *report_log;
static struct seen references, texts;

enum { NEW_MESSAGE = 0, KNOWN_REFERENCE = 1, KNOWN_TEXT = 2 };

static bool is_part(const char *reference)
{
    return strncmp(reference, "seg:", 4) == 0;
}

/* Enters a message and says by what it was known already. A part's reference says nothing by itself, and two
 * parts of one message may have the same text. */
static int remember(const char *gateway, const char *number, const char *reference, uint64_t text_hash)
{
    int known = NEW_MESSAGE;
    uint64_t where = sim.cross_gateway ? 0 : hash_of(2, gateway, strlen(gateway));
    uint64_t by_reference = hash_of(1, reference, strlen(reference));
    if (is_part(reference))
        where ^= by_reference;
    else if (*reference != '-' && seen_before(&references, by_reference))
        known |= KNOWN_REFERENCE;
    if (sim.count_text && seen_before(&texts, hash_of(text_hash ^ where, number, strlen(number))))
        known |= KNOWN_TEXT;
    return known;
}

/* The parts of one message, put together, may be a message that was accepted before, whole or in others. */
static int remember_whole(struct gateway *g, const struct accepted *a)
{
    auto_buf whole = {0};
    if (!parts_whole(g->name, a->number, a->reference, a->text, &whole))
        return NEW_MESSAGE;
    g->counters.messages++;
    return remember(g->name, a->number, "-", hash_of(0, whole.data, whole.len));
}

/* What an earlier process with this log has accepted counts as accepted: a restart of the gateway forgets
 * nothing. */
static void log_read_back(FILE *f)
{
    char *line = NULL, name[GATEWAY_NAME_SIZE], number[NUMBER_TEXT_SIZE], reference[REFERENCE_SIZE];
    size_t room = 0;
    unsigned long long id, text_hash;
    while (getline(&line, &room, f) > 0) {
        if (sscanf(line, "%*d\t%63[^\t]\t%llu\t%23[^\t]\t%63[^\t]\t%llx", name, &id, number, reference,
                   &text_hash) != 5)
            continue;
        struct gateway *g = gateway_named(name, strlen(name));
        if (g != NULL && id >= g->next_id)
            g->next_id = id + 1;
        remember(name, number, reference, text_hash);
    }
    free(line);
}

void log_open(const char *file)
{
    FILE *f = fopen(file, "r");
    if (f != NULL) {
        log_read_back(f);
        fclose(f);
    }
    log_fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log_fd < 0) {
        perror(file);
        exit(1);
    }
}

void report_log_open(const char *file)
{
    report_log = fopen(file, "a");
    if (report_log == NULL) {
        perror(file);
        exit(1);
    }
}

void report_log_add(const struct report *r)
{
    static const char *const words[] = {"accepted", "delivered", "undelivered", "expired", "rejected"};
    if (report_log != NULL)
        fprintf(report_log, "%lld\t%s\t%llu\t%s\t%s\n", (long long)loop_now_ms(), r->gateway->name,
                (unsigned long long)r->id, r->number, words[r->fate]);
}

void log_flush(void)
{
    size_t done = 0;
    while (log_fd >= 0 && done < log_lines.len) {
        ssize_t n = write(log_fd, log_lines.data + done, log_lines.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* a log with a hole would make every later judgement wrong */
            perror("fake-gateway: log");
            exit(1);
        }
        done += (size_t)n;
    }
    buf_clear(&log_lines);
    if (report_log != NULL)
        fflush(report_log);
}

void log_close(void)
{
    log_flush();
    if (log_fd >= 0)
        close(log_fd);
    if (report_log != NULL)
        fclose(report_log);
    buf_deinit(&log_lines);
    parts_free();
    free(references.slots);
    free(texts.slots);
}

enum before gateway_before(struct gateway *g, struct conn *c, const struct answer *throttled)
{
    struct knobs *k = &g->knobs;
    g->counters.requests++;
    if (share_hits(&k->drop_before)) {
        g->counters.dropped_before++;
        conn_close(c, k->drop_reset != 0);
        return DONE_WITH;
    }
    struct buf nothing = {0};
    if (k->status != 0 && k->status_accepts == 0 && share_hits(&k->status_share)) {
        conn_answer(c, (int)k->status, "", "text/plain", &nothing);
        conn_answer_later(c, k->answer_delay_ms);
        return DONE_WITH;
    }
    if (share_hits(&k->throttle_share)) {
        g->counters.throttled++;
        char retry[64];
        snprintf(retry, sizeof(retry), "Retry-After: %lld\r\n", (long long)k->retry_after_s);
        auto_buf body = {0};
        buf_add_str(&body, throttled->body);
        conn_answer(c, throttled->status, retry, throttled->type, &body);
        return DONE_WITH;
    }
    return GO_ON;
}

bool gateway_knows(const struct gateway *g, const char *user, const char *password)
{
    const struct knobs *k = &g->knobs;
    if (*k->user != '\0' && user != NULL && strcmp(k->user, user) != 0)
        return false;
    return *k->password == '\0' || (password != NULL && strcmp(k->password, password) == 0);
}

char *number_read(char *text)
{
    if (text == NULL)
        return NULL;
    text += strspn(text, "+ ");
    size_t digits = strspn(text, "0123456789");
    return digits >= 5 && digits < NUMBER_TEXT_SIZE && text[digits] == '\0' ? text : NULL;
}

void url_parameter(const char *url, const char *name, char *ret, size_t size)
{
    size_t n = strlen(name);
    *ret = '\0';
    for (const char *at = strchr(url, '?'); at != NULL; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, name, n) != 0 || at[n] != '=')
            continue;
        size_t len = strcspn(at + n + 1, "&#");
        if (len < size)
            snprintf(ret, size, "%.*s", (int)len, at + n + 1);
        return;
    }
}

bool gateway_refuses(struct gateway *g, const char *number)
{
    size_t n = strlen(number);
    for (const char *at = g->knobs.refuse_number; n > 0 && (at = strstr(at, number)) != NULL; at++)
        if ((at == g->knobs.refuse_number || at[-1] == ',' || at[-1] == '+') &&
            (at[n] == ',' || at[n] == '\0'))
            return true;
    return share_hits(&g->knobs.refuse_share);
}

uint64_t gateway_new_id(struct gateway *g)
{
    return g->next_id++;
}

void id_format(int64_t form, uint64_t id, char out[32])
{
    switch (form) {
    case 1:
        snprintf(out, 32, "%llx", (unsigned long long)id);
        break;
    case 2:
        snprintf(out, 32, "%llX", (unsigned long long)id);
        break;
    case 3:
        snprintf(out, 32, "%024llu", (unsigned long long)id);
        break;
    default:
        snprintf(out, 32, "%llu", (unsigned long long)id);
    }
}

void gateway_accept(struct gateway *g, struct conn *c, const struct accepted *a)
{
    struct counters *n = &g->counters;
    const char *reference = a->reference != NULL && *a->reference != '\0' ? a->reference : "-";
    uint64_t text_hash = hash_of(0, a->text, strlen(a->text));
    buf_addf(&log_lines, "%lld\t%s\t%llu\t%s\t%s\t%016llx\n", (long long)loop_now_ms(), g->name,
             (unsigned long long)a->id, a->number, reference, (unsigned long long)text_hash);
    n->submits++;
    if (n->first_submit_ms == 0)
        n->first_submit_ms = loop_now_ms();
    n->last_submit_ms = loop_now_ms();
    int known = remember(g->name, a->number, reference, text_hash);
    if (is_part(reference)) {
        n->parts++;
        known |= remember_whole(g, a);
    } else {
        n->messages++;
    }
    n->duplicates_reference += (known & KNOWN_REFERENCE) != 0;
    n->duplicates_text += (known & KNOWN_TEXT) != 0;
    n->duplicates += known != NEW_MESSAGE;
    reports_make(g, c, a);
}

void gateway_answer(struct gateway *g, struct conn *c, int status, const struct buf *body, const char *type)
{
    struct knobs *k = &g->knobs;
    if (share_hits(&k->drop_after)) {
        g->counters.dropped_after++;
        conn_close(c, k->drop_reset != 0);
        return;
    }
    if (share_hits(&k->hang)) {
        g->counters.hung++;
        conn_hang(c);
        return;
    }
    struct buf garbage = {0};
    if (k->status != 0 && k->status_accepts != 0 && share_hits(&k->status_share)) {
        conn_answer(c, (int)k->status, "", "text/plain", &garbage);
    } else if (share_hits(&k->garbage)) {
        buf_add_str(&garbage, "<html>It works!</html>");
        conn_answer(c, 200, "", "text/html", &garbage);
    } else {
        conn_answer(c, status, "", type, body);
    }
    buf_deinit(&garbage);
    conn_answer_later(c, k->answer_delay_ms);
}

void gateway_refuse(struct gateway *g, struct conn *c, const struct answer *a)
{
    struct buf body = {0};
    buf_add_str(&body, a->body);
    gateway_answer(g, c, a->status, &body, a->type);
    buf_deinit(&body);
}
