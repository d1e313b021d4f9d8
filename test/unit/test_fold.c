/* The fold against a simple model, over thousands of random sequences: whatever the order in which steps,
 * claims and flushes come, and however often, the tables end equal (docs/design.md, I4). The tables are
 * arrays here; what the flush does with a fold (callback/apply*.c) is done below in its simplest form. */
#include "callback/fold.h"
#include "table.h"

/* Records and configuration are not const, and nobody writes to these. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

#define MESSAGES 6
#define ATTEMPTS 2
#define TOLD_MAX 256
#define DAY_5    ((int64_t)5 << SMS_ID_DAY_SHIFT)
#define T0       INT64_C(1769847300000)
#define GATEWAYS 2

static struct words *words;

/* ---- the tables ---- */

struct tables {
    struct fold_row rows[MESSAGES]; /* `was` is what stands in the table */
    bool claims[MESSAGES][ATTEMPTS + 1];
    struct map_row maps[TOLD_MAX];
    size_t map_count;
    struct {
        int64_t sms_id, digest;
    } events[TOLD_MAX];
    size_t event_count;
    struct told parked[TOLD_MAX];
    size_t parked_count;
    struct fold_delta stats[TOLD_MAX];
    size_t stat_count;
    int64_t entered; /* sum over stats_minute */
};

static void tables_init(struct tables *t)
{
    *t = (struct tables){0};
    for (int i = 0; i < MESSAGES; i++) {
        int64_t day = i < MESSAGES / 2 ? DAY_5 : DAY_5 + ((int64_t)1 << SMS_ID_DAY_SHIFT);
        t->rows[i] = (struct fold_row){.sms_id = day + i,
                                       .run_id = 1 + i % 2,
                                       .number = 491711234560 + i,
                                       .was = {.changed_at = T0 - 1000}};
        t->rows[i].now = t->rows[i].was;
    }
}

static void keep_events(struct tables *t, const struct fold *f)
{
    for (size_t i = 0; i < f->event_count; i++) {
        bool known = false;
        for (size_t k = 0; k < t->event_count; k++)
            known |= t->events[k].sms_id == f->events[i].sms_id && t->events[k].digest == f->events[i].digest;
        if (known)
            continue;
        t->events[t->event_count].sms_id = f->events[i].sms_id;
        t->events[t->event_count++].digest = f->events[i].digest;
    }
}

