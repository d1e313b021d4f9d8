/* All pages: a row each. `*` is one piece of the address. */
#include "dashboard/pages.h"

const struct route routes[] = {
    {"GET", "/", "/", ROLE_VIEWER, true, page_now},
    {"GET", "/rules", "/rules", ROLE_VIEWER, false, page_rules},
    {"GET", "/rules/*", "/rules", ROLE_VIEWER, true, page_rule},
    {"GET", "/runs", "/runs", ROLE_VIEWER, true, page_runs},
    {"GET", "/runs/*", "/runs", ROLE_VIEWER, true, page_run},
    {"GET", "/charts", "/charts", ROLE_VIEWER, false, page_charts},
    {0},
};
