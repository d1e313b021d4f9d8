/* Messages in several parts, folded in any order, any flushes and any number of times, against a simple
 * model: the highest of what was told of each segment, and the message by the rules of docs/design.md
 * ("Messages in parts"). A table of stands says the same rules case by case. */
#include "callback/fold.h"
#include "table.h"

/* Records are not const, and nobody writes to these. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

#define MESSAGES 4
#define PARTS    4
#define ATTEMPTS 4
#define TOLD_MAX 400
#define DAY_5    ((int64_t)5 << SMS_ID_DAY_SHIFT)
#define T0       INT64_C(1769847300000)
#define REASONS  40000 /* partial words' numbers are so much higher */

static struct words *words;
static unsigned seed;

static int dice(int sides)
{
    return (int)((unsigned)rand_r(&seed) >> 3) % sides;
}

/* ---- what is told ---- */

struct sequence {
    struct told steps[TOLD_MAX];
    size_t count;
    int16_t parts[MESSAGES][PARTS + 1][ATTEMPTS + 1]; /* of each claim; 0: there is none */
    struct arena arena;
};

static int64_t sms_id_of(int m)
{
    return DAY_5 + m;
}

static void add(struct sequence *q, int m, int segment, int attempt, struct step_record r)
{
    static const struct told_rules rules = {.now_ms = T0, .keep_days = 10000};
    char seq_id[SEQ_ID_SIZE];
    assert_true(q->count < TOLD_MAX);
    struct told *t = &q->steps[q->count++];
    r.gateway = "g";
    r.number = 491711234560 + m;
    r.at = T0 + (int64_t)q->count * 37; /* all different */
    if (segment > 0)
        r.seq_id = seq_id_format(&(struct seq_id){sms_id_of(m), segment, attempt}, seq_id);
    if (r.seq_id && r.step != STEP_STATUS && q->parts[m][segment][attempt] > 1)
        r.parts = q->parts[m][segment][attempt];
    const char *wrong = told_from_record(&r, &rules, words, &q->arena, t);
    if (wrong)
        fail_msg("%s", wrong);
    t->gateway->id = 7;
    t->reason->id = t->reason->text[0] ? 100 + t->reason->text[0] * 7 + t->reason->text[1] : 0;
}

/* All segments are claimed together; what is told of it leaves them open. */
static void cut(struct sequence *q, int m, int parts, int attempts[PARTS + 1])
{
    for (int s = 1; s <= parts; s++) {
        q->parts[m][s][++attempts[s]] = (int16_t)parts;
        if (dice(5) > 0 || s == 1)
            add(q, m, s, attempts[s], (struct step_record){.step = STEP_SUBMITTED, .segments = parts});
        if (dice(4) == 0)
            add(q, m, s, attempts[s], (struct step_record){.step = STEP_OUTCOME, .reason = "throttled"});
    }
}

static void retry(struct sequence *q, int m, int s, int parts, int attempts[PARTS + 1])
{
    add(q, m, s, attempts[s], (struct step_record){.step = STEP_OUTCOME, .reason = "busy"});
    q->parts[m][s][++attempts[s]] = (int16_t)parts;
    add(q, m, s, attempts[s], (struct step_record){.step = STEP_SUBMITTED, .segments = parts});
}

static void reports(struct sequence *q, int m, int s, int attempt, char *msg_id)
{
    static const char *const words_of[] = {"delivered",   "delivered", "delivered",
                                           "undelivered", "expired",   "rejected"};
    for (int n = dice(3); n > 0; n--) {
        const char *word = words_of[dice(6)];
        struct step_record r = {.step = STEP_STATUS, .state = word, .reason = word, .msg_id = msg_id};
        if (dice(6) == 0)
            r.state = NULL;
        bool named = dice(3) == 0;
        add(q, m, named ? s : 0, attempt, r);
    }
    if (dice(8) == 0)
        add(q, m, s, attempt,
            (struct step_record){
                .step = STEP_OUTCOME, .state = "unknown", .reason = "no_report", .origin = "sweep"});
}

