/* What all pages have around them: head, navigation, foot; and the pages that stand for one that cannot be
 * shown. */
#pragma once
#include "dashboard/page.h"

void layout_page(const struct page *p, struct buf *out); /* the whole document around p->out */
/* next: where to go afterwards, an address of ours. error: NULL, or what was wrong. */
void layout_login(struct buf *out, const char *next, const char *error, bool has_tokens);
/* A page of its own for what is no page's fault: 503 while too much waits, 405, … */
void layout_plain(struct buf *out, const char *title, const char *text);
/* A statement of the page has failed: db_run's code. */
void page_failed(struct page *p, int r);
void page_deinit(struct page *p);
