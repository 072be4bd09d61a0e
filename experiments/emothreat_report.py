"""Render `results/emothreat.md` from the kept runs: the paper's metric, its authors' and the shared task's."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from emoji_pred.decision import Decision, choose
from emoji_pred.multilabel_metrics import EVERYTHING, NOTHING, of_answers, of_examples
from experiments.emothreat import READINGS, Measured, answers, command
from experiments.kept_runs import NOT_RUN, commands_section, machines_line, mean_and_spread, revision

ALL_ROWS, WITHOUT_NEUTRAL = READINGS
EXAMPLE = tuple(f"example_{name}" for name in ("accuracy", "precision", "recall", "f1"))
SMOOTHED = tuple(f"paper_smoothed_{name}" for name in ("accuracy", "precision", "recall", "f1"))
NAMES = ("accuracy", "precision", "recall", "F1")
TASK = {
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "exact_match": "exact match",
    "hamming_loss": "Hamming loss",
    "label_ranking_average_precision": "ranking precision",
}
TWEETS = "the tweets alone, trained on all rows"
YARDSTICKS = (NOTHING, EVERYTHING)
PER_CLASS = {"name": "tuned_per_class", "at_least_one": False}

INTRODUCTION = """# EmoThreat: published beside measured

Written by `python -m experiments.emothreat report` from the runs in `results/emothreat/`; the paper is Kalra et al.,
"Applying TF-IDF and BERT-based variants under multilabel classification for emotion detection in Urdu language" (FIRE
2022, EmoThreat, task A).

**What is measured here is not the paper's experiment.** The official training file could not be had on the machine of
these runs. Measured is `data=emothreat_public`, which is built from public files: {train:,} / {validation:,} / {test:,} rows for
training, validation and test. The test tweets are the official ones with their labels recovered; of the 753 neutral
film reviews of the official test, {reviews} stay in the test and the others train, in the place of the 3,014 of the
official training file. The encoder models use a *stand-in*, all-MiniLM-L6-v2, trained on English, for UrduHack and
multilingual BERT, whose weights could not be had. The commands of the paper's own experiments are below, and were not run.

Labels are given at probability 0.5 unless a column says otherwise. The epoch is the one with the best macro F1 on
validation. "Mean ± standard deviation" is over seeds; a number alone is one run.
"""


def render(cells: Sequence[Measured]) -> str:
    """The whole report as Markdown."""
    results = list(_all(cells))
    if not any(cell.results for cell in cells if cell.reading == ALL_ROWS):
        return f"# EmoThreat\n\n{NOT_RUN}: `python -m experiments.emothreat run`\n"
    first = next(cell.results[0] for cell in cells if cell.results and cell.reading == ALL_ROWS)
    parts = [_introduction(first), _data(first), _metric(cells), _paper_table(cells, "Table 3")]
    parts += [_verdict(cells), *(_models(cells, reading) for reading in READINGS)]
    parts += [_per_class(cells), _commands(cells), _runs(cells, results)]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _introduction(result: dict[str, Any]) -> str:
    provenance = result["provenance"]
    return INTRODUCTION.format(**provenance["rows"], reviews=provenance["corpus"]["reviews"]["test"])


def _data(result: dict[str, Any]) -> str:
    """Table 1 and Figure 1: how many rows have each label."""
    corpus = result["provenance"]["corpus"]
    here = dict(zip(result["label_names"], result["provenance"]["class_counts"], strict=True))
    support = {
        split: {entry["label"]: entry["support"] for entry in result[split]["per_class"]}
        for split in ("validation", "test")
    }
    lines = [
        "## Table 1 and Figure 1: rows of each label",
        "",
        "| label | training: paper | public tweets outside the test | test: official, recovered | here: train | validation | test |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, printed in corpus["paper_training_labels"].items():
        tweets = corpus["tweets_left"]["labels"].get(label)
        lines.append(
            f"| {label} | {printed:,} | {'–' if tweets is None else f'{tweets:,}'} "
            f"| {corpus['recovered_test']['labels'][label]:,} | {here[label]:,} "
            f"| {support['validation'][label]:,} | {support['test'][label]:,} |"
        )
    recovered = corpus["recovered_test"]
    lines += [
        "",
        f"Of the 1,950 official test sentences {recovered['found_among_tweets']:,} stand among the public tweets, with "
        f"their labels; the other {recovered['neutral_reviews']:,} are the neutral reviews. The counts of the tweets agree "
        "with the paper's to within six rows of a label, so the official training file is very nearly these tweets and its "
        "3,014 reviews.",
    ]
    return "\n".join(lines)


def _metric(cells: Sequence[Measured]) -> str:
    return "\n".join(
        [
            "## Table 4: TF-IDF, and two metrics under one name",
            "",
            "The paper defines accuracy, precision and recall by equations 7 to 9, |Y ∩ Z| / |Y ∪ Z| and so on. Its authors' "
            "notebook adds 1 above and below in each ratio, and the numbers that it printed are those of Table 4. So each "
            "model is read twice, on the test rows; so are a model that answers nothing and one that answers everything. "
            "Under the notebook's metric a row is never worth 0, and a row that is given no label has precision 1. The "
            "official test has five times as many reviews as are left here, which every model knows: *official share* is the "
            "notebook's metric with each review counted that much more often, the figure to hold beside the paper's.",
            "",
            *_paper_rows(cells, "Table 4"),
            *_yardsticks(cells),
            "",
            _agreement(cells),
        ]
    )


def _paper_table(cells: Sequence[Measured], table: str) -> str:
    return "\n".join(
        [
            f"## {table}: BERT variants",
            "",
            "By which of the two metrics the paper's numbers were made, is not said. With +1, and the reviews at their official "
            f"share, a model that answers nothing has an accuracy of {_nothing(cells):.2f}, more than both BERT variants: so "
            "either they are worse than no answer by that metric, or they were measured by the equations and do not compare with Table 4.",
            "",
            *_paper_rows(cells, table),
            "",
            *_notes(cells, table),
        ]
    )


def _nothing(cells: Sequence[Measured]) -> float:
    """The notebook's accuracy of a model that answers nothing, the reviews at their official share."""
    found = next(cell.results[0] for cell in cells if cell.results and cell.reading == ALL_ROWS)
    return _at_official_share(found, constant=0)[SMOOTHED[0]]


