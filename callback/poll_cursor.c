/* The cursor's file and its lock. */
#include "callback/poll_cursor.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FIRST_LINE "smschain-cursor 1\n"
#define LAST_LINE  "\nend\n"

void poll_cursor_init(struct poll_cursor *c, const char *state_dir, const char *gateway, const char *section)
{
    *c = (struct poll_cursor){.dir = xasprintf("%s/poll", state_dir), .lock_fd = -1};
    c->file = xasprintf("%s/%s.%s", c->dir, gateway, section);
    c->temporary = xasprintf("%s.new", c->file);
    c->lock_file = xasprintf("%s.lock", c->file);
}

void poll_cursor_deinit(struct poll_cursor *c)
{
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    free(c->dir);
    free(c->file);
    free(c->temporary);
    free(c->lock_file);
}

static int read_file(struct poll_cursor *c, const char *start)
{
    char text[POLL_CURSOR_MAX + sizeof(FIRST_LINE) + sizeof(LAST_LINE)];
    const size_t first = strlen(FIRST_LINE), last = strlen(LAST_LINE);
    auto_fd int fd = open(c->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        snprintf(c->value, sizeof(c->value), "%s", start);
        return 0;
    }
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    size_t len = (size_t)n;
    if (len < first + last || strncmp(text, FIRST_LINE, first) != 0 ||
        strcmp(text + len - last, LAST_LINE) != 0)
        return -EBADMSG;
    snprintf(c->value, sizeof(c->value), "%.*s", (int)(len - first - last), text + first);
    return 0;
}

int poll_cursor_take(struct poll_cursor *c, const char *start)
{
    if (mkdir(c->dir, 0700) < 0 && errno != EEXIST)
        return -errno;
    auto_fd int fd = open(c->lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? POLL_CURSOR_ELSEWHERE : -errno;
    int r = read_file(c, start);
    if (r < 0)
        return r;
    c->lock_fd = fd;
    fd = -1;
    return 0;
}

static int sync_dir(const char *dir)
{
    auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
}

int poll_cursor_move(struct poll_cursor *c, const char *value)
{
    if (strlen(value) > POLL_CURSOR_MAX)
        return -EINVAL;
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return -EINVAL;
    }
    auto_free char *text = xasprintf("%s%s%s", FIRST_LINE, value, LAST_LINE);
    const ssize_t len = (ssize_t)strlen(text);
    auto_fd int fd = open(c->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    errno = EIO; /* a short write sets none */
    if (write(fd, text, (size_t)len) != len || fsync(fd) < 0 || rename(c->temporary, c->file) < 0)
        return -errno;
    int r = sync_dir(c->dir);
    if (r == 0)
        snprintf(c->value, sizeof(c->value), "%s", value);
    return r;
}
