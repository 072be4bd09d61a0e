"""What the telegram_rus page says beside its tables: what stands in for what, phrases, classes."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import numbers
from experiments.keeping import KeptRun
from experiments.markup import EMOJI_STYLE, anchor, grid, named, shown
from experiments.measured import Shelf
from experiments.pages import ALL_OWN, NO_OWN, NO_OWN_RUN, SOME_OWN, stand_ins
from experiments.profiles import SMOKE
from experiments.table import Cell, Experiment, Metric
from experiments.tables.telegram_rus_models import (
    BATCH,
    CNN_NAVEC,
    EPOCHS,
    EPOCHS_OF_WORDS,
    FIGURE_2,
    IN_PAPER,
    METRICS,
    MINILM,
    MODELS,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TFIDF_LOGREG,
    UNREAD,
    WORD2VEC,
)

KEY = "telegram_rus"
COORDINATES = "coordinates.csv"
FIGURES, PHRASES = "figures", "examples.jsonl"  # in the paper's folder of the results

DATA = """The paper's training data
(401,903 rows) could not be had where these were trained. They take the *small variant*,
`data=telegram_rus_small`: the authors' third set alone{rows}, split so that all rows of a text stand
together (the paper splits by rows)."""
ENCODER = """The encoder models take all-MiniLM-L6-v2, trained on English, for the
Russian encoders, which could not be had either: its vocabulary spells Russian letter by letter (5.2 tokens
a word), so that the 24 tokens of the paper cut 69 % of the texts to their last four words or so; it is
pooled by the mean, as it was trained."""
NOTHING_SAID = """So
no number here says that the paper's are right or wrong; they show that each experiment runs, and how the
variants of a table stand to each other."""
METHOD = """
The paper reports validation numbers, so validation stands first; the epoch is the one with the best macro
F1 on validation. The top class is the largest in training{top_class}. One epoch of the paper is 1,570
optimizer steps of 256 rows."""
STEPS = """ In the stand-ins averages of word vectors are trained for {words} epochs of 256 rows (1,590
steps), and encoders, in bfloat16, for {epochs} epochs of {batch} rows a step (1,676 steps): as many steps
as the paper's tables of one epoch have, on far fewer rows."""

SEEN = """## How the variants stand to each other

On validation, as in the paper. A difference within the intervals decides nothing.

"""
# What the paper compares: the labels of both in our tables, and what is printed of them.
PAIRS = {
    "LoRA against a frozen encoder (Table 2)": (
        *("Table 2: with LoRA", TABLE_2["model with LoRA"]),
        *("Table 2: without LoRA (encoder frozen)", TABLE_2["model without LoRA"]),
    ),
    "an encoder against word2vec (Table 4)": (
        *("Table 2: with LoRA", TABLE_4["ru-en-RoSBERTa"]),
        *("Table 4: word2vec", TABLE_4["word2vec"]),
    ),
    "a second stage at a lower rate (Table 5) against one stage (Table 3)": (
        *("Table 5: final", TABLE_5["final"]),
        *("Table 3: alpha = 1/sqrt(fr)", TABLE_3["alpha = 1/sqrt(fr)"]),
    ),
}
BY_WEIGHT = ("alpha = 1", "alpha = 1/sqrt(fr)", "alpha = 1/fr^(3/4)")  # from the lightest to the heaviest


def introduction(shelf: Shelf) -> str:
    """What stands in for what."""
    standing, own = stand_ins(tuple(MODELS.values()), shelf)
    runs = [run for one in (TFIDF_LOGREG, WORD2VEC) if one in standing for run in shelf.runs(one)]
    rows = top_class = steps = ""
    if runs and shelf.profile != SMOKE:  # other rows than those it speaks of
        counts = runs[0].result["provenance"]["rows"]
        listed = " / ".join(f"{count:,}" for count in counts.values())
        rows = f", {listed} rows of {len(runs[0].labels)} emoji ({', '.join(counts)})"
        top_class = f", {shown(str(runs[0].top_class('validation')))}"
    parts = [ALL_OWN]
    if standing:
        parts = [
            SOME_OWN if own else NO_OWN,
            DATA.format(rows=rows),
        ]
        parts += [ENCODER] * any(one.stand_in.startswith(MINILM) for one in standing)
        parts += [] if own else [NOTHING_SAID, NO_OWN_RUN]
        steps = STEPS.format(words=EPOCHS_OF_WORDS, epochs=EPOCHS, batch=BATCH)
    return f"{' '.join(parts)}\n{METHOD.format(top_class=top_class)}{steps}\n"


def sections(shelf: Shelf) -> list[str]:
    """What can be seen, clusters, the paper's phrases, each class of the best run."""
    if shelf.profile == SMOKE:
        return []
    found = (what_is_seen(shelf), clusters(shelf), phrases(shelf), by_class(shelf))
    return [text for text in found if text]


def what_is_seen(shelf: Shelf) -> str:
    """The comparisons that the paper draws from its tables, and the best of all models."""
    lines = [*(_pair(shelf, what, *pair) for what, pair in PAIRS.items()), _alphas(shelf), _best(shelf)]
    told = [f"- {line[0].upper()}{line[1:]}." for line in lines if line]
    return SEEN + "\n".join(told) if told else ""