static void keep_stats(struct tables *t, const struct fold *f)
{
    for (size_t i = 0; i < f->delta_count; i++) {
        const struct fold_delta *d = &f->deltas[i];
        size_t k = 0;
        assert_int_not_equal(d->count, 0);
        while (k < t->stat_count && !(t->stats[k].run_id == d->run_id && t->stats[k].day == d->day &&
                                      t->stats[k].state == d->state && t->stats[k].gateway == d->gateway &&
                                      t->stats[k].reason == d->reason))
            k++;
        if (k == t->stat_count) {
            t->stats[t->stat_count++] = *d;
            continue;
        }
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
    assert_true(t->parked_count < TOLD_MAX);
    t->parked[t->parked_count++] = *s;
}

/* One round of a flush. */
static void round_of(struct tables *t, struct told *steps, size_t count)
{
    struct fold f = {.steps = steps,
                     .step_count = count,
                     .rows = t->rows,
                     .row_count = MESSAGES,
                     .known = t->maps,
                     .known_count = t->map_count};
    for (size_t i = 0; i < count; i++) {
        struct told *s = &steps[i];
        struct fold_row *row = s->named ? fold_find(t->rows, MESSAGES, s->id.sms_id) : NULL;
        s->fate = TOLD_OPEN;
        if (!s->named)
            s->id = (struct seq_id){0};
        s->claimed = row && s->id.attempt <= ATTEMPTS && t->claims[row - t->rows][s->id.attempt];
    }
    fold_run(&f);
    for (size_t i = f.known_count; i < f.map_count; i++) {
        assert_true(f.maps[i].fresh);
        t->maps[t->map_count] = f.maps[i];
        t->maps[t->map_count++].fresh = false;
    }
    keep_events(t, &f);
    keep_stats(t, &f);
    for (int i = 0; i < MESSAGES; i++) {
        assert_false(fold_higher(&t->rows[i].was, &t->rows[i].now)); /* a row never goes down */
        t->rows[i].was = t->rows[i].now;
        t->rows[i].entered = 0;
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(steps[i].fate, TOLD_OPEN);
        if (steps[i].fate == TOLD_PARKED)
            keep_parked(t, &steps[i]);
    }
    fold_deinit(&f);
}

/* All parked ones are tried; those that are applied are gone. True: one was. */
static bool unpark(struct tables *t)
{
    struct told again[TOLD_MAX];
    size_t count = t->parked_count;
    memcpy(again, t->parked, count * sizeof(*again));
    t->parked_count = 0;
    round_of(t, again, count);
    return t->parked_count < count;
}

static void flush(struct tables *t, const struct told *steps, size_t count)
{
    struct told copy[TOLD_MAX];
    if (count > 0)
        memcpy(copy, steps, count * sizeof(*copy));
    round_of(t, copy, count);
    while (t->parked_count > 0 && unpark(t))
        ;
}

/* ---- the model: the highest of all that was ever told, by a plain loop ---- */

static bool model_higher(const struct fold_stand *a, const struct fold_stand *b)
{
    bool a_open = a->state < STATE_ACCEPTED, b_open = b->state < STATE_ACCEPTED;
    if (a_open && b_open && a->attempt != b->attempt)
        return a->attempt > b->attempt;
    if (a->state != b->state)
        return a->state > b->state;
    return a->changed_at < b->changed_at;
}

static int message_of(const struct tables *t, const struct told *s, const struct told *all, size_t count,
                      int *ret_attempt)
{
    *ret_attempt = s->id.attempt;
    for (int m = 0; m < MESSAGES; m++) {
        if (s->named && t->rows[m].sms_id == s->id.sms_id)
            return m;
    }
    for (size_t i = 0; i < count; i++) { /* the step that brings its id */
        const struct told *o = &all[i];
        if (!o->named || !o->msg_id || o->gateway != s->gateway || strcmp(o->msg_id, s->msg_id) != 0)
            continue;
        int unused, m = message_of(t, o, NULL, 0, &unused);
        if (s->number != 0 && s->number != t->rows[m].number)
            continue;
        *ret_attempt = o->id.attempt;
        return m;
    }
    fail_msg("the model knows no message for id %s", s->msg_id);
    return -1;
}

/* The highest attempt's, of two of one attempt the smaller number. */
static void model_version(struct fold_stand *s, int attempt, int32_t version)
{
    if (version == 0 || (s->version != 0 && attempt < s->version_attempt))
        return;
    if (s->version == 0 || attempt > s->version_attempt || version < s->version)
        s->version = version;
    s->version_attempt = (int16_t)attempt;
}

static void model(const struct told *all, size_t count, struct fold_stand ret[MESSAGES])
{
    struct tables t;
    tables_init(&t);
    for (int m = 0; m < MESSAGES; m++)
        ret[m] = t.rows[m].was;
    for (size_t i = 0; i < count; i++) {
        int attempt, m = message_of(&t, &all[i], all, count, &attempt);
        struct fold_stand s = {.changed_at = all[i].at,
                               .gateway = all[i].gateway->id,
                               .attempt = (int16_t)attempt,
                               .segments = all[i].segments,
                               .state = all[i].state,
                               .reason = all[i].reason->id};
        ret[m].segments = s.segments = MAX_OF(ret[m].segments, s.segments);
        if (all[i].step == STEP_SUBMITTED || all[i].step == STEP_ACCEPTED ||
            (all[i].step == STEP_STATUS && s.state < 0)) {
            s.state = all[i].step == STEP_SUBMITTED ? STATE_SUBMITTED : STATE_ACCEPTED;
            s.reason = 0;
        }
        if (s.state >= 0 && model_higher(&s, &ret[m])) {
            s.version = ret[m].version;
            s.version_attempt = ret[m].version_attempt;
            ret[m] = s;
        }
        model_version(&ret[m], attempt, all[i].version->id);
    }
}

/* ---- sequences ---- */

static unsigned seed;

static int dice(int sides)
{
    return (int)((unsigned)rand_r(&seed) >> 3) % sides;
}

struct sequence {
    struct told steps[TOLD_MAX];
    size_t count;
    struct arena arena;
};

static struct told *add(struct sequence *q, struct step_record r)
{
    static const struct told_rules rules = {.now_ms = T0, .keep_days = 10000};
    assert_true(q->count < TOLD_MAX);
    struct told *t = &q->steps[q->count++];
    r.at = T0 + (int64_t)q->count *
                    37; /* all different: a tie of two times is settled by numbers the model does not know */
    const char *wrong = told_from_record(&r, &rules, words, &q->arena, t);
    if (wrong)
        fail_msg("%s", wrong);
    t->gateway->id = t->gateway->text[0] ? 10 + t->gateway->text[0] : 0;
    t->version->id = t->version->text[0] ? 1000 + t->version->text[0] : 0;
    t->reason->id = t->reason->text[0] ? 100 + t->reason->text[0] * 7 + t->reason->text[1] : 0;
    return t;
}

struct attempt { /* of one message, about which something is told */
    const struct fold_row *row;
    char gateway[2], seq_id[SEQ_ID_SIZE], msg_id[32];
    bool shared_id, accepted, named;
};

/* By id or by reference, a final state or progress; an id that no answer brought is brought by a reference.
 */
static void tell_report(struct sequence *q, struct attempt *a)
{
    static const char *const words_of[] = {"delivered", "undelivered", "expired", "rejected"};
    const char *word = words_of[dice(4)];
    struct step_record s = {.step = STEP_STATUS,
                            .gateway = a->gateway,
                            .number = a->shared_id || dice(2) ? a->row->number : 0,
                            .msg_id = a->msg_id,
                            .state = word,
                            .reason = word,
                            .gateway_at = T0 + dice(3)};
    if (dice(5) == 0) {
        s.state = NULL;
        s.reason = "progress";
    }
    if (dice(3) == 0 || (!a->accepted && !a->named)) {
        s.seq_id = a->seq_id;
        a->named = true;
    }
    if (s.seq_id && dice(2) && a->accepted)
        s.msg_id = NULL;
    add(q, s);
}

/* The last attempt goes its way: accepted, or in doubt, or both; then reports. */
static void tell_end(struct sequence *q, struct attempt *a)
{
    struct step_record r = {.gateway = a->gateway, .number = a->row->number, .seq_id = a->seq_id};
    bool doubt = dice(4) == 0;
    a->accepted = dice(4) != 0;
    if (a->accepted) {
        r.step = STEP_ACCEPTED;
        r.msg_id = a->msg_id;
        add(q, r);
    }
    r.step = STEP_OUTCOME;
    r.msg_id = NULL;
    if (doubt || !a->accepted) {
        r.state = "in_doubt";
        r.reason = "timeout";
        add(q, r);
    }
    for (int reports = dice(4); reports > 0; reports--)
        tell_report(q, a);
    if (dice(8) == 0) {
        r.state = "unknown";
        r.reason = "no_report";
        r.origin = "sweep";
        add(q, r);
    }
}

/* Copies of a message may have been rendered with different versions, and not every step names one. */
static char *a_version(void)
{
    static char versions[][2] = {"", "a", "b", "c"};
    return versions[dice(4)];
}

/* What may be told of one message: each attempt but the last one is a refusal to be tried again. */
static void tell_message(struct sequence *q, const struct fold_row *row, int m, bool shared_id)
{
    struct attempt a = {.row = row, .gateway = {(char)('a' + m % GATEWAYS)}, .shared_id = shared_id};
    int attempts = 1 + dice(ATTEMPTS);
    snprintf(a.msg_id, sizeof(a.msg_id), "id-%d", shared_id ? m % GATEWAYS : m);
    for (int n = 1; n <= attempts; n++) {
        seq_id_format(&(struct seq_id){row->sms_id, 1, n}, a.seq_id);
        struct step_record r = {.step = STEP_SUBMITTED,
                                .gateway = a.gateway,
                                .number = row->number,
                                .seq_id = a.seq_id,
                                .segments = 1 + dice(3),
                                .version = a_version()};
        add(q, r);
        if (n == attempts) {
            tell_end(q, &a);
            continue;
        }
        r.version = a_version();
        r.step = STEP_OUTCOME;
        r.reason = "throttled";
        add(q, r);
    }
}

static void make_sequence(struct sequence *q)
{
    struct tables t;
    tables_init(&t);
    *q = (struct sequence){0};
    bool shared = dice(2);
    for (int m = 0; m < MESSAGES; m++) {
        if (dice(10) > 0)
            tell_message(q, &t.rows[m], m, shared);
    }
    char seq_id[SEQ_ID_SIZE]; /* and one that never had an attempt */
    struct step_record r = {.step = STEP_OUTCOME,
                            .state = "render_error",
                            .reason = "missing_column",
                            .version = (char[]){"c"},
                            .seq_id = seq_id_format(&(struct seq_id){t.rows[0].sms_id, 1, 0}, seq_id)};
    if (dice(6) == 0)
        add(q, r);
}

static void shuffle(struct told *steps, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t k = (size_t)dice((int)i);
        struct told swap = steps[i - 1];
        steps[i - 1] = steps[k];
        steps[k] = swap;
    }
}

