/* The functions that routes.c names, a file each (page_NAME.c). */
#pragma once
#include "dashboard/page.h"

int page_now(struct page *p);
int page_rules(struct page *p);
int page_rule(struct page *p);
int page_runs(struct page *p);
int page_run(struct page *p);
int page_charts(struct page *p);
int page_messages(struct page *p);
int page_messages_csv(struct page *p);
int page_message(struct page *p);
int page_message_reveal(struct page *p);
int page_why(struct page *p);
int page_reasons(struct page *p);