static void end_of(struct sequence *q, int m, int s, int attempt)
{
    char msg_id[32];
    snprintf(msg_id, sizeof(msg_id), "id-%d-%d", m, s);
    switch (dice(9)) {
    case 0:
        add(q, m, s, attempt,
            (struct step_record){.step = STEP_OUTCOME, .state = "in_doubt", .reason = "timeout"});
        return;
    case 1:
        add(q, m, s, attempt,
            (struct step_record){.step = STEP_OUTCOME, .state = "rejected", .reason = "no_route"});
        return;
    case 2:
        add(q, m, s, attempt,
            (struct step_record){.step = STEP_OUTCOME, .state = "stale", .reason = "valid_for"});
        return;
    case 3: /* nothing is told yet */
        return;
    default:
        add(q, m, s, attempt, (struct step_record){.step = STEP_ACCEPTED, .msg_id = msg_id});
        reports(q, m, s, attempt, msg_id);
    }
}

/* Sometimes cut anew before anything has left; then each segment goes its way. */
static void make_sequence(struct sequence *q)
{
    *q = (struct sequence){0};
    for (int m = 0; m < MESSAGES; m++) {
        int attempts[PARTS + 1] = {0}, parts = 1 + dice(PARTS);
        if (dice(8) == 0)
            continue;
        cut(q, m, parts, attempts);
        if (dice(3) == 0) {
            parts = 1 + dice(PARTS);
            cut(q, m, parts, attempts);
        }
        for (int s = 1; s <= parts; s++) {
            if (dice(4) == 0)
                retry(q, m, s, parts, attempts);
            end_of(q, m, s, attempts[s]);
        }
    }
}

/* ---- the tables ---- */

struct tables {
    struct fold_row rows[MESSAGES];
    struct fold_stored stored[MESSAGES * PARTS];
    size_t stored_count;
    bool claims[MESSAGES][PARTS + 1][ATTEMPTS + 1];
    struct map_row maps[TOLD_MAX];
    size_t map_count;
    struct told parked[TOLD_MAX];
    size_t parked_count;
    struct fold_delta stats[TOLD_MAX];
    size_t stat_count;
    int64_t entered;
};

static struct fold_partial partials[REASONS];

static void tables_init(struct tables *t)
{
    *t = (struct tables){0};
    for (int m = 0; m < MESSAGES; m++)
        t->rows[m] = (struct fold_row){.sms_id = sms_id_of(m),
                                       .run_id = 1,
                                       .number = 491711234560 + m,
                                       .was = {.changed_at = T0 - 1000, .parts = 1},
                                       .now = {.changed_at = T0 - 1000, .parts = 1}};
}

static void keep_segment(struct tables *t, int64_t sms_id, int segment, const struct fold_stand *stand)
{
    size_t i = 0;
    while (i < t->stored_count && !(t->stored[i].sms_id == sms_id && t->stored[i].segment == segment))
        i++;
    t->stored[i] = (struct fold_stored){.sms_id = sms_id, .segment = (int16_t)segment, .stand = *stand};
    t->stored_count += i == t->stored_count;
}

static void keep_rows(struct tables *t, const struct fold *f)
{
    for (int m = 0; m < MESSAGES; m++) {
        struct fold_row *row = &t->rows[m];
        for (int s = 0; row->segmented && s < row->segment_count; s++) {
            if (fold_segment_is_stored(f, row, s))
                keep_segment(t, row->sms_id, s + 1, &f->segments[row->segment_first + (size_t)s].now);
        }
        row->was = row->now;
        row->entered = 0;
    }
    for (size_t i = 0; i < f->delta_count; i++) {
        const struct fold_delta *d = &f->deltas[i];
        size_t k = 0;
        while (k < t->stat_count && !(t->stats[k].state == d->state && t->stats[k].reason == d->reason))
            k++;
        if (k == t->stat_count)
            t->stats[t->stat_count++] = (struct fold_delta){.state = d->state, .reason = d->reason};
        t->stats[k].count += d->count;
    }
    for (size_t i = 0; i < f->minute_count; i++)
        t->entered += f->minutes[i].count;
}

static void keep_parked(struct tables *t, const struct told *s)
{
    for (size_t k = 0; k < t->parked_count; k++) {
        if (told_park_digest(&t->parked[k]) == told_park_digest(s))
            return;
    }
    t->parked[t->parked_count++] = *s;
}

