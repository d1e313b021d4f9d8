/* smschain migrate: tables by numbered migrations (each in one transaction, entered with its checksum),
 * partitions ahead, roles; then the broker. One at a time, by advisory lock (5, 0). */
#include "ctl/ctl.h"
#include "migrate_applied.sql.h"
#include "migrate_enter.sql.h"
#include "migrate_lock.sql.h"
#include "migrate_partitions.sql.h"
#include "migrate_table.sql.h"
#include "schema/migrations.h"
#include <openssl/sha.h>
#include <stdio.h>

#define CHECKSUM_SIZE (2 * SHA256_DIGEST_LENGTH + 1)

static void checksum(const char *sql, char out[CHECKSUM_SIZE])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)sql, strlen(sql), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static int apply(struct ctl *c, const struct migration *m, const char *sum)
{
    auto_params p = db_params_new();
    db_add_int(p, m->number);
    db_add_text(p, m->name);
    db_add_text(p, sum);
    int code = ctl_begin(c);
    if (code != 0)
        return code;
    int r = db_script(c->db, m->sql);
    if (r != 0) {
        code = ctl_fail(r < 0 ? EXIT_UNREACHABLE : EXIT_REFUSED, "migration %04d_%s: %s", m->number, m->name,
                        db_error(c->db));
        db_rollback(c->db);
        return code;
    }
    code = ctl_sql(c, &sql_migrate_enter, p, NULL);
    if (code == 0)
        code = ctl_commit(c);
    if (code == 0)
        printf("migration %04d_%s applied\n", m->number, m->name);
    return code;
}

/* What is applied must be what we have: the same numbers from 1 on, the same text. */
static int compare(const struct db_result *applied)
{
    if (db_rows(applied) > (int)migration_count)
        return ctl_fail(EXIT_REFUSED,
                        "the database has migration %s, this command knows only %zu: use the newer smschain",
                        db_text(applied, db_rows(applied) - 1, 0), migration_count);
    for (int i = 0; i < db_rows(applied); i++) {
        char sum[CHECKSUM_SIZE];
        checksum(migrations[i].sql, sum);
        if (db_big(applied, i, 0) > migrations[i].number)
            return ctl_fail(
                EXIT_REFUSED,
                "the database has migration %s without %04d_%s, which comes before it: it was made by an "
                "unfinished version of smschain; make a new database",
                db_text(applied, i, 0), migrations[i].number, migrations[i].name);
        if (db_big(applied, i, 0) != migrations[i].number || strcmp(db_text(applied, i, 2), sum) != 0)
            return ctl_fail(EXIT_REFUSED,
                            "migration %04d_%s was applied with another text (checksum %.12s, now %.12s): "
                            "an applied migration is never edited; add a new one",
                            migrations[i].number, migrations[i].name, db_text(applied, i, 2), sum);
    }
    return 0;
}

static int migrate_tables(struct ctl *c)
{
    auto_result applied = NULL;
    auto_result partitions = NULL;
    auto_params p = db_params_new();
    int code = ctl_sql(c, &sql_migrate_lock, NULL, NULL);
    if (code == 0)
        code = ctl_sql(c, &sql_migrate_table, NULL, NULL);
    if (code == 0)
        code = ctl_sql(c, &sql_migrate_applied, NULL, &applied);
    if (code == 0)
        code = compare(applied);
    for (size_t i = code == 0 ? (size_t)db_rows(applied) : 0; code == 0 && i < migration_count; i++) {
        char sum[CHECKSUM_SIZE];
        checksum(migrations[i].sql, sum);
        code = apply(c, &migrations[i], sum);
    }
    if (code != 0)
        return code;
    db_add_int(p, (int32_t)c->conf->main.database.partitions_ahead_days);
    code = ctl_sql(c, &sql_migrate_partitions, p, &partitions);
    if (code == 0)
        printf("tables: %zu migrations, partitions %s days ahead\n", migration_count,
               db_text(partitions, 0, 0));
    return code;
}

int cmd_migrate(struct ctl *c)
{
    bool only_database = ctl_take_flag(c, "--database"), only_broker = ctl_take_flag(c, "--broker");
    if (!ctl_no_options_left(c) || c->argc != 1 || (only_database && only_broker))
        return ctl_usage("migrate");
    int code = ctl_conf(c, "");
    if (code == 0 && !only_broker)
        code = ctl_admin_db(c);
    if (code == 0 && !only_broker)
        code = migrate_tables(c);
    if (code == 0 && !only_broker)
        code = roles_admin(c);
    if (code == 0 && !only_database)
        code = broker_admin(c);
    return code;
}
