/* A template's text: compiled, and rendered with a row in which some names have values. */
#include "fuzz.h"
#include "lib/template.h"

static struct template_value get(const void *data, const char *name)
{
    static const char *const items[] = {"a", "\xc3\xa4\xc3\xb6", ""};

    (void)data;
    if (name[0] == 'n')
        return (struct template_value){.type = TEMPLATE_STR, .str = "12345.678"};
    if (name[0] == 'd')
        return (struct template_value){.type = TEMPLATE_STR, .str = "2026-03-29T02:30:00Z"};
    if (name[0] == 'l')
        return (struct template_value){.type = TEMPLATE_LIST, .items = items, .count = COUNT_OF(items)};
    return (struct template_value){.type = name[0] == 'm' ? TEMPLATE_MISSING : TEMPLATE_NULL};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = fuzz_text(data, size);
    struct template *t = NULL;
    struct template_error error = {0};
    struct template_scope scope = {.get = get, .now_ms = INT64_C(1774008000000)};
    auto_buf out = {.max = 4096};
    const struct template_name *names;

    if (template_compile(text, size, 1, &t, &error) != 0) {
        holds(error.message[0] && memchr(error.message, '\0', sizeof(error.message)));
        return 0;
    }
    for (size_t i = template_names(t, &names); i-- > 0;)
        holds(names[i].name[0]);
    if (template_render(t, &scope, &out, &error) != 0)
        holds(error.message[0] && out.len == 0);
    template_free(t);
    return 0;
}
