/* fake-gateway: one process that plays any number of SMS gateways over HTTP and SMPP, for tests and the
 * quickstart. It logs and counts what it accepts, posts reports back, and misbehaves as its knobs say while
 * it runs. */
#include "lib/clock.h"
#include "test/sim/sim.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

struct sim_options sim = {.cross_gateway = true, .count_text = true, .listen = true};
static int epoll_fd = -1, listen_fd = -1, control_fd = -1, smpp_fd = -1;
static uint16_t port, smpp_port;
static bool plays_smpp;
static int64_t now_ms;
static void **later;
static size_t later_count, later_room;

int64_t loop_now_ms(void)
{
    return now_ms;
}

void loop_add(int fd, uint32_t events, struct watch *w)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
        abort();
}

void loop_change(int fd, uint32_t events, struct watch *w)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &e) < 0)
        abort();
}

void loop_free_later(void *p)
{
    if (later_count == later_room) {
        later_room = later_room > 0 ? later_room * 2 : 64;
        later = xrealloc(later, later_room * sizeof(*later));
    }
    later[later_count++] = p;
}

static void free_later_now(void)
{
    while (later_count > 0)
        free(later[--later_count]);
}

/* A bound socket that does not listen refuses connections and keeps its port from others. */
static int bound_socket(uint16_t *inout_port, bool listens)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(*inout_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, size) < 0 || (listens && listen(fd, 4096) < 0) ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    *inout_port = ntohs(a.sin_port);
    return fd;
}

static void bind_again(int *fd, uint16_t *inout_port)
{
    close(*fd);
    *fd = bound_socket(inout_port, sim.listen);
    if (*fd < 0) {
        fprintf(stderr, "fake-gateway: port %u: %s\n", *inout_port, strerror(-*fd));
        exit(1);
    }
}

void sim_listen(bool on)
{
    if (on == sim.listen)
        return;
    sim.listen = on;
    bind_again(&listen_fd, &port);
    if (on)
        server_open(listen_fd, 0);
    else
        server_close_idle();
    if (!plays_smpp)
        return;
    bind_again(&smpp_fd, &smpp_port);
    if (on)
        smpp_open(smpp_fd);
    else
        smpp_close_idle();
}

static struct watch signals_watch;
static bool stopping;
static void signals_ready(struct watch *w, uint32_t events)
{
    stopping = true;
}

static void open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals_watch.ready = signals_ready;
    loop_add(signalfd(-1, &set, SFD_CLOEXEC), EPOLLIN, &signals_watch);
}

static void run(void)
{
    struct epoll_event events[256];
    while (!stopping) {
        int n = epoll_wait(epoll_fd, events, COUNT_OF(events), timers_wait_ms(clock_wall_ms()));
        now_ms = clock_wall_ms();
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].data.ptr;
            w->ready(w, events[i].events);
        }
        timers_run(now_ms);
        log_flush(); /* what was accepted is in the log before an answer or a report of it leaves */
        server_flush();
        poster_push_all();
        smpp_flush();
        free_later_now();
    }
}

