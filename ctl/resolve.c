/* smschain resolve: what is in doubt, and a person's word on one of them. The word goes the way of every
 * step, by the update queue, so that the projection keeps its one writer; it sends nothing and permits no
 * sending. */
#include "ctl/ctl.h"
#include "in_doubt_days.sql.h"
#include "in_doubt_list.sql.h"
#include "lib/clock.h"
#include "lib/number.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include "lib/state.h"
#include "message_state.sql.h"
#include <stdio.h>

static void print_one(const struct db_result *r, int i, bool json)
{
    char number[NUMBER_SIZE], since[CLOCK_ISO_SIZE];
    number_mask(db_big(r, i, 3), number);
    clock_iso(db_time_ms(r, i, 4), since);
    printf(json ? "{\"sms_id\":%s,\"seq_id\":\"%s\",\"gateway\":\"%s\",\"number\":\"%s\",\"since\":\"%s\","
                  "\"rule\":\"%s\"}\n"
                : "%s %-24s %-16s %-16s %s %s\n",
           db_text(r, i, 0), db_text(r, i, 1), db_text(r, i, 2), number, since, db_text(r, i, 5));
}

/* Day by day, so that only the partitions that hold some are read. */
static int list(struct ctl *c, bool json)
{
    auto_result days = NULL;
    int found = 0;
    int code = ctl_sql(c, &sql_in_doubt_days, NULL, &days);
    for (int d = 0; code == 0 && d < db_rows(days); d++) {
        auto_params p = db_params_new();
        auto_result r = NULL;
        int day = (int)db_big(days, d, 0);
        db_add_big(p, sms_id_day_first(day));
        db_add_big(p, sms_id_day_first(day + 1));
        code = ctl_sql(c, &sql_in_doubt_list, p, &r);
        for (int i = 0; code == 0 && i < db_rows(r); i++) {
            if (found++ == 0 && !json)
                printf("%-16s %-24s %-16s %-16s %-24s %s\n", "sms_id", "seq_id", "gateway", "number", "since",
                       "rule");
            print_one(r, i, json);
        }
    }
    if (code != 0)
        return code;
    if (found == 0 && !json)
        printf("nothing is in doubt\n");
    return found > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static int find_in_doubt(struct ctl *c, const struct seq_id *id, struct db_result **ret)
{
    auto_params p = db_params_new();
    db_add_big(p, id->sms_id);
    db_add_int(p, id->segment);
    int code = ctl_sql(c, &sql_message_state, p, ret);
    if (code != 0)
        return code;
    if (db_rows(*ret) == 0)
        return ctl_fail(EXIT_REFUSED, "no message %lld", (long long)id->sms_id);
    if (db_is_null(*ret, 0, 0) && id->segment > db_big(*ret, 0, 4))
        return ctl_fail(EXIT_REFUSED, "message %lld has no segment %d but %s", (long long)id->sms_id,
                        id->segment, db_text(*ret, 0, 4));
    auto_free char *what = db_big(*ret, 0, 4) > 1
                               ? xasprintf("segment %d of message %lld", id->segment, (long long)id->sms_id)
                               : xasprintf("message %lld", (long long)id->sms_id);
    enum state s = (enum state)db_big(*ret, 0, 0); /* null: nothing was told of it */
    if (s != STATE_IN_DOUBT)
        return ctl_fail(EXIT_REFUSED, "%s is not in doubt but %s", what, state_word(s));
    if (db_big(*ret, 0, 1) != id->attempt)
        return ctl_fail(EXIT_REFUSED, "in doubt is attempt %s of %s", db_text(*ret, 0, 1), what);
    return 0;
}

static int settle(struct ctl *c, const char *seq_id, const char *word, const char *note)
{
    static const enum state allowed[] = {STATE_DELIVERED, STATE_UNDELIVERED, STATE_REJECTED, STATE_UNKNOWN};
    struct seq_id id;
    enum state state = STATE_QUEUED;
    bool is_allowed = false;
    auto_result found = NULL;
    if (!seq_id_parse(seq_id, &id) || !state_parse(word, &state))
        return ctl_usage("resolve");
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        is_allowed |= state == allowed[i];
    if (!is_allowed)
        return ctl_usage("resolve");
    int code = find_in_doubt(c, &id, &found);
    if (code != 0)
        return code;

    char queue[MQ_QUEUE_SIZE];
    auto_buf body = {0};
    auto_free char *gateway = xstrdup(db_text(found, 0, 2));
    auto_free char *step_seq_id = xstrdup(seq_id), *step_state = xstrdup(word), *error = xstrdup(note);
    char reason[] = "person", origin[] = "person";
    struct step_record step = {.step = STEP_STATUS,
                               .at = clock_wall_ms(),
                               .gateway = gateway,
                               .seq_id = step_seq_id,
                               .number = db_big(found, 0, 3),
                               .state = step_state,
                               .reason = reason,
                               .error = error,
                               .origin = origin};
    chunk_begin(&body, RECORD_STEPS);
    chunk_add_step(&body, &step);
    chunk_end(&body);
    mq_queue_update(mq_update_shard(gateway, (unsigned)c->conf->main.broker.update_shards), queue);
    code = ctl_publish(c, queue, &body);
    if (code == 0)
        printf("told: %s is %s; it shows after the next flush\n", seq_id, word);
    return code;
}

int cmd_resolve(struct ctl *c)
{
    bool json = ctl_take_flag(c, "--json");
    const char *note = NULL;
    if (!ctl_take_value(c, "--note", &note) || !ctl_no_options_left(c) || (c->argc != 1 && c->argc != 3))
        return ctl_usage("resolve");
    int code = ctl_db(c);
    if (code != 0)
        return code;
    return c->argc == 1 ? list(c, json) : settle(c, c->argv[1], c->argv[2], note);
}
