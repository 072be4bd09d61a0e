"""The tables and figures of the emothreat paper (Kalra et al.), and ours beside them."""

from __future__ import annotations

from dataclasses import replace

from experiments.table import Cell, Figure, Metric, Paper, Row, Table, experiment_row
from experiments.tables.emothreat_equations import BY_EQUATIONS
from experiments.tables.emothreat_findings import FINDINGS
from experiments.tables.emothreat_models import (
    ALL_ROWS,
    COMPARED,
    ENCODERS,
    HEADINGS,
    LOOKS,
    MODELS,
    OFFICIAL,
    SVC,
    TABLE_1,
    TABLE_1_TOTAL,
    TASK,
    TFIDF,
    WITHOUT_NEUTRAL,
    YARDSTICKS,
)
from experiments.tables.emothreat_readings import by_rows, constant_rows, table_3, table_4


def _count(path: str, split: str = "") -> Metric:
    return Metric("rows", path, split, decimals=0, higher_is_better=None)


def _table_1() -> Table:
    """Rows of each label: as printed, in the public files, recovered, in our splits."""
    corpus = "provenance/corpus"
    rows = []
    for place, (label, printed) in enumerate(TABLE_1.items()):
        paths = (f"{corpus}/tweets_less_test/labels/{label}", f"{corpus}/recovered_test/labels/{label}")
        here = [Cell(SVC, _count(f"provenance/class_counts/{place}"))]
        here += [Cell(SVC, _count(f"per_class/{label}/support", split)) for split in ("validation", "test")]
        official = Cell(OFFICIAL, _count(f"{corpus}/training_labels/{label}"), printed)
        of_tweets = None if label == "neutral" else Cell(SVC, _count(paths[0]))
        rows.append(Row(label, (official, of_tweets, Cell(SVC, _count(paths[1])), *here)))
    total = Cell(OFFICIAL, _count(f"{corpus}/training_labels_total"), TABLE_1_TOTAL)
    rows.append(Row("total", (total, None, None, None, None, None), "of labels; a row may have several"))
    return Table(
        "emothreat.1",
        "Table 1: rows of each label",
        (
            "training",
            "public tweets less the test",
            "test: official, recovered",
            "training here",
            "validation here",
            "test here",
        ),
        tuple(rows),
        "The official training file could not be had. Of the 1,950 official test sentences 1,197 stand among "
        "the public tweets, with their labels; the other 753 are the neutral reviews. The second "
        "column counts the public tweets, of texts that are alike character by character the last, less "
        "those of the test: as many rows as the official file has of tweets (7,800 less 3,014), with the "
        "paper's counts to within one row, so that file is these tweets and its 3,014 reviews. Here each "
        "sentence stands once, with its white space folded, which takes seven rows more.",
    )


def _all_models(name: str, rows: str, about: str) -> Table:
    """Every model, and constant answers, under the shared task's metrics."""
    models = MODELS[rows]
    untuned = TASK[:-1]
    constants = [
        replace(row, cells=(*row.cells, None)) for row in constant_rows(models["linear SVC"], untuned)
    ]
    return Table(
        name,
        f"All models, {rows}: the shared task's metrics",
        tuple(metric.name for metric in TASK),
        (*(experiment_row(label, experiment, TASK) for label, experiment in models.items()), *constants),
        "On test, at 0.5; the last column decides each label at a threshold of its own, chosen on "
        "validation (`decision=tuned_per_class`), from the same probabilities; a constant answer has no "
        "threshold. For the ranking precision, labels of equal probability share the worst of their ranks. "
        f"{about} {YARDSTICKS}",
        in_paper=False,
    )


def _labels(name: str, measure: str, about: str) -> Table:
    """Precision, recall or F1 of each label, with and without the reviews."""
    metrics = [Metric(label, f"per_class/{label}/{measure}") for label in TABLE_1]
    rows = []
    for reading, models in MODELS.items():
        built = [experiment_row(label, experiment, metrics) for label, experiment in models.items()]
        built += constant_rows(models["linear SVC"], metrics)
        for row in built:
            cells = row.cells if reading == ALL_ROWS else (*row.cells[:-1], None)
            rows.append(replace(row, label=f"{row.label}, {reading}", cells=cells))
    return Table(
        name,
        f"{HEADINGS[measure].capitalize()} of each label",
        tuple(metric.name for metric in metrics),
        tuple(rows),
        f"On test, at 0.5. {about} {YARDSTICKS}",
        in_paper=False,
    )


def _compared() -> Table:
    """Every model of both sides under every metric and choice of rows."""
    rows = []
    for look, (reading, select, constants) in LOOKS.items():
        metrics = [Metric(name, path, select=select) for path, name in COMPARED.items()]
        built = [experiment_row(label, MODELS[reading][label], metrics) for label in (*TFIDF, *ENCODERS)]
        built += constant_rows(MODELS[reading]["linear SVC"], metrics, constants)
        rows += [replace(row, label=f"{row.label}: {look}") for row in built]
    return Table(
        "emothreat.verdict",
        'Does "TF-IDF beats BERT" survive?',
        tuple(COMPARED.values()),
        tuple(rows),
        "The three TF-IDF models of Table 4 and the two models of an encoder, on test. Where the encoder "
        "is a stand-in, this says what the metric does to the comparison, and not how UrduHack would fare. "
        + YARDSTICKS,
        in_paper=False,
    )


PAPER = Paper(
    "emothreat",
    "EmoThreat: seven emotions in Urdu",
    'Kalra, Goel, Maheshwari, Sharma and Bhowmick, "Applying TF-IDF and BERT-based variants under multilabel '
    'classification for emotion detection in Urdu language", FIRE 2022 (EmoThreat, task A)',
    (
        _table_1(),
        table_3(),
        table_4(),
        _compared(),
        _all_models(
            "emothreat.models",
            ALL_ROWS,
            "The shared task's winner had a macro F1 of 0.687 on all 1,950 official rows, 39 % of them "
            "reviews.",
        ),
        _all_models("emothreat.without_neutral", WITHOUT_NEUTRAL, "Six labels; the tweets alone."),
        by_rows("emothreat.metrics", ALL_ROWS),
        by_rows("emothreat.metrics_without_neutral", WITHOUT_NEUTRAL),
        _labels("emothreat.labels", "f1", "`neutral` is what the length of a text gives away."),
        _labels("emothreat.precision", "precision", "Of a label that is never given it is 0."),
        _labels("emothreat.recall", "recall", ""),
    ),
    (
        Figure(
            "emothreat.figure1",
            "Figure 1: training rows of each label",
            "class_counts",
            (("training rows here", SVC),),
            "The paper draws Table 1; here are the training rows of the data that were measured.",
        ),
    ),
    (*FINDINGS, BY_EQUATIONS),
)