static void help(void)
{
    struct buf knobs = {0};
    knobs_help(&knobs);
    printf(
        "Usage: fake-gateway [OPTION]…\n"
        "Plays SMS gateways over HTTP and SMPP on 127.0.0.1.\n\n"
        "  --port N              0 (default): a free one; the first line printed says which\n"
        "  --control-port N      the same; /control is answered there also while the gateway refuses "
        "connections\n"
        "  --smpp-port N         the same; without it no SMPP is spoken\n"
        "  --log FILE            appended: time_ms, gateway, msg_id, number, reference or -, hash of the "
        "text;\n"
        "                        of a part of a longer message its own text, and seg:REFERENCE/TOTAL/NUMBER\n"
        "  --report-url-alpha URL, --report-url-beta URL\n"
        "  --set NAME=VALUE      a knob, as in POST /control\n"
        "  --help\n\n"
        "GET  /send?content=TEXT&mobile=N1,N2      gateway alpha (/g/NAME/send: gateway NAME)\n"
        "POST /v2/messages                         gateway beta (/g/NAME/v2/messages)\n"
        "GET  /cgi-bin/sendsms?username=U&…        gateway kannel\n"
        "POST /2010-04-01/Accounts/U/Messages.json gateway twilio-like\n"
        "POST /sms/2/text/advanced                 gateway infobip-like\n"
        "GET  /?Action=SendSms&…&Signature=S       gateway aliyun-like\n"
        "GET  /query?mobile=N, /reports?after=N    alpha, with the knob follow: what became of a message, "
        "and all of\n"
        "                                          them behind a cursor; of beta /v2/messages?ref=R, "
        "/v2/reports?after=N\n"
        "SMPP 3.4                                  the gateway whose name is the system_id\n"
        "GET  /control, /control/counters          JSON; POST /control?NAME=VALUE&… turns knobs\n"
        "POST /control/inbound?gateway=NAME&from=NUMBER&text=TEXT[&to=…&id=…&at_ms=…&count=N]   a message "
        "from a "
        "phone, posted to the gateway's report_url with /inbound/ in it; over SMPP a deliver_sm\n"
        "                                          [&way=0…3: udh8, udh16, sar, payload &parts=2,1: only "
        "these,\n"
        "                                          so &alphabet=N &reference=N]\n\n"
        "Knobs: NAME for all gateways, GATEWAY.NAME for one. A share is 0 to 1, or nN: the next N of each "
        "gateway.\n%s"
        "Exit codes: 0 ended by a signal, 1 no port or log, 2 usage.\n",
        knobs.data);
    buf_deinit(&knobs);
}

static void set_or_exit(const char *name, const char *value)
{
    auto_buf why = {0};
    if (!knob_set(name, value, &why)) {
        fprintf(stderr, "fake-gateway: %s\n", why.data);
        exit(2);
    }
}

struct arguments {
    uint16_t control_port;
    const char *log, *report_log;
};

static void read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"control-port", required_argument, NULL, 'c'},
                                            {"log", required_argument, NULL, 'l'},
                                            {"report-url-alpha", required_argument, NULL, 'a'},
                                            {"report-url-beta", required_argument, NULL, 'b'},
                                            {"set", required_argument, NULL, 's'},
                                            {"report-log", required_argument, NULL, 'r'},
                                            {"smpp-port", required_argument, NULL, 'm'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *equals = o == 's' ? strchr(optarg, '=') : NULL;
        if (o == 'p') {
            port = (uint16_t)atoi(optarg);
        } else if (o == 'c') {
            a->control_port = (uint16_t)atoi(optarg);
        } else if (o == 'm') {
            smpp_port = (uint16_t)atoi(optarg);
            plays_smpp = true;
        } else if (o == 'l') {
            a->log = optarg;
        } else if (o == 'r') {
            a->report_log = optarg;
        } else if (o == 'a') {
            set_or_exit("alpha.report_url", optarg);
        } else if (o == 'b') {
            set_or_exit("beta.report_url", optarg);
        } else if (equals != NULL) {
            *equals = '\0';
            set_or_exit(optarg, equals + 1);
        } else {
            if (o == 'h')
                help();
            else
                fprintf(stderr, "Try fake-gateway --help\n");
            exit(o == 'h' ? 0 : 2);
        }
    }
    if (optind != argc) {
        fprintf(stderr, "fake-gateway: what is %s?\n", argv[optind]);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    now_ms = clock_wall_ms();
    srandom((unsigned)now_ms);
    read_arguments(argc, argv, &a);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    open_signals();
    listen_fd = bound_socket(&port, true);
    control_fd = bound_socket(&a.control_port, true);
    if (plays_smpp)
        smpp_fd = bound_socket(&smpp_port, true);
    if (listen_fd < 0 || control_fd < 0 || (plays_smpp && smpp_fd < 0)) {
        fprintf(stderr, "fake-gateway: %s\n", strerror(-MIN_OF(MIN_OF(listen_fd, control_fd), smpp_fd)));
        return 1;
    }
    if (a.log != NULL)
        log_open(a.log);
    if (a.report_log != NULL)
        report_log_open(a.report_log);
    server_open(listen_fd, 0);
    server_open(control_fd, 1);
    poster_start();
    if (plays_smpp)
        smpp_open(smpp_fd);
    printf("port=%u control_port=%u smpp_port=%u\n", port, a.control_port, smpp_port);
    fflush(stdout);
    run();
    server_free();
    smpp_free();
    poster_free();
    reports_free();
    follow_free();
    aliyun_free();
    log_close();
    free_later_now();
    free(later);
    return 0;
}
