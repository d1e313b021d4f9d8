/* States, words and links: see shown.h. */
#include "dashboard/shown.h"
#include "lib/show.h"
#include <stdio.h>

static const char *sign_of(enum state s)
{
    switch (s) {
    case STATE_QUEUED:
        return "○";
    case STATE_SUBMITTED:
        return "→";
    case STATE_IN_DOUBT:
        return "?";
    case STATE_ACCEPTED:
        return "◐";
    case STATE_DELIVERED:
        return "✓";
    case STATE_STALE:
    case STATE_SUPPRESSED:
    case STATE_CANCELLED:
        return "–";
    case STATE_UNKNOWN:
        return "…";
    case STATE_RENDER_ERROR:
    case STATE_EXPIRED:
    case STATE_REJECTED:
    case STATE_UNDELIVERED:
        break;
    }
    return "✕";
}

void shown_state(struct buf *out, enum state s)
{
    const char *word = state_word(s);
    if (word == NULL)
        word = "?";
    htmlf(out, "<span class=\"state %s\"><span class=\"sign\" aria-hidden=\"true\">%s</span> ", word,
          sign_of(s));
    for (; *word != '\0'; word++)
        buf_add_char(out, *word == '_' ? ' ' : *word);
    buf_add_str(out, "</span>");
}

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
