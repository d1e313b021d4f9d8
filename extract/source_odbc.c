/* The source driver for ODBC: see source.h for what it keeps. It starts smschain-source-odbc for each reading
 * and takes rows from their socket; closing that socket is how a reading is stopped. */
#include "extract/odbc_frame.h"
#include "extract/source.h"
#include "lib/clock.h"
#include "lib/stop.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PROGRAM "smschain-source-odbc"
#define LOOK_MS 200                     /* so soon it is seen that the process is to end */
#define END_MS  (ODBC_CANCEL_MS + 2000) /* for the program to end by itself; then it is killed */
#define GRACE_MS                                                                                             \
    (ODBC_CANCEL_MS + 10000) /* after its own deadline: for a program whose watch is stuck, too */
#define PIECE_BYTES (64u << 10)

struct source_odbc {
    struct source source;
    const struct conf_source *conf; /* the run holds the configuration longer than the source */
    pid_t pid;                      /* 0: not started, or its end is known */
    int fd;
    int64_t began;    /* mono ms: the reading, its connecting too */
    int64_t deadline; /* mono ms; the program keeps its own, shorter one */
    struct buf in;
    size_t taken; /* of `in` */
    const char **names, **values;
    struct buf name_texts; /* the frame that names points into */
    size_t count;
    int line;
    char why[800];
};

static struct source *odbc_open(const struct conf_source *conf, const char *application)
{
    struct source_odbc *o = xmalloc(sizeof(*o));

    *o = (struct source_odbc){.source = {&source_odbc}, .conf = conf, .fd = -1};
    o->in.max = 2 * (size_t)ODBC_FRAME_MAX;
    return &o->source;
}

static int say(struct source_odbc *o, int result, const char *format, ...) printf_like(3, 4);
static int say(struct source_odbc *o, int result, const char *format, ...)
{
    auto_buf words = {0};
    va_list ap;

    va_start(ap, format);
    buf_vaddf(&words, format, ap);
    va_end(ap);
    snprintf(o->why, sizeof(o->why), "source %s: %s", o->conf->name, words.data);
    return result;
}

/* ---- the program ---- */

/* It is installed beside ours. */
static bool find_program(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof(PROGRAM) - 1);
    char *slash;

    if (n <= 0)
        return false;
    path[n] = '\0';
    slash = strrchr(path, '/');
    if (!slash)
        return false;
    memcpy(slash + 1, PROGRAM, sizeof(PROGRAM));
    return true;
}

static int spawn(const char *path, int theirs, pid_t *ret)
{
    static char name[] = PROGRAM;
    char *const argv[] = {name, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, pipe;
    int r;

    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs, ODBC_SOCKET);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
#ifndef SMSCHAIN_FAULTS
    /* Drivers print what they like, values and passwords too. A test build shows what a sanitizer has to say.
     */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#endif
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe);
    r = posix_spawn(ret, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

static int start_program(struct source_odbc *o)
{
    char path[PATH_MAX];
    int ends[2], r;

    if (!find_program(path))
        return say(o, -ENOENT, "where this program is cannot be found, and so not " PROGRAM " beside it");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        r = -errno;
        return say(o, r, "no socket: %s", strerror(-r));
    }
    r = spawn(path, ends[1], &o->pid);
    close(ends[1]);
    if (r < 0) {
        close(ends[0]);
        o->pid = 0;
        return say(o, r, "%s cannot be started: %s; it is built and installed with meson's feature odbc",
                   path, strerror(-r));
    }
    o->fd = ends[0];
    return 0;
}

