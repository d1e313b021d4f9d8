/* The services' logins. The rights hang on roles named smschain_<service> that the migration made; a
 * configured user of another name becomes a member of that role. */
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "role_login.sql.h"
#include "role_set.sql.h"
#include <stdio.h>

/* Utility statements take no parameters, so the values go by session settings into a DO block that quotes
 * them. Roles belong to the whole cluster: another database's migrate may be changing the same one at this
 * moment. */
#define TRIES 10

static int set_login(struct ctl *c, const char *role, const char *user, const char *verifier)
{
    auto_params p = db_params_new();
    db_add_text(p, role);
    db_add_text(p, user);
    db_add_text(p, verifier);
    int r = 0;
    for (unsigned i = 1; i <= TRIES; i++) {
        r = db_run(c->db, &sql_role_set, p, NULL);
        if (r == 0)
            r = db_run(c->db, &sql_role_login, NULL, NULL);
        if (r != DB_RETRY && r != DB_CONSTRAINT && r != DB_OTHER && r != DB_BAD_SQL)
            break;
        usleep((useconds_t)clock_backoff_ms(i, 20, 500) * 1000);
    }
    if (r != 0)
        return ctl_fail(r < 0 ? EXIT_UNREACHABLE : EXIT_REFUSED, "role %s: %s", user, db_error(c->db));
    return 0;
}

int roles_admin(struct ctl *c)
{
    const struct conf_main *m = &c->conf->main;
    const struct {
        const char *role;
        const struct conf_service *service;
    } logins[] = {
        {"smschain_extract", &m->extract.service},
        {"smschain_dispatch", &m->dispatch.service},
        {"smschain_callback", &m->callback.service},
        {"smschain_operator", &m->operator_.service},
        {"smschain_dashboard", &m->dashboard.service},
    };
    for (size_t i = 0; i < COUNT_OF(logins); i++) {
        const struct conf_service *s = logins[i].service;
        if (s->database_user == NULL || *s->database_user == '\0')
            continue;
        const char *password = s->database_password != NULL ? s->database_password : "";
        auto_free char *verifier = *password != '\0' ? scram_verifier(password) : NULL;
        if (verifier == NULL && *password != '\0')
            return ctl_fail(EXIT_REFUSED, "role %s: the password must be plain ASCII", s->database_user);
        int code = set_login(c, logins[i].role, s->database_user, verifier);
        if (code != 0)
            return code;
    }
    printf("roles: smschain_extract, smschain_dispatch, smschain_callback, smschain_operator, "
           "smschain_dashboard may log in\n");
    return 0;
}
