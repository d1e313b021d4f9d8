/* A directory of this process for targets that read files; empty at each use, deleted at the end. */
#pragma once
const char *fuzz_dir(void);
const char *fuzz_dir_now(void); /* the same, as it is */
