"""Cron: when random expressions fire, asked of two judges.

croner follows Vixie cron over daylight saving. It tells fixed times from wildcards by any `*` or step in minute and
hour, Vixie cron and we by their first character: so it gets minute and hour of a fixed expression written out as
lists. It takes a day field as free only where it is `*` alone, Vixie cron and we where it begins with `*`: so it is
told which of the two rules of days holds. python3-croniter knows no daylight saving as cron has it: it judges the
calendar, in UTC, and reads every expression as it is but for that same rule of days, where it also takes a list that
names all days for a free field; and it leaves out the first of March where some day after the 28th is named, so for it
no such day is."""
import datetime
import zoneinfo

import croniter
from conftest import differences

EXPRESSIONS = 4000
FIRINGS = 6
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
# Zones whose rules the judges' time zone data and ours have known alike for years: changes by one hour, half an hour
# and two, at night, at midnight and in the morning, in both hemispheres; and zones without any, at odd offsets.
ZONES = ("Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Kyiv", "Atlantic/Azores", "America/New_York",
         "America/Los_Angeles", "America/St_Johns", "America/Halifax", "Australia/Sydney", "Australia/Adelaide",
         "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Antarctica/Troll", "Asia/Kolkata",
         "Asia/Kathmandu", "Asia/Shanghai", "Pacific/Marquesas", "UTC")
UTC = datetime.timezone.utc


class Field:
    """One field: as written, and the values that it names."""

    def __init__(self, dice, least, most, names=None):
        parts, self.values = [], set()
        for _ in range(dice.choice((1, 1, 1, 1, 2, 3))):
            text, values = self.part(dice, least, most, names)
            parts.append(text)
            self.values |= values
        self.all = self.values == set(range(least, most + 1))
        self.text = ",".join(parts)

    @staticmethod
    def part(dice, least, most, names):
        def said(value):
            if names and dice.random() < 0.4:
                word = names[value - least]
                return dice.choice((word, word.upper(), word.capitalize()))
            return str(value)
        step = dice.randint(1, most) if dice.random() < 0.3 else dice.choice((2, 3, 5, 10, 15, 20))
        step = min(step, most)
        first, last = sorted((dice.randint(least, most), dice.randint(least, most)))
        kind = dice.random()
        if kind < 0.2:
            return "*", set(range(least, most + 1))
        if kind < 0.35:
            return f"*/{step}", set(range(least, most + 1, step))
        if kind < 0.45 and last > 0:  # a range up to "sun" is for croner one up to 7
            return f"{said(first)}-{said(last)}", set(range(first, last + 1))
        if kind < 0.55:
            return f"{first}-{last}/{step}", set(range(first, last + 1, step))
        return said(first), {first}

    @classmethod
    def free_one(cls, least, most):
        field = cls.__new__(cls)
        field.text, field.values, field.all = "*", set(range(least, most + 1)), True
        return field

    @property
    def free(self):
        return self.text.startswith("*")

    @property
    def listed(self):
        return ",".join(map(str, sorted(self.values)))


class Expression:
    def __init__(self, dice, last_day):
        names = (None, None, None, MONTHS, DAYS)
        self.fields = [Field(dice, *b, words) for b, words in zip(FIELDS, names)]
        while last_day < max(self.fields[2].values) and not self.fields[2].all:
            self.fields[2] = Field(dice, *FIELDS[2])
        for i in (2, 3, 4):  # days as people write them: mostly free
            if dice.random() < 0.5:
                self.fields[i] = Field.free_one(*FIELDS[i])
        self.wildcard = self.fields[0].free or self.fields[1].free
        self.both_days = self.fields[2].free or self.fields[4].free
        self.text = " ".join(f.text for f in self.fields)

    def for_croner(self):
        texts = [f.text for f in self.fields]
        if not self.wildcard:
            texts[:2] = [f.listed for f in self.fields[:2]]
        return " ".join(texts)

    def for_croniter(self):
        texts = [f.text for f in self.fields]
        if not self.both_days and any(f.all for f in (self.fields[2], self.fields[4])):
            texts[2] = texts[4] = "*"  # one of two fits, and one always does
        return " ".join(texts)


def changes(zone):
    """The moments at which a zone's clocks change, 2000 to 2035."""
    z, found = zoneinfo.ZoneInfo(zone), []
    at, offset = int(datetime.datetime(2000, 1, 1, tzinfo=UTC).timestamp()), None
    end = int(datetime.datetime(2035, 1, 1, tzinfo=UTC).timestamp())
    while at < end:
        now = datetime.datetime.fromtimestamp(at, z).utcoffset()
        if offset is not None and now != offset:
            found.append(at)
        at, offset = at + 6 * 3600, now
    return found


def a_moment(dice, zone_changes):
    """Often within a day and a half before the clocks change, else anywhere; seconds too."""
    if zone_changes and dice.random() < 0.7:
        return dice.choice(zone_changes) - dice.randint(0, 36 * 3600)
    return dice.randint(1100000000, 2000000000)


def firings(answer):
    return [int(word) for word in answer.split() if word != "never"] if answer[0].isdigit() else answer


def never(answer):
    return isinstance(answer, str) and ("this never fires" in answer or answer == "never")


def questions(dice, zones, last_day=31):
    known = {zone: changes(zone) for zone in zones}
    for _ in range(EXPRESSIONS):
        zone = dice.choice(zones)
        yield Expression(dice, last_day), zone, a_moment(dice, known[zone])


def shown(question):
    expression, zone, after = question
    return f"'{expression.text}' in {zone} after {after}"


def test_croner(dice, judged, judge):
    asked = list(questions(dice, ZONES))
    ours = map(firings, judged([("cron", e.text, zone, after, FIRINGS) for e, zone, after in asked]))
    theirs = judge([{"judge": "cron", "expression": e.for_croner(), "zone": zone, "after": after, "count": FIRINGS,
                     "both_days": e.both_days} for e, zone, after in asked])
    differences("cron by croner", [(shown(q), [] if never(o) else o, t) for q, o, t in zip(asked, ours, theirs)])


def croniter_firings(expression, after):
    at = croniter.croniter(expression.for_croniter(), datetime.datetime.fromtimestamp(after, UTC),
                           day_or=not expression.both_days)
    found = []
    try:
        for _ in range(FIRINGS):
            found.append(int(at.get_next(datetime.datetime).timestamp()))
    except croniter.CroniterBadDateError:
        pass
    return found


def test_croniter(dice, judged):
    asked = list(questions(dice, ("UTC",), last_day=28))
    ours = map(firings, judged([("cron", e.text, zone, after, FIRINGS) for e, zone, after in asked]))
    theirs = [croniter_firings(e, after) for e, _, after in asked]
    differences("cron by croniter", [(shown(q), [] if never(o) else o, t) for q, o, t in zip(asked, ours, theirs)])
