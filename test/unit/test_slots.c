/* The slots file: a process is killed in each state and what it left is read back; files that prove nothing
 * are never believed. */
#include "lib/crc32c.h"
#include "lib/log.h"
#include "lib/slots.h"
#include "table.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    log_init("test", LOG_LOGFMT, LOG_LEVEL_ERROR);
    strcpy(dir, "/tmp/smschain-slots-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Number of files in dir whose name ends so; *ret_name is one of them. */
static int count_files(const char *end, char ret_path[512])
{
    int count = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) {
        size_t len = strlen(e->d_name), end_len = strlen(end);
        if (len < end_len || strcmp(e->d_name + len - end_len, end) != 0 || e->d_name[0] == '.')
            continue;
        if (ret_path)
            snprintf(ret_path, 512, "%s/%s", dir, e->d_name);
        count++;
    }
    closedir(d);
    return count;
}

static pid_t start(void (*body)(struct slots *s), const char *gateway)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct slots *s;
        if (slots_create(dir, gateway, 8, &s) != 0)
            _exit(1);
        body(s);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void kill_it(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* One slot in each state a kill can find. */
static void every_state(struct slots *s)
{
    struct slot *free_again = slot_take(s, 100, 1, 1, 49170, 1000);
    slot_mark(free_again);
    slot_answer(free_again, SLOT_ANSWER_ACCEPTED, "gone", "", 1001);
    slot_free(free_again);
    slot_take(s, 101, 1, 1, 49171, 1000);
    slot_set_attempt(slot_take(s, 102, 2, 4, 49172, 1000), 3);
    struct slot *marked = slot_take(s, 103, 1, 1, 49173, 1000);
    slot_set_attempt(marked, 1);
    slot_mark(marked);
    struct slot *accepted = slot_take(s, 104, 1, 1, 49174, 1000);
    slot_set_attempt(accepted, 1);
    slot_mark(accepted);
    slot_answer(accepted, SLOT_ANSWER_ACCEPTED, "msg-104", "OK", 1002);
    struct slot *refused = slot_take(s, 105, 1, 1, 49175, 1000);
    slot_mark(refused);
    slot_answer(refused, SLOT_ANSWER_REFUSED, NULL, "blocked", 1003);
}

static struct slot *find(struct slots *s, int64_t sms_id)
{
    for (uint32_t i = 0; i < slots_count(s); i++) {
        if (slots_at(s, i)->sms_id == sms_id)
            return slots_at(s, i);
    }
    fail_msg("no slot of %d", (int)sms_id);
    return NULL;
}

static void killed_in_every_state(void **state)
{
    struct slots *s = NULL;
    (void)state;
    pid_t pid = start(every_state, "alpha");
    assert_int_equal(slots_recover_next(dir, "alpha", &s), SLOTS_NONE); /* it lives */
    kill_it(pid);
    assert_int_equal(slots_recover_next(dir, "beta", &s), SLOTS_NONE); /* another gateway's */
    assert_int_equal(slots_recover_next(dir, "alpha", &s), 0);
    struct slots *again = NULL;
    assert_int_equal(slots_recover_next(dir, NULL, &again), SLOTS_NONE); /* now ours */
    assert_string_equal(slots_gateway(s), "alpha");
    assert_int_equal(slots_count(s), 8);
    assert_true(slots_epoch(s) > 0 && slots_epoch(s) < INT64_C(1) << 62);

    assert_int_equal(slots_verdict(find(s, 100)), SLOT_PROVES_NOTHING);
    assert_int_equal(slots_verdict(find(s, 101)), SLOT_RELEASE);
    assert_int_equal(find(s, 101)->attempt, 0);
    assert_int_equal(slots_verdict(find(s, 102)), SLOT_RELEASE);
    assert_int_equal(find(s, 102)->segment, 2);
    assert_int_equal(find(s, 102)->parts, 4);
    assert_int_equal(find(s, 102)->attempt, 3);
    assert_int_equal(slots_verdict(find(s, 103)), SLOT_DOUBT);
    assert_int_equal(slots_verdict(find(s, 104)), SLOT_REPUBLISH);
    assert_string_equal(find(s, 104)->msg_id, "msg-104");
    assert_string_equal(find(s, 104)->reason, "OK");
    assert_int_equal(find(s, 104)->number, 49174);
    assert_int_equal(find(s, 104)->answered_at, 1002);
    assert_int_equal(slots_verdict(find(s, 105)), SLOT_REPUBLISH);
    assert_int_equal(find(s, 105)->answer, SLOT_ANSWER_REFUSED);

    /* A recovery that dies too leaves it for the next one. */
    slots_close(s);
    assert_int_equal(slots_recover_next(dir, NULL, &s), 0);
    slots_recovered(s);
    assert_int_equal(slots_recover_next(dir, NULL, &s), SLOTS_NONE);
    assert_int_equal(count_files("", NULL), 0);
}

static void leave_one_marked(struct slots *s)
{
    slot_mark(slot_take(s, 7, 1, 1, 49, 1));
}

static void copy_file(const char *from, const char *to)
{
    auto_fd int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    char bytes[16384];
    ssize_t n = read(in, bytes, sizeof(bytes));
    assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
    assert_int_equal(write(out, bytes, (size_t)n), n);
}

/* Layout of the header as slots.c has it; the test writes a file as another boot would have left it. */
struct header_probe {
    char magic[8];
    uint32_t slot_bytes, count;
    int64_t epoch;
    uint64_t device, inode;
    char boot_id[40], gateway[64];
    uint32_t crc;
};

static void change_boot(const char *path)
{
    auto_fd int fd = open(path, O_RDWR);
    struct header_probe h;
    assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
    assert_int_equal(h.crc, crc32c(0, &h, offsetof(struct header_probe, crc)));
    h.boot_id[0] = h.boot_id[0] == 'f' ? 'e' : 'f';
    h.crc = crc32c(0, &h, offsetof(struct header_probe, crc));
    assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
}

static void damage(const char *path, off_t at)
{
    auto_fd int fd = open(path, O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 0x40;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

enum spoil {
    COPIED,
    COPIED_OTHER_NAME,
    RENAMED,
    TRUNCATED,
    EMPTIED,
    LENGTHENED,
    OTHER_BOOT,
    BAD_MAGIC,
    BAD_HEADER,
    LINKED,
    SPOILS
};

static void spoil_file(enum spoil how, const char *path)
{
    char other[600];
    snprintf(other, sizeof(other), "%s/4711.slots", dir);
    switch (how) {
    case COPIED:
        snprintf(other, sizeof(other), "%s.tmp", path);
        copy_file(path, other);
        assert_int_equal(rename(other, path), 0);
        break;
    case COPIED_OTHER_NAME:
        copy_file(path, other);
        assert_int_equal(unlink(path), 0);
        break;
    case RENAMED:
        assert_int_equal(rename(path, other), 0);
        break;
    case TRUNCATED:
        assert_int_equal(truncate(path, 4096 + 100), 0);
        break;
    case EMPTIED:
        assert_int_equal(truncate(path, 0), 0);
        break;
    case LENGTHENED:
        assert_int_equal(truncate(path, 65536), 0);
        break;
    case OTHER_BOOT:
        change_boot(path);
        break;
    case BAD_MAGIC:
        damage(path, 0);
        break;
    case BAD_HEADER:
        damage(path, 20);
        break;
    case LINKED:
        snprintf(other, sizeof(other), "%s.real", path);
        assert_int_equal(rename(path, other), 0);
        assert_int_equal(symlink(other, path), 0);
        break;
    case SPOILS:
        break;
    }
}

static void what_proves_nothing_is_set_aside(void **state)
{
    (void)state;
    for (enum spoil how = 0; how < SPOILS; how++) {
        char path[512];
        kill_it(start(leave_one_marked, "alpha"));
        assert_int_equal(count_files(".slots", path), 1);
        spoil_file(how, path);
        struct slots *s = NULL;
        if (slots_recover_next(dir, NULL, &s) != SLOTS_NONE)
            fail_msg("spoil %d was believed", (int)how);
        assert_int_equal(count_files(".slots", NULL), 0);
        assert_int_equal(count_files(".unproven", path), 1);
        unlink(path);
        if (count_files(".real", path) == 1)
            unlink(path);
    }
}

static void one_bad_file_does_not_hide_a_good_one(void **state)
{
    (void)state;
    char path[512];
    kill_it(start(leave_one_marked, "alpha"));
    assert_int_equal(count_files(".slots", path), 1);
    damage(path, 20);
    kill_it(start(leave_one_marked, "beta"));
    struct slots *s = NULL;
    assert_int_equal(slots_recover_next(dir, NULL, &s), 0);
    assert_string_equal(slots_gateway(s), "beta");
    slots_recovered(s);
    assert_int_equal(slots_recover_next(dir, NULL, &s), SLOTS_NONE);
}

static void damaged_slots_prove_nothing(void **state)
{
    struct slots *s = NULL;
    (void)state;
    assert_int_equal(slots_create(dir, "alpha", 4, &s), 0);
    struct slot *slot = slot_take(s, 5, 1, 1, 49171, 1000);
    assert_int_equal(slots_verdict(slot), SLOT_RELEASE);
    slot->sms_id++;
    assert_int_equal(slots_verdict(slot), SLOT_PROVES_NOTHING);
    slot->sms_id--;
    slot->number++;
    assert_int_equal(slots_verdict(slot), SLOT_PROVES_NOTHING);
    slot->number--;
    slot->state = 4;
    assert_int_equal(slots_verdict(slot), SLOT_PROVES_NOTHING);
    slot_mark(slot);
    slot_answer(slot, SLOT_ANSWER_RETRY, NULL, NULL, 1);
    assert_int_equal(slots_verdict(slot), SLOT_REPUBLISH);
    slot->answer = 9;
    assert_int_equal(slots_verdict(slot), SLOT_DOUBT);
    slot->answer = 0;
    assert_int_equal(slots_verdict(slot), SLOT_DOUBT);
    slot->answer = SLOT_ANSWER_ACCEPTED;
    memset(slot->msg_id, 'x', sizeof(slot->msg_id));
    assert_int_equal(slots_verdict(slot), SLOT_DOUBT);
    slot_free(slot);
    slots_close(s);
}

static void answers_are_whole_or_in_doubt(void **state)
{
    struct slots *s = NULL;
    char longest[SLOT_MSG_ID_SIZE + 1];
    (void)state;
    assert_int_equal(slots_create(dir, "alpha", 1, &s), 0);
    memset(longest, 'm', sizeof(longest));
    longest[SLOT_MSG_ID_SIZE - 1] = '\0';
    struct slot *slot = slot_take(s, 5, 1, 1, 49171, 1000);
    slot_mark(slot);
    slot_answer(slot, SLOT_ANSWER_ACCEPTED, longest, "", 1);
    assert_int_equal(slot->answer, SLOT_ANSWER_ACCEPTED);
    assert_string_equal(slot->msg_id, longest);
    longest[SLOT_MSG_ID_SIZE - 1] = 'm';
    longest[SLOT_MSG_ID_SIZE] = '\0';
    slot_answer(slot, SLOT_ANSWER_ACCEPTED, longest, "", 1);
    assert_int_equal(slot->answer, SLOT_ANSWER_IN_DOUBT);
    assert_string_equal(slot->msg_id, "");
    slot_answer(slot, SLOT_ANSWER_ACCEPTED, NULL, "", 1);
    assert_int_equal(slot->answer, SLOT_ANSWER_IN_DOUBT);
    char reason[100];
    memset(reason, 'r', sizeof(reason));
    memcpy(reason + SLOT_REASON_SIZE - 2, "\xC3\xBC", 3);
    slot_answer(slot, SLOT_ANSWER_REFUSED, NULL, reason, 1);
    assert_int_equal(strlen(slot->reason), SLOT_REASON_SIZE - 2);
    slot_free(slot);
    slots_close(s);
}

static void taking_and_freeing(void **state)
{
    struct slots *s = NULL;
    struct slot *taken[16];
    (void)state;
    assert_int_equal(slots_create(dir, "alpha", 16, &s), 0);
    struct stat st;
    char path[512];
    assert_int_equal(count_files(".slots", path), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 16; i++)
            assert_non_null(taken[i] = slot_take(s, i + 1, 1, 1, 49, 1));
        assert_null(slot_take(s, 99, 1, 1, 49, 1));
        slot_free(taken[7]);
        assert_ptr_equal(slot_take(s, 99, 1, 1, 49, 1), taken[7]);
        for (int i = 0; i < 16; i++)
            slot_free(taken[i]);
    }
    assert_null(slots_at(s, 16));
    slots_close(s);
    assert_int_equal(count_files("", NULL), 0); /* all free: nothing to tell */
    assert_int_equal(slots_create(dir, "alpha", 0, &s), -EINVAL);
    char long_name[70];
    memset(long_name, 'g', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(slots_create(dir, long_name, 1, &s), -ENAMETOOLONG);
    assert_int_equal(slots_recover_next("/nonexistent/slots", NULL, &s), SLOTS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_in_every_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_proves_nothing_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_file_does_not_hide_a_good_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_slots_prove_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_are_whole_or_in_doubt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(taking_and_freeing, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
