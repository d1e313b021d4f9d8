/* A gateway's section `adapter`, taken as a whole. */
#include "lib/conf_internal.h"

void conf_check_adapter(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *base = conf_node_at(k->file->root, "adapter.reconnect_base");

    if (g->adapter.reconnect_base_ms > g->adapter.reconnect_max_ms)
        conf_error_at(k->report, k->file,
                      base ? base : conf_node_at(k->file->root, "adapter.reconnect_max"),
                      "reconnect_base is longer than reconnect_max");
}
