/* The process's own figures under the names that every Prometheus client uses, read when they are asked for.
 */
#include "lib/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static void add(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static size_t open_files(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

/* Seconds since 1970 at which it began; 0: not known. */
static double start_time(void)
{
    auto_free char *stat = NULL;
    size_t size = 0;
    unsigned long long ticks = 0;
    struct timespec boot, wall;
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f)
        return 0;
    ssize_t len = getline(&stat, &size, f);
    fclose(f);
    const char *at = len > 0 ? strrchr(stat, ')') : NULL; /* the name may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || sscanf(at, "%llu", &ticks) != 1)
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void add_memory(struct buf *out)
{
    unsigned long long size = 0, resident = 0;
    double page = (double)sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return;
    if (fscanf(f, "%llu %llu", &size, &resident) == 2) {
        add(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
            (double)resident * page);
        add(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
            (double)size * page);
    }
    fclose(f);
}

void metrics_print_process(struct buf *out)
{
    struct timespec cpu;
    struct rlimit files;

    buf_add_str(out, "# HELP smschain_build_info Which version this is.\n# TYPE smschain_build_info gauge\n"
                     "smschain_build_info{version=\"" SMSCHAIN_VERSION "\"} 1\n");
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        add(out, "process_cpu_seconds_total", "counter", "User and system CPU time spent in seconds.",
            (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        add(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
            (double)files.rlim_cur);
    add(out, "process_open_fds", "gauge", "Number of open file descriptors.", (double)open_files());
    add(out, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
        start_time());
    add_memory(out);
}
