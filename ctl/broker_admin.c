/* The broker's side of migrate: virtual host, users and their rights over the management interface, exchange
 * and queues over AMQP. No service may configure; each writes to the one exchange and reads its own queues.
 */
#include "ctl/ctl.h"
#include "lib/http.h"
#include <stdio.h>

#define CONNECT_TIMEOUT_MS 10000
#define CALL_TIMEOUT_MS    60000 /* making a virtual host takes seconds */
#define ANSWER_MAX_BYTES   (1u << 20)

struct call {
    const struct ctl *ctl;
    struct http_client *client;
    int status;
};

/* One call; body NULL: GET. 0 and call->status, or an exit code. */
static int manage(struct call *k, const char *path, const char *body)
{
    static const char *const headers[] = {"Content-Type: application/json"};
    const struct conf_main *m = &k->ctl->conf->main;
    auto_free char *url = xasprintf("%s%s", m->broker.management_url, path);
    struct http_request r = {.method = body != NULL ? "PUT" : "GET",
                             .url = url,
                             .headers = headers,
                             .header_count = COUNT_OF(headers),
                             .body = body,
                             .body_len = body != NULL ? strlen(body) : 0};
    struct http_result answer;
    http_client_call(k->client, &r, NULL, NULL, &answer);
    if (answer.end != HTTP_ANSWERED)
        return ctl_fail(EXIT_UNREACHABLE, "broker's management interface at %s: %s", m->broker.management_url,
                        answer.error);
    k->status = answer.status;
    if (k->status == 401 || k->status == 403)
        return ctl_fail(EXIT_REFUSED, "broker's management interface refuses user %s", m->broker.admin_user);
    return 0;
}

static int put(struct call *k, const char *path, const char *body)
{
    int code = manage(k, path, body);
    if (code == 0 && (k->status < 200 || k->status > 299))
        code = ctl_fail(EXIT_REFUSED, "broker's management interface answered %d to PUT %s", k->status, path);
    return code;
}

static char *escaped(const char *s)
{
    auto_buf b = {0};
    buf_add_url_encoded(&b, s, strlen(s));
    return xstrdup(b.data != NULL ? b.data : "");
}

static int put_rights(struct call *k, const char *user, const char *configure, const char *write,
                      const char *read)
{
    auto_free char *vhost = escaped(k->ctl->conf->main.broker.vhost);
    auto_free char *name = escaped(user);
    auto_free char *path = xasprintf("/api/permissions/%s/%s", vhost, name);
    auto_buf body = {0};
    buf_add_str(&body, "{\"configure\":");
    buf_add_json_str(&body, configure, strlen(configure));
    buf_add_str(&body, ",\"write\":");
    buf_add_json_str(&body, write, strlen(write));
    buf_add_str(&body, ",\"read\":");
    buf_add_json_str(&body, read, strlen(read));
    buf_add_char(&body, '}');
    return put(k, path, body.data);
}

static int put_user(struct call *k, const struct conf_service *s, const char *write, const char *read)
{
    auto_free char *name = escaped(s->broker_user);
    auto_free char *path = xasprintf("/api/users/%s", name);
    const char *password = s->broker_password != NULL ? s->broker_password : "";
    auto_buf body = {0};
    buf_add_str(&body, "{\"password\":");
    buf_add_json_str(&body, password, strlen(password));
    buf_add_str(&body, ",\"tags\":\"\"}");
    int code = put(k, path, body.data);
    return code != 0 ? code : put_rights(k, s->broker_user, "^$", write, read);
}

struct user {
    const struct conf_service *service;
    const char *read;
    bool only_looks; /* how much stands in the queues needs no right at all */
};
#define USERS 6
static void users_of(const struct conf_main *m, struct user users[USERS])
{
    users[0] = (struct user){&m->extract.service, "^sms\\.request$"};
    users[1] = (struct user){&m->render.service, "^sms\\.render\\."};
    users[2] = (struct user){&m->dispatch.service, "^sms\\.dispatch\\."};
    users[3] = (struct user){&m->callback.service, "^sms\\.update\\."};
    users[4] = (struct user){&m->operator_.service, "^sms\\.dead$"};
    users[5] = (struct user){&m->dashboard.service, "^$", true};
}

