/* A report or a message from a phone, as an adapter tells it -> a record for the journal. Pure. What nobody
 * can understand becomes a step 190 with the line as it came, so that nothing is lost. */
#pragma once
#include "dispatch/adapter_line.h"
#include "lib/conf.h"
#include "lib/record.h"

struct adapter_record { /* strings are the line's, the configuration's or of `error` */
    bool is_inbound;
    struct step_record step; /* 102 or 190 */
    struct inbound_record inbound;
    char why[320];
    char *error;
};
struct adapter_told {
    const struct conf_gateway *gateway;
    const char *raw; /* the line, without its line feed; NUL-terminated */
    int64_t at;      /* wall ms */
};
/* `l` is a report or an inbound line; line_why NULL, or what is wrong with it as adapter_line_read says. */
void adapter_record_make(const struct adapter_told *t, const struct adapter_line *l, const char *line_why,
                         struct adapter_record *ret);
void adapter_record_deinit(struct adapter_record *r);
