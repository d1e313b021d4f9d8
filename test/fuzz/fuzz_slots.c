/* A slots file that a dead dispatcher left. The first two bytes say where the others are written into it, the
 * header too; what is taken for proof afterwards is whole. */
#include "fuzz.h"
#include "fuzz_dir.h"
#include "lib/slots.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define SLOTS 4

static int64_t make_file(const char *dir)
{
    struct slots *s = NULL;

    holds(slots_create(dir, "alpha", SLOTS, &s) == 0);
    int64_t epoch = slots_epoch(s);
    holds(slot_take(s, 100, 1, 1, 49170, 1000) != NULL);
    struct slot *answered = slot_take(s, 101, 1, 1, 49171, 1000);
    slot_set_attempt(answered, 1);
    slot_mark(answered);
    slot_answer(answered, SLOT_ANSWER_ACCEPTED, "m1", "OK", 1001);
    slots_close(s);
    return epoch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slots *s = NULL;
    struct stat st;

    if (size < 2)
        return 0;
    const char *dir = fuzz_dir();
    auto_free char *path = xasprintf("%s/%lld.slots", dir, (long long)make_file(dir));
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
    holds(fd >= 0 && fstat(fd, &st) == 0);
    off_t at = (off_t)(((size_t)data[0] << 8 | data[1]) % (size_t)st.st_size);
    size_t n = MIN_OF(size - 2, (size_t)(st.st_size - at));
    holds(pwrite(fd, data + 2, n, at) == (ssize_t)n);
    int result = slots_recover_next(dir, NULL, &s);
    if (result != 0)
        return 0; /* it proves nothing, and is another file now */
    holds(slots_count(s) == SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct slot *slot = slots_at(s, i);
        if (slots_verdict(slot) == SLOT_REPUBLISH)
            holds(memchr(slot->msg_id, '\0', sizeof(slot->msg_id)) &&
                  memchr(slot->reason, '\0', sizeof(slot->reason)));
        /* Its state is a word for itself, stored last; whose slot it is cannot be anything else. */
        if (slots_verdict(slot) == SLOT_RELEASE)
            holds((slot->sms_id == 100 || slot->sms_id == 101) && slot->segment == 1 &&
                  slot->number == 49070 + slot->sms_id);
    }
    slots_recovered(s);
    return 0;
}
