/* One message: where it stands, and all that happened to it. An operator may see its number and what is kept
 * of its text, after having given a reason, which is kept in the table `reveal` by the statement that gives
 * them (schema/0017). */
#include "dashboard/pages.h"
#include "dashboard/runs.h"
#include "dashboard/shown.h"
#include "dashboard/timeline.h"
#include "lib/number.h"
#include "lib/pointer.h"
#include "lib/record.h"
#include "lib/show.h"
#include "message_reveal.sql.h"
#include "message_revealed.sql.h"
#include "message_template.sql.h"
#include "read_write.sql.h"
#include <stdio.h>

#define REASON_MIN 4
#define REASON_MAX 500

static bool read_id(const struct page *p, int64_t *ret)
{
    struct seq_id id;
    char *end;
    if (seq_id_parse(p->id, &id)) {
        *ret = id.sms_id;
        return true;
    }
    errno = 0;
    *ret = *p->id >= '1' && *p->id <= '9' ? strtoll(p->id, &end, 10) : 0;
    return *ret > 0 && *ret < SMS_ID_END && errno == 0 && *end == '\0';
}

/* Who has looked at its number before. */
static int add_revealed(struct page *p, int64_t sms_id)
{
    auto_params q = db_params_new();
    auto_result r = NULL;
    char at[SHOW_TIME_SIZE];
    db_add_big(q, sms_id);
    int rc = db_run(p->db, &sql_message_revealed, q, &r);
    if (rc != 0 || db_rows(r) == 0)
        return rc;
    buf_add_str(&p->out, "<h3>Who has looked at it</h3>\n<ul class=\"revealed\">\n");
    for (int i = 0; i < db_rows(r); i++)
        htmlf(&p->out, "<li><time>%s</time> %s: %s</li>\n", show_time(db_time_ms(r, i, 0), at),
              db_text(r, i, 1), db_text(r, i, 2));
    buf_add_str(&p->out, "</ul>\n");
    return 0;
}

static int add_reveal_form(struct page *p, const struct story *s, const char *error)
{
    struct buf *out = &p->out;
    buf_add_str(out, "<section class=\"reveal\"><h2>Number and text</h2>\n");
    if (p->role < ROLE_OPERATOR) {
        buf_add_str(out, "<p>Masked. An operator may see them.</p></section>\n");
        return 0;
    }
    if (error != NULL)
        htmlf(out,
              "<p class=\"note bad\" role=\"alert\"><span class=\"sign\" aria-hidden=\"true\">✕</span> "
              "%s</p>\n",
              error);
    htmlf(out,
          "<form class=\"ask\" method=\"post\" action=\"/messages/%lld\">\n<label class=\"long\">Why do you "
          "need to see them?\n"
          "<input name=\"reason\" required minlength=\"%d\" maxlength=\"%d\" autocomplete=\"off\"></label>\n"
          "<button>Show them</button>\n</form>\n<p class=\"hint\">Your name, the time and the reason are "
          "kept.</p>\n",
          (long long)s->sms_id, REASON_MIN, REASON_MAX);
    int rc = add_revealed(p, s->sms_id);
    buf_add_str(out, "</section>\n");
    return rc;
}

/* ---- what is revealed ---- */

static int reveal(struct page *p, int64_t sms_id, const char *reason, struct db_result **ret)
{
    auto_params q = db_params_new();
    db_add_big(q, sms_id);
    db_add_text(q, *p->user != '\0' ? p->user : role_words[p->role]);
    db_add_text(q, reason);
    int rc = db_begin(p->db);
    if (rc == 0)
        rc = db_run(p->db, &sql_read_write, NULL, NULL);
    if (rc == 0)
        rc = db_run(p->db, &sql_message_reveal, q, ret);
    if (rc == 0)
        rc = db_commit(p->db); /* nothing is shown before the row is kept */
    else
        db_rollback(p->db);
    return rc;
}