static void all_claims(struct tables *t)
{
    for (int m = 0; m < MESSAGES; m++) {
        for (int a = 1; a <= ATTEMPTS; a++)
            t->claims[m][a] = true;
    }
}

/* Flushes of random sizes, some of them done twice; claims come late in some runs. */
static void play(struct tables *t, const struct told *steps, size_t count, bool claims_late)
{
    tables_init(t);
    if (!claims_late)
        all_claims(t);
    for (size_t from = 0, n; from < count; from += n) {
        size_t wanted = 1 + (size_t)dice(12);
        n = MIN_OF(wanted, count - from);
        flush(t, steps + from, n);
        if (dice(4) == 0)
            flush(t, steps + from, n);
        if (claims_late && dice(3) == 0)
            t->claims[dice(MESSAGES)][1 + dice(ATTEMPTS)] = true;
        if (dice(10) == 0)
            flush(t, steps, MIN_OF(from + n, count)); /* a lost ack: everything from the start comes again */
    }
    all_claims(t);
    flush(t, NULL, 0);
}

static int64_t stats_of(const struct tables *t, int64_t run_id, int state)
{
    int64_t sum = 0;
    for (size_t i = 0; i < t->stat_count; i++)
        sum += t->stats[i].run_id == run_id && t->stats[i].state == state ? t->stats[i].count : 0;
    return sum;
}