def _paper_rows(cells: Sequence[Measured], table: str) -> list[str]:
    heads = (f"{name}: paper | +1, official share | +1 | equation" for name in NAMES)
    lines = [f"| | seeds | {' | '.join(heads)} |", "|---|---|" + "---|" * (4 * len(NAMES))]
    for cell in cells:
        if cell.row.table != table or cell.reading != ALL_ROWS:
            continue
        printed = ["–"] * 4 if cell.row.paper is None else [f"{value:.3g}" for value in cell.row.paper]
        shared = [_at_official_share(result) for result in cell.results]
        columns = []
        for paper, exact, smoothed in zip(printed, EXAMPLE, SMOOTHED, strict=True):
            weighed = mean_and_spread([one[smoothed] for one in shared]) if shared else NOT_RUN
            columns.append(f"{paper} | {weighed} | {_mean(cell, smoothed)} | {_mean(cell, exact)}")
        lines.append(f"| {_label(cell)} | {len(cell.results)} | {' | '.join(columns)} |")
    return lines


def _agreement(cells: Sequence[Measured]) -> str:
    """How far the notebook's metric, at the official share, lies from what the paper prints."""
    found = [
        (cell, _at_official_share(result))
        for cell in cells
        if cell.reading == ALL_ROWS and cell.row.table == "Table 4" and cell.row.paper
        for result in cell.results
    ]
    if not found:
        return ""
    furthest = max(
        abs(reached[name] - printed)
        for cell, reached in found
        for name, printed in zip(SMOOTHED, cell.row.paper or (), strict=True)
    )
    exact = ", ".join(f"{reached[EXAMPLE[0]]:.2f} ({cell.row.label})" for cell, reached in found)
    return (
        f"At the official share the notebook's metric gives the paper's {len(found) * len(SMOOTHED)} numbers to within "
        f"{furthest:.3f}. They are measurements, then, but not of what the equations say: by equation 7, at the same share, "
        f"the accuracies are {exact}."
    )


def _at_official_share(result: dict[str, Any], constant: int | None = None) -> dict[str, float]:
    """Both metrics where the reviews have the share of the test rows that they have officially.

    Args:
        result: a run on all rows.
        constant: of a model that gives no label (0) or every label (1) instead of the run.
    """
    truth, probabilities = answers(result["run"], "test")
    given = Decision.from_plain(result["test"]["decision"]).labels(probabilities)
    if constant is not None:
        given = np.full_like(given, bool(constant))
    is_review = truth[:, result["label_names"].index("neutral")].astype(bool)
    recovered = result["provenance"]["corpus"]["recovered_test"]
    share = recovered["neutral_reviews"] / (recovered["neutral_reviews"] + recovered["found_among_tweets"])
    reviews, tweets = (of_examples(given[rows], truth[rows]) for rows in (is_review, ~is_review))
    means = {
        name: share * reviews[name] + (1 - share) * tweets[name] for name in (*EXAMPLE[:3], *SMOOTHED[:3])
    }
    for _, precision, recall, f1 in (EXAMPLE, SMOOTHED):
        total = means[precision] + means[recall]
        means[f1] = 2 * means[precision] * means[recall] / total if total else 0.0
    return means


