/* Our functions line by line, for the judges: each line of standard input is one question with tabs between
 * its parts, each line of standard output its answer:
 *   cron EXPRESSION ZONE AFTER COUNT  the next COUNT firings, seconds since 1970 ("never" ends them)
 *   text HEX-OF-UTF8                  encoding units segments, or "not UTF-8"
 *   number TEXT COUNTRY               digits of E.164, or the fault's word (COUNTRY - is none)
 *   smpp_random SEED, smpp_decode HEX a PDU and its fields (judged_smpp.c) */
#include "judged.h"
#include "extract/cron.h"
#include "lib/number.h"
#include "lib/zone.h"
#include "render/text.h"
#include <stdio.h>

#define PARTS_MAX 5

static void answer_cron(char *part[])
{
    char message[CRON_MESSAGE_SIZE];
    struct cron c;
    struct zone *z = zone_open(part[2]);
    int64_t at = strtoll(part[3], NULL, 10);

    if (!z)
        printf("no such zone");
    else if (cron_parse(part[1], &c, message) < 0)
        printf("%s", message);
    else
        for (long i = strtol(part[4], NULL, 10); i > 0 && at != CRON_NEVER; i--) {
            at = cron_next(&c, z, at);
            if (at == CRON_NEVER)
                printf("never");
            else
                printf("%lld%s", (long long)at, i > 1 ? " " : "");
        }
    zone_close(z);
}

char *bytes_of_hex(const char *hex, size_t *ret_len)
{
    size_t len = strlen(hex) / 2;
    char *bytes = xmalloc(len + 1);

    for (size_t i = 0; i < len; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (char)strtol(two, NULL, 16);
    }
    *ret_len = len;
    return bytes;
}

static void answer_text(const char *hex)
{
    size_t len;
    auto_free char *text = bytes_of_hex(hex, &len);
    struct text_shape shape;

    if (text_measure(text, len, &shape))
        printf("%s %zu %zu", text_encoding_word(shape.encoding), shape.units, shape.segments);
    else
        printf("not UTF-8");
}

static void answer_number(char *part[])
{
    int64_t e164;
    enum number_fault fault = number_normalise(part[1], strcmp(part[2], "-") == 0 ? NULL : part[2], &e164);

    if (fault == NUMBER_OK)
        printf("%lld", (long long)e164);
    else
        printf("%s", number_fault_word(fault));
}

int main(void)
{
    auto_free char *line = NULL;
    size_t size = 0;
    ssize_t len;

    while ((len = getline(&line, &size, stdin)) > 0) {
        char *part[PARTS_MAX], *rest = line;
        int count = 0;

        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        for (char *s; count < PARTS_MAX && (s = strsep(&rest, "\t"));)
            part[count++] = s;
        if (count == 5 && strcmp(part[0], "cron") == 0)
            answer_cron(part);
        else if (count == 2 && strcmp(part[0], "text") == 0)
            answer_text(part[1]);
        else if (count == 3 && strcmp(part[0], "number") == 0)
            answer_number(part);
        else if (count == 2 && strcmp(part[0], "smpp_random") == 0)
            answer_smpp_random(part[1]);
        else if (count == 2 && strcmp(part[0], "smpp_decode") == 0)
            answer_smpp_decode(part[1]);
        else {
            fprintf(stderr, "judged: not a question: %s\n", line);
            return 2;
        }
        putchar('\n');
    }
    return 0;
}