static void round_of(struct tables *t, const struct sequence *q, struct told *steps, size_t count)
{
    static struct fold_stored wanted[MESSAGES * PARTS];
    struct fold f = {.steps = steps,
                     .step_count = count,
                     .rows = t->rows,
                     .row_count = MESSAGES,
                     .known = t->maps,
                     .known_count = t->map_count,
                     .stored = wanted,
                     .partials = partials,
                     .partial_count = REASONS};
    for (size_t i = 0; i < count; i++) {
        struct told *s = &steps[i];
        s->fate = TOLD_OPEN;
        if (!s->named) {
            s->id = (struct seq_id){0};
            continue;
        }
        int m = (int)(s->id.sms_id - DAY_5);
        s->claimed = t->claims[m][s->id.segment][s->id.attempt];
        if (s->step == STEP_STATUS) /* as the claim says */
            s->parts = q->parts[m][s->id.segment][s->id.attempt];
    }
    fold_mark_segmented(t->rows, MESSAGES, steps, count, t->maps, t->map_count);
    for (size_t i = 0; i < t->stored_count; i++) { /* only of rows that are marked */
        if (fold_find(t->rows, MESSAGES, t->stored[i].sms_id)->segmented)
            wanted[f.stored_count++] = t->stored[i];
    }
    fold_run(&f);
    for (size_t i = f.known_count; i < f.map_count; i++) {
        t->maps[t->map_count] = f.maps[i];
        t->maps[t->map_count++].fresh = false;
    }
    keep_rows(t, &f);
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(steps[i].fate, TOLD_OPEN);
        if (steps[i].fate == TOLD_PARKED)
            keep_parked(t, &steps[i]);
    }
    fold_deinit(&f);
}

static void flush(struct tables *t, const struct sequence *q, const struct told *steps, size_t count)
{
    static struct told copy[TOLD_MAX];
    if (count > 0)
        memcpy(copy, steps, count * sizeof(*copy));
    round_of(t, q, copy, count);
    for (size_t before = SIZE_MAX; t->parked_count > 0 && t->parked_count < before;) {
        before = t->parked_count;
        memcpy(copy, t->parked, before * sizeof(*copy));
        t->parked_count = 0;
        round_of(t, q, copy, before);
    }
}

static void claim_all(struct tables *t, const struct sequence *q, int every)
{
    for (int m = 0; m < MESSAGES; m++)
        for (int s = 1; s <= PARTS; s++)
            for (int a = 1; a <= ATTEMPTS; a++)
                if (q->parts[m][s][a] > 0 && (every == 1 || dice(every) == 0))
                    t->claims[m][s][a] = true;
}

static void play(struct tables *t, const struct sequence *q, const struct told *steps, bool claims_late)
{
    tables_init(t);
    claim_all(t, q, claims_late ? 5 : 1);
    for (size_t from = 0, n; from < q->count; from += n) {
        size_t wanted = 1 + (size_t)dice(9);
        n = MIN_OF(wanted, q->count - from);
        flush(t, q, steps + from, n);
        if (dice(4) == 0)
            flush(t, q, steps + from, n);
        if (claims_late)
            claim_all(t, q, 6);
        if (dice(12) == 0)
            flush(t, q, steps, from + n); /* a lost ack: everything from the start comes again */
    }
    claim_all(t, q, 1);
    flush(t, q, NULL, 0);
}

/* ---- the model ---- */

static bool model_higher(const struct fold_stand *a, const struct fold_stand *b)
{
    bool open = a->state < STATE_ACCEPTED && b->state < STATE_ACCEPTED;
    if (open && a->attempt != b->attempt)
        return a->attempt > b->attempt;
    return a->state != b->state ? a->state > b->state : a->changed_at < b->changed_at;
}

static bool is_one_of(int state, const int *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == state)
            return true;
    }
    return false;
}

