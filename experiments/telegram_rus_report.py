"""Render `results/telegram_rus.md`: the paper's tables beside what was measured on the small variant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from experiments.kept_runs import NOT_RUN, best_epoch, commands_section, mean_and_spread, revision
from experiments.telegram_rus import (
    BATCH,
    EPOCHS,
    EPOCHS_OF_WORDS,
    FIGURES,
    STAND_IN,
    Measured,
    best_of,
    command,
)

METRICS = ("accuracy", "top_10", "top_class_recall", "top_class_precision")
HEAD = ("top 1", "top 10", "recall of the top class", "its precision")

INTRODUCTION = """# Telegram-Rus: published beside measured

Written by `python -m experiments.telegram_rus report` from the runs in `results/telegram_rus/`; the paper is Paturyla and
Belopolskikh, "Text2Emoji Classifier" (2024).

**What is measured here is not the paper's experiment.** Its training data (401,903 rows) and its Russian encoders could
not be had on the machine of these runs. Measured is the *small variant*, `data=telegram_rus_small`: the authors' third set
alone, {train:,} / {validation:,} / {test:,} rows of {classes} emoji, split so that all rows of a text stand together (the
paper splits by rows). Encoder models use a *stand-in*, all-MiniLM-L6-v2, trained on English: its vocabulary spells Russian
letter by letter (5.2 tokens a word), so that the 24 tokens of the paper cut 69 % of the texts to their last four words or
so; it is pooled by the mean, as it was trained. So no number here says that the paper's are right or wrong; they show that
each experiment runs, and how the variants of a table stand to each other. The commands for the full data are below, and
were not run.

The paper reports validation numbers, so validation stands first; the epoch is the one with the best macro F1 on
validation. Percent; "mean ± standard deviation" over seeds, a number alone is one run. The top class is the largest in
training, {top_class}. One epoch of the paper is 1,570 optimizer steps of 256 rows. Here averages of word vectors are trained
for {words} epochs of 256 rows (1,590 steps), and encoders, in bfloat16, for {epochs} epochs of {batch} rows a step (1,676 steps):
as many steps as the paper's tables of one epoch have, on far fewer rows.