/* Waits so long for its end. False: it has not ended. */
static bool wait_end(struct source_odbc *o, int timeout_ms, int *ret_status)
{
    auto_fd int pidfd = pidfd_open(o->pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    if (pidfd >= 0)
        poll(&ended, 1, timeout_ms);
    if (waitpid(o->pid, ret_status, WNOHANG) != o->pid)
        return false;
    o->pid = 0;
    return true;
}

/* Closing the socket makes it cancel its statement at the server and end. */
static int end_program(struct source_odbc *o)
{
    int status = 0;

    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
    if (o->pid == 0 || wait_end(o, END_MS, &status))
        return status;
    kill(o->pid, SIGKILL);
    waitpid(o->pid, &status, 0);
    o->pid = 0;
    return status;
}

static int too_long(struct source_odbc *o)
{
    return say(o, SOURCE_REFUSED, "the statement took longer than its statement_timeout of %lld s",
               (long long)(o->conf->statement_timeout_ms / 1000));
}

/* The socket ended without the rows' end. */
static int program_ended(struct source_odbc *o)
{
    int status = end_program(o), code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    switch (code) {
    case ODBC_EXIT_TOO_LONG:
        return too_long(o);
    case ODBC_EXIT_NO_CONNECTION:
        return say(o, -ETIMEDOUT, "no connection within %d s", ODBC_CONNECT_MS / 1000);
    case ODBC_EXIT_MEMORY:
        return say(
            o, SOURCE_REFUSED,
            "reading it took more than its memory_limit of %lld MiB: its driver keeps the whole result in "
            "memory. Raise memory_limit, or use a driver that reads row by row (docs/configuring.md)",
            (long long)(o->conf->memory_limit_bytes >> 20));
    default:
        /* A driver may fall over its being cancelled. */
        if (WIFSIGNALED(status) && clock_mono_ms() - o->began >= o->conf->statement_timeout_ms)
            return too_long(o);
        if (WIFSIGNALED(status))
            return say(o, -EIO, PROGRAM " ended by signal %d: its driver has a fault, or somebody killed it",
                       WTERMSIG(status));
        return say(o, -EIO, PROGRAM " ended with exit code %d", code);
    }
}

/* ---- frames ---- */

static int send_request(struct source_odbc *o, const char *sql)
{
    const struct conf_source *c = o->conf;
    auto_buf out = {0};
    size_t began = odbc_frame_begin(&out, ODBC_REQUEST);

    odbc_frame_add(&out, c->connection, strlen(c->connection));
    odbc_frame_add(&out, sql, strlen(sql));
    odbc_frame_add_int(&out, c->statement_timeout_ms);
    odbc_frame_add_int(&out, c->memory_limit_bytes);
    for (size_t i = 0; i < c->setup.count; i++)
        odbc_frame_add(&out, c->setup.items[i], strlen(c->setup.items[i]));
    odbc_frame_end(&out, began);
    for (size_t at = 0; at < out.len;) {
        ssize_t n = send(o->fd, out.data + at, out.len - at, MSG_NOSIGNAL);
        if (n < 0)
            return program_ended(o);
        at += (size_t)n;
    }
    return 0;
}

/* Waits for more of the answer. */
static int receive(struct source_odbc *o)
{
    struct pollfd readable = {.fd = o->fd, .events = POLLIN};
    char piece[PIECE_BYTES];
    ssize_t n;

    while (poll(&readable, 1, LOOK_MS) == 0) {
        if (stop_requested())
            return say(o, -ECANCELED, "the process is to end");
        if (clock_mono_ms() >= o->deadline) {
            kill(o->pid, SIGKILL);
            return too_long(o);
        }
    }
    if (o->taken > 0) {
        o->in.len -= o->taken;
        memmove(o->in.data, o->in.data + o->taken, o->in.len);
        o->taken = 0;
    }
    n = recv(o->fd, piece, sizeof(piece), 0);
    if (n <= 0)
        return program_ended(o);
    buf_add(&o->in, piece, (size_t)n);
    return 0;
}

/* The next frame; what it points to lives until the next call. */
static int take_frame(struct source_odbc *o, struct odbc_frame *ret)
{
    for (;;) {
        ssize_t size = o->in.len > 0 ? odbc_frame_take(o->in.data + o->taken, o->in.len - o->taken, ret) : 0;
        int r;
        if (size > 0) {
            o->taken += (size_t)size;
            return 0;
        }
        if (size < 0)
            return say(o, -EBADMSG, PROGRAM " writes what is no frame: are both of one build?");
        r = receive(o);
        if (r != 0)
            return r;
    }
}

static int told(struct source_odbc *o, struct odbc_frame *f)
{
    const char *line = "0", *why = "";
    bool whole = odbc_frame_next(f, &line) && odbc_frame_next(f, &why) && line && why;

    if (f->kind == ODBC_END)
        return SOURCE_END;
    if (!whole || (f->kind != ODBC_REFUSED && f->kind != ODBC_AWAY))
        return say(o, -EBADMSG, PROGRAM " writes a frame that does not belong here: are both of one build?");
    o->line = (int)strtol(line, NULL, 10);
    return say(o, f->kind == ODBC_REFUSED ? SOURCE_REFUSED : -EAGAIN, "%s", why);
}

static size_t take_strings(struct odbc_frame *f, const char **into, size_t max)
{
    size_t n = 0;

    while (n < max && odbc_frame_next(f, &into[n]))
        n++;
    return n;
}

static int take_names(struct source_odbc *o)
{
    struct odbc_frame f;
    int r = take_frame(o, &f);

    if (r != 0)
        return r;
    if (f.kind != ODBC_COLUMNS)
        return told(o, &f);
    buf_add(&o->name_texts, f.at, f.left);
    f.at = o->name_texts.data;
    o->names = xcalloc(ODBC_COLUMNS_MAX, sizeof(*o->names));
    o->count = take_strings(&f, o->names, ODBC_COLUMNS_MAX);
    o->values = xcalloc(o->count + 1, sizeof(*o->values));
    return 0;
}

/* ---- the driver ---- */

static int odbc_begin(struct source *s, const char *sql)
{
    struct source_odbc *o = (struct source_odbc *)s;
    int r;

    o->began = clock_mono_ms();
    o->deadline = o->began + ODBC_CONNECT_MS + o->conf->statement_timeout_ms + GRACE_MS;
    r = start_program(o);
    if (r == 0)
        r = send_request(o, sql);
    return r == 0 ? take_names(o) : r;
}

static int odbc_next(struct source *s, struct source_row *ret)
{
    struct source_odbc *o = (struct source_odbc *)s;
    struct odbc_frame f;
    int r = take_frame(o, &f);

    if (r != 0)
        return r;
    if (f.kind != ODBC_ROW)
        return told(o, &f);
    if (take_strings(&f, o->values, o->count) != o->count)
        return say(o, -EBADMSG, PROGRAM " writes a row of another width: are both of one build?");
    *ret = (struct source_row){o->names, o->values, o->count};
    return 0;
}

static const char *odbc_why(const struct source *s)
{
    return ((const struct source_odbc *)s)->why;
}

static int odbc_line(const struct source *s)
{
    return ((const struct source_odbc *)s)->line;
}

static void odbc_close(struct source *s)
{
    struct source_odbc *o = (struct source_odbc *)s;

    end_program(o);
    buf_deinit(&o->in);
    buf_deinit(&o->name_texts);
    free(o->names);
    free(o->values);
    free(o);
}

const struct source_driver source_odbc = {.name = "odbc",
                                          .open = odbc_open,
                                          .begin = odbc_begin,
                                          .next = odbc_next,
                                          .why = odbc_why,
                                          .line = odbc_line,
                                          .close = odbc_close};
