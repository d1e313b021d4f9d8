/* What gateways post, each kind at an address of its own. */
#include "callback/intake_internal.h"
#include "callback/report.h"

static const struct posts *report_posts(const struct gateway *g)
{
    return g->report;
}

const struct intake_section intake_sections[] = {
    {.path = "/report/", .posts = report_posts, .parse = report_parse},
    {0},
};
