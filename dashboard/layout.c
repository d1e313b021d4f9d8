/* What all pages have around them: see layout.h. */
#include "dashboard/layout.h"
#include "dashboard/static.h"
#include "lib/log.h"

#include <stdio.h>

static const struct entry {
    const char *path, *word;
} entries[] = {{"/", "Now"},    {"/rules", "Rules"},     {"/runs", "Runs"},    {"/messages", "Messages"},
               {"/why", "Why"}, {"/reasons", "Reasons"}, {"/charts", "Charts"}};

static bool is_there(const char *path)
{
    for (const struct route *r = routes; r->path; r++)
        if (strcmp(r->path, path) == 0)
            return true;
    return false;
}

static void add_head(struct buf *out, const char *title)
{
    buf_add_str(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n");
    htmlf(out, "<title>%s · smschain</title>\n", title);
    htmlf(out, "<link rel=\"icon\" href=\"/static/icon.svg?%s\" type=\"image/svg+xml\">\n", static_version());
    htmlf(out, "<link rel=\"stylesheet\" href=\"/static/style.css?%s\">\n", static_version());
    htmlf(out, "<script src=\"/static/page.js?%s\" defer></script>\n</head>\n", static_version());
}

static void add_navigation(struct buf *out, const char *lit)
{
    buf_add_str(out, "<nav aria-label=\"Pages\"><ul>\n");
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        if (is_there(entries[i].path))
            htmlf(out, "<li><a href=\"%s\"%s>%s</a></li>\n", entries[i].path,
                  lit && strcmp(lit, entries[i].path) == 0 ? " aria-current=page" : "", entries[i].word);
    buf_add_str(out, "</ul></nav>\n");
}

/* Without the script a page is what it was when it was made, and says so. */
static void add_live(const struct page *p, struct buf *out)
{
    if (!p->route || !p->route->live || p->status != 200)
        return;
    buf_add_str(out, "<p class=\"live\" id=\"live\" role=\"status\" data-state=\"still\" data-of=\"");
    html_text(out, p->path);
    for (size_t i = 0; i < p->query->count; i++) {
        buf_add_str(out, i == 0 ? "?" : "&amp;");
        buf_add_url_encoded(out, p->query->pairs[i].name, strlen(p->query->pairs[i].name));
        buf_add_char(out, '=');
        buf_add_url_encoded(out, p->query->pairs[i].value, strlen(p->query->pairs[i].value));
    }
    buf_add_str(
        out,
        "\"><span class=\"sign\" aria-hidden=\"true\">○</span> <span class=\"word\">not live</span></p>\n");
}

static void add_who(const struct page *p, struct buf *out)
{
    if (p->role == ROLE_NONE)
        return;
    buf_add_str(out, "<div class=\"who\">");
    htmlf(out, "<span title=\"%s\">%s</span>", *p->user ? p->user : "who you are here", role_words[p->role]);
    if (strstr(p->user, " token"))
        buf_add_str(
            out, "<form method=\"post\" action=\"/logout\"><button class=\"plain\">Sign out</button></form>");
    buf_add_str(out, "</div>\n");
}

void layout_page(const struct page *p, struct buf *out)
{
    char made[SPELL_SIZE];
    add_head(out, p->title ? p->title : "smschain");
    buf_add_str(out,
                "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\">\n"
                "<a class=\"brand\" href=\"/\">smschain</a>\n");
    add_navigation(out, p->route ? p->route->nav : NULL);
    buf_add_str(out, "<div class=\"right\">\n");
    add_live(p, out);
    add_who(p, out);
    buf_add_str(out, "</div>\n</header>\n<main id=\"main\" tabindex=\"-1\">\n");
    buf_add(out, p->out.data, p->out.len);
    htmlf(out,
          "\n</main>\n<footer class=\"foot\"><p>Made %s, all times are UTC. This page only reads; operators "
          "act by the command "
          "<code>smschain</code>.</p></footer>\n</body>\n</html>\n",
          spell_time(p->now_ms, made));
}

void layout_login(struct buf *out, const char *next, const char *error, bool has_tokens)
{
    add_head(out, "Sign in");
    buf_add_str(
        out,
        "<body class=\"alone\">\n<main id=\"main\">\n<p class=\"brand\">smschain</p>\n<h1>Sign in</h1>\n");
    if (error)
        htmlf(out,
              "<p class=\"note bad\" role=\"alert\"><span class=\"sign\" aria-hidden=\"true\">✕</span> "
              "%s</p>\n",
              error);
    if (has_tokens) {
        htmlf(out,
              "<form method=\"post\" action=\"/login\" class=\"login\">\n"
              "<input type=\"hidden\" name=\"next\" value=\"%s\">\n",
              next);
        buf_add_str(
            out,
            "<label for=\"token\">Token</label>\n"
            "<input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required "
            "autofocus>\n"
            "<button>Sign in</button>\n"
            "<p class=\"hint\">The viewer's or the operator's token of this installation "
            "(<code>dashboard.viewer_token</code>, <code>dashboard.operator_token</code>).</p>\n</form>\n");
    } else {
        buf_add_str(
            out,
            "<p>Nobody may look here yet: neither a token nor a trusted proxy is configured. Set "
            "<code>dashboard.viewer_token</code> and <code>dashboard.operator_token</code>, or "
            "<code>dashboard.trusted_proxies</code> with <code>dashboard.role_header</code>, and load the "
            "configuration again (SIGHUP).</p>\n");
    }
    buf_add_str(out, "</main>\n</body>\n</html>\n");
}

void layout_plain(struct buf *out, const char *title, const char *text)
{
    add_head(out, title);
    htmlf(out,
          "<body class=\"alone\">\n<main id=\"main\">\n<p "
          "class=\"brand\">smschain</p>\n<h1>%s</h1>\n<p>%s</p>\n",
          title, text);
    buf_add_str(out, "<p><a href=\"/\">To the first page</a></p>\n</main>\n</body>\n</html>\n");
}

/* ---- in the place of a page ---- */

static void instead(struct page *p, unsigned status, const char *title, const char *text, const char *more)
{
    buf_clear(&p->out);
    p->part_count = 0;
    p->status = status;
    page_title(p, "%s", title);
    htmlf(&p->out, "<div class=\"instead\">\n<h1>%s</h1>\n<p>%s</p>\n", title, text);
    if (more)
        htmlf(&p->out, "<p class=\"hint\">%s</p>\n", more);
    buf_add_str(&p->out, "</div>\n");
}

int page_missing(struct page *p, const char *format, ...)
{
    va_list ap;
    auto_buf text = {0};
    va_start(ap, format);
    buf_vaddf(&text, format, ap);
    va_end(ap);
    instead(p, 404, "Not found", text.data,
            "It may be older than what is kept, or the address has a slip in it.");
    return 0;
}

int page_refused(struct page *p, const char *format, ...)
{
    va_list ap;
    auto_buf text = {0};
    va_start(ap, format);
    buf_vaddf(&text, format, ap);
    va_end(ap);
    instead(p, 400, "That cannot be read", text.data, NULL);
    return 0;
}

void page_failed(struct page *p, int r)
{
    const char *error = db_error(p->db);
    log_warn("a page cannot be made", L_STR("page", p->path), L_STR("error", error));
    if (r < 0)
        instead(
            p, 503, "The database does not answer",
            "No page can be made without it. Messages go on leaving and arriving as far as they can "
            "meanwhile.",
            "This page tries again by itself with the next look; the log of smschain-dashboard tells more.");
    else if (r == DB_DENIED || r == DB_BAD_SQL)
        instead(p, 500, "The database is of another version",
                "Tables or rights that this page needs are not there.",
                "smschain migrate brings them up to date.");
    else if (r == DB_CANCELLED)
        instead(p, 503, "That took too long", "The database has ended the question after ten seconds.",
                "Ask for a shorter time, or more narrowly.");
    else
        instead(p, 500, "The database refused a question of this page", *error ? error : "It gave no reason.",
                "The log of smschain-dashboard tells more.");
}

void page_title(struct page *p, const char *format, ...)
{
    va_list ap;
    auto_buf text = {0};
    va_start(ap, format);
    buf_vaddf(&text, format, ap);
    va_end(ap);
    free(p->title);
    p->title = xstrdup(text.data ? text.data : "");
}

void part_begin(struct page *p, const char *id)
{
    if (p->part_count == PARTS_MAX)
        abort(); /* a page has a fixed number of parts: a mistake in the code */
    struct part *one = &p->parts[p->part_count];
    snprintf(one->id, sizeof(one->id), "%s", id);
    one->from = p->out.len;
    htmlf(&p->out, "<div id=\"%s\" class=\"part\">", id);
}

void part_end(struct page *p)
{
    buf_add_str(&p->out, "</div>\n");
    p->parts[p->part_count++].to = p->out.len;
}

void page_deinit(struct page *p)
{
    buf_deinit(&p->out);
    free(p->title);
    p->title = NULL;
}