static int add_template(struct page *p, const struct story *s)
{
    auto_params q = db_params_new();
    auto_result r = NULL;
    db_add_text(q, s->template_name);
    db_add_text(q, s->version);
    int rc = *s->version != '\0' ? db_run(p->db, &sql_message_template, q, &r) : 0;
    if (rc != 0 || r == NULL || db_rows(r) == 0)
        return rc;
    htmlf(&p->out, "<h3>Template %s, version %s</h3>\n<pre>%s</pre>\n", s->template_name, s->version,
          db_text(r, 0, 0));
    return 0;
}

/* A texts record holds the text itself, a rows record the values that the template makes it of. */
static int add_text(struct page *p, const struct story *s, const char *record)
{
    auto_buf text = {0};
    auto_buf cells = {0};
    struct buf *out = &p->out;
    if (*record == '\0') {
        htmlf(out,
              "<p class=\"hint\">Its text is kept no more: bodies are thrown away %s after they have left "
              "(extract.outbox_keep).</p>\n",
              "some time");
        return add_template(p, s);
    }
    if (pointer_read(record, strlen(record), "/text", &text) == 0) {
        htmlf(out, "<h3>Text</h3>\n<pre>%s</pre>\n", text.data != NULL ? text.data : "");
        return 0;
    }
    buf_add_str(out, "<p class=\"hint\">Only the row is kept that the template made the text of.</p>\n");
    if (pointer_read(record, strlen(record), "/row", &cells) == 0)
        htmlf(out, "<h3>Row</h3>\n<pre>%s</pre>\n", cells.data != NULL ? cells.data : "");
    return add_template(p, s);
}

static int add_reveal(struct page *p, const struct story *s)
{
    const char *reason = query_get(p->form, "reason");
    auto_result r = NULL;
    char number[NUMBER_SIZE];
    size_t len = strlen(reason);
    if (len < REASON_MIN || len > REASON_MAX || strspn(reason, " \t\r\n") == len) {
        p->status = 400;
        return add_reveal_form(p, s, "Say in a few words why.");
    }
    int rc = reveal(p, s->sms_id, reason, &r);
    if (rc != 0)
        return rc;
    buf_add_str(&p->out, "<section class=\"reveal\"><h2>Number and text</h2>\n");
    if (db_rows(r) == 0) {
        buf_add_str(&p->out, "<p>The message is kept no more.</p></section>\n");
        return 0;
    }
    htmlf(&p->out, "<p>Sent to <strong class=\"number\">%s</strong></p>\n",
          number_format(db_big(r, 0, 0), number));
    rc = add_text(p, s, db_text(r, 0, 1));
    if (rc == 0)
        rc = add_revealed(p, s->sms_id);
    buf_add_str(&p->out, "</section>\n");
    return rc;
}

static int show(struct page *p, bool revealing)
{
    int64_t sms_id;
    auto_story s = NULL;
    if (!read_id(p, &sms_id))
        return page_refused(
            p, "'%.40s' is no id of a message: an sms_id is a whole number, a seq_id three with points.",
            p->id);
    int rc = story_read(p->db, sms_id, &s);
    if (rc != 0)
        return rc;
    if (s == NULL)
        return page_missing(p, "There is no message %lld.", (long long)sms_id);
    page_title(p, "Message %lld", (long long)sms_id);
    htmlf(&p->out, "<h1>Message <span class=\"n\">%lld</span></h1>\n", (long long)sms_id);
    timeline_state(&p->out, s);
    timeline_facts(&p->out, p->conf, s);
    timeline_segments(&p->out, s);
    buf_add_str(&p->out, "<h2>Story</h2>\n");
    timeline_told(&p->out, s);
    return revealing ? add_reveal(p, s) : add_reveal_form(p, s, NULL);
}

int page_message(struct page *p)
{
    return show(p, false);
}

int page_message_reveal(struct page *p)
{
    return show(p, true);
}