/* Has our virtual host its administrator? One that exists already keeps what was set up by hand. */
static int put_vhost(struct call *k)
{
    const struct conf_main *m = &k->ctl->conf->main;
    auto_free char *vhost = escaped(m->broker.vhost);
    auto_free char *admin = escaped(m->broker.admin_user);
    auto_free char *vhost_path = xasprintf("/api/vhosts/%s", vhost);
    auto_free char *rights_path = xasprintf("/api/permissions/%s/%s", vhost, admin);
    int code = manage(k, vhost_path, NULL);
    if (code == 0 && k->status == 404)
        code = put(k, vhost_path, "{}");
    if (code == 0)
        code = manage(k, rights_path, NULL);
    if (code == 0 && k->status == 404)
        code = put_rights(k, m->broker.admin_user, ".*", ".*", ".*");
    return code;
}

static struct http_client *client_of(const struct conf_main *m, struct conf_http *http)
{
    static char basic[] = "basic";
    *http = (struct conf_http){
        .auth = {.type = basic, .user = m->broker.admin_user, .password = m->broker.admin_password},
        .tls = {.ca_file = m->broker.ca_file}};
    return http_client_new(&(struct http_options){.conf = http,
                                                  .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                                  .answer_timeout_ms = CALL_TIMEOUT_MS,
                                                  .answer_max = ANSWER_MAX_BYTES});
}

static int manage_all(const struct ctl *c, const struct user users[USERS])
{
    struct conf_http http;
    struct call k = {.ctl = c, .client = client_of(&c->conf->main, &http)};
    int code = put_vhost(&k);
    for (size_t i = 0; code == 0 && i < USERS; i++)
        if (users[i].service->broker_user != NULL && *users[i].service->broker_user != '\0')
            code = put_user(&k, users[i].service, users[i].only_looks ? "^$" : "^sms$", users[i].read);
    http_client_free(k.client);
    return code;
}

/* No management interface: a person does it with the broker's own tool. */
static void print_commands(const struct conf_main *m, const struct user users[USERS])
{
    printf("# broker.management_url is empty: run these on the broker\nrabbitmqctl add_vhost '%s'\n",
           m->broker.vhost);
    for (size_t i = 0; i < USERS; i++)
        printf("rabbitmqctl add_user '%s'   # asks for the password\n"
               "rabbitmqctl set_permissions -p '%s' '%s' '^$' '%s' '%s'\n",
               users[i].service->broker_user, m->broker.vhost, users[i].service->broker_user,
               users[i].only_looks ? "^$" : "^sms$", users[i].read);
}

static void add_queue(char (*names)[MQ_QUEUE_SIZE], const char **list, size_t *count, const char *name)
{
    if (name != names[*count])
        snprintf(names[*count], MQ_QUEUE_SIZE, "%s", name);
    list[*count] = names[*count];
    (*count)++;
}

static int declare(const struct ctl *c)
{
    const struct conf_main *m = &c->conf->main;
    size_t room = 3 + 2 + 2 * c->conf->gateway_count + (size_t)m->broker.update_shards, n = 0;
    auto_free char(*names)[MQ_QUEUE_SIZE] = xcalloc(room, MQ_QUEUE_SIZE);
    auto_free const char **list = xcalloc(room, sizeof(*list));
    static const char *const lanes[] = {"instant", "bulk"};
    add_queue(names, list, &n, MQ_QUEUE_DEAD);
    add_queue(names, list, &n, MQ_QUEUE_INBOUND);
    add_queue(names, list, &n, MQ_QUEUE_REQUEST);
    for (size_t l = 0; l < COUNT_OF(lanes); l++) {
        add_queue(names, list, &n, mq_queue_render(lanes[l], names[n]));
        for (size_t g = 0; g < c->conf->gateway_count; g++)
            add_queue(names, list, &n, mq_queue_dispatch(c->conf->gateways[g].name, lanes[l], names[n]));
    }
    for (unsigned s = 0; s < (unsigned)m->broker.update_shards; s++)
        add_queue(names, list, &n, mq_queue_update(s, names[n]));
    struct mq_options o = ctl_mq_options(c, m->broker.admin_user, m->broker.admin_password);
    auto_free char *why = NULL;
    int r = mq_declare(&o, list, n, &why);
    if (r < 0)
        return ctl_fail(EXIT_UNREACHABLE, "broker %s:%d: %s", o.host, o.port,
                        why != NULL ? why : strerror(-r));
    printf("broker: exchange " MQ_EXCHANGE " and %zu queues on virtual host %s\n", n, m->broker.vhost);
    return 0;
}

int broker_admin(const struct ctl *c)
{
    const struct conf_main *m = &c->conf->main;
    struct user users[USERS];
    users_of(m, users);
    if (m->broker.management_url == NULL || *m->broker.management_url == '\0') {
        print_commands(m, users);
        return declare(c);
    }
    int code = manage_all(c, users);
    if (code != 0)
        return code;
    printf("broker: users and their rights\n");
    return declare(c);
}