def _yardsticks(cells: Sequence[Measured]) -> list[str]:
    """What constant answers reach under both metrics."""
    found = next(cell.results[0] for cell in cells if cell.results and cell.reading == ALL_ROWS)
    lines = []
    for constant, name in enumerate(YARDSTICKS):
        reached, shared = found["test"]["yardsticks"][name], _at_official_share(found, constant)
        columns = [
            f"– | {shared[smoothed]:.3f} | {reached[smoothed]:.3f} | {reached[exact]:.3f}"
            for exact, smoothed in zip(EXAMPLE, SMOOTHED, strict=True)
        ]
        lines.append(f"| *{name}* | – | {' | '.join(columns)} |")
    return lines


def _verdict(cells: Sequence[Measured]) -> str:
    """Whether TF-IDF beats the encoder, under each metric and reading."""
    lines = [
        '## Does "TF-IDF beats BERT" survive?',
        "",
        "The best of the three TF-IDF models of Table 4 against the better of the two encoder models, under each metric: "
        "chosen on validation by that metric, shown on test. The encoder is the stand-in, so this says what the metric does to the "
        "comparison, and not how UrduHack would fare.",
        "",
        "| rows | metric | best TF-IDF | | best encoder | | answers nothing |",
        "|---|---|---|---|---|---|---|",
    ]
    metrics = {
        "paper_smoothed_accuracy": "accuracy, +1 (the notebook)",
        "example_accuracy": "accuracy, equation 7",
        "paper_smoothed_f1": "F1, +1 (the notebook)",
        "example_f1": "F1, equation 10",
        "micro_f1": "micro F1 (shared task)",
        "macro_f1": "macro F1 (shared task)",
    }
    here = [cell for cell in cells if cell.results and cell.reading == ALL_ROWS]
    for name, reading in ((ALL_ROWS, _all_rows), (TWEETS, _tweets_alone)):
        lines += _comparison(name, [(cell, [reading(one) for one in cell.results]) for cell in here], metrics)
    alone = [cell for cell in cells if cell.results and cell.reading == WITHOUT_NEUTRAL]
    lines += _comparison(
        WITHOUT_NEUTRAL, [(cell, [_all_rows(one) for one in cell.results]) for cell in alone], metrics
    )
    return "\n".join(lines)


Figures = Sequence[tuple[Measured, list[dict[str, dict[str, Any]]]]]  # of each run, by split


def _comparison(reading: str, figures: Figures, metrics: Mapping[str, str]) -> list[str]:
    """A line for each metric: the best TF-IDF and the best encoder on validation, as they are on test."""
    tfidf = [(cell, found) for cell, found in figures if cell.row.table == "Table 4"]
    encoders = [
        (cell, found)
        for cell, found in figures
        if any(word.startswith("encoder=") for word in cell.row.overrides)
    ]
    if not tfidf or not encoders:
        return [f"| {reading} | {NOT_RUN} | | | | | |"]
    lines = []
    for key, name in metrics.items():
        sides = []
        for side in (tfidf, encoders):
            best, found = max(side, key=lambda one: statistics.mean(run["validation"][key] for run in one[1]))
            sides.append(f"{statistics.mean(run['test'][key] for run in found):.3f} | {best.row.label}")
        nothing = figures[0][1][0]["test"]["yardsticks"][NOTHING][key]
        lines.append(f"| {reading} | {name} | {' | '.join(sides)} | {nothing:.3f} |")
    return lines


