"""Where labels are drawn: a projection fitted into a square, with marks that do not hide each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE = 1000.0  # of the square, in units of a page
MARGIN = 60.0
LARGEST, SMALLEST = 60.0, 16.0  # height of a mark
LETTER = 0.62  # width of a letter by its height
WORD = 0.45  # height of a word by that of a glyph, at most
WORDS_SHARE = 0.18  # of the square that words cover, at most
ROUNDS, SHAKE = 600, 0.06  # of moving marks apart; of a mark's size
MOST = 600  # marks


def mark_height(count: int) -> float:
    """The height of a mark, so that all marks together cover about a quarter of the square."""
    return float(np.clip(0.5 * (SIDE - 2 * MARGIN) / max(count, 1) ** 0.5, SMALLEST, LARGEST))


def mark_sizes(texts: Sequence[str], is_glyph: Sequence[bool]) -> np.ndarray:
    """Width and height of each mark, (C, 2): a glyph is square, a word as wide as its letters."""
    height = mark_height(len(texts))
    letters = LETTER * sum(
        max(len(text), 1) for text, glyph in zip(texts, is_glyph, strict=True) if not glyph
    )
    word = min(WORD * height, (WORDS_SHARE * SIDE**2 / max(letters, 1)) ** 0.5)
    return np.array(
        [
            (height, height) if glyph else (max(len(text), 1) * word * LETTER, word)
            for text, glyph in zip(texts, is_glyph, strict=True)
        ]
    )


def fit(coordinates: np.ndarray) -> np.ndarray:
    """Scale a projection into the square, both axes alike, the second one upwards: (C, 2)."""
    low, high = coordinates.min(0), coordinates.max(0)
    extent = float((high - low).max()) or 1.0
    centred = (coordinates - (low + high) / 2) / extent
    return SIDE / 2 + centred * np.array([1, -1]) * (SIDE - 2 * MARGIN)


def spread(places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Move marks that overlap apart, each by about as little as it takes, and none out of the square.

    Of very many marks none is moved: there is no room.

    Args:
        places: (C, 2) centres in the square.
        sizes: (C, 2) widths and heights.
    """
    count = len(places)
    half = np.minimum(sizes / 2, SIDE / 2)
    moved = np.clip(places, half, SIDE - half)
    wanted = (sizes[:, None] + sizes[None]) / 2  # (C, C, 2) least distances
    upper = np.triu(np.ones((count, count), dtype=bool), k=1)
    rng = np.random.default_rng(0)
    for round_number in range(ROUNDS if count <= MOST else 0):
        apart = moved[:, None] - moved[None]
        lack = wanted - np.abs(apart)
        rows, columns = np.nonzero(upper & (lack > 1e-6).all(-1))
        if not len(rows):
            break
        # Along the axis on which less is lacking, half of it each.
        axes = lack[rows, columns].argmin(-1)
        push = np.where(apart[rows, columns, axes] < 0, -0.5, 0.5) * lack[rows, columns, axes]
        shift = np.zeros_like(moved)
        np.add.at(shift, (rows, axes), push)
        np.add.at(shift, (columns, axes), -push)
        crowd = np.bincount(np.concatenate([rows, columns]), minlength=count)[:, None]
        # A row or a heap gets nowhere by pushing alone: what is pushed is also shaken, less and less.
        shaken = SHAKE * (1 - round_number / ROUNDS) * rng.normal(size=moved.shape) * sizes * (crowd > 0)
        moved = np.clip(moved + shift / np.maximum(crowd, 1) ** 0.5 + shaken, half, SIDE - half)
    return moved
