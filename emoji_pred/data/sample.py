"""A bundled sample corpus: short texts from a small seeded grammar, in English, Russian and Urdu.

Nobody wrote these texts: every row is put together from the word lists of sample_words.py, so the suite
can be tried without network and without anyone's tweets. They are learnable but not clean: some phrases
fit several classes, some rows hold another class's words behind a "not", and some labels are wrong on
purpose.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field

from emoji_pred.data.corpus import Corpus, Split, Task
from emoji_pred.data.sample_words import CUES, FILLERS, NOT, PLACES, SHARED, SHARED_BY
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key

Language = Literal["en", "ru", "ur", "all"]
Item = TypeVar("Item")

# Shares fall like TweetEval's: the largest class has a fifth of the rows, the smallest a fiftieth.
EMOJI_SHARES = {
    "❤": 0.20, "😂": 0.15, "😭": 0.12, "🔥": 0.10, "😊": 0.10, "😡": 0.08,
    "🎉": 0.07, "😮": 0.055, "📷": 0.045, "☀": 0.035, "😱": 0.025, "🤢": 0.02,
}  # fmt: skip
# Emotion -> the emoji whose words it is written with, and how often it is drawn first.
EMOTIONS = {
    "anger": ("😡", 0.19), "disgust": ("🤢", 0.11), "fear": ("😱", 0.10),
    "sadness": ("😭", 0.23), "surprise": ("😮", 0.12), "happiness": ("😊", 0.25),
}  # fmt: skip
LABEL_NOISE = 0.05
NEUTRAL_SHARE = 0.18
CUE_SHARE = 0.72  # rows with a phrase of their own class; the others have only phrases shared by several
SPLIT_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}

# Never a label; with selectors, joiners, skin tones and flags, as real texts have them.
_CONTEXT_EMOJI = ("🌹", "🙏", "✌\ufe0f", "☕\ufe0f", "👀", "🇵🇰", "👨‍👩‍👧", "👍🏽", "✈\ufe0f")


def load_sample(
    *,
    data_dir: Path,
    language: Language = "en",
    task: Task = "multiclass",
    rows: Annotated[int, Field(ge=300, le=200_000)] = 3000,
    seed: Annotated[int, Field(ge=0)] = 7,
    version: Literal[2] = 2,
) -> Corpus:
    """Generate the sample corpus: the same rows on every machine and Python version.

    Args:
        data_dir: unused; the corpus needs no file.
        language: `all` has a third of the rows in each language.
        task: multiclass (12 emoji) or multilabel (7 emotions, several a row, neutral alone).
        rows: rows of the three splits together (70 / 10 / 20 %).
        seed: seed of the grammar, not of a training run.
        version: of the grammar; it stands in the configuration so that a run's identity follows it.

    Raises:
        UserError: an unknown language or task, or too few rows.
    """
    del data_dir
    if language not in ("en", "ru", "ur", "all") or task not in ("multiclass", "multilabel") or rows < 300:
        raise UserError(
            f"data=sample: language={language} task={task} rows={rows}; "
            "language is en, ru, ur or all, task multiclass or multilabel, rows 300 or more"
        )
    languages = tuple(CUES) if language == "all" else (language,)
    rng = random.Random(seed)
    seen: set[str] = set()
    return Corpus(
        name="sample",
        task=task,
        label_names=tuple(EMOJI_SHARES) if task == "multiclass" else (*EMOTIONS, "neutral"),
        splits={
            name: _split(name, round(rows * share), languages, task, rng, seen)
            for name, share in SPLIT_SHARES.items()
        },
        provenance={
            "generated": {"version": version, "languages": list(languages), "rows": rows, "seed": seed}
        },
    )


def _split(
    name: str, size: int, languages: Sequence[str], task: Task, rng: random.Random, seen: set[str]
) -> Split:
    """Rows whose texts stand in no other row of the corpus; `seen` holds those there are."""
    texts: list[str] = []
    labels: list[int] | list[list[int]] = []
    row_ids: list[str] = []
    drawn = _multiclass_labels(size, rng) if task == "multiclass" else _multilabel_labels(size, rng)
    for row, (label, groups) in enumerate(drawn):
        language = languages[row % len(languages)]
        text = _text(groups, language, rng)
        while duplicate_key(text) in seen:
            text = _text(groups, language, rng)
        seen.add(duplicate_key(text))
        texts.append(text)
        labels.append(label)  # type: ignore[arg-type]
        row_ids.append(f"{name}/{language}/{row}")
    return Split(texts, np.array(labels, dtype=np.int64 if task == "multiclass" else np.uint8), row_ids)


def _multiclass_labels(size: int, rng: random.Random) -> Iterator[tuple[int, list[str]]]:
    """Yield (label, groups whose words the text has); class counts are exact, not drawn."""
    emoji = list(EMOJI_SHARES)
    counts = [max(1, round(size * share)) for share in EMOJI_SHARES.values()]
    counts[0] += size - sum(counts)
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    for label in sorted(labels, key=lambda _label: rng.random()):
        yield label, [_pick(emoji, rng) if rng.random() < LABEL_NOISE else emoji[label]]


def _multilabel_labels(size: int, rng: random.Random) -> Iterator[tuple[list[int], list[str]]]:
    names = list(EMOTIONS)
    for _ in range(size):
        chosen: list[str] = []
        if rng.random() >= NEUTRAL_SHARE:
            number = 1 + (rng.random() < 0.35) + (rng.random() < 0.1)
            while len(chosen) < number:
                drawn = _weighted(names, [EMOTIONS[name][1] for name in names], rng)
                chosen += [drawn] if drawn not in chosen else []
        groups = [EMOTIONS[name][0] for name in chosen] or ["neutral"]
        if rng.random() < LABEL_NOISE:
            chosen = [_pick(names, rng)]
        yield [int(name in chosen) for name in names] + [int(not chosen)], groups


def _text(groups: Sequence[str], language: str, rng: random.Random) -> str:
    parts = [_phrase(group, language, rng) for group in groups]
    parts += [_pick(FILLERS[language].split("|"), rng) for _ in range(int(rng.random() * 4))]
    if rng.random() < 0.22:
        other = _pick(list(EMOJI_SHARES), rng)
        parts.append(NOT[language].format(_cue(other, language, rng)) if other not in groups else "")
    words = " ".join(sorted(filter(None, parts), key=lambda _part: rng.random()))
    return _decorate(words, language, rng)


def _phrase(group: str, language: str, rng: random.Random) -> str:
    sharing = next((place for place, groups in enumerate(SHARED_BY) if group in groups), None)
    if sharing is None or rng.random() < CUE_SHARE:
        return _cue(group, language, rng)
    return _pick(SHARED[language].split("#")[sharing].split("|"), rng)


def _cue(group: str, language: str, rng: random.Random) -> str:
    return _pick(CUES[language][group].split("|"), rng)


def _decorate(text: str, language: str, rng: random.Random) -> str:
    """Add what tweets have around the words; none of it depends on the label."""
    if rng.random() < 0.25:
        text = "@user " + text
    if rng.random() < 0.12:
        word = _pick(text.split(), rng)
        text += f" #{word.strip('@#')}"
    if rng.random() < 0.10:
        place = int(rng.random() * len(text))
        text = text[:place] + text[place] * 3 + text[place:] if text[place].isalpha() else text
    if rng.random() < 0.12:
        text += " " + _pick(PLACES[language].split("|"), rng)
    if rng.random() < 0.06:
        text += " " + _pick(_CONTEXT_EMOJI, rng)
    if rng.random() < 0.03:
        text = ("\u200f" if language == "ur" else "\u200e") + text
    if rng.random() < 0.04:
        text += " https://example.org/" + str(int(rng.random() * 1000))
    return text + _pick(("", "", "", "!", "!!!", "…", "."), rng)


def _pick(items: Sequence[Item], rng: random.Random) -> Item:
    # Only random() is promised to give the same numbers on every Python version; choice() is not.
    return items[int(rng.random() * len(items))]


def _weighted(items: Sequence[Item], weights: Sequence[float], rng: random.Random) -> Item:
    mark = rng.random() * sum(weights)
    for item, weight in zip(items, weights, strict=True):
        mark -= weight
        if mark < 0:
            return item
    return items[-1]
