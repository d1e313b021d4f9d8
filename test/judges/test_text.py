"""Encoding, units and segments of random texts, by sms-segments-calculator.

It parts segments between what is seen as one character, we between code points (as a phone's modem does): it is
asked with code points for each text, and as it is for texts whose seen characters are single code points and for the
bound that holds for all: keeping more together never takes fewer segments."""
from conftest import differences

TEXTS = 6000
GSM7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
EXTENSION = "\f^{}\\[~]|€"
NEAR = "ç`´’“”–…\tÁáêîõşğİı"  # looks as if it were GSM 7-bit, and is not
COMBINING = "\u0301\u0308\u0327\u20dd\ufe0f\u200d"
EMOJI = "😀👍🏽👩‍👩‍👧‍👦🇩🇪❤️🏴󠁧󠁢󠁥󠁮󠁧󠁿"


def any_character(dice):
    while True:
        c = dice.choice((dice.randrange(0x20, 0x250), dice.randrange(0x250, 0x3000), dice.randrange(0x3000, 0x10000),
                         dice.randrange(0x10000, 0x110000)))
        if not 0xd800 <= c < 0xe000 and c != 0x7f:
            return chr(c)


def a_text(dice):
    """Lengths lie around the borders of the first segments; what costs two units stands anywhere, also at them."""
    gsm7 = dice.random() < 0.55
    border = dice.choice((1, 2, 3, 4, 7)) * (153 if gsm7 else 67)
    length = dice.choice((dice.randint(0, 20), dice.randint(150, 165) if gsm7 else dice.randint(64, 74),
                          max(0, border + dice.randint(-8, 8))))
    costly = EXTENSION if gsm7 else "".join(COMBINING + EMOJI)
    plain = GSM7 if gsm7 else GSM7 + NEAR + "漢字かなкириллицаعربى"
    share = dice.choice((0, 0.02, 0.2, 1))
    text = [dice.choice(costly) if dice.random() < share else dice.choice(plain) for _ in range(length)]
    if text and dice.random() < 0.15:
        text[dice.randrange(len(text))] = any_character(dice)
    if len(text) > 2 and dice.random() < 0.3:  # something that counts twice, right at a border
        text[min(len(text) - 1, border - dice.randint(0, 2)) if border <= len(text) else -1] = dice.choice(costly)
    return "".join(text)


def as_ours(answer):
    return f"{'gsm7' if answer['encoding'] == 'GSM-7' else 'ucs2'} {answer['units']} {answer['segments']}"


def test_segments(dice, judged, judge):
    texts = [a_text(dice) for _ in range(TEXTS)]
    asked = [t.encode().hex() for t in texts]
    ours = judged([("text", h) for h in asked])
    theirs = list(map(as_ours, judge([{"judge": "text", "hex": h, "whole": False} for h in asked])))
    differences("texts", list(zip(map(ascii, texts), ours, theirs)))
    whole = judge([{"judge": "text", "hex": h, "whole": True} for h in asked])
    for text, our, answer in zip(texts, ours, whole):
        encoding, units, segments = our.split()
        assert answer["segments"] >= int(segments), ascii(text)
        if not set(text) & set(COMBINING + EMOJI) and encoding == "gsm7":
            assert as_ours(answer) == our, ascii(text)


def test_every_character(judged, judge):
    """Each character of Unicode alone, and 160 of them in the first plane's first part."""
    texts = [chr(c) for c in range(1, 0x110000, 1) if not 0xd800 <= c < 0xe000 and (c < 0x3000 or c % 61 == 0)]
    texts += [chr(c) * n for c in range(1, 0x400) for n in (70, 71, 80, 81, 134, 153, 160, 161, 307)]
    asked = [t.encode().hex() for t in texts]
    ours = judged([("text", h) for h in asked])
    theirs = map(as_ours, judge([{"judge": "text", "hex": h, "whole": False} for h in asked]))
    differences("characters", list(zip(map(ascii, texts), ours, theirs)))
