"""Urdu text in one spelling: letters, presentation forms, diacritics, digits, punctuation, Latin words.

Written here because no kept library does it: urduhack's last release asks for TensorFlow 2.2 and its data
sets, and the younger packages on the index have no second release or pull in models. Every mapping is a fact
of the Unicode Standard (chapter 9.2, Arabic; the names of the characters) and says why it loses nothing.
"""

from __future__ import annotations

import re
import unicodedata

# Letters that Arabic and Urdu keyboards write with different code points and that look alike in a word.
_LETTERS = {
    "\u064a": "\u06cc",  # Arabic yeh -> Farsi yeh: the dots below the last form are all that differs
    "\u0649": "\u06cc",  # alef maksura -> Farsi yeh: has the same shape in every place of a word
    "\u0643": "\u06a9",  # Arabic kaf -> keheh
    "\u06aa": "\u06a9",  # swash kaf: an ornament of the same letter
    "\u0647": "\u06c1",  # Arabic heh -> heh goal; do-chashmi heh (U+06BE) is another letter and stays
    "\u06d5": "\u06c1",  # ae, the Uighur and Kurdish vowel: in Urdu a mistyped heh goal
    "\u0629": "\u06c3",  # teh marbuta -> teh marbuta goal
    "\u06c0": "\u06c2",  # heh with yeh above -> heh goal with hamza above
    "\u0671": "\u0627",  # alef wasla -> alef: Urdu has no wasla
}
# Bari ye, alef madda, hamza on its carriers and alef with hamza are spelling, and stay.

# Numbers: the same digits in three blocks, and the signs that stand among them.
_DIGITS = {chr(first + digit): str(digit) for first in (0x0660, 0x06F0) for digit in range(10)}
_NUMBER_SIGNS = {"\u066a": "%", "\u066b": ".", "\u066c": ","}

# Marks that readers of Urdu leave out: vowel signs, doubling, the superscript alef (U+0610 to U+0614 are
# honorifics above a name), Koranic annotation; and the stretching of a line (tatweel). Hamza and madda above
# (U+0653 to U+0655) are parts of letters and stay.
_MARKS = (
    *(0x0640, 0x0670), *range(0x0610, 0x061B), *range(0x064B, 0x0653), *range(0x0656, 0x0660),
    *range(0x06D6, 0x06DD), *range(0x06DF, 0x06E5), *(0x06E7, 0x06E8), *range(0x06EA, 0x06EE),
)  # fmt: skip
_TABLE = str.maketrans({**_LETTERS, **_DIGITS, **_NUMBER_SIGNS, **{chr(mark): "" for mark in _MARKS}})

# Shaped letters and ligatures, as PDF files hold them: their compatibility mappings are the plain letters.
_SHAPED = re.compile("[\ufb50-\ufd3d\ufd50-\ufdff\ufe70-\ufefc]")
_YEH_HAMZA = re.compile("\u06cc\u0654")  # has no canonical composition, unlike that of Arabic yeh

_LETTER = "\u0620-\u063f\u0641-\u064a\u066e-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06ff\u0750-\u077f"
_STOPS = "\u060c\u061b\u061f\u06d4"  # comma, semicolon, question mark, full stop of Urdu
_BEFORE_STOP = re.compile(f"\\s+(?=[{_STOPS}])")
_AFTER_STOP = re.compile(f"(?<=[{_STOPS}])(?=[\\w@#])(?<!\\d[{_STOPS}](?=\\d))")
_LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]+")
_SEAMS = re.compile(
    f"(?<=[{_LETTER}])(?=[0-9A-Za-z\u00c0-\u024f])|(?<=[0-9A-Za-z\u00c0-\u024f])(?=[{_LETTER}])"
)


def normalise_urdu(text: str) -> str:
    """Write a text in one spelling of Urdu; doing so twice changes nothing more.

    In order: canonical composition; presentation forms to plain letters; Arabic letters to their Urdu
    counterparts; vowel signs and tatweel removed; digits and number signs to ASCII, which multilingual
    encoders know best; a space after an Urdu stop and none before it; Latin words (what a translation left,
    names, addresses) in lower case, and a space where they or a number touch an Urdu letter; white space to
    single spaces. Zero-width joiners, non-joiners and directional marks stay: they carry meaning inside
    Urdu words (`data.clean=leak_free` removes stray ones).
    """
    text = _SHAPED.sub(_plain, unicodedata.normalize("NFC", text)).translate(_TABLE)
    text = unicodedata.normalize("NFC", _YEH_HAMZA.sub("\u0626", text))
    text = _LATIN.sub(lambda word: word[0].lower(), text)
    text = _SEAMS.sub(" ", text)
    text = _AFTER_STOP.sub(" ", _BEFORE_STOP.sub("", text))
    return " ".join(text.split())


def _plain(shaped: re.Match[str]) -> str:
    """The letters of a presentation form; a phrase that is one sign becomes words."""
    plain = unicodedata.normalize("NFKC", shaped[0]).strip()
    return f" {plain} " if " " in plain else plain
