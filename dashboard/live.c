/* Live pages: see live.h. */
#include "dashboard/live.h"
#include "dashboard/answer.h"
#include "dashboard/layout.h"
#include "dashboard/measure.h"
#include "dashboard/options.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <pthread.h>

#define EVERY_MS    1000
#define BEAT_MS     15000 /* something at least so often: proxies, and clients that have gone unseen */
#define IDLE_S      10
#define WRITE_MS    200
#define WATCHED_MAX 64 /* different pages */
#define LOOKERS_MAX 300

struct looker {
    struct looker *next;
    struct httpd_request *request;
    int64_t until_ms; /* its session's end; 0: none */
    int64_t written_ms;
    bool fresh; /* has been sent nothing yet: gets all parts */
};
struct watched { /* one page, as one role sees it */
    struct watched *next;
    const struct route *route;
    char *path, *id, *key;
    struct query query;
    enum role role;
    char user[USER_SIZE];
    struct looker *lookers;
    struct sent {
        char id[48];
        char *html;
    } sent[PARTS_MAX];
    size_t sent_count;
    bool failed; /* the last look */
};
struct live {
    pthread_t thread;
    pthread_mutex_t lock; /* over what is added and ended */
    pthread_cond_t come;
    bool stopping, end_all;
    struct watched *coming; /* with one looker each; the thread takes them over */
    size_t lookers;
    struct watched *all; /* the thread's own */
    struct db *db;
    struct rates *rates;
    struct depths *depths;
};

static void watched_free(struct watched *w)
{
    free(w->path);
    free(w->id);
    free(w->key);
    query_deinit(&w->query);
    for (size_t i = 0; i < w->sent_count; i++)
        free(w->sent[i].html);
    free(w);
}

/* ---- who looks ---- */

static char *key_of(const char *path, const struct query *q, const struct who *who)
{
    auto_buf key = {0};
    buf_addf(&key, "%d %s\n%s", (int)who->role, who->user, path);
    for (size_t i = 0; i < q->count; i++)
        buf_addf(&key, "\n%s=%s", q->pairs[i].name, q->pairs[i].value);
    return buf_take(&key, NULL);
}

/* All under the lock: what is begun here is ended by the thread, so none may begin once it has seen its end.
 */
bool live_add(struct live *l, struct httpd_request *r, const struct route *route, char *path, char *id,
              struct query *query, const struct who *who)
{
    pthread_mutex_lock(&l->lock);
    bool room = l->lookers < LOOKERS_MAX && !l->stopping;
    if (room) {
        struct watched *w = xcalloc(1, sizeof(*w));
        *w = (struct watched){.route = route, .path = path, .id = id, .query = *query, .role = who->role};
        query->count = 0;
        memcpy(w->user, who->user, sizeof(w->user));
        w->key = key_of(path, &w->query, who);
        w->lookers = xcalloc(1, sizeof(*w->lookers));
        *w->lookers = (struct looker){.request = r, .until_ms = who->until_ms, .fresh = true};
        answer_stream(r, &(struct answer){.status = 200, .type = "text/event-stream; charset=utf-8"});
        w->next = l->coming;
        l->coming = w;
        l->lookers++;
        series_set(measure.streams, (int64_t)l->lookers);
        pthread_cond_signal(&l->come);
    }
    pthread_mutex_unlock(&l->lock);
    return room;
}

static void look_ends(struct live *l, struct looker *k)
{
    httpd_stream_end(k->request);
    free(k);
    pthread_mutex_lock(&l->lock);
    l->lookers--;
    series_set(measure.streams, (int64_t)l->lookers);
    pthread_mutex_unlock(&l->lock);
}

static void end_lookers(struct live *l, struct watched *w)
{
    while (w->lookers) {
        struct looker *k = w->lookers;
        w->lookers = k->next;
        look_ends(l, k);
    }
}

/* Joins those who look at the same page already. */
static void take_in(struct live *l, struct watched *fresh)
{
    size_t count = 0;
    for (struct watched *w = l->all; w; w = w->next, count++) {
        if (strcmp(w->key, fresh->key) != 0)
            continue;
        fresh->lookers->next = w->lookers;
        w->lookers = fresh->lookers;
        watched_free(fresh);
        return;
    }
    if (count >= WATCHED_MAX) { /* the browser comes again, later each time */
        end_lookers(l, fresh);
        watched_free(fresh);
        return;
    }
    fresh->next = l->all;
    l->all = fresh;
}

/* ---- what is sent ---- */

static void write_all(struct watched *w, const struct buf *changed, const struct buf *everything,
                      int64_t now_ms, struct live *l)
{
    for (struct looker **at = &w->lookers; *at;) {
        struct looker *k = *at;
        const struct buf *b = k->fresh ? everything : changed;
        bool beat = b->len == 0 && now_ms - k->written_ms >= BEAT_MS;
        bool over = k->until_ms != 0 && clock_wall_ms() >= k->until_ms;
        int r = 0;
        if (b->len > 0 && !over)
            r = httpd_stream_write(k->request, b->data, b->len, WRITE_MS);
        else if (beat && !over)
            r = httpd_stream_write(k->request, ":\n\n", 3, 0);
        if (b->len > 0 || beat)
            k->written_ms = now_ms;
        k->fresh = k->fresh && b->len == 0;
        if (r < 0 || over) {
            *at = k->next;
            look_ends(l, k);
        } else {
            at = &k->next;
        }
    }
}

