/* What gateways post, each kind at an address of its own. */
#include "callback/inbound.h"
#include "callback/intake_internal.h"
#include "callback/report.h"

/* A gateway whose reports come over its own link has no such address: nobody would have to say who he is. */
static const struct posts *report_posts(const struct gateway *g)
{
    const struct conf_format *f = &g->conf->report.posts.format;
    bool http = strcmp(g->conf->driver, "http") == 0;
    return http || *f->at[ROLE_STATUS] || f->fields.count > 0 ? g->report : NULL;
}

/* A gateway without a section inbound has no such address, whatever its reports come with. */
static const struct posts *inbound_posts(const struct gateway *g)
{
    const struct conf_format *f = &g->conf->inbound.posts.format;
    return *f->at[ROLE_TEXT] || f->fields.count > 0 ? g->inbound : NULL;
}

const struct intake_section intake_sections[] = {
    {.path = "/report/", .posts = report_posts, .parse = report_parse},
    {.path = "/inbound/", .posts = inbound_posts, .parse = inbound_parse},
    {0},
};
