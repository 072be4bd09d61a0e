"""Pairs on disk: many gigabytes of them, with duplicates found in bounded memory."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np

HELD_DIGESTS = 1 << 16  # in memory before they are written
ROWS_AT_A_TIME = 1 << 21  # whose digests are sorted together: some 100 MB
DIGEST_BYTES = 8


class PairStore:
    """(text, emoji) pairs in the order in which they came, in nameless files that go with the process.

    A pair is known by 64 bits of BLAKE2b of text and emoji: among 10 million pairs, two different ones are
    taken for the same with a probability of 3 in a million.

    Args:
        folder: where the files lie; what is read again comes from there, so it should be a local disk.
    """

    def __init__(self, folder: Path) -> None:
        self._pairs: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._digests: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._held = array("Q")
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def __enter__(self) -> PairStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._pairs.close()
        self._digests.close()

    def add(self, text: str, emoji: str) -> None:
        """Append a pair; the text has no line breaks."""
        line = f"{emoji}\t{text}\n".encode("utf-8", "surrogatepass")
        self._pairs.write(line)
        self._held.append(int.from_bytes(blake2b(line, digest_size=DIGEST_BYTES).digest(), "little"))
        self._rows += 1
        if len(self._held) >= HELD_DIGESTS:
            self._write_digests()

    def first_of_each(self) -> np.ndarray:
        """(N,) bool: whether a pair is the first of its kind.

        The digests are read once for each `ROWS_AT_A_TIME` pairs, and each time those of one residue class
        are sorted.
        """
        self._write_digests()
        first = np.zeros(self._rows, dtype=bool)
        passes = -(-self._rows // ROWS_AT_A_TIME)
        for residue in range(passes):
            digests, rows = self._residue(residue, passes)
            first[rows[np.unique(digests, return_index=True)[1]]] = True
        return first

    def counts(self, kept: np.ndarray | None = None) -> Counter[str]:
        """Emoji -> pairs, of the pairs that are kept (N,); None: all."""
        return Counter(emoji for _, emoji in self.pairs(kept))

    def pairs(self, kept: np.ndarray | None = None) -> Iterator[tuple[str, str]]:
        """Yield the pairs that are kept (N,), in order; None: all."""
        self._pairs.seek(0)
        for row, line in enumerate(self._pairs):
            if kept is None or kept[row]:
                emoji, _, text = line[:-1].decode("utf-8", "surrogatepass").partition("\t")
                yield text, emoji

    def _write_digests(self) -> None:
        self._digests.seek(0, 2)
        self._digests.write(self._held.tobytes())
        self._held = array("Q")

    def _residue(self, residue: int, passes: int) -> tuple[np.ndarray, np.ndarray]:
        """The digests that leave this residue, in order, and the rows they belong to."""
        digests, rows = [], []
        self._digests.seek(0)
        start = 0
        while block := self._digests.read(DIGEST_BYTES << 20):
            values = np.frombuffer(block, dtype=np.uint64)
            chosen = np.flatnonzero(values % np.uint64(passes) == residue)
            digests.append(values[chosen])
            rows.append(chosen + start)
            start += len(values)
        return np.concatenate(digests), np.concatenate(rows)
