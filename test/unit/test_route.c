/* Routes (data/route.json): over many shares exactly the orders of a case come, in about the shares it
 * names; the same share gets the same order each time. */
#include "render/route.h"
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define IDS      20000
#define FIRST_ID (INT64_C(2515) << 36)

static json_object *member(json_object *c, const char *key)
{
    json_object *value = NULL;

    json_object_object_get_ex(c, key, &value);
    return value;
}

static const char *text_at(json_object *array, size_t i)
{
    return json_object_get_string(json_object_array_get_idx(array, i));
}

static char *text_copy(json_object *value)
{
    return xstrdup(json_object_get_string(value));
}

static struct conf_route read_route(json_object *entry)
{
    struct conf_route route = {.gateway = text_copy(member(entry, "gateway")), .weight = 1};
    json_object *prefixes = member(entry, "prefixes"), *weight = member(entry, "weight");

    if (weight)
        route.weight = json_object_get_int64(weight);
    route.prefixes.count = prefixes ? json_object_array_length(prefixes) : 0;
    route.prefixes.items = xcalloc(route.prefixes.count + 1, sizeof(char *));
    for (size_t i = 0; i < route.prefixes.count; i++)
        route.prefixes.items[i] = text_copy(json_object_array_get_idx(prefixes, i));
    return route;
}

static void free_route(struct conf_route *route)
{
    for (size_t i = 0; i < route->prefixes.count; i++)
        free(route->prefixes.items[i]);
    free(route->prefixes.items);
    free(route->gateway);
}

/* Which of the case's orders this is; -1: none of them. */
static int order_index(json_object *firsts, char *const got[], size_t count)
{
    for (size_t i = 0; i < json_object_array_length(firsts); i++) {
        json_object *order = json_object_array_get_idx(firsts, i);
        bool same = json_object_array_length(order) == count;
        for (size_t n = 0; n < count && same; n++)
            same = strcmp(text_at(order, n), got[n]) == 0;
        if (same)
            return (int)i;
    }
    return -1;
}

static void check_case(json_object *c)
{
    json_object *entries = member(c, "routes"), *firsts = member(c, "firsts"), *shares = member(c, "shares");
    size_t count = json_object_array_length(entries), hits[8] = {0};
    struct conf_route routes[8] = {0};
    char *got[ROUTE_MAX], *again[ROUTE_MAX];
    int64_t number = json_object_get_int64(member(c, "number"));

    print_message("%s\n", json_object_get_string(member(c, "name")));
    for (size_t i = 0; i < count; i++)
        routes[i] = read_route(json_object_array_get_idx(entries, i));
    for (int64_t id = FIRST_ID; id < FIRST_ID + IDS; id++) {
        size_t chosen = route_choose(routes, count, id, number, got);
        assert_int_equal(route_choose(routes, count, id, number, again), chosen);
        assert_memory_equal(got, again, chosen * sizeof(*got));
        if (json_object_array_length(firsts) == 0) {
            assert_int_equal(chosen, 0);
            continue;
        }
        int index = order_index(firsts, got, chosen);
        assert_true(index >= 0);
        hits[index]++;
    }
    for (size_t i = 0; shares && i < json_object_array_length(shares); i++) {
        double wanted = IDS * json_object_get_double(json_object_array_get_idx(shares, i)) / 100;
        assert_true((double)hits[i] > wanted * 0.95 && (double)hits[i] < wanted * 1.05);
    }
    for (size_t i = 0; i < count; i++)
        free_route(&routes[i]);
}

static void table(void **state)
{
    json_object *file = json_object_from_file("data/route.json"), *cases = member(file, "cases");

    assert_true(json_object_array_length(cases) > 10);
    for (size_t i = 0; i < json_object_array_length(cases); i++)
        check_case(json_object_array_get_idx(cases, i));
    json_object_put(file);
}

static void many_entries(void **state)
{
    struct conf_route routes[ROUTE_MAX + 8];
    char names[COUNT_OF(routes)][8], *got[ROUTE_MAX];

    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        snprintf(names[i], sizeof(names[i]), "g%zu", i);
        routes[i] = (struct conf_route){.gateway = names[i], .weight = 1};
    }
    assert_int_equal(route_choose(routes, COUNT_OF(routes), FIRST_ID, 491711234567, got), ROUTE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(many_entries)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
