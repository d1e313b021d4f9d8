/* smschain-source-odbc: reads one result of one ODBC source and writes its rows to the socket that
 * smschain-extract has started it with (odbc_frame.h). A program of its own, so that a foreign driver's
 * crash, leak or hanging call costs one reading and not the service. One thread calls the driver; another
 * watches time, memory and whether anybody still wants the rows, and ends the program in the middle of
 * whatever the driver does. */
#include "extract/odbc_session.h"
#include "lib/clock.h"
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define WATCH_MS        100
#define CANCEL_AGAIN_MS 200
#define FLUSH_BYTES     (64u << 10)
#define FLUSH_AGE_MS    100 /* a slow source's rows do not wait here for company */

static struct {
    _Atomic int64_t deadline;  /* mono ms */
    _Atomic int late_exit;     /* how the program ends then */
    _Atomic(SQLHSTMT) running; /* what is to be cancelled at its server; NULL: nothing yet */
    _Atomic bool giving_up;
    _Atomic bool at_rest; /* the other thread is not in a call of the driver */
    int64_t memory_bytes;
} watch;

/* ---- the watch ---- */

static void *cancel_running(void *unused)
{
    SQLHSTMT statement = atomic_load(&watch.running);

    /* Again and again: one that comes between two calls of the driver cancels nothing. */
    while (statement != SQL_NULL_HSTMT && !atomic_load(&watch.at_rest)) {
        SQLCancel(statement);
        usleep(CANCEL_AGAIN_MS * 1000);
    }
    return NULL;
}

/* The driver may need a connection for it, or never come back: it gets a thread and a moment. */
static _Noreturn void give_up(int code)
{
    pthread_t thread;
    struct timespec until;

    atomic_store(&watch.giving_up, true);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ODBC_CANCEL_MS / 1000;
    if (pthread_create(&thread, NULL, cancel_running, NULL) == 0)
        pthread_timedjoin_np(thread, NULL, &until);
    _exit(code);
}

static int64_t resident_bytes(int statm)
{
    char text[128];
    ssize_t n = pread(statm, text, sizeof(text) - 1, 0);
    long long pages = 0;

    text[MAX_OF(n, (ssize_t)0)] = '\0';
    return sscanf(text, "%*d %lld", &pages) == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

static void *keep_watch(void *unused)
{
    int statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    for (;;) {
        struct pollfd peer = {.fd = ODBC_SOCKET, .events = POLLRDHUP};
        if (poll(&peer, 1, WATCH_MS) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)))
            give_up(0);
        if (clock_mono_ms() >= atomic_load(&watch.deadline))
            give_up(atomic_load(&watch.late_exit));
        if (resident_bytes(statm) > watch.memory_bytes)
            give_up(ODBC_EXIT_MEMORY);
    }
    return NULL;
}

static void watch_until(int64_t ms, int late_exit)
{
    atomic_store(&watch.late_exit, late_exit);
    atomic_store(&watch.deadline, clock_mono_ms() + ms);
}

/* ---- the socket ---- */

/* Until the watch ends the program. */
static _Noreturn void rest(void)
{
    atomic_store(&watch.at_rest, true);
    for (;;)
        pause();
}

static void send_all(struct buf *out)
{
    atomic_store(&watch.at_rest, true);
    for (size_t at = 0; at < out->len;) {
        ssize_t n = send(ODBC_SOCKET, out->data + at, out->len - at, MSG_NOSIGNAL);
        if (n < 0)
            rest(); /* nobody wants it: the watch sees that, too */
        at += (size_t)n;
    }
    atomic_store(&watch.at_rest, false);
    buf_clear(out);
}

static _Noreturn void tell(struct buf *out, const struct odbc_trouble *t)
{
    size_t began;

    /* The watch has cancelled the statement: what the driver says to that is not the reason. */
    if (atomic_load(&watch.giving_up))
        rest();
    if (t->too_long)
        _exit(ODBC_EXIT_TOO_LONG);
    buf_clear(out);
    began = odbc_frame_begin(out, t->kind);
    odbc_frame_add_int(out, t->line);
    odbc_frame_add(out, t->why, strlen(t->why));
    odbc_frame_end(out, began);
    send_all(out);
    _exit(0);
}

