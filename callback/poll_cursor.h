/* How far a poll has come: one small file, replaced as a whole, and the lock that lets one process of a
 * machine move it. <state_dir>/poll/<gateway>.<section> and the same with .lock. */
#pragma once
#include "lib/base.h"

#define POLL_CURSOR_MAX 1024

struct poll_cursor {
    char *dir, *file, *temporary, *lock_file;
    int lock_fd; /* -1: not held */
    char value[POLL_CURSOR_MAX + 1];
};
void poll_cursor_init(struct poll_cursor *c, const char *state_dir, const char *gateway, const char *section);
void poll_cursor_deinit(struct poll_cursor *c); /* gives the lock back */
enum { POLL_CURSOR_ELSEWHERE = 1 /* another process of this machine has the lock */ };
/* Takes the lock and reads the file into value; `start` where there is none. 0, POLL_CURSOR_ELSEWHERE,
 * -EBADMSG: the file cannot be read, or < 0. */
int must_check poll_cursor_take(struct poll_cursor *c, const char *start);
/* Kept on disk when it gives 0. -EINVAL: too long, or no line. */
int must_check poll_cursor_move(struct poll_cursor *c, const char *value);
