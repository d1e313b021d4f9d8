/* A page: a row of `routes` (routes.c) and a function that writes what stands between the page's head and its
 * foot.
 *
 * MUSTs of such a function (struct route.make):
 * 1. It asks the database by p->db only, read only, with bounded statements (docs/dashboard.md, "Speed"). The one
 *    exception is what an operator has revealed, which is kept (page_message.c).
 * 2. It gives back the code of a statement that failed, unchanged: then an error page is shown, what was
 * written is thrown away.
 * 3. Whatever comes from outside is written by %s of htmlf or by html_text.
 * 4. What changes while one looks at it stands between part_begin and part_end, if the route is `live`: the
 * sampler calls the same function every second and sends the parts that have changed (live.h). So it keeps
 * nothing between two calls. */
#pragma once
#include "dashboard/html.h"
#include "dashboard/query.h"
#include "dashboard/spell.h"
#include "lib/conf.h"
#include "lib/db.h"
#include "lib/httpd.h"

enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR };
extern const char *const role_words[]; /* by enum role: "", "viewer", "operator" */

struct rates;
struct depths;
struct page;
struct route {
    const char *method; /* "GET", "POST" */
    const char *path;   /* "/runs/" followed by one `*`: page.id is what stands in its place, decoded */
    const char *nav;    /* the entry of the navigation that it belongs to; NULL: none */
    enum role least;
    bool live;
    int (*make)(struct page *p);
};
extern const struct route routes[]; /* ends with path NULL */

#define PARTS_MAX 48
struct page {
    const struct conf *conf;
    const struct route *route;
    struct db *db;
    struct rates *rates;
    struct depths *depths;
    enum role role;
    const char *user;              /* who looks, as the proxy or the token says; "" : nobody said */
    const char *path;              /* "/runs/12" */
    const char *id;                /* "12"; "" */
    const struct query *query;     /* what stands behind the ? */
    const struct query *form;      /* of a POST */
    struct httpd_request *request; /* NULL: the sampler's look at a live page */
    int64_t now_ms;                /* one for the whole page */
    struct buf out;                /* what the function writes */
    char *title;                   /* page_title */
    unsigned status;               /* 200 */
    bool answered; /* the function has answered by itself (a stream, a redirection): nothing more is done */
    struct part {
        char id[48];
        size_t from, to; /* in out, with its own element */
    } parts[PARTS_MAX];
    size_t part_count;
};
void page_title(struct page *p, const char *format, ...) printf_like(2, 3);
/* Part of a live page: an element of its own with this id. They do not nest. */
void part_begin(struct page *p, const char *id);
void part_end(struct page *p);
/* There is no such thing: says so with status 404. Gives 0, so that it can be returned. */
int page_missing(struct page *p, const char *format, ...) printf_like(2, 3);
/* What a search, a number in the address or a form had wrong: 400. Gives 0. */
int page_refused(struct page *p, const char *format, ...) printf_like(2, 3);
