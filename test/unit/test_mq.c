/* Names of queues and the shard of a gateway: both stand in durable queues and must not change between
 * versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "lib/mq.h"

static void names(void **state)
{
    char out[MQ_QUEUE_SIZE];

    assert_string_equal(mq_queue_render("instant", out), "sms.render.instant");
    assert_string_equal(mq_queue_dispatch("alpha", "bulk", out), "sms.dispatch.alpha.bulk");
    assert_string_equal(mq_queue_update(0, out), "sms.update.0");
    assert_string_equal(mq_queue_update(4294967295u, out), "sms.update.4294967295");
    assert_ptr_equal(mq_queue_update(7, out), out);
}

static void shards(void **state)
{
    static const struct {
        const char *gateway;
        unsigned shards, shard;
    } cases[] = {
        {NULL, 4, 0},    {"alpha", 0, 0}, {"alpha", 1, 0}, {"alpha", 4, 3}, {"beta", 4, 3},
        {"gamma", 4, 2}, {"", 4, 1},      {"alpha", 7, 5}, {"beta", 7, 4},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(mq_update_shard(cases[i].gateway, cases[i].shards), cases[i].shard);
}

/* Many gateways spread over the shards: none gets more than twice its part. */
static void spread(void **state)
{
    unsigned count[8] = {0};
    char name[16];

    for (int i = 0; i < 800; i++) {
        snprintf(name, sizeof(name), "gateway-%d", i);
        count[mq_update_shard(name, 8)]++;
    }
    for (size_t i = 0; i < COUNT_OF(count); i++)
        assert_in_range(count[i], 50, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(shards),
                                       cmocka_unit_test(spread)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