static void check_stats(const struct tables *t)
{
    int64_t sum = 0, moved = 0;
    for (size_t i = 0; i < t->stat_count; i++) {
        const struct fold_delta *d = &t->stats[i];
        int64_t rows = 0;
        for (int m = 0; m < MESSAGES; m++)
            rows += t->rows[m].was.state == d->state && t->rows[m].was.gateway == d->gateway &&
                    t->rows[m].was.reason == d->reason && t->rows[m].run_id == d->run_id &&
                    sms_id_day(t->rows[m].sms_id) == d->day;
        assert_int_equal(d->count, rows);
        sum += d->count;
    }
    for (int m = 0; m < MESSAGES; m++)
        moved += t->rows[m].was.state != STATE_QUEUED;
    assert_int_equal(sum, moved);
    assert_int_equal(stats_of(t, 1, STATE_QUEUED), 0);
}

static void check(const struct tables *t, const struct sequence *q, const struct tables *first)
{
    struct fold_stand wanted[MESSAGES];
    model(q->steps, q->count, wanted);
    assert_int_equal(t->parked_count, 0);
    for (int m = 0; m < MESSAGES; m++) {
        if (!fold_stand_same(&t->rows[m].was, &wanted[m]))
            fail_msg("message %d: state %d attempt %d reason %d at %lld, the model says %d %d %d %lld", m,
                     t->rows[m].was.state, t->rows[m].was.attempt, t->rows[m].was.reason,
                     (long long)t->rows[m].was.changed_at, wanted[m].state, wanted[m].attempt,
                     wanted[m].reason, (long long)wanted[m].changed_at);
    }
    check_stats(t);
    assert_int_equal(t->event_count, first->event_count);
    assert_int_equal(t->map_count, first->map_count);
    for (size_t i = 0; i < t->event_count; i++) {
        bool found = false;
        for (size_t k = 0; k < first->event_count; k++)
            found |= t->events[i].sms_id == first->events[k].sms_id &&
                     t->events[i].digest == first->events[k].digest;
        assert_true(found);
    }
}

static void any_order_any_flushes(void **state)
{
    static struct tables first, t;
    for (unsigned round = 0; round < 3000; round++) {
        struct sequence q;
        struct told order[TOLD_MAX];
        seed = round * 7919 + 1;
        make_sequence(&q);
        play(&first, q.steps, q.count, false);
        check(&first, &q, &first);
        for (int order_of = 0; order_of < 3; order_of++) {
            memcpy(order, q.steps, q.count * sizeof(*order));
            shuffle(order, q.count);
            play(&t, order, q.count, order_of == 2);
            check(&t, &q, &first);
        }
        arena_deinit(&q.arena);
    }
}

/* A replay changes no counter, not even those of the minutes. */
static void replay_counts_nothing(void **state)
{
    static struct tables t;
    for (unsigned round = 0; round < 300; round++) {
        struct sequence q;
        seed = round + 99;
        make_sequence(&q);
        tables_init(&t);
        all_claims(&t);
        flush(&t, q.steps, q.count);
        int64_t entered = t.entered;
        size_t events = t.event_count, maps = t.map_count;
        for (int i = 0; i < 3; i++) {
            shuffle(q.steps, q.count);
            flush(&t, q.steps, q.count);
        }
        assert_int_equal(t.entered, entered);
        assert_int_equal(t.event_count, events);
        assert_int_equal(t.map_count, maps);
        arena_deinit(&q.arena);
    }
}

