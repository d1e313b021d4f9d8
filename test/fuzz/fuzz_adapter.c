/* Lines from an adapter: whatever they hold, each is read or refused with words, and what it tells becomes a
 * record that the queue's readers take. */
#include "dispatch/adapter_report.h"
#include "fuzz.h"

static void make_record(const struct adapter_line *l, const char *line, const char *why)
{
    static char name[] = "g", file[] = "gateways/g.yaml", word[] = "DELIVRD";
    static struct conf_status states[] = {{.word = word, .state = STATE_DELIVERED}};
    static const struct conf_gateway g = {
        .name = name, .file = file, .report = {.statuses = states, .status_count = 1}};
    struct adapter_told told = {.gateway = &g, .raw = line, .at = 1};
    struct adapter_record r;
    auto_chunk c = NULL;
    auto_free char *wrong = NULL;
    auto_buf out = {0};

    adapter_record_make(&told, l, why, &r);
    chunk_begin(&out, r.is_inbound ? RECORD_INBOUND : RECORD_STEPS);
    if (r.is_inbound)
        chunk_add_inbound(&out, &r.inbound);
    else
        chunk_add_step(&out, &r.step);
    chunk_end(&out);
    holds(chunk_decode(out.data, out.len, &c, &wrong) == 0 && c->count == 1 && c->bad_count == 0);
    adapter_record_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *line = fuzz_text(data, size);
    struct adapter_line l;
    char why[ADAPTER_WHY_SIZE];
    int rc = adapter_line_read(line, size, &l, why);

    holds((rc == 0) == (why[0] == '\0'));
    if ((l.kind == ADAPTER_REPORT || l.kind == ADAPTER_INBOUND) && l.token > 0)
        make_record(&l, line, rc == 0 ? NULL : why);
    if (rc == 0 && l.kind == ADAPTER_ACCEPTED)
        holds(l.id > 0 && l.msg_id != NULL);
    adapter_line_free(&l);
    return 0;
}
