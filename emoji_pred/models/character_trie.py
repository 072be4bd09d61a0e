"""Look up the character n-grams of many texts at once, in a trie of sorted arrays.

A dictionary is asked for each n-gram of each text as a string of its own: 20 million strings for 50,000
tweets. Here all texts go down one level of the trie together. Columns and counts are those of scikit-learn's
`CountVectorizer(analyzer="char")`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

CHARACTERS_AT_ONCE = 500_000  # of texts: bounds the memory
ALPHABET = 0x110000  # code points


class _Level(NamedTuple):
    """The prefixes of one length: keys (K,) int64 rising, and of each its column, -1 where it is no term."""

    keys: np.ndarray
    columns: np.ndarray


class CharacterTrie:
    """The n-grams of a model.

    Args:
        terms: F n-grams; the place of each is its column.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        lengths = np.array([len(term) for term in terms], dtype=np.int64)
        letters = _code_points("".join(terms))
        known = np.unique(letters)
        self._symbol_of = np.zeros(ALPHABET, dtype=np.int64)  # 0: in no term
        self._symbol_of[known] = np.arange(1, len(known) + 1)
        self._symbols = len(known) + 1
        self._levels = list(self._build(self._symbol_of[letters], lengths))

    def _build(self, symbols: np.ndarray, lengths: np.ndarray) -> Iterator[_Level]:
        starts = np.cumsum(lengths) - lengths
        terms = np.arange(len(lengths))
        nodes = np.zeros(len(lengths), dtype=np.int64)  # one root
        for depth in range(int(lengths.max(initial=0))):
            longer = lengths[terms] > depth
            terms, nodes = terms[longer], nodes[longer]
            keys, nodes = np.unique(
                nodes * self._symbols + symbols[starts[terms] + depth], return_inverse=True
            )
            columns = np.full(len(keys), -1, dtype=np.int32)
            whole = lengths[terms] == depth + 1
            columns[nodes[whole]] = terms[whole]
            yield _Level(keys, columns)

    def find(self, texts: Sequence[str]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """The known n-grams of the texts, some texts at a time.

        Yields:
            How many texts these are, and rows and columns (M,) of their n-grams, rows counted from the first
            of these texts; an n-gram that stands twice in a text comes twice.
        """
        first = size = 0
        for place, text in enumerate(texts):
            size += len(text)
            if size >= CHARACTERS_AT_ONCE or place == len(texts) - 1:
                some = texts[first : place + 1]
                yield (len(some), *self._find(some))
                first, size = place + 1, 0

    def _find(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        symbols = self._symbol_of[_code_points("".join(texts))]
        row_of = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(symbols))  # characters, with this one
        places, nodes = np.arange(len(symbols)), np.zeros(len(symbols), dtype=np.int64)
        rows, columns = [row_of[:0]], [row_of[:0]]
        for depth, level in enumerate(self._levels):
            enough = left[places] > depth
            places, nodes = places[enough], nodes[enough]
            keys = nodes * self._symbols + symbols[places + depth]
            nodes = np.searchsorted(level.keys, keys)
            nodes[nodes == len(level.keys)] = 0
            found = level.keys[nodes] == keys
            places, nodes = places[found], nodes[found]
            column = level.columns[nodes]
            terms = column >= 0
            rows.append(row_of[places[terms]])
            columns.append(column[terms])
        return np.concatenate(rows), np.concatenate(columns)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
