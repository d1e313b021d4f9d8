"""E.164 from the forms in which people write numbers, by libphonenumber-js: its example of a mobile number of every
country, and random numbers of those countries that it knows as valid. The few that we read otherwise on purpose are
listed with the reason."""
import re

from conftest import differences

RANDOM_A_COUNTRY = 120
EXAMPLES = {"judge": "written", "country": None}


def at_home(number):
    text = number["national"]
    if re.sub(r"\D", "", text).startswith("00"):
        return []  # "00" is how one dials abroad, also where a country's own numbers may begin with it (Tajikistan)
    return [text, text.replace(" ", ""), text.replace(" ", "-"), re.sub(r"\D", "", text), text.replace(" ", "."),
            f"  {text} ", text.replace("-", "\u2011").replace(" ", "\u00a0")]


def bare(number):
    """As spreadsheets leave them: all the digits, or those of home without the 0. Not for
    Austria's example, which is shorter than any real one: there two readings fit."""
    digits = number["e164"][1:]
    if number["country"] == "AT":
        return []
    return [digits] + [d for d in [digits[len(number["code"]):]] if not d.startswith("00")]


def abroad(number):
    digits, code = number["e164"][1:], number["code"]
    rest = digits[len(code):]
    half = len(rest) // 2
    forms = [number["e164"], number["international"], number["rfc3966"].removeprefix("tel:"), "00" + digits,
             f"+{code} ({rest[:2]}) {rest[2:]}", f"00 {code} {rest[:half]}-{rest[half:]}", f"+ {code} {rest}",
             f"+{code} {rest[:half]} / {rest[half:]}", f"+{code}.{rest[:half]}.{rest[half:]}",
             f"(+{code}) {rest}", f"\u202a+{code}\u00a0{rest}\u202c", f" +{code}-{rest} "]
    return forms + ([number["from_abroad"]] if number["from_abroad"] else [])


def compare(what, judged, numbers):
    asked = [(n, text, country) for n in numbers
             for text, country in [(f, "-") for f in abroad(n)] + [(f, n["code"]) for f in abroad(n) + at_home(n) + bare(n)]]
    ours = judged([("number", text, country) for _, text, country in asked])
    differences(f"{what}: {len(asked)} written forms of {len(numbers)} numbers", [
        (f"{n['country']} '{text}' with country {country}", our, n["e164"][1:])
        for (n, text, country), our in zip(asked, ours)])


def test_example_numbers(judged, judge):
    examples = judge([EXAMPLES])[0]
    assert len({e["country"] for e in examples}) > 200
    compare("examples", judged, examples)


def variations(dice, example):
    """Digits as that country's own people dial them, some of the example's changed."""
    significant = example["e164"][1 + len(example["code"]):]
    for _ in range(RANDOM_A_COUNTRY):
        at = dice.randint(0, 3)
        yield significant[:at] + "".join(dice.choice("0123456789") for _ in significant[at:])


def test_random_numbers(dice, judged, judge):
    examples = judge([EXAMPLES])[0]
    answers = judge([{"judge": "written", "country": e["country"],
                      "digits": [f"+{e['code']}{d}" for d in variations(dice, e)]} for e in examples])
    numbers = [n for e, answer in zip(examples, answers) for n in answer
               if n["mobile"] and len(n["e164"]) == len(e["e164"])]
    assert len(numbers) > 10 * len(examples)
    compare("random numbers", judged, numbers)


def test_trunk_prefix_from_abroad(judged, judge):
    """"+49 (0)171 …" and "+49 0171 …": wherever the judge reads a number in that, we read the same."""
    asked = [(f"+{e['code']}{between}{e['e164'][1 + len(e['code']):]}", e["country"])
             for e in judge([EXAMPLES])[0] for between in ("(0)", " (0) ", " 0", "0")]
    theirs = judge([{"judge": "number", "text": text, "country": country} for text, country in asked])
    ours = judged([("number", text, "-") for text, _ in asked])
    differences("trunk prefixes", [(text, our, their[1:]) for (text, _), our, their in zip(asked, ours, theirs) if their])
