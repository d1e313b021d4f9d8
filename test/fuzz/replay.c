/* Gives a target each file of a directory once: replay DIR. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static int give(const char *dir, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    struct stat st;

    if (!f || fstat(fileno(f), &st) < 0) {
        perror(path);
        return -1;
    }
    /* Exactly as long as the file, so that a look beyond its end is seen. */
    auto_free uint8_t *bytes = xmalloc((size_t)st.st_size + (st.st_size == 0));
    size_t len = fread(bytes, 1, (size_t)st.st_size, f);
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last line before a crash says where */
    LLVMFuzzerTestOneInput(bytes, len);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    int files = 0, result = 0;

    if (!d) {
        fprintf(stderr, "usage: %s DIR-OF-THE-CORPUS\n", argv[0]);
        return 2;
    }
    for (struct dirent *e; (e = readdir(d)) && result == 0;) {
        if (e->d_name[0] == '.')
            continue;
        result = give(argv[1], e->d_name);
        files++;
    }
    closedir(d);
    printf("%d files\n", files);
    return result < 0 || files == 0;
}