def _all_rows(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of a run as they stand in its result."""
    return {split: result[split] for split in ("validation", "test")}


def _tweets_alone(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of the same model on the tweets alone, of the six labels that they have."""
    neutral = result["label_names"].index("neutral")
    figures = {}
    for split in ("validation", "test"):
        truth, probabilities = answers(result["run"], split)
        given = Decision.from_plain(result[split]["decision"]).labels(probabilities)
        tweets = ~truth[:, neutral].astype(bool)
        truth, given = (np.delete(part[tweets], neutral, axis=1) for part in (truth, given))
        nothing = of_answers(np.zeros_like(given), truth)
        figures[split] = {**of_answers(given, truth), "yardsticks": {NOTHING: nothing}}
    return figures


def _models(cells: Sequence[Measured], reading: str) -> str:
    """Every model under the shared task's metrics, by macro F1."""
    here = [cell for cell in cells if cell.reading == reading and cell.row.seeds]
    lines = [
        f"## All models, {reading}",
        "",
        f"On test. The last column decides each label at a threshold of its own, chosen on validation "
        f"(`decision=tuned_per_class`), from the same probabilities.{_about(reading)}",
        "",
        f"| model | seeds | {' | '.join(TASK.values())} | equation 7 | macro F1, tuned |",
        "|---|---|" + "---|" * (len(TASK) + 2),
    ]
    for cell in sorted(here, key=lambda cell: -_value(cell, "macro_f1")):
        columns = [_mean(cell, metric) for metric in (*TASK, "example_accuracy")]
        lines.append(f"| {_label(cell)} | {len(cell.results)} | {' | '.join([*columns, _tuned(cell)])} |")
    found = next((cell.results[0] for cell in here if cell.results), None)
    if found is not None:
        for name, reached in found["test"]["yardsticks"].items():
            columns = [f"{reached[metric]:.3f}" for metric in (*TASK, "example_accuracy")]
            lines.append(f"| *{name}* | – | {' | '.join(columns)} | – |")
    if any(len(cell.results) < len(cell.row.seeds) for cell in here):
        lines += [
            "",
            f"{NOT_RUN.capitalize()}: for want of time; `python -m experiments.emothreat run` trains it.",
        ]
    return "\n".join([*lines, "", *_notes(here, None)])


def _about(reading: str) -> str:
    if reading == ALL_ROWS:
        return " The shared task's winner had a macro F1 of 0.687 on all 1,950 official rows, 39 % of them reviews."
    return " Six labels; the tweets alone."


def _tuned(cell: Measured) -> str:
    """Macro F1 on test with a threshold a class, chosen on validation."""
    values = []
    for result in cell.results:
        truth, probabilities = answers(result["run"], "validation")
        decision = choose(PER_CLASS, probabilities, truth)
        truth, probabilities = answers(result["run"], "test")
        values.append(of_answers(decision.labels(probabilities), truth)["macro_f1"])
    return mean_and_spread(values) if values else NOT_RUN


def _per_class(cells: Sequence[Measured]) -> str:
    """F1 of each label for every model, with and without the reviews."""
    here = [cell for cell in cells if cell.results]
    labels = [entry["label"] for entry in here[0].results[0]["test"]["per_class"]]
    lines = [
        "## F1 of each label",
        "",
        "On test, at 0.5, the mean over seeds; `neutral` is what the length of a text gives away.",
        "",
        f"| model | rows | {' | '.join(labels)} |",
        "|---|---|" + "---|" * len(labels),
    ]
    for cell in here:
        found = [{entry["label"]: entry["f1"] for entry in one["test"]["per_class"]} for one in cell.results]
        columns = [
            f"{statistics.mean(one[label] for one in found):.3f}" if label in found[0] else "–"
            for label in labels
        ]
        lines.append(f"| {cell.row.label} | {cell.reading} | {' | '.join(columns)} |")
    return "\n".join(lines)


def _commands(cells: Sequence[Measured]) -> str:
    typed = [" ".join(command(cell.row, cell.reading, cell.row.seeds)) for cell in cells if cell.row.seeds]
    full = [cell.row.full for cell in cells if cell.row.full]
    return commands_section(typed, full, "the official training file and its encoders")


def _runs(cells: Sequence[Measured], results: Sequence[dict[str, Any]]) -> str:
    lines = [
        "## Runs",
        "",
        "| run | model | rows | seed | macro F1: validation | test | minutes | code |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        for result in cell.results:
            lines.append(
                f"| [{result['run']}](emothreat/{result['run']}/result.json) | {cell.row.label} | {cell.reading} "
                f"| {result['config']['seed']} | {result['validation']['macro_f1']:.4f} "
                f"| {result['test']['macro_f1']:.4f} | {result['wall_seconds'] / 60:.1f} | {revision(result)} |"
            )
    return "\n".join([*lines, "", machines_line(results)])


def _label(cell: Measured) -> str:
    return cell.row.label + (" *" if cell.row.note else "")


def _notes(cells: Sequence[Measured], table: str | None) -> list[str]:
    notes: dict[str, list[str]] = {}
    for cell in cells:
        if cell.row.note and table in (None, cell.row.table) and cell.row.label not in str(notes):
            notes.setdefault(cell.row.note, []).append(cell.row.label)
    return [f"\\* {'; '.join(labels)}: {note}.  " for note, labels in notes.items()]


def _value(cell: Measured, metric: str) -> float:
    """The mean over seeds on test; below everything where there is no run."""
    return statistics.mean([one["test"][metric] for one in cell.results]) if cell.results else -1.0


def _mean(cell: Measured, metric: str) -> str:
    values = [result["test"][metric] for result in cell.results]
    return mean_and_spread(values) if values else NOT_RUN


def _all(cells: Sequence[Measured]) -> Iterable[dict[str, Any]]:
    return (result for cell in cells for result in cell.results)
