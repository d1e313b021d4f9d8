/* Looking a reason up: see reasons.h. */
#include "dashboard/reasons.h"
#include "dispatch/smpp_status.h"
#include <ctype.h>
#include <strings.h>

const char *const reason_again_words[] = {
    [AGAIN_NO] = "no",
    [AGAIN_LATER] = "yes, later",
    [AGAIN_ELSEWHERE] = "by another gateway",
    [AGAIN_MENDED] = "once it is mended",
    [AGAIN_NEVER_BY_US] = "no: it may have arrived",
};

static const struct {
    const char *todo;
    enum reason_again again;
} smpp[] = {
    [SMPP_MEANS_OK] = {"nothing", AGAIN_NO},
    [SMPP_MEANS_REFUSED] = {"look at the number and the text; the gateway takes neither as they are",
                            AGAIN_NO},
    [SMPP_MEANS_ELSEWHERE] =
        {"ask the gateway which senders and numbers it takes, or route such numbers elsewhere",
         AGAIN_ELSEWHERE},
    [SMPP_MEANS_LATER] = {"nothing: it is tried again by itself until valid_for is over", AGAIN_LATER},
    [SMPP_MEANS_OURS] =
        {"our file for this gateway does not fit it: compare its keys with what the gateway has written "
         "about the account",
         AGAIN_MENDED},
    [SMPP_MEANS_THROTTLED] = {"lower rate or window of the gateway's file, or ask the gateway for more",
                              AGAIN_LATER},
    [SMPP_MEANS_DOUBT] = {"tell the gateway; a report, a look-up or smschain resolve settles each message",
                          AGAIN_NEVER_BY_US},
};

static bool find_in_table(const char *word, struct reason *ret)
{
    for (size_t i = 0; i < reason_table_count; i++) {
        if (strcasecmp(reason_table[i].word, word) == 0) {
            *ret = reason_table[i];
            return true;
        }
    }
    return false;
}

static bool find_smpp(const char *word, struct reason *ret)
{
    size_t count;
    const struct smpp_status *table = smpp_status_table(&count);
    const char *code = strncmp(word, "0x", 2) == 0 ? word : NULL;
    char *end = NULL;
    unsigned long number = code != NULL ? strtoul(code, &end, 16) : 0;
    const struct smpp_status *found =
        code != NULL && *end == '\0' && number <= UINT32_MAX ? smpp_status((uint32_t)number) : NULL;
    for (size_t i = 0; found == NULL && i < count; i++)
        if (strcasecmp(table[i].name, word) == 0)
            found = &table[i];
    if (found == NULL)
        return false;
    *ret = (struct reason){word, found->words, smpp[found->meaning].todo, smpp[found->meaning].again,
                           "SMPP 3.4, section 5.1.3"};
    return true;
}

bool reason_find(const char *word, struct reason *ret)
{
    if (strncmp(word, "partial:", 8) == 0)
        word += 8;
    return find_in_table(word, ret) || find_smpp(word, ret);
}

bool reason_of_error(const char *error, struct reason *ret)
{
    const char *at = strcasestr(error, "err");
    char word[16];
    if (at == NULL || (at != error && isalpha((unsigned char)at[-1])))
        return false;
    at += strcspn(at, ":= ");
    at += strspn(at, ":= 0");
    size_t len = strspn(at, "0123456789");
    if (len == 0 || len > 4 || isalnum((unsigned char)at[len]))
        return false;
    memcpy(word, "err:", 4);
    memcpy(word + 4, at, len);
    word[4 + len] = '\0';
    return find_in_table(word, ret);
}
