"""The characters of many texts as one array, and what each of them is.

A text is looked at code point by code point in NumPy; only the different characters of a corpus, some
thousand, are ever asked of Unicode's tables.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import regex

from emoji_pred.text import strip_invisible

LETTER, MARK, DIGIT, PUNCTUATION, SYMBOL, EMOJI, SPACE, LINE, BLANK, INVISIBLE, UNKNOWN = range(11)
KIND_NAMES = (
    *("letter", "mark", "digit", "punctuation", "symbol", "emoji", "space", "line break"),
    *("unusual blank", "invisible", "unassigned"),
)
SCRIPTS = (
    *("Latin", "Cyrillic", "Arabic", "Greek", "Hebrew", "Armenian", "Georgian", "Devanagari", "Bengali"),
    *("Gurmukhi", "Gujarati", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao"),
    *("Myanmar", "Khmer", "Tibetan", "Ethiopic", "Mongolian", "Han", "Hiragana", "Katakana", "Hangul"),
)
OTHER_SCRIPT = len(SCRIPTS)  # of a letter; -1: no letter
# Scripts whose letters a zero-width joiner or non-joiner never changes.
_UNJOINED = frozenset(
    SCRIPTS.index(name)
    for name in (
        *("Latin", "Cyrillic", "Greek", "Hebrew", "Armenian", "Georgian", "Thai", "Lao", "Ethiopic"),
        *("Han", "Hiragana", "Katakana", "Hangul"),
    )
)
ZWNJ, ZWJ, KEYCAP, TEXT_STYLE, EMOJI_STYLE = 0x200C, 0x200D, 0x20E3, 0xFE0E, 0xFE0F
_SELECTORS = ((0xFE00, 0xFE0D), (0xE0100, 0xE01EF), (0x180B, 0x180F))
_TAGS = (0xE0020, 0xE007F)
_PICTURE = regex.compile(
    r"[\p{Extended_Pictographic}\p{Emoji_Presentation}\p{Emoji_Modifier}\p{Regional_Indicator}]"
)
_KINDS = {"L": LETTER, "M": MARK, "N": DIGIT, "P": PUNCTUATION, "S": SYMBOL, "Z": BLANK, "C": UNKNOWN}


@dataclass(frozen=True)
class Characters:
    """The code points of N texts.

    Attributes:
        points: (T,) uint32, of all texts one after the other.
        offsets: (N + 1,) int64; text i is `points[offsets[i]:offsets[i + 1]]`.
        distinct: (D,) the different code points, ascending.
        place: (T,) where each stands in `distinct`.
    """

    points: np.ndarray
    offsets: np.ndarray
    distinct: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Characters:
        """The characters of N texts; lone surrogates are characters too."""
        offsets = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        # By a table of all code points: sorting the characters of a corpus takes a second, this a tenth.
        seen = np.zeros(0x110000, dtype=bool)
        seen[points] = True
        distinct = np.flatnonzero(seen)
        table: np.ndarray = np.zeros(0x110000, dtype=np.int32)
        table[distinct] = np.arange(len(distinct))
        return cls(points, offsets, distinct, table[points])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(N,) characters of each text."""
        return np.diff(self.offsets)

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """(T,) the text of each character."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    @functools.cached_property
    def kinds(self) -> np.ndarray:
        """(T,) int8, what each character is: `LETTER`, ..., `UNKNOWN`."""
        return self.by_character(kind_of, np.int8)

    @functools.cached_property
    def scripts(self) -> np.ndarray:
        """(T,) int8, the script of each letter by its place in `SCRIPTS`; -1 for what is no letter."""
        return self.by_character(script_of, np.int8)

    def by_character(self, ask: Callable[[int], int], dtype: type) -> np.ndarray:
        """(T,) what is answered for each code point; each different one is asked once."""
        answers: np.ndarray = np.array([ask(point) for point in self.distinct.tolist()], dtype=dtype)
        return answers[self.place] if len(answers) else np.zeros(0, dtype=dtype)

    def count(self, chosen: np.ndarray) -> np.ndarray:
        """(N,) how many of the chosen characters ((T,) bool) each text has."""
        return np.bincount(self.rows[chosen], minlength=len(self))

    def edge(self, last: bool) -> np.ndarray:
        """(N,) the first or last code point of each text; 0 for an empty one."""
        edges = np.zeros(len(self), dtype=np.uint32)
        filled = self.lengths > 0
        places = self.offsets[1:] - 1 if last else self.offsets[:-1]
        edges[filled] = self.points[places[filled]]
        return edges

    def residue(self) -> np.ndarray:
        """(T,) bool: invisible characters that change nothing of what a reader sees.

        A variation selector behind an emoji, a joiner inside one, a joiner or non-joiner between two letters
        of a script that joins (Urdu, Hindi) and the tags of a flag are part of what is seen.
        """
        chosen = self.kinds == INVISIBLE
        places = np.flatnonzero(chosen)
        before, after = self._neighbours(places)
        chosen[places] = ~_in_place(self.points[places], before, after)
        return chosen

    def _neighbours(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The code points before and behind, within the text; 0 at its ends."""
        rows = self.rows[places]
        before = np.where(places > self.offsets[rows], self.points[places - 1], 0)
        ends = self.offsets[rows + 1] - 1
        after = np.where(places < ends, self.points[np.minimum(places + 1, len(self.points) - 1)], 0)
        return before, after


