/* Under $TMPDIR, so that a run's files end with it whatever happens. */
#include "fuzz_dir.h"
#include "lib/base.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static char dir[200];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag;
    return ftw->level > 0 ? remove(path) : 0;
}

static void empty(void)
{
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void end(void)
{
    empty();
    rmdir(dir);
}

const char *fuzz_dir(void)
{
    if (dir[0]) {
        empty();
        return dir;
    }
    const char *parent = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%s/smschain-fuzz-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(1);
    }
    atexit(end);
    return dir;
}

const char *fuzz_dir_now(void)
{
    return dir;
}