What can be seen, on validation as in the paper: the variants of each table stand to each other as there, though all lie
lower. LoRA is better than a frozen encoder (Table 2; three seeds each). The heavier the class weights count rare classes,
the lower are top 1, top 10 and the recall of the top class, and the higher is its precision (Table 3; one seed each). The
encoder is better than the average of word vectors trained on the texts as the authors did (Table 4), and level with that of
vectors trained ten times as long. The weights do what they were made for: of 62 classes 54 are never predicted without them,
35 and 6 with them. With the second stage of Table 5 top 10 is two points higher, and top 1 the same (one seed). But
pretrained word vectors of the right language are worth more here than an encoder of another one: the CNN from navec is the
best on macro F1, TF-IDF with logistic regression on top 1. Training similar emoji as one, an idea of the paper's
conclusion, does not help the CNN; the clusters were chosen by hand before any run. With all its weights trained at the
adapters' rate of 2e-4 the encoder only learns to answer the top class; a lower rate was not tried. LoRA beside navec vectors
was not run, for want of time.
"""


def render(cells: Sequence[Measured], examples: Sequence[dict[str, Any]] = ()) -> str:
    """The whole report as Markdown."""
    results = list(_all(cells))
    if not results:
        return f"# Telegram-Rus\n\n{NOT_RUN}: `python -m experiments.telegram_rus run`\n"
    parts = [_introduction(results[0]), _data(results[0]), _ceiling(results[0])]
    parts += [_table(cells, f"Table {number}") for number in (2, 3, 4, 5)]
    parts += [
        _ours(cells),
        _zeroed(cells),
        _per_class(cells),
        _figures(cells, examples),
        _commands(cells),
        _runs(cells),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _introduction(result: dict[str, Any]) -> str:
    rows = result["provenance"]["rows"]
    return INTRODUCTION.format(
        **rows,
        classes=len(result["label_names"]),
        top_class=result["validation"]["top_class"],
        epochs=EPOCHS,
        batch=BATCH,
        words=EPOCHS_OF_WORDS,
    )


def _data(result: dict[str, Any]) -> str:
    """Table 1: the steps of the data."""
    (steps,) = result["provenance"]["corpus"]["steps"].values()
    lines = [
        "## Table 1: the data",
        "",
        "| step | paper, all data | paper, third set | measured, third set |",
        "|---|---|---|---|",
        f"| raw data with emojis (sentences) | 784,274 | 20,864 | {steps['messages']:,}, of them {steps['with_emoji']:,} with an emoji |",
        f"| one row for each distinct emoji | – | – | {steps['pairs']:,} |",
        f"| cleaned from duplicates, 1 text - 1 emoji | 582,956 | – | {steps['distinct']:,} |",
        f"| final dataset (sentences) | 401,850 + 44,650 | – | {steps['rows']:,} |",
        f"| emoji in the final dataset | 62 | – | {steps['classes']} |",
        f"| emoji in the raw dataset | >1100 | – | {steps['emoji']:,} |",
        "",
        "Emoji are grapheme clusters with skin tones folded; the authors count code points, so that a skin tone or half a "
        "flag is a class. They keep emoji with 1,500 rows or more; the small variant keeps the 62 most frequent.",
    ]
    return "\n".join(lines)


def _ceiling(result: dict[str, Any]) -> str:
    best = result["provenance"]["corpus"]["ceiling"]
    lines = [
        "## The best that any model could reach",
        "",
        "A comment with several emoji gives one row for each, with the same text: a model that gives a text one answer "
        "cannot be right on all of them.",
        "",
        "| split | top 1 | top 10 | always the top class: top 1 |",
        "|---|---|---|---|",
    ]
    for split in ("validation", "test"):
        share = next(
            entry["support"]
            for entry in result[split]["per_class"]
            if entry["label"] == result[split]["top_class"]
        ) / sum(entry["support"] for entry in result[split]["per_class"])
        lines.append(f"| {split} | {best[split]['top_1']:.1%} | {best[split]['top_10']:.1%} | {share:.1%} |")
    return "\n".join(lines)


TITLES = {
    "Table 2": "with and without LoRA (paper: rubert-base-cased, cross-entropy, after one epoch)",
    "Table 3": "focal loss, gamma 1, three class weights (paper: ru-en-RoSBERTa)",
    "Table 4": "embeddings, cross-entropy",
    "Table 5": "the final model: focal loss, alpha = 1/sqrt(fr), a second stage at a lower rate",
}


def _table(cells: Sequence[Measured], table: str) -> str:
    lines = [
        f"## {table}: {TITLES[table]}",
        "",
        "| | seeds | " + " | ".join(f"{name}: paper | validation | test" for name in HEAD) + " |",
        "|---|---|" + "---|" * (3 * len(HEAD)),
    ]
    notes = []
    for cell in (cell for cell in cells if cell.row.table == table):
        mark = ""
        if cell.row.note:
            if cell.row.note not in notes:
                notes.append(cell.row.note)
            mark = f" ({notes.index(cell.row.note) + 1})"
        columns = []
        for printed, metric in zip(cell.row.paper, METRICS, strict=True):
            columns.append("–" if printed is None else f"{printed:.2f}")
            columns += [_percent(cell.results, split, metric) for split in ("validation", "test")]
        lines.append(f"| {cell.row.label}{mark} | {len(cell.results)} | {' | '.join(columns)} |")
    lines += ["", *(f"({number}) {note}.  " for number, note in enumerate(notes, 1))]
    return "\n".join(lines)


def _percent(results: Sequence[dict[str, Any]], split: str, metric: str) -> str:
    values = [100 * result[split][metric] for result in results]
    return mean_and_spread(values, digits=2) if values else NOT_RUN


def _ours(cells: Sequence[Measured]) -> str:
    """Every model on the small variant, by test macro F1."""
    lines = [
        "## All models on the small variant",
        "",
        "Not in the paper but for the first columns' models: what else can be had on the same rows.",
        "",
        "| model | seeds | top 1: validation | test | top 10: validation | test | macro F1: validation | test |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows: list[tuple[str, list[dict[str, Any]]]] = [
        (f"{cell.row.table}: {cell.row.label}" if cell.row.table != "ours" else cell.row.label, cell.results)
        for cell in _distinct(cells)
        if cell.row.seeds
    ]
    for label, results in sorted(rows, key=lambda row: -_mean(row[1])):
        columns = [
            _percent(results, split, metric)
            for metric in ("accuracy", "top_10", "macro_f1")
            for split in ("validation", "test")
        ]
        lines.append(f"| {label} | {len(results)} | {' | '.join(columns)} |")
    return "\n".join(lines)


def _mean(results: Sequence[dict[str, Any]]) -> float:
    values = [result["test"]["macro_f1"] for result in results]
    return sum(values) / len(values) if values else -1.0


def _distinct(cells: Sequence[Measured]) -> list[Measured]:
    """The rows without those whose command stands there already."""
    seen: dict[tuple[str, ...], Measured] = {}
    for cell in cells:
        seen.setdefault(cell.row.overrides, cell)
    return list(seen.values())


def _zeroed(cells: Sequence[Measured]) -> str:
    lines = [
        "## Zeroed classes",
        "",
        "Classes that have rows in the test split and are never predicted there (the paper's sections 5 and 7 name the "
        "problem and print no number).",
        "",
        "| model | zeroed, of the classes with test rows |",
        "|---|---|",
    ]
    for cell in _distinct(cells):
        if cell.results:
            lines.append(f"| {cell.row.table}: {cell.row.label} | {_zeroed_of(cell.results)} |")
    return "\n".join(lines)


def _zeroed_of(results: Sequence[dict[str, Any]]) -> str:
    present = sum(entry["support"] > 0 for entry in results[0]["test"]["per_class"])
    values = [float(result["test"]["zeroed_classes"]) for result in results]
    return f"{mean_and_spread(values, digits=0 if len(values) == 1 else 1)} of {present}"


def _per_class(cells: Sequence[Measured]) -> str:
    """Precision, recall and F1 of each class, of the model with the best validation macro F1."""
    best = best_of(cells)
    label = next(cell.row.label for cell in cells if best in cell.results)
    lines = [
        f"## Each class: {label}, seed {best['config']['seed']}",
        "",
        "The run with the best macro F1 on validation; figures on test.",
        "",
        "| emoji | rows in test | predicted | precision | recall | F1 |",
        "|---|---|---|---|---|---|",
    ]
    for entry in best["test"]["per_class"]:
        figures = " | ".join(f"{entry[name]:.2f}" for name in ("precision", "recall", "f1"))
        lines.append(f"| {entry['label']} | {entry['support']} | {entry['predicted']} | {figures} |")
    return "\n".join(lines)


def _figures(cells: Sequence[Measured], examples: Sequence[dict[str, Any]]) -> str:
    """Figures 1 and 2, and the twelve phrases, by the run that is best on validation."""
    if not examples:
        return f"## Figures 1 and 2, and the paper's phrases\n\n{NOT_RUN}: `python -m experiments.telegram_rus figures`"
    run = examples[0]["run"]
    label = next(cell.row.label for cell in cells for result in cell.results if result["run"] == run)
    lines = [
        "## Figures 1 and 2, and the paper's phrases",
        "",
        f"By run {run} ({label}), the best on validation; not by the paper's model.",
        "",
        f"![Label embeddings by PCA, t-SNE and UMAP](telegram_rus/{FIGURES}/embeddings.png)",
        "",
        f"Rows of the last layer in two dimensions, the colours being clusters of k-means (15, as in the paper): "
        f"[the clusters](telegram_rus/{FIGURES}/clusters.md), [an interactive page](telegram_rus/{FIGURES}/page.html).",
        "",
        "| phrase | paper | rank of the paper's answer here | first three answers here |",
        "|---|---|---|---|",
    ]
    for example in examples:
        answers = ", ".join(f"{one['label']} {one['probability']:.2f}" for one in example["predictions"])
        rank = example["rank_of_paper"]
        lines.append(
            f"| {example['text']} | {example['paper']} | {'no such class' if rank is None else rank} | {answers} |"
        )
    return "\n".join(lines)


def _commands(cells: Sequence[Measured]) -> str:
    measured = [" ".join(command(cell.row, cell.row.seeds)) for cell in _distinct(cells) if cell.row.seeds]
    full = [cell.row.full for cell in cells if cell.row.full]
    figures = "-m experiments.telegram_rus figures"
    return commands_section([*measured, figures], full, "its data and encoders")


def _runs(cells: Sequence[Measured]) -> str:
    lines = [
        "## Runs",
        "",
        "| run | table | model | seed | best epoch of | macro F1: validation | test | minutes | code |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in _distinct(cells):
        for result in cell.results:
            lines.append(
                f"| [{result['run']}](telegram_rus/{result['run']}/result.json) | {cell.row.table} | {cell.row.label} "
                f"| {result['config']['seed']} | {best_epoch(result)} "
                f"| {result['validation']['macro_f1']:.4f} | {result['test']['macro_f1']:.4f} "
                f"| {result['wall_seconds'] / 60:.1f} | {revision(result)} |"
            )
    return "\n".join(
        [*lines, "", f"Runs of encoders: {STAND_IN}. Runs shared the machine, so minutes are no benchmark."]
    )


def _all(cells: Sequence[Measured]) -> Iterable[dict[str, Any]]:
    return (result for cell in cells for result in cell.results)
