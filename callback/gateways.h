/* What the callback service needs of the gateways' configuration, made ready once: formats, tokens, forms of
 * ids. Counted by reference: SIGHUP puts another set in place while requests and flushes still use the old
 * one. */
#pragma once
#include "callback/msg_id.h"
#include "callback/posts.h"
#include "lib/conf.h"
#include "lib/record.h"

struct gateway {
    const struct conf_gateway *conf;
    struct posts *report, *inbound;
    enum msg_id_form report_form, answer_form;
};
struct gateways;

/* Takes the configuration over (also on failure). NULL: *ret_why says what does not fit, caller frees. */
struct gateways *gateways_new(struct conf *conf, char **ret_why);
struct gateways *gateways_ref(struct gateways *g);
void gateways_unref(struct gateways *g); /* NULL is fine */
#define auto_gateways cleanup_with(gateways_unref_pointed) struct gateways *
static inline void gateways_unref_pointed(struct gateways **g)
{
    gateways_unref(*g);
}
const struct conf *gateways_conf(const struct gateways *g);
const struct gateway *gateways_find(const struct gateways *g, const char *name); /* NULL: none of that name */
size_t gateways_count(const struct gateways *g);
const struct gateway *gateways_at(const struct gateways *g, size_t i);
const struct network *gateways_trusted(const struct gateways *g, size_t *ret_count);
/* The form of ids in a step of this gateway; as given where the gateway is not configured any more. */
enum msg_id_form gateways_form(const struct gateways *g, const char *name, enum step step);

/* The set in use, shared by all threads. */
struct gateways_now;
struct gateways_now *gateways_now_new(struct gateways *first); /* takes it over */
void gateways_now_free(struct gateways_now *n);
struct gateways *gateways_now_get(struct gateways_now *n);            /* a reference: gateways_unref it */
void gateways_now_set(struct gateways_now *n, struct gateways *next); /* takes it over */