def _in_place(points: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Ask once for each different (before, point, after): (M,) bool."""
    if not len(points):
        return np.zeros(0, dtype=bool)
    triples, inverse = np.unique(
        np.stack([before, points, after], axis=1).astype(np.int64), axis=0, return_inverse=True
    )
    answers = np.array([_belongs(*triple) for triple in triples.tolist()])
    return answers[inverse.reshape(-1)]


def _belongs(before: int, point: int, after: int) -> bool:
    """Whether an invisible character is part of what is seen around it."""
    if point in (EMOJI_STYLE, TEXT_STYLE):
        return _is_picture(before) or (after == KEYCAP and before < 0x80)
    if point == ZWJ and (_is_picture(before) or before == EMOJI_STYLE):
        return _is_picture(after)
    if point in (ZWJ, ZWNJ):
        return _joins(before) and _joins(after)
    if _TAGS[0] <= point <= _TAGS[1]:
        return _is_picture(before) or _TAGS[0] <= before <= _TAGS[1]
    return any(first <= point <= last for first, last in _SELECTORS) and kind_of(before) in (LETTER, SYMBOL)


def _joins(point: int) -> bool:
    """A letter, or a mark on one, of a script in which joiners mean something."""
    script = script_of(point)
    return (script >= 0 and script not in _UNJOINED) or kind_of(point) == MARK


@functools.cache
def _is_picture(point: int) -> bool:
    return point >= 0x80 and _PICTURE.match(chr(point)) is not None


@functools.cache
def kind_of(point: int) -> int:
    """What a code point is: `LETTER`, ..., `UNKNOWN`."""
    character = chr(point)
    if character == " ":
        return SPACE
    if character in "\n\r\v\f\x85\u2028\u2029":
        return LINE
    if character.isspace():
        return BLANK
    if 0xD800 <= point <= 0xDFFF or character == "\ufffd":
        return UNKNOWN
    if not strip_invisible(character):
        return INVISIBLE
    if _is_picture(point):
        return EMOJI
    return _KINDS[unicodedata.category(character)[0]]


@functools.cache
def script_of(point: int) -> int:
    """The script of a letter by its place in `SCRIPTS`, `OTHER_SCRIPT`, or -1 for what is no letter."""
    if kind_of(point) != LETTER:
        return -1
    character = chr(point)
    found = (place for place, script in enumerate(_script_forms()) if script.match(character))
    return next(found, OTHER_SCRIPT)


@functools.cache
def _script_forms() -> list[regex.Pattern[str]]:
    return [regex.compile(rf"\p{{Script={name}}}") for name in SCRIPTS]


def name_of(point: int) -> str:
    """A character as a report names it: `U+FE0F VARIATION SELECTOR-16`, or `! (U+0021 EXCLAMATION MARK)`."""
    code = f"U+{point:04X}"
    name = unicodedata.name(chr(point), "") or _CONTROL_NAMES.get(point, "")
    full = f"{code} {name or 'unassigned, private or control'}"
    if kind_of(point) in (SPACE, LINE, BLANK, INVISIBLE, UNKNOWN, MARK):
        return full
    return f"{chr(point)} ({full})"


_CONTROL_NAMES = {0x09: "TAB", 0x0A: "LINE FEED", 0x0D: "CARRIAGE RETURN", 0x00: "NULL"}
