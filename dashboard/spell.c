/* Numbers, shares and times: see spell.h. */
#include "dashboard/spell.h"
#include "lib/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

const char *spell_number(int64_t n, char out[SPELL_SIZE])
{
    char digits[32], *at = out;
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n);
    for (int i = 0; i < len; i++) {
        int left = len - i;
        *at++ = digits[i];
        if (left > 1 && left % 3 == 1 && digits[i] != '-')
            *at++ = ',';
    }
    *at = '\0';
    return out;
}

const char *spell_share(int64_t part, int64_t whole, char out[SPELL_SIZE])
{
    double share = whole > 0 ? 100.0 * (double)part / (double)whole : 0;
    if (whole <= 0)
        snprintf(out, SPELL_SIZE, "–");
    else if (part == whole || part == 0)
        snprintf(out, SPELL_SIZE, "%d %%", part == whole ? 100 : 0);
    else if (share < 0.1)
        snprintf(out, SPELL_SIZE, "<0.1 %%");
    else /* not all is never shown as all */
        snprintf(out, SPELL_SIZE, "%.1f %%", fmin(floor(share * 10) / 10, 99.9));
    return out;
}

const char *spell_rate(double per_s, char out[SPELL_SIZE])
{
    char whole[SPELL_SIZE];
    if (per_s >= 10 || per_s == 0)
        snprintf(out, SPELL_SIZE, "%s/s", spell_number(llround(per_s), whole));
    else
        snprintf(out, SPELL_SIZE, "%.1f/s", per_s);
    return out;
}

/* The small part is left out where it is nothing. */
static void two_parts(int64_t great, const char *unit, int64_t small, const char *small_unit,
                      char out[SPELL_SIZE])
{
    if (small == 0)
        snprintf(out, SPELL_SIZE, "%" PRId64 " %s", great, unit);
    else
        snprintf(out, SPELL_SIZE, "%" PRId64 " %s %" PRId64 " %s", great, unit, small, small_unit);
}

const char *spell_duration(int64_t ms, char out[SPELL_SIZE])
{
    int64_t s = (ms + 500) / 1000, min = s / 60, h = min / 60, d = h / 24;
    if (ms < 1000)
        snprintf(out, SPELL_SIZE, "%" PRId64 " ms", MAX_OF(ms, 0));
    else if (ms < 10000)
        snprintf(out, SPELL_SIZE, "%.1f s", (double)ms / 1000);
    else if (s < 60)
        snprintf(out, SPELL_SIZE, "%" PRId64 " s", s);
    else if (min < 60)
        two_parts(min, "min", s % 60, "s", out);
    else if (h < 48)
        two_parts(h, "h", min % 60, "min", out);
    else
        two_parts(d, "d", h % 24, "h", out);
    return out;
}

const char *spell_time(int64_t wall_ms, char out[SPELL_SIZE])
{
    char iso[CLOCK_ISO_SIZE];
    if (wall_ms == 0)
        snprintf(out, SPELL_SIZE, "–");
    else
        snprintf(out, SPELL_SIZE, "%.10s %.8s", clock_iso(wall_ms, iso), iso + 11);
    return out;
}

const char *spell_bytes(int64_t bytes, char out[SPELL_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t u = 0;
    for (; n >= 1024 && u + 1 < COUNT_OF(units); u++)
        n /= 1024;
    snprintf(out, SPELL_SIZE, u == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[u]);
    return out;
}