static void add_event(struct buf *out, const char *id, const char *html, size_t len)
{
    buf_add_str(out, "event: part\ndata: {\"id\":");
    buf_add_json_str(out, id, strlen(id));
    buf_add_str(out, ",\"html\":");
    buf_add_json_str(out, html, len);
    buf_add_str(out, "}\n\n");
}

static struct sent *sent_of(struct watched *w, const char *id)
{
    for (size_t i = 0; i < w->sent_count; i++)
        if (strcmp(w->sent[i].id, id) == 0)
            return &w->sent[i];
    struct sent *s = &w->sent[w->sent_count++];
    *s = (struct sent){0};
    memcpy(s->id, id, sizeof(s->id));
    return s;
}

static void gather(struct watched *w, const struct page *p, struct buf *changed, struct buf *everything)
{
    for (size_t i = 0; i < p->part_count; i++) {
        const struct part *one = &p->parts[i];
        const char *html = p->out.data + one->from;
        size_t len = one->to - one->from;
        struct sent *s = sent_of(w, one->id);
        add_event(everything, one->id, html, len);
        if (s->html && strlen(s->html) == len && memcmp(s->html, html, len) == 0)
            continue;
        free(s->html);
        s->html = xstrndup(html, len);
        add_event(changed, one->id, html, len);
    }
}

static void look(struct live *l, struct watched *w, int64_t now_ms)
{
    auto_setting s = setting_get();
    auto_buf changed = {0}, everything = {0};
    struct query none = {0};
    struct page p = {.conf = s->conf,
                     .route = w->route,
                     .db = l->db,
                     .rates = l->rates,
                     .depths = l->depths,
                     .role = w->role,
                     .user = w->user,
                     .path = w->path,
                     .id = w->id ? w->id : "",
                     .query = &w->query,
                     .form = &none,
                     .now_ms = clock_wall_ms(),
                     .status = 200};
    int r = db_ready(l->db);
    if (r == 0)
        r = w->route->make(&p);
    bool failed = r != 0 || p.status != 200;
    if (failed && !w->failed)
        buf_add_str(&changed, "event: trouble\ndata: {\"words\":\"the database does not answer\"}\n\n");
    if (!failed) {
        if (w->failed)
            buf_add_str(&changed, "event: well\ndata: {}\n\n");
        gather(w, &p, &changed, &everything);
    }
    w->failed = failed;
    page_deinit(&p);
    write_all(w, &changed, &everything, now_ms, l);
}

/* ---- the thread ---- */

/* False: it is to end. */
static bool wait_and_take(struct live *l, bool *ret_end_all)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stopping && !l->coming && !l->all) {
        struct timespec until;
        loop_turned(measure.live);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += IDLE_S;
        pthread_cond_timedwait(&l->come, &l->lock, &until);
    }
    struct watched *coming = l->coming;
    bool go_on = !l->stopping;
    l->coming = NULL;
    *ret_end_all = l->end_all || l->stopping;
    l->end_all = false;
    pthread_mutex_unlock(&l->lock);
    while (coming) {
        struct watched *next = coming->next;
        take_in(l, coming);
        coming = next;
    }
    return go_on;
}

static void forget_unwatched(struct live *l)
{
    for (struct watched **at = &l->all; *at;) {
        struct watched *w = *at;
        if (w->lookers) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        watched_free(w);
    }
}

static void sleep_until(struct live *l, int64_t mono_ms)
{
    while (clock_mono_ms() < mono_ms) {
        pthread_mutex_lock(&l->lock);
        bool now = l->stopping || l->coming || l->end_all;
        pthread_mutex_unlock(&l->lock);
        if (now)
            return;
        usleep(50000);
    }
}

static void *live_thread(void *arg)
{
    struct live *l = arg;
    bool end_all;
    for (bool go_on = true; go_on;) {
        int64_t now_ms = clock_mono_ms();
        go_on = wait_and_take(l, &end_all);
        loop_turned(measure.live);
        for (struct watched *w = l->all; w; w = w->next) {
            if (end_all)
                end_lookers(l, w);
            else
                look(l, w, now_ms);
        }
        forget_unwatched(l);
        sleep_until(l, now_ms + EVERY_MS);
    }
    return NULL;
}

struct live *live_start(const struct conf_main *m, struct rates *rates, struct depths *depths)
{
    struct live *l = xcalloc(1, sizeof(*l));
    struct db_options o = dashboard_db_options(m, "smschain dashboard live");
    *l = (struct live){.db = db_new(&o), .rates = rates, .depths = depths};
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->come, NULL);
    int r = pthread_create(&l->thread, NULL, live_thread, l);
    if (r != 0) {
        log_error("a thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return l;
}

void live_end_all(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    l->end_all = true;
    pthread_cond_signal(&l->come);
    pthread_mutex_unlock(&l->lock);
}

void live_stop(struct live *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->come);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
}

void live_free(struct live *l)
{
    if (!l)
        return;
    db_free(l->db);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->come);
    free(l);
}
