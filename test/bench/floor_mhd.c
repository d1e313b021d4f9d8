/* A bare libmicrohttpd that answers 200 at once: the floor under the intake. Prints its port, runs until its standard
 * input ends. */
#include "lib/base.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **state)
{
    static int seen;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (!*state) { /* the head has come; the body follows */
        *state = &seen;
        return MHD_YES;
    }
    if (*data_size) {
        *data_size = 0;
        return MHD_YES;
    }
    response = MHD_create_response_from_buffer(2, (void *)(uintptr_t) "OK", MHD_RESPMEM_PERSISTENT);
    result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                                            MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_END);

    if (!d)
        return 1;
    printf("%u\n", (unsigned)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(d);
    return 0;
}
