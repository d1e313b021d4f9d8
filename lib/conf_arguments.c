/* What every service begins with: the argument that says where its configuration is, and the log as that
 * says. */
#include "lib/conf_internal.h"

#include <getopt.h>
#include <stdio.h>

static void usage(FILE *to, const char *service, const char *purpose)
{
    fprintf(
        to,
        "usage: %s [--conf DIR]\n"
        "\n"
        "%s\n"
        "\n"
        "  --conf DIR   the configuration's folder (else $SMSCHAIN_CONF, else /etc/smschain)\n"
        "  --version    print the version\n"
        "  --help       print this\n"
        "\n"
        "SIGHUP loads the configuration again, SIGTERM ends after what is at hand, a second one at once.\n"
        "exit: 0 ended as asked, 1 cannot go on (the log says why), 2 wrong arguments or configuration\n",
        service, purpose);
}

const char *conf_arguments(int argc, char **argv, const char *service, const char *purpose, int *ret_exit)
{
    static const struct option options[] = {{"conf", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {0}};
    const char *dir = getenv("SMSCHAIN_CONF");
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c') {
            dir = optarg;
        } else if (option == 'h') {
            usage(stdout, service, purpose);
            *ret_exit = 0;
            return NULL;
        } else if (option == 'v') {
            printf("%s %s\n", service, SMSCHAIN_VERSION);
            *ret_exit = 0;
            return NULL;
        } else {
            usage(stderr, service, purpose);
            *ret_exit = 2;
            return NULL;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n\n", service, argv[optind]);
        usage(stderr, service, purpose);
        *ret_exit = 2;
        return NULL;
    }
    return dir && *dir ? dir : "/etc/smschain";
}

void conf_set_log(const struct conf *c, const char *service)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    enum log_level least = LOG_LEVEL_INFO;

    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (strcmp(c->main.log_level, levels[i]) == 0)
            least = (enum log_level)i;
    log_init(service, strcmp(c->main.log_format, "json") == 0 ? LOG_JSON : LOG_LOGFMT, least);
}