#define IS_ONE_OF(state, ...)                                                                                \
    is_one_of(state, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* s[1] to s[parts]; state 0: nothing was told of it. */
static struct fold_stand model_message(const struct fold_stand *s, int parts)
{
    struct fold_stand best = {0};
    bool sent = false, good = false, failed = false, missing = false;
    for (int i = 1; i <= parts; i++) {
        sent |= IS_ONE_OF(s[i].state, 20, 30, 50, 60, 70, 80, 90);
        good |= IS_ONE_OF(s[i].state, 30, 50, 90);
        missing |= s[i].state == 0;
    }
    for (int i = 1; i <= parts; i++) {
        struct fold_stand x = s[i];
        if (sent && IS_ONE_OF(x.state, 40, 41, 42, 43))
            x.state = 80;
        if (!IS_ONE_OF(x.state, 60, 70, 80))
            continue;
        if (!failed || x.state > best.state || (x.state == best.state && x.changed_at < best.changed_at))
            best = x;
        failed = true;
    }
    if (failed) {
        best.reason += good ? REASONS : 0;
        return best;
    }
    for (int i = 1; i <= parts; i++) {
        if (s[i].state != 0 && (best.state == 0 || s[i].state < best.state ||
                                (s[i].state == best.state && s[i].changed_at > best.changed_at)))
            best = s[i];
    }
    if (missing && best.state > 10) {
        best.state = 10;
        best.reason = 0;
    }
    return best;
}

static int segment_of(const struct sequence *q, const struct told *t, int *ret_attempt)
{
    *ret_attempt = t->id.attempt;
    if (t->named)
        return t->id.segment;
    for (size_t i = 0; i < q->count; i++) { /* the answer that brought its id */
        const struct told *o = &q->steps[i];
        if (o->step == STEP_ACCEPTED && strcmp(o->msg_id, t->msg_id) == 0) {
            *ret_attempt = o->id.attempt;
            return o->id.segment;
        }
    }
    fail_msg("the model knows no segment for id %s", t->msg_id);
    return 0;
}

static void model(const struct sequence *q, int m, struct fold_stand *ret)
{
    struct fold_stand s[PARTS + 1] = {0};
    int highest = 0, parts = 1, segments = 0;
    for (size_t i = 0; i < q->count; i++) {
        const struct told *t = &q->steps[i];
        int attempt, segment;
        if (t->number != 491711234560 + m)
            continue;
        segment = segment_of(q, t, &attempt);
        struct fold_stand x = {.changed_at = t->at,
                               .gateway = 7,
                               .attempt = (int16_t)attempt,
                               .state = t->state,
                               .reason = t->reason->id};
        segments = MAX_OF(segments, t->segments);
        if (t->step == STEP_SUBMITTED || t->step == STEP_ACCEPTED ||
            (t->step == STEP_STATUS && t->state < 0)) {
            x.state = t->step == STEP_SUBMITTED ? STATE_SUBMITTED : STATE_ACCEPTED;
            x.reason = 0;
        }
        if (x.state < 0)
            continue;
        if (model_higher(&x, &s[segment]))
            s[segment] = x;
        if (segment == 1 && attempt >= highest) {
            highest = attempt;
            parts = q->parts[m][1][attempt];
        }
    }
    *ret = model_message(s, parts);
    ret->parts = (int16_t)parts;
    ret->segments = (int16_t)segments;
}

static void check(const struct tables *t, const struct sequence *q)
{
    int64_t in_stats = 0, moved = 0;
    assert_int_equal(t->parked_count, 0);
    for (int m = 0; m < MESSAGES; m++) {
        struct fold_stand is = t->rows[m].was, wanted;
        model(q, m, &wanted);
        if (wanted.state == STATE_QUEUED)
            wanted.changed_at = T0 - 1000;
        if (!fold_stand_same(&is, &wanted))
            fail_msg(
                "message %d: state %d attempt %d reason %d parts %d at %lld, the model says %d %d %d %d %lld",
                m, is.state, is.attempt, is.reason, is.parts, (long long)(is.changed_at - T0), wanted.state,
                wanted.attempt, wanted.reason, wanted.parts, (long long)(wanted.changed_at - T0));
        moved += is.state != STATE_QUEUED;
    }
    for (size_t i = 0; i < t->stat_count; i++) {
        int64_t rows = 0;
        for (int m = 0; m < MESSAGES; m++)
            rows += t->rows[m].was.state == t->stats[i].state && t->rows[m].was.reason == t->stats[i].reason;
        assert_int_equal(t->stats[i].count, rows);
        in_stats += rows;
    }
    assert_int_equal(in_stats, moved);
}

static void any_order_any_flushes(void **state)
{
    static struct tables t;
    static struct sequence q;
    static struct told order[TOLD_MAX];
    int states[100] = {0}, partial = 0;
    for (unsigned round = 0; round < 4000; round++) {
        seed = round * 7919 + 3;
        make_sequence(&q);
        memcpy(order, q.steps, q.count * sizeof(*order));
        for (int order_of = 0; order_of < 4; order_of++) {
            play(&t, &q, order, order_of == 3);
            check(&t, &q);
            for (size_t i = q.count; i > 1; i--) {
                size_t k = (size_t)dice((int)i);
                struct told swap = order[i - 1];
                order[i - 1] = order[k];
                order[k] = swap;
            }
        }
        for (int m = 0; m < MESSAGES; m++) {
            states[t.rows[m].was.state]++;
            partial += t.rows[m].was.reason > REASONS;
        }
        int64_t entered = t.entered;
        flush(&t, &q, order, q.count); /* a replay counts nothing */
        assert_int_equal(t.entered, entered);
        arena_deinit(&q.arena);
    }
    for (int s = 0; s <= 90; s += 10) /* the sequences reach all that matters */
        assert_true(states[s] > 20);
    assert_true(partial > 200 && states[STATE_STALE] > 0);
}

/* ---- the rules, case by case ---- */

static void the_message_of_its_segments(void **state)
{
    static const struct {
        int16_t of[3], is;
        int decides; /* the segment; 0: any */
        bool partial;
    } cases[] = {
        {{10, 0, 0}, STATE_SUBMITTED, 1, false},   {{90, 0, 0}, STATE_SUBMITTED, 1, false},
        {{30, 30, 0}, STATE_SUBMITTED, 2, false},  {{30, 30, 30}, STATE_ACCEPTED, 3, false},
        {{30, 20, 30}, STATE_IN_DOUBT, 2, false},  {{10, 20, 30}, STATE_SUBMITTED, 1, false},
        {{90, 90, 30}, STATE_ACCEPTED, 3, false},  {{90, 50, 90}, STATE_UNKNOWN, 2, false},
        {{90, 90, 90}, STATE_DELIVERED, 3, false}, {{90, 80, 90}, STATE_UNDELIVERED, 2, true},
        {{80, 0, 0}, STATE_UNDELIVERED, 1, false}, {{70, 10, 30}, STATE_REJECTED, 1, true},
        {{70, 20, 10}, STATE_REJECTED, 1, false},  {{60, 70, 80}, STATE_UNDELIVERED, 3, false},
        {{60, 60, 70}, STATE_REJECTED, 3, false},  {{60, 90, 60}, STATE_EXPIRED, 1, true},
        {{40, 40, 40}, STATE_STALE, 3, false},     {{41, 40, 41}, STATE_STALE, 2, false},
        {{40, 10, 0}, STATE_SUBMITTED, 2, false},  {{40, 40, 0}, STATE_SUBMITTED, 2, false},
        {{40, 30, 0}, STATE_UNDELIVERED, 1, true}, {{90, 42, 20}, STATE_UNDELIVERED, 2, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fold_segment s[3] = {0};
        bool partial;
        for (int k = 0; k < 3; k++)
            s[k].now = (struct fold_stand){
                .state = cases[i].of[k], .changed_at = T0 + k, .attempt = (int16_t)(k + 1), .gateway = k + 1};
        struct fold_stand m = fold_of_segments(s, 3, &partial);
        if (m.state != cases[i].is || partial != cases[i].partial || m.attempt != cases[i].decides ||
            m.gateway != cases[i].decides || m.changed_at != T0 + cases[i].decides - 1)
            fail_msg("case %zu: state %d, decided by segment %d, %s", i, m.state, m.attempt,
                     partial ? "partial" : "not partial");
    }
}

static int setup(void **state)
{
    words = words_new();
    for (int i = 0; i < REASONS; i++)
        partials[i] = (struct fold_partial){.reason = i, .partial = i + REASONS};
    return 0;
}

static int teardown(void **state)
{
    words_free(words);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_of_its_segments),
        cmocka_unit_test(any_order_any_flushes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
