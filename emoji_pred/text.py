"""One text: invisible characters, first words, the key of duplicates, BERTweet's normalisation."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from emoji_pred.tweet_tokenizer import tweet_tokenizer

if TYPE_CHECKING:
    from nltk.tokenize import TweetTokenizer

# Ranges are written out, not asked of `unicodedata`, so that the same text is cleaned the same way by
# every Python: its Unicode tables change between versions, and with them a run's numbers would.
_VARIATION_SELECTORS = ((0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_CONTROLS = ((0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F))  # those that are not white space
_FORMAT = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x061C, 0x061C),  # Arabic letter mark
    (0x180E, 0x180E),  # Mongolian vowel separator
    (0x200B, 0x200F),  # zero-width space, non-joiner, joiner, directional marks
    (0x202A, 0x202E),  # directional embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFF0, 0xFFFB),  # interlinear annotation
    (0x13430, 0x1343F),  # Egyptian hieroglyph format controls
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE00FF),  # tags
    (0xE01F0, 0xE0FFF),  # reserved as default-ignorable
)
_IGNORABLE_LETTERS = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
)  # joiner, Hangul fillers, Khmer vowels

# Blanks that are letters or symbols to Unicode: between two words they look like a space.
_BLANKS = "\u2800\u3164\uffa0"


def _character_class(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_INVISIBLE = re.compile(
    f"[{_character_class(_VARIATION_SELECTORS + _CONTROLS + _FORMAT + _IGNORABLE_LETTERS)}]+"
)
_BLANK = re.compile(f"[{_BLANKS}]")


def strip_invisible(text: str) -> str:
    """Remove what a reader cannot see, and the white space that removing it leaves behind.

    Variation selectors, zero-width and other format characters, and control characters go; every run of
    white space (no-break and typographic spaces, line and paragraph separators too) becomes one plain
    space; none stays at the ends. Emoji joined by a zero-width joiner fall apart into their parts, and
    parts of an Urdu word that a non-joiner holds apart run together: this is what keys compare.

    The visible signs of category Cf (Arabic number signs and the like) stay.
    """
    return " ".join(_BLANK.sub(" ", _INVISIBLE.sub("", text)).split())


# Letters of the Arabic script and the marks above and below them, as blocks: who writes Urdu, Persian or
# Arabic puts joiners between any of these. The scripts of India do as well, Devanagari to Sinhala.
_ARABIC = _character_class(
    ((0x0610, 0x061A), (0x0620, 0x065F), (0x066E, 0x06D3), (0x06D5, 0x06DC), (0x06EE, 0x06EF),
     (0x06FA, 0x06FF), (0x0750, 0x077F), (0x0870, 0x088E), (0x08A0, 0x08FF), (0xFB50, 0xFDFF),
     (0xFE70, 0xFEFC))
)  # fmt: skip
_INDIC = _character_class(((0x0900, 0x0DFF),))
_JOINED_SCRIPTS = tuple(re.compile(f"[{script}]") for script in (_ARABIC, _INDIC))
# Blocks that hold every part of an emoji sequence (Unicode TR51); their other signs are joined by no one.
_PICTOGRAPHS = _character_class(
    ((0x2190, 0x21FF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1F1E5), (0x1F200, 0x1F3FA),
     (0x1F400, 0x1FAFF))
)  # fmt: skip
_PICTOGRAPH = re.compile(f"[{_PICTOGRAPHS}]")
_PICTOGRAPH_OR_TONE = re.compile(f"[{_PICTOGRAPHS}\U0001f3fb-\U0001f3ff]")
_BLACK_FLAG, _END_OF_TAGS = "\U0001f3f4", "\U000e007f"
_COUNTRY = re.compile(f"[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,6}}{_END_OF_TAGS}")  # of a flag


def strip_stray_invisible(text: str) -> str:
    """Remove as `strip_invisible` does, but leave what a reader sees the effect of.

    This is `data.clean=leak_free`: in TweetEval, U+FE0F stayed where a heart or a sun was removed
    (cardiffnlp/tweeteval, issue 23). A zero-width joiner or non-joiner stays between two letters of the
    Arabic script or of one of India, where it decides how they are written, the first of several; so do a
    zero-width joiner inside an emoji sequence, with the U+FE0F before it, and the tags that make a flag
    England's. An U+FE0F at the end of an emoji goes: it only chooses a colourful form, and may as well be
    what another emoji left behind.
    """
    if not any(sign in text for sign in ("\u200c", "\u200d", _END_OF_TAGS)):
        return strip_invisible(text)
    return " ".join(_BLANK.sub(" ", _INVISIBLE.sub(_what_joins, text)).split())


def _what_joins(run: re.Match[str]) -> str:
    """What of a run of invisible characters stays, by the characters before and after it."""
    hidden = run[0]
    before, after = run.string[max(run.start() - 1, 0) : run.start()], run.string[run.end() : run.end() + 1]
    if before == _BLACK_FLAG and _COUNTRY.fullmatch(hidden):
        return hidden
    joiner = next((sign for sign in hidden if sign in "\u200c\u200d"), "")
    if joiner and any(script.match(before) and script.match(after) for script in _JOINED_SCRIPTS):
        return joiner
    is_joint = hidden in ("\u200d", "\ufe0f\u200d")
    return hidden if is_joint and _PICTOGRAPH_OR_TONE.match(before) and _PICTOGRAPH.match(after) else ""


def first_words(text: str, most: int) -> str:
    """The text up to the end of its first `most` words (runs without white space), as it is written there."""
    parts = text.split(None, most)
    return text[: -len(parts[most])].rstrip() if len(parts) > most else text


def duplicate_key(text: str) -> str:
    """Return the key under which two texts count as the same: NFKC, lower case, nothing invisible."""
    return strip_invisible(unicodedata.normalize("NFKC", text).lower())


# Order matters: the published normaliser applies them one after the other.
_BERTWEET_CONTRACTIONS = (
    ("cannot ", "can not "),
    ("n't ", " n't "),
    ("n 't ", " n't "),
    ("ca n't", "can't"),
    ("ai n't", "ain't"),
    *((f"'{ending} ", f" '{ending} ") for ending in ("m", "re", "s", "ll", "d", "ve")),
    (" p . m .", " p.m."),
    (" p . m ", " p.m "),
    (" a . m .", " a.m."),
    (" a . m ", " a.m "),
)


def normalise_tweet(text: str) -> str:
    """Normalise a tweet as BERTweet's training data was (Nguyen et al. 2020, section 2).

    Words are those of NLTK's TweetTokenizer, joined by one space; handles become `@USER`, addresses
    `HTTPURL`, emoji of one code point their English names, and English contractions are split.
    """
    words = _tweet_tokenizer().tokenize(text.replace("’", "'").replace("…", "..."))
    normal = " ".join(_bertweet_word(word) for word in words)
    for written, split in _BERTWEET_CONTRACTIONS:
        normal = normal.replace(written, split)
    return " ".join(normal.split())


def _bertweet_word(word: str) -> str:
    if word.startswith("@"):
        return "@USER"
    if word.lower().startswith(("http", "www")):
        return "HTTPURL"
    if word.isascii() or word[0].isalnum():
        return word
    if len(word) == 1:
        return _emoji_name(word)
    # Newer NLTK keeps a sequence of emoji in one word; the one BERTweet was trained with gave its parts.
    return " ".join(map(_emoji_name, word)) if "\u200d" in word or _is_emoji(word) else word


@cache
def _emoji_name(character: str) -> str:
    return str(_emoji_package().demojize(character))


@cache
def _is_emoji(word: str) -> bool:
    return bool(_emoji_package().is_emoji(word))


def _emoji_package() -> ModuleType:
    import emoji

    return emoji


@cache
def _tweet_tokenizer() -> TweetTokenizer:
    return tweet_tokenizer()
