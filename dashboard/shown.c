/* States, words and links: see shown.h. */
#include "dashboard/shown.h"
#include "lib/show.h"
#include <stdio.h>

void shown_masked(struct buf *out, const char *word)
{
    auto_buf masked = {0};
    show_masked(word, strlen(word), &masked);
    html_text(out, masked.data != NULL ? masked.data : "");
}

void shown_search_link(struct buf *out, const char *qualifier, const char *value, const char *text)
{
    bool quotes = strpbrk(value, " \t") != NULL && strchr(value, '"') == NULL;
    auto_free char *search = xasprintf(quotes ? "%s:\"%s\"" : "%s:%s", qualifier, value);
    html_link(out, "/messages?q=", search, text);
}

void shown_sms_id_link(struct buf *out, int64_t sms_id)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)sms_id);
    html_link(out, "/messages/", id, id);
}