def _pair(
    shelf: Shelf, what: str, first: str, printed: Sequence[float], second: str, other: Sequence[float]
) -> str:
    """Top 1 and top 10 of two models, measured and printed."""
    told = []
    for metric, *numbers_of_paper in zip(METRICS[:2], printed, other, strict=False):
        found = [shelf.measured(Cell(IN_PAPER[label], metric)) for label in (first, second)]
        if any(one.mean is None for one in found):
            return ""
        measured, paper = (
            " against ".join(texts)
            for texts in (
                [numbers.mean_and_interval(one) for one in found],
                [numbers.number(value, metric.decimals) for value in numbers_of_paper],
            )
        )
        told.append(f"{metric.name.removeprefix('validation: ')} {measured} % (paper: {paper})")
    return f"{what}: {', '.join(told)}"


def _alphas(shelf: Shelf) -> str:
    told = []
    for alpha in BY_WEIGHT:
        found = [shelf.measured(Cell(IN_PAPER[f"Table 3: {alpha}"], metric)) for metric in METRICS[:4]]
        if any(one.mean is None for one in found):
            return ""
        told.append(f"{alpha} {' / '.join(numbers.mean(one) for one in found)}")
    return (
        "class weights from the lightest to the heaviest (Table 3), top 1 / top 10 / recall of the top class "
        f"/ its precision: {'; '.join(told)}"
    )


def _best(shelf: Shelf) -> str:
    """The best of all models on validation, by two metrics."""
    told = []
    for name, path in (("macro F1", "macro_f1"), ("top 1", "top_1")):
        metric = Metric(name, path, "validation", scale=100)
        means = {label: shelf.measured(Cell(one, metric)).mean for label, one in MODELS.items()}
        known = {label: mean for label, mean in means.items() if mean is not None}
        if known:
            best = max(known, key=lambda label: known[label])
            told.append(f"on {name} {best} ({known[best]:.2f} %)")
    return f"the best of all models: {', '.join(told)}" if told else ""


def clusters(shelf: Shelf) -> str:
    """The clusters that were drawn, of 2 to 6 members as the paper prints them."""
    folder = shelf.results.parent / KEY / FIGURES
    path = folder / "clusters.md"
    if not path.is_file():
        return ""
    _, _, body = path.read_text(encoding="utf-8").partition("\n")
    place = f"{KEY}/{FIGURES}"
    return (
        "## Clusters of emoji\n\n"
        f"[The same]({place}/clusters.md) and [an interactive page]({place}/page.html) by `python -m "
        f"experiments.drawing`.\n\n{body.strip()}\n\n{_beside_figure_2(folder / COORDINATES)}"
    ).rstrip()


def _beside_figure_2(coordinates: Path) -> str:
    """How many emoji that the paper's Figure 2 has in one cluster are in one cluster here too."""
    if not coordinates.is_file():
        return ""
    with coordinates.open(encoding="utf-8", newline="") as stream:
        here = {row["label"]: row["cluster"] for row in csv.DictReader(stream)}
    printed = [[emoji.removesuffix(EMOJI_STYLE) for emoji in line.split()] for line in FIGURE_2]
    readable = [[emoji for emoji in line if emoji != UNREAD and emoji in here] for line in printed]
    pairs = [pair for line in readable for pair in itertools.combinations(line, 2)]
    together = [pair for pair in pairs if here[pair[0]] == here[pair[1]]]
    listed = ", ".join(" ".join(map(shown, pair)) for pair in together)
    return (
        f"The paper's clusters stand at [Figure 2](#{anchor(f'{KEY}.figure2')}). Of the {len(pairs)} pairs "
        "of emoji that can be read there in one cluster and are classes here, "
        f"{len(together)} are in one cluster here too{f': {listed}' if listed else ''}."
    )


def phrases(shelf: Shelf) -> str:
    """The twelve phrases of the paper's section 6, with its answers and ours."""
    answers = kept_phrases(shelf)
    if not answers:
        return ""
    head = ["phrase", "paper", "rank of the paper's answer here", "first three answers here"]
    return (
        "## The paper's phrases\n\n"
        f"By run `{answers[0]['run']}`, the best on validation of CNN from navec; not by the paper's "
        "model.\n\n" + grid(head, map(_phrase, answers), left=4)
    )


def kept_phrases(shelf: Shelf) -> list[dict[str, Any]]:
    """The kept answers to the paper's phrases; none before they were asked."""
    path = shelf.results.parent / KEY / PHRASES
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _phrase(answer: Mapping[str, Any]) -> list[str]:
    rank = answer["rank_of_paper"]
    given = ", ".join(f"{shown(one['label'])} {one['probability']:.2f}" for one in answer["predictions"])
    return [answer["text"], named(answer["paper"]), "no such class" if rank is None else str(rank), given]


def best_run(shelf: Shelf, experiment: Experiment) -> KeptRun | None:
    """The run of an experiment with the best macro F1 on validation."""
    runs = shelf.runs(experiment)
    return max(runs, key=lambda run: float(run.result["validation"]["macro_f1"]), default=None)


def by_class(shelf: Shelf) -> str:
    """Precision, recall and F1 of each class, of the run that is drawn."""
    run = best_run(shelf, CNN_NAVEC)
    if run is None:
        return ""
    rows = [
        [
            *(named(entry["label"]), str(entry["support"]), str(entry["predicted"])),
            *(f"{entry[name]:.2f}" for name in ("precision", "recall", "f1")),
        ]
        for entry in run.result["test"]["per_class"]
    ]
    head = ["emoji", "rows in test", "predicted", "precision", "recall", "F1"]
    return (
        f"## Each class: CNN from navec, trained further, seed {run.seed}\n\n"
        f"Run `{run.name}`, of its seeds the best on validation; figures on test.\n\n{grid(head, rows)}"
    )
