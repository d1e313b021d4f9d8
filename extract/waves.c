/* Waves: see waves.h. */
#include "extract/waves.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"
#include "runs_wave_decide.sql.h"
#include "runs_wave_left.sql.h"

static int note_left(struct db *d)
{
    auto_result left = NULL;
    int r = db_run(d, &sql_runs_wave_left, NULL, &left);

    for (int i = 0; r == 0 && i < db_rows(left); i++) {
        char due[CLOCK_ISO_SIZE];
        log_info("first wave is sent", L_INT("run", db_big(left, i, 0)),
                 L_INT("messages", db_big(left, i, 1)),
                 L_STR("decided_at", clock_iso(db_time_ms(left, i, 2), due)));
        FAULT("extract.wave_left");
    }
    return r;
}

static int decide(struct db *d)
{
    auto_result decided = NULL;
    int r = db_run(d, &sql_runs_wave_decide, NULL, &decided);

    for (int i = 0; r == 0 && i < db_rows(decided); i++) {
        FAULT("extract.wave_decided");
        if (*db_text(decided, i, 2))
            log_warn("run is held", L_STR("rule", db_text(decided, i, 1)),
                     L_INT("run", db_big(decided, i, 0)), L_STR("why", db_text(decided, i, 2)));
        else
            log_info("first wave is good, the rest leaves", L_STR("rule", db_text(decided, i, 1)),
                     L_INT("run", db_big(decided, i, 0)), L_INT("sent", db_big(decided, i, 3)),
                     L_INT("final", db_big(decided, i, 4)), L_INT("undelivered", db_big(decided, i, 5)));
    }
    return r;
}

int waves_look(struct db *d)
{
    int r = note_left(d);

    return r != 0 ? r : decide(d);
}
