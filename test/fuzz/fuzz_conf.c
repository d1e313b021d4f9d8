/* A configuration file's YAML: a tree, or errors that name its places. */
#include "fuzz.h"
#include "lib/conf_internal.h"

static void walk(const struct conf_node *n, int depth)
{
    holds(depth <= CONF_DEPTH_MAX + 1 && n->line >= 1);
    for (size_t i = 0; i < n->count; i++) {
        walk(n->type == CONF_NODE_MAP ? n->pairs[i].value : n->items[i], depth + 1);
        if (n->type == CONF_NODE_MAP)
            walk(n->pairs[i].key, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = fuzz_text(data, size);
    struct conf_file file = {
        .kind = CONF_KIND_GATEWAY, .path = (char[]){"gateways/x.yaml"}, .text = text, .len = size};
    struct conf_report report = {0};
    auto_buf words = {0};
    struct conf_node *root = conf_node_parse(&file, text, size, 1, &report);

    if (root)
        walk(root, 0);
    conf_report_print(&report, &words);
    holds(root || report.count > 0);
    conf_node_free(root);
    conf_report_deinit(&report);
    return 0;
}
