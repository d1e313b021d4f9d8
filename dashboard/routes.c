/* All pages: a row each. `*` is one piece of the address. */
#include "dashboard/pages.h"

const struct route routes[] = {
    {"GET", "/", "/", ROLE_VIEWER, true, page_now},
    {"GET", "/rules", "/rules", ROLE_VIEWER, false, page_rules},
    {"GET", "/rules/*", "/rules", ROLE_VIEWER, true, page_rule},
    {"GET", "/runs", "/runs", ROLE_VIEWER, true, page_runs},
    {"GET", "/runs/*", "/runs", ROLE_VIEWER, true, page_run},
    {"GET", "/charts", "/charts", ROLE_VIEWER, false, page_charts},
    {"GET", "/messages", "/messages", ROLE_VIEWER, false, page_messages},
    {"POST", "/messages", "/messages", ROLE_VIEWER, false, page_messages},
    {"GET", "/messages.csv", "/messages", ROLE_VIEWER, false, page_messages_csv},
    {"POST", "/messages.csv", "/messages", ROLE_VIEWER, false, page_messages_csv},
    {"GET", "/messages/*", "/messages", ROLE_VIEWER, false, page_message},
    {"POST", "/messages/*", "/messages", ROLE_OPERATOR, false, page_message_reveal},
    {"GET", "/why", "/why", ROLE_VIEWER, false, page_why},
    {"POST", "/why", "/why", ROLE_VIEWER, false, page_why},
    {"GET", "/reasons", "/reasons", ROLE_VIEWER, false, page_reasons},
    {0},
};
