/* What gateways post, each kind at an address of its own. */
#include "callback/intake_internal.h"
#include "callback/report.h"

static const struct conf_posts *report_posts(const struct gateway *g)
{
    return g->conf->report.posts.auth.token[0] ? &g->conf->report.posts : NULL;
}

static int parse_report(const struct gateway *g, const struct posted *request, struct parsed *ret)
{
    return report_parse(g->report, request, ret);
}

const struct intake_section intake_sections[] = {
    {.path = "/report/", .posts = report_posts, .parse = parse_report},
    {0},
};