/* ---- single facts ---- */

static struct told *named(struct sequence *q, int step, const char *state, int attempt, const char *msg_id)
{
    char seq_id[SEQ_ID_SIZE];
    struct step_record r = {.step = step,
                            .gateway = "a",
                            .number = 491711234560,
                            .state = (char *)(uintptr_t)state,
                            .msg_id = (char *)(uintptr_t)msg_id,
                            .reason = state ? "why" : NULL,
                            .seq_id = seq_id_format(&(struct seq_id){DAY_5, 1, attempt}, seq_id)};
    return add(q, r);
}

static void report_before_answer_waits(void **state)
{
    struct tables t;
    struct sequence q = {0};
    struct step_record r = {.step = STEP_STATUS,
                            .gateway = "a",
                            .number = 491711234560,
                            .msg_id = "7",
                            .state = "delivered",
                            .reason = "OK"};
    tables_init(&t);
    all_claims(&t);
    add(&q, r);
    flush(&t, q.steps, 1);
    flush(&t, q.steps, 1); /* delivered twice, waits once */
    assert_int_equal(t.parked_count, 1);
    assert_int_equal(t.event_count, 0);
    named(&q, STEP_ACCEPTED, NULL, 1, "7");
    flush(&t, q.steps + 1, 1);
    assert_int_equal(t.parked_count, 0);
    assert_int_equal(t.rows[0].was.state, STATE_DELIVERED);
    arena_deinit(&q.arena);
}

static void no_claim_no_step(void **state)
{
    struct tables t;
    struct sequence q = {0};
    tables_init(&t);
    named(&q, STEP_SUBMITTED, NULL, 1, NULL);
    named(&q, STEP_ACCEPTED, NULL, 1, "7");
    flush(&t, q.steps, 2);
    assert_int_equal(t.parked_count, 2);
    assert_int_equal(t.map_count, 0);
    assert_int_equal(t.rows[0].was.state, STATE_QUEUED);
    t.claims[0][1] = true;
    flush(&t, NULL, 0);
    assert_int_equal(t.parked_count, 0);
    assert_int_equal(t.rows[0].was.state, STATE_ACCEPTED);
    arena_deinit(&q.arena);
}

static void reference_settles_doubt(void **state)
{
    struct tables t;
    struct sequence q = {0};
    tables_init(&t);
    all_claims(&t);
    named(&q, STEP_OUTCOME, "in_doubt", 1, NULL);
    named(&q, STEP_STATUS, "delivered", 1, "7");
    flush(&t, q.steps, 1);
    assert_int_equal(t.rows[0].was.state, STATE_IN_DOUBT);
    flush(&t, q.steps + 1, 1);
    assert_int_equal(t.rows[0].was.state, STATE_DELIVERED);
    assert_int_equal(t.map_count, 1); /* later reports by that id find it */
    assert_string_equal(t.maps[0].msg_id, "7");
    assert_int_equal(stats_of(&t, 1, STATE_IN_DOUBT), 0);
    assert_int_equal(stats_of(&t, 1, STATE_DELIVERED), 1);
    arena_deinit(&q.arena);
}

static void states_on_the_way_count_as_entered(void **state)
{
    struct tables together, apart;
    struct sequence q = {0};
    named(&q, STEP_SUBMITTED, NULL, 1, NULL);
    named(&q, STEP_ACCEPTED, NULL, 1, "7");
    named(&q, STEP_STATUS, "delivered", 1, NULL);
    tables_init(&together);
    all_claims(&together);
    flush(&together, q.steps, 3);
    tables_init(&apart);
    all_claims(&apart);
    for (size_t i = 0; i < 3; i++)
        flush(&apart, q.steps + i, 1);
    assert_int_equal(together.entered, 3);
    assert_int_equal(apart.entered, 3);
    arena_deinit(&q.arena);
}

static int setup(void **state)
{
    words = words_new();
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
        cmocka_unit_test(any_order_any_flushes),      cmocka_unit_test(replay_counts_nothing),
        cmocka_unit_test(report_before_answer_waits), cmocka_unit_test(no_claim_no_step),
        cmocka_unit_test(reference_settles_doubt),    cmocka_unit_test(states_on_the_way_count_as_entered),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
