/* Counts how often each named point is reached, and dies there when the test has asked for it. */
#include "lib/fault.h"

#ifdef SMSCHAIN_FAULTS
#include "lib/base.h"
#include "lib/buf.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define POINTS_MAX 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct point {
    const char *name;
    long count;
} points[POINTS_MAX];
static size_t point_count;
static const char *die_at; /* "name:n" */
static bool counting, only_stop;

static void write_counts(void)
{
    const char *file = getenv("SMSCHAIN_FAULT_COUNT");
    auto_fd int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    auto_buf text = {0};
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < point_count; i++)
        buf_addf(&text, "%s\t%ld\n", points[i].name, points[i].count);
    pthread_mutex_unlock(&lock);
    /* One write: several processes append to the same file. */
    if (text.len > 0 && write(fd, text.data, text.len) != (ssize_t)text.len)
        perror(file);
}

static void read_environment(void)
{
    const char *count_file = getenv("SMSCHAIN_FAULT_COUNT");
    die_at = getenv("SMSCHAIN_FAULT");
    if (die_at && !*die_at)
        die_at = NULL;
    only_stop = getenv("SMSCHAIN_FAULT_STOP") != NULL;
    counting = die_at || (count_file && *count_file);
    if (count_file && *count_file)
        atexit(write_counts);
}

static struct point *find_point(const char *name)
{
    for (size_t i = 0; i < point_count; i++) {
        if (points[i].name == name || strcmp(points[i].name, name) == 0)
            return &points[i];
    }
    if (point_count == POINTS_MAX)
        abort(); /* a test build with more points than this table: raise POINTS_MAX */
    points[point_count] = (struct point){.name = name};
    return &points[point_count++];
}

static bool is_the_one(const struct point *p)
{
    size_t len = strlen(p->name);
    if (strncmp(die_at, p->name, len) != 0)
        return false;
    if (die_at[len] == '\0')
        return p->count == 1;
    return die_at[len] == ':' && strtol(die_at + len + 1, NULL, 10) == p->count;
}

void fault_reached(const char *name)
{
    pthread_once(&once, read_environment);
    if (!counting)
        return;
    pthread_mutex_lock(&lock);
    struct point *p = find_point(name);
    p->count++;
    if (die_at && is_the_one(p))
        kill(getpid(), only_stop ? SIGSTOP : SIGKILL);
    pthread_mutex_unlock(&lock);
}
#endif
