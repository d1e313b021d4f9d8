/* The command `smschain`: finds the subcommand and gives it the rest of the line. */
#include "ctl/ctl.h"
#include "extract/cron.h"
#include "extract/source.h"
#include "lib/log.h"
#include "render/textrules.h"
#include <stdio.h>

static void print_help(void)
{
    printf("Usage: smschain [--conf DIR] COMMAND [ARGUMENT]…\n"
           "Sets up, watches and steers the chain. DIR is $SMSCHAIN_CONF or /etc/smschain.\n\n");
    for (const struct ctl_command *k = ctl_commands; k->name != NULL; k++)
        printf("  %-16s %s\n", k->name, k->summary);
    printf("\nsmschain COMMAND --help says more.\n"
           "Exit codes: 0 done, 1 refused, 2 usage, 3 done but something waits for a person,\n"
           "4 database or broker not reachable, 5 bad configuration.\n");
}

static int run_command(const struct ctl_command *k, struct ctl *c)
{
    for (int i = 1; i < c->argc; i++) {
        if (strcmp(c->argv[i], "--help") == 0 || strcmp(c->argv[i], "-h") == 0) {
            printf("Usage: smschain [--conf DIR] %s%s", k->name, k->usage);
            return EXIT_DONE;
        }
    }
    const char *dir;
    if (!ctl_take_value(c, "--conf", &dir)) /* also allowed behind the command */
        return ctl_usage(k->name);
    if (dir != NULL)
        c->conf_dir = dir;
    int code = k->run(c);
    db_free(c->db);
    conf_free(c->conf);
    return code;
}

int main(int argc, char **argv)
{
    struct ctl c = {.conf_dir = getenv("SMSCHAIN_CONF")};
    int i = 1;
    if (c.conf_dir == NULL || *c.conf_dir == '\0')
        c.conf_dir = "/etc/smschain";
    log_init("smschain", LOG_LOGFMT, LOG_LEVEL_ERROR);
    conf_set_checkers(&(struct conf_checkers){.cron = cron_check, .source_driver = source_driver_check, .text_rules = text_rules_check});
    if (i + 1 < argc && strcmp(argv[i], "--conf") == 0) {
        c.conf_dir = argv[i + 1];
        i += 2;
    }
    if (i < argc &&
        (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "help") == 0)) {
        print_help();
        return EXIT_DONE;
    }
    if (i < argc && strcmp(argv[i], "--version") == 0) {
        printf("smschain %s\n", SMSCHAIN_VERSION);
        return EXIT_DONE;
    }
    const struct ctl_command *k = i < argc ? ctl_command_named(argv[i]) : NULL;
    if (k == NULL) {
        fprintf(stderr, "smschain: %s%s\nTry smschain --help\n", i < argc ? "no command " : "which command?",
                i < argc ? argv[i] : "");
        return EXIT_USAGE;
    }
    c.argc = argc - i;
    c.argv = argv + i;
    return run_command(k, &c);
}