static bool read_request(struct buf *in, struct odbc_request *q)
{
    struct odbc_frame f;
    const char *s[4];
    char piece[4096];
    ssize_t size = 0;

    while (size == 0) {
        ssize_t n = recv(ODBC_SOCKET, piece, sizeof(piece), 0);
        if (n <= 0)
            return false;
        buf_add(in, piece, (size_t)n);
        size = odbc_frame_take(in->data, in->len, &f);
    }
    if (size < 0 || f.kind != ODBC_REQUEST)
        return false;
    for (size_t i = 0; i < COUNT_OF(s); i++)
        if (!odbc_frame_next(&f, &s[i]) || !s[i])
            return false;
    *q = (struct odbc_request){s[0], s[1], strtoll(s[2], NULL, 10), strtoll(s[3], NULL, 10)};
    while (q->setup_count < COUNT_OF(q->setup) && odbc_frame_next(&f, &q->setup[q->setup_count]))
        q->setup_count++;
    return true;
}

/* ---- reading ---- */

static _Noreturn void send_rows(struct odbc_session *s, struct buf *out)
{
    struct odbc_trouble t;
    int64_t sent = clock_mono_ms();
    int r;

    send_all(out);
    while ((r = odbc_row(s, out, &t)) == 0) {
        int64_t now = clock_mono_ms();
        if (out->len < FLUSH_BYTES && now - sent < FLUSH_AGE_MS)
            continue;
        send_all(out);
        sent = now;
    }
    if (r != ODBC_NO_MORE) {
        /* The rows before it are good; the half row is not. They are of no use either: a new pass reads them
         * again. */
        tell(out, &t);
    }
    odbc_frame_end(out, odbc_frame_begin(out, ODBC_END));
    send_all(out);
    SQLEndTran(SQL_HANDLE_DBC, s->connection, SQL_ROLLBACK);
    SQLFreeHandle(SQL_HANDLE_STMT, s->statement);
    SQLDisconnect(s->connection);
    _exit(0);
}

static _Noreturn void read_source(const struct odbc_request *q)
{
    struct odbc_session s = {.product_name = ""};
    struct odbc_trouble t;
    struct buf out = {.max = ODBC_FRAME_MAX};

    watch_until(ODBC_CONNECT_MS, ODBC_EXIT_NO_CONNECTION);
    if (odbc_connect(&s, q, &t) != 0)
        tell(&out, &t);
    watch_until(q->timeout_ms, ODBC_EXIT_TOO_LONG);
    if (odbc_set_up(&s, q, &t) != 0)
        tell(&out, &t);
    /* SQLite runs in this process: there is no server at which to cancel, and its driver's SQLCancel frees
     * what the other thread is using. */
    if (!odbc_plain_text(&s))
        atomic_store(&watch.running, s.statement);
    if (odbc_prepare(&s, q, &t) != 0 || odbc_execute(&s, &t) != 0 || odbc_columns(&s, &out, &t) != 0)
        tell(&out, &t);
    send_rows(&s, &out);
}

int main(int argc, char **argv)
{
    struct buf in = {0};
    struct odbc_request q;
    struct stat st;
    pthread_t thread;

    if (argc > 1 || fstat(ODBC_SOCKET, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fputs("smschain-source-odbc: smschain-extract starts this to read a source with driver: odbc.\n",
              stderr);
        return 2;
    }
    /* Who stops us closes the socket; a terminal's or a service manager's signal to all of us is not ours to
     * obey. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    close_range(ODBC_SOCKET + 1, ~0U, 0);
    setlocale(LC_CTYPE, "C.UTF-8"); /* the driver manager's own conversions follow it */
    if (!read_request(&in, &q))
        _exit(2);
    watch.memory_bytes = q.memory_bytes;
    watch_until(ODBC_CONNECT_MS, ODBC_EXIT_NO_CONNECTION);
    if (pthread_create(&thread, NULL, keep_watch, NULL) != 0)
        _exit(2);
    read_source(&q);
}
