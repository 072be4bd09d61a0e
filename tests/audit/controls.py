"""Generated datasets for the audit: clean ones, where only words tell the label, and faults put into them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emoji_pred.data.corpus import Corpus, Split

ALPHABETS = {
    "latin": "etaoinshrdlucmfwypvbgk",
    "cyrillic": "оеаинтсрвлкмдпуяызьб",
    "urdu": "اےیہنکرسمتبدلپگچوجشخ",
}
EMOJI = ("✌\ufe0f", "👍🏽", "👨\u200d👩\u200d👧", "🇵🇰", "🌹")
Fault = Callable[[str, int, np.random.Generator], str]


def words_of(alphabet: str, number: int, rng: np.random.Generator) -> list[str]:
    letters = list(ALPHABETS[alphabet])
    made: dict[str, None] = {}
    while len(made) < number:
        word = "".join(rng.choice(letters, size=int(rng.integers(2, 9))))
        # Urdu and Persian write a non-joiner inside some words: it is part of them.
        cut = len(word) > 4 and alphabet == "urdu" and rng.random() < 0.2
        made[word[:3] + "\u200c" + word[3:] if cut else word] = None
    return list(made)


def control(
    seed: int,
    rows: int = 3000,
    classes: int = 5,
    alphabet: str = "latin",
    task: str = "multiclass",
    imbalance: float = 1.0,
    cue: float = 0.7,
    fault: Fault | None = None,
    test: bool = True,
) -> Corpus:
    """A dataset whose labels only words tell.

    Args:
        seed: of everything.
        rows: in all splits; 70 % train, 15 % validation, the rest test.
        classes: C; their shares fall by 1 / place ** imbalance.
        alphabet: of the words.
        task: multiclass or multilabel.
        imbalance: 0 for equal shares.
        cue: share of the rows with a word of their own class; the first class has one single word of its own.
        fault: changes a text by its (first) label.
        test: whether there is a test split.
    """
    rng = np.random.default_rng(seed)
    fillers = words_of(alphabet, 400, rng)
    cues = [words_of(alphabet, 1 if label == 0 else 6, rng) for label in range(classes)]
    shares = 1 / np.arange(1, classes + 1) ** imbalance
    weights = 1 / np.arange(1, len(fillers) + 1)
    texts, labels = [], np.zeros((rows, classes), dtype=np.uint8)
    for row in range(rows):
        several = 1 + (rng.random() < 0.3) if task == "multilabel" else 1
        held = rng.choice(classes, size=min(several, classes), replace=False, p=shares / shares.sum())
        labels[row, held] = 1
        own = [str(rng.choice(cues[label])) for label in held if rng.random() < cue]
        length = max(2, round(float(rng.lognormal(2.3, 0.5))))
        text = [*own, *rng.choice(fillers, size=length, p=weights / weights.sum())]
        written = decorate([str(word) for word in rng.permutation(text)], rng)
        texts.append(fault(written, int(held[0]), rng) if fault else written)
    return _corpus(texts, labels, task, test)


def decorate(words: list[str], rng: np.random.Generator) -> str:
    """What texts have around their words, whatever their label."""
    if rng.random() < 0.2:
        words = ["@user", *words]
    if rng.random() < 0.1:
        words.append(f"https://example.org/{rng.integers(1000)}")
    if rng.random() < 0.1:
        words.append(str(rng.choice(EMOJI)))
    if rng.random() < 0.05:
        words = [word.upper() for word in words]
    text = " ".join(words) + str(rng.choice(["", "", "!", "?", "...", "!!!"]))
    return "\u200f" + text if rng.random() < 0.03 else text


def _corpus(texts: list[str], hot: np.ndarray, task: str, test: bool) -> Corpus:
    ends = (int(0.7 * len(texts)), int(0.85 * len(texts)), len(texts))
    labels = hot if task == "multilabel" else hot.argmax(axis=1).astype(np.int64)
    splits, start = {}, 0
    for name, end in zip(("train", "validation", "test"), ends, strict=True):
        ids = [f"{name}/{row}" for row in range(end - start)]
        splits[name] = Split(texts[start:end], labels[start:end], ids)
        start = end
    if not test:
        del splits["test"]
    names = tuple(f"class {place}" for place in range(hot.shape[1]))
    return Corpus("control", task, names, splits)  # type: ignore[arg-type]
