/* Starts and stops what messages on demand are made of, in the order in which they lean on each other. */
#include "extract/on_demand.h"
#include "extract/api.h"
#include "extract/door.h"
#include "extract/task_door.h"
#include "lib/log.h"
#include "lib/stop.h"

#define DRAIN_MS    5000
#define API_STOP_MS 3000 /* for what clients have begun */

struct on_demand {
    struct asked_current *current;
    struct asked_rates *rates;
    struct asked_writer *writer;
    struct task_door *tasks;
    struct door *door;
    struct api *api; /* NULL: none is configured */
};

static bool start_api(struct on_demand *d, const struct on_demand_options *o, struct buf *why)
{
    auto_free char *wrong = NULL;
    const struct api_options options = {
        .current = d->current, .rates = d->rates, .writer = d->writer, .history = o->shared->history};
    if (api_start(&options, &d->api, &wrong) == 0)
        return true;
    buf_addf(why, "%s\n", wrong);
    return false;
}

struct on_demand *on_demand_start(const struct on_demand_options *o, struct buf *why)
{
    const struct conf_main *m = &confhold_conf(o->hold)->main;
    struct asked_conf *first = asked_conf_new(o->hold, why);
    struct on_demand *d;

    if (!first)
        return NULL;
    d = xmalloc(sizeof(*d));
    *d = (struct on_demand){.current = asked_current_new(first), .rates = asked_rates_new()};
    d->writer = asked_writer_start(&(struct asked_writer_options){
        .main = m, .history = o->shared->history, .committed = o->committed, .arg = o->arg});
    d->tasks = task_door_new(m, o->shared->history);
    d->door = door_start(&(struct door_options){.main = m,
                                                .current = d->current,
                                                .writer = d->writer,
                                                .task_ready = task_door_sign,
                                                .arg = d->tasks});
    if (!start_api(d, o, why)) {
        stop_now(); /* which the door waits for */
        on_demand_stop(d);
        return NULL;
    }
    return d;
}

int on_demand_reload(struct on_demand *o, struct confhold *hold, struct buf *why)
{
    struct asked_conf *next = asked_conf_new(hold, why);

    if (!next)
        return -EINVAL;
    asked_current_set(o->current, next);
    auto_free char *wrong = NULL;
    if (o->api && !api_reload(o->api, &wrong))
        log_error("the new certificate cannot be used, the old one stays", L_STR("error", wrong));
    return 0;
}

void on_demand_stop(struct on_demand *o)
{
    if (!o)
        return;
    api_stop(o->api, API_STOP_MS); /* the writer answers until then */
    api_free(o->api);
    door_join(o->door);
    asked_writer_stop(o->writer, DRAIN_MS);
    door_free(o->door);
    task_door_free(o->tasks);
    asked_current_free(o->current);
    asked_rates_free(o->rates);
    free(o);
}
