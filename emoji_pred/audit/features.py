"""What can be known of a text without reading it: its characters, its tokens, its lengths, its surface.

Two kinds of feature: marks, which a text has or has not (a sparse matrix), and measures, which are numbers.
Vocabularies are made of the training rows, so held-out rows say nothing before they are asked.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from emoji_pred.audit import characters as chars
from emoji_pred.audit.characters import Characters
from emoji_pred.telegram.privacy import count_marks, mask_text
from emoji_pred.text import strip_invisible

Column = tuple[str, np.ndarray]  # a measure: its name and (N,) values
Kind = Literal["invisible", "blank", "sign", "token", "word", "length", "surface", "position"]

MIN_ROWS = 5  # training rows that a mark must stand in
MAX_TOKENS = 20_000  # the most frequent of the training texts that are looked at
LONGEST_TOKEN = 40  # characters; what is longer is no token that stands in many rows
TOKEN_CHARS = 20_000  # characters of a text that are looked at for tokens
LENGTHS = ("words", "characters", "characters a word", "lines")
_DOUBLE_BLANK = re.compile(r"\s\s")
_EDGES = " #\"'()[]{}<>.,;:!?…«»“”‘’„*_~|/\\-–—،۔؟"


@dataclass(frozen=True)
class Mark:
    """What a text has or has not.

    Attributes:
        kind: of what sort it is.
        name: as a report shows it.
    """

    kind: Kind
    name: str


@dataclass(frozen=True)
class Marks:
    """K marks of N texts: `matrix` is (N, K), sparse by columns, of 0 and 1."""

    marks: list[Mark]
    matrix: Any


@dataclass(frozen=True)
class Measures:
    """F numbers of N texts.

    Attributes:
        names: as a report shows them.
        kinds: `length`, `surface` or `position`.
        values: (N, F) float32.
    """

    names: list[str]
    kinds: list[Kind]
    values: np.ndarray


class MarkVocabulary:
    """The marks of training texts; `find` says which of them other texts have.

    Args:
        texts: of the training split.
        characters: theirs.
        tokens: whether tokens are among the marks.
    """

    def __init__(self, texts: Sequence[str], characters: Characters, tokens: bool = True) -> None:
        _, keys = _character_marks(characters)
        found, counts = np.unique(keys, return_counts=True)
        self._keys = found[counts >= MIN_ROWS]
        seen = Counter(token for text in texts for token in tokens_of(text)) if tokens else Counter()
        common = [token for token, count in seen.most_common(MAX_TOKENS) if count >= MIN_ROWS]
        self._tokens = {token: place for place, token in enumerate(common)}
        self.marks = [*map(_character_mark, self._keys.tolist()), *map(_token_mark, common)]

    def find(self, texts: Sequence[str], characters: Characters) -> Marks:
        """Which texts have which marks."""
        from scipy.sparse import csc_array

        rows, keys = _character_marks(characters)
        places = np.searchsorted(self._keys, keys)
        known = places < len(self._keys)
        known[known] = self._keys[places[known]] == keys[known]
        in_rows, columns = [rows[known]], [places[known]]
        ids = self._tokens
        for row, text in enumerate(texts if ids else ()):
            found = [ids[token] for token in tokens_of(text) if token in ids]
            in_rows.append(np.full(len(found), row))
            columns.append(np.array(found, dtype=np.int64) + len(self._keys))
        where = (np.concatenate(in_rows), np.concatenate(columns))
        ones = np.ones(len(where[0]), dtype=np.float32)
        return Marks(self.marks, csc_array((ones, where), shape=(len(texts), len(self.marks))))


def tokens_of(text: str) -> set[str]:
    """The different tokens of a text in lower case; handles, links and addresses are masked before."""
    # What is invisible is known by its characters.
    masked = strip_invisible(mask_text(text[:TOKEN_CHARS]).lower())
    return {_plain(token) for token in masked.split() if len(token) <= LONGEST_TOKEN}


@functools.lru_cache(maxsize=1 << 18)
def _plain(token: str) -> str:
    """A word without the punctuation around it; what is no word as it stands."""
    return token.strip(_EDGES.replace("#", "")) if is_word(token) else token


def is_word(token: str) -> bool:
    """Whether a token is a word, a hashtag or an emoji, with signs around it: content, whatever it tells."""
    core = token.strip(_EDGES)
    if not core:
        return False
    kinds = {chars.kind_of(ord(character)) for character in core if character not in "'’-&"}
    written = kinds <= {chars.LETTER, chars.MARK, chars.INVISIBLE}
    return written or chars.EMOJI in kinds


# A key holds the place and the code point: which marks of characters there are.
_ANYWHERE, _FIRST, _LAST, _RESIDUE = range(4)
_ASKED_ANYWHERE = (chars.DIGIT, chars.PUNCTUATION, chars.SYMBOL, chars.BLANK, chars.LINE, chars.UNKNOWN)
_ASKED_AT_EDGES = (chars.PUNCTUATION, chars.SYMBOL, chars.SPACE, chars.BLANK, chars.LINE)


def _character_marks(characters: Characters) -> tuple[np.ndarray, np.ndarray]:
    """(rows, keys) of every mark that a character makes, each once a row."""
    parts = [
        _keys(characters, np.isin(characters.kinds, _ASKED_ANYWHERE), _ANYWHERE),
        _keys(characters, characters.residue(), _RESIDUE),
    ]
    for place in (_FIRST, _LAST):
        points = characters.edge(last=place == _LAST)
        asked = {p: chars.kind_of(p) in _ASKED_AT_EDGES for p in np.unique(points).tolist()}
        rows = np.flatnonzero(np.array([asked[point] for point in points.tolist()], dtype=bool))
        parts.append((rows, points[rows].astype(np.int64) | place << 24))
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([keys for _, keys in parts])


def _keys(characters: Characters, chosen: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    points, rows = characters.points[chosen].astype(np.int64), characters.rows[chosen].astype(np.int64)
    pairs = np.unique(rows << 32 | place << 24 | points)
    return pairs >> 32, pairs & 0xFFFFFFFF


def _character_mark(key: int) -> Mark:
    place, point = key >> 24, key & 0xFFFFFF
    kind, name = chars.kind_of(point), chars.name_of(point)
    if place == _RESIDUE:
        return Mark("invisible", name)
    where = {_ANYWHERE: "", _FIRST: "first character ", _LAST: "last character "}[place]
    # A line break is seen; a blank at the end of a text, or one of an unusual width, is not.
    blank = kind in (chars.SPACE, chars.BLANK, chars.UNKNOWN)
    return Mark("blank" if blank else "sign", where + name)


def _token_mark(token: str) -> Mark:
    return Mark("word" if is_word(token) else "token", token)


def measures(texts: Sequence[str], characters: Characters) -> Measures:
    """The numbers of N texts: lengths, surface, place in the file."""
    place = np.arange(len(texts)) / max(len(texts) - 1, 1)
    columns = [*_lengths(texts, characters), *_surface(texts, characters), ("place in the file", place)]
    kinds: list[Kind] = ["surface"] * len(columns)
    kinds[: len(LENGTHS)] = ["length"] * len(LENGTHS)
    kinds[-1] = "position"
    return Measures([name for name, _ in columns], kinds, _stacked(columns))


def lengths(texts: Sequence[str], characters: Characters) -> Measures:
    """The lengths of N texts alone."""
    columns = _lengths(texts, characters)
    return Measures(list(LENGTHS), ["length"] * len(LENGTHS), _stacked(columns))


def _stacked(columns: Sequence[Column]) -> np.ndarray:
    return np.stack([values.astype(np.float32) for _, values in columns], axis=1)


def _lengths(texts: Sequence[str], characters: Characters) -> list[Column]:
    words = np.array([len(text.split()) for text in texts], dtype=np.float32)
    a_word = characters.lengths / np.maximum(words, 1)
    lines = characters.count(characters.kinds == chars.LINE) + 1
    return list(zip(LENGTHS, (words, characters.lengths, a_word, lines), strict=True))


def _surface(texts: Sequence[str], characters: Characters) -> list[Column]:
    counts = [characters.count(characters.kinds == kind) for kind in range(len(chars.KIND_NAMES))]
    upper = characters.count(characters.by_character(lambda point: chr(point).isupper(), np.bool_))
    marks = np.array([count_marks(text) for text in texts], dtype=np.float32).reshape(-1, 4)
    letters, size = np.maximum(counts[chars.LETTER], 1), np.maximum(characters.lengths, 1)
    return [
        ("links", marks[:, 1]),
        ("handles", marks[:, 2] + marks[:, 3]),
        ("e-mail addresses", marks[:, 0]),
        ("hashtags", np.array([text.count("#") for text in texts])),
        ("digits", counts[chars.DIGIT]),
        ("punctuation marks", counts[chars.PUNCTUATION]),
        ("share of punctuation", counts[chars.PUNCTUATION] / size),
        ("symbols", counts[chars.SYMBOL]),
        ("emoji", counts[chars.EMOJI]),
        ("upper-case letters", upper),
        ("share of upper case", upper / letters),
        ("double blanks", np.array([len(_DOUBLE_BLANK.findall(text)) for text in texts])),
        *_script_shares(characters, letters),
    ]


def _script_shares(characters: Characters, letters: np.ndarray) -> Iterable[Column]:
    for script, name in enumerate(chars.SCRIPTS):
        chosen = characters.scripts == script
        yield f"share of {name} letters", characters.count(chosen) / letters
