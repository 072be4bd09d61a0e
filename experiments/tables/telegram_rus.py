"""The tables and figures of the telegram_rus paper (Paturyla and Belopolskikh), and ours beside them.

The paper's models are columns and its metrics rows; here it is the other way round. Its numbers are those of
validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.selections import always_top_class
from experiments.table import Cell, Experiment, Figure, Metric, Paper, Row, Table, experiment_row
from experiments.tables.telegram_rus_findings import FINDINGS
from experiments.tables.telegram_rus_models import (
    CNN_NAVEC,
    CROSS_ENTROPY,
    DISTINCT,
    FIGURE_2,
    FINAL,
    FINAL_ROWS,
    FULL,
    METRICS,
    MODELS,
    NO_DATA,
    NOTES,
    OF_MODELS,
    ONE_EPOCH,
    RANKS,
    RAW,
    RAW_EMOJI,
    ROSBERTA,
    RUBERT,
    SBERT,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TFIDF_LOGREG,
    TRAINED_EMOJI,
    WITH_LORA,
    WITHOUT_LORA,
    WORD2VEC,
    ZEROED,
    constant_of,
    final,
    focal,
    percent_of,
    reachable_of,
)

PERCENT = "In percent. The paper's numbers are those of validation; test stands beside them."


def _published_table(
    number: int, title: str, rows: Sequence[tuple[str, Experiment, Sequence[float], str]], **more: str
) -> Table:
    """One of Tables 2 to 5."""
    built = tuple(
        experiment_row(label, experiment, METRICS, numbers, note) for label, experiment, numbers, note in rows
    )
    head = tuple(metric.name for metric in METRICS)
    about = " ".join(filter(None, (more.get("about"), PERCENT)))
    return Table(
        f"telegram_rus.{number}", f"Table {number}: {title}", head, built, about, _contradictions(number)
    )


def _contradictions(number: int) -> tuple[str, ...]:
    """Where a table's numbers do not fit to the other tables or to the text."""
    found = {
        1: [
            f"the test column has {FINAL_ROWS[2]:,} sentences after the steps, of {RAW[2]} before them: "
            "these are the raw ones",
        ],
        2: [
            "section 3 names rubert-base-cased-sentence as the base model, section 5 rubert-base-cased as "
            "the one that the experiments began with",
        ],
        3: ["the text chooses alpha = 1/sqrt(fr), though alpha = 1 is better on top 1, top 10 and recall"],
        4: [
            f"the column of {model} repeats that of Table 3, {alpha}, though the loss differs"
            for model, alpha in repeated_columns()
        ]
        + [_two_ruberts()],
        5: [
            'by the text the final model has "parameters that we took above", but its numbers are not those '
            "of Table 3, alpha = 1/sqrt(fr): it was trained for longer, at a lower rate at the end"
        ],
    }
    return tuple(found.get(number, ()))


def _two_ruberts() -> str:
    """What Tables 2 and 4 print of RuBERT with the same loss."""
    (before, here) = (", ".join(f"{number:.2f}" for number in one[:2]) for one in RUBERT_TWICE)
    return (
        f"top 1 and top 10 of rubert are {here}; Table 2 has {before} for RuBERT with LoRA and the same "
        "loss, after one epoch, and nothing says what else differs"
    )


def repeated_columns() -> list[tuple[str, str]]:
    """Models of Table 4 (cross-entropy) with every number of a column of Table 3 (focal loss)."""
    return [
        (model, alpha)
        for model, numbers in TABLE_4.items()
        for alpha, others in TABLE_3.items()
        if numbers == others
    ]


RUBERT_TWICE = (TABLE_2["model with LoRA"], TABLE_4["rubert"])
STEPS, STEPS_OF_FULL = (f"provenance/corpus/steps/{name}.csv" for name in ("final_inference", "final_train"))
_RAW_DATA = Experiment((), (FULL, "model=word2vec", CROSS_ENTROPY, ONE_EPOCH), lacking=NO_DATA)
_COMMENTS = replace(
    _RAW_DATA, published=None, lacking="the authors published no comments from before these steps"
)
_THIRD = replace(TFIDF_LOGREG, published=None, stand_in="")  # the paper's own file


def _count(path: str) -> Metric:
    return Metric("rows", path, split="", decimals=0, higher_is_better=None)


def _data() -> Table:
    """Table 1: what is left after each step."""

    def cells(printed: Sequence[int | None], paths: Sequence[str], step: str) -> tuple[Cell | None, ...]:
        of_paper = [
            None
            if number is None
            else Cell(_RAW_DATA if path else _COMMENTS, _count(path or "provenance/rows"), number)
            for number, path in zip(printed, paths, strict=True)
        ]
        return (*of_paper, Cell(_THIRD, _count(f"{STEPS}/{step}")) if step else None)

    nowhere, nothing = ("", "", ""), (None, None, None)
    final = tuple(f"provenance/rows/{split}" for split in ("train", "validation"))
    third = Cell(_THIRD, _count(f"{STEPS}/messages"), FINAL_ROWS[2])
    rows = (
        Row("raw data with emoji (sentences)", cells(RAW, nowhere, "with_emoji")),
        Row("one row for each distinct emoji", cells(nothing, nowhere, "pairs"), "not in the paper"),
        Row("cleaned from duplicates, 1 text - 1 emoji", cells(DISTINCT, nowhere, "distinct")),
        Row(
            "final dataset (sentences)",
            (*cells(FINAL_ROWS[:2], final, "")[:2], third, Cell(_THIRD, _count(f"{STEPS}/rows"))),
            "the paper's test column is its third set as it is, before any step",
        ),
        Row(
            "emoji that are trained",
            cells((TRAINED_EMOJI, None, None), (f"{STEPS_OF_FULL}/classes", "", ""), "classes"),
        ),
        Row(
            "emoji in the raw data",
            cells((RAW_EMOJI, None, None), nowhere, "emoji"),
            'the paper prints ">1100"',
        ),
    )
    return Table(
        "telegram_rus.1",
        "Table 1: the data",
        ("train", "validation", "test", "third set, by our steps"),
        rows,
        "The last column is what the small variant is made of: emoji are grapheme clusters with skin tones "
        "folded; the authors count code points, so that a skin tone or half a flag is a class. They keep "
        "emoji with 1,500 rows or more; the small variant keeps the 62 most frequent. The paper's counts are "
        "rounded: its file has 446,559 rows, split 401,903 and 44,656, and its third set 20,863.",
        _contradictions(1),
    )


def _tables_of_paper() -> tuple[Table, ...]:
    of_lora = zip(TABLE_2.items(), (WITHOUT_LORA, WITH_LORA), strict=True)
    of_alpha = zip(TABLE_3.items(), ("inverse_sqrt", "uniform", "inverse_three_quarters"), strict=True)
    of_embedding = zip(TABLE_4.items(), (ROSBERTA, SBERT, RUBERT, WORD2VEC), strict=True)
    notes = {
        "model with LoRA": RANKS,
        "ru-en-RoSBERTa": "measured: the runs of Table 2 with LoRA",
        "rubert": "taken for rubert-base-cased-sentence of section 3, which is assumed",
    }
    return (
        _published_table(
            2,
            "with and without LoRA",
            [(label, experiment, numbers, notes.get(label, "")) for (label, numbers), experiment in of_lora],
            about="The paper: cross-entropy, after one epoch. That it is of rubert-base-cased, which section "
            "5 begins with, is assumed, and that Table 4 is of rubert-base-cased-sentence.",
        ),
        _published_table(
            3,
            "focal loss with different class weights",
            [(label, focal(alpha), numbers, "") for (label, numbers), alpha in of_alpha],
            about="The paper: ru-en-RoSBERTa, gamma 1; fr is the frequency of a class after normalisation.",
        ),
        _published_table(
            4,
            "embeddings, cross-entropy",
            [
                (label, experiment, numbers, notes.get(label, ""))
                for (label, numbers), experiment in of_embedding
            ],
        ),
        _published_table(
            5,
            "the final model",
            [("final", FINAL, TABLE_5["final"], "")],
            about="Focal loss, alpha = 1/sqrt(fr), ru-en-RoSBERTa; three epochs at 2e-4, then one at 4e-5 "
            "(the paper: 2-3 epochs, then 4e-5).",
        ),
    )


def _models() -> Table:
    metrics = [*percent_of(OF_MODELS, "validation"), *percent_of(OF_MODELS, "test")]
    constant = [replace(metric, select=always_top_class) for metric in metrics]
    rows = [
        experiment_row(label, experiment, metrics, note=NOTES.get(label, ""))
        for label, experiment in MODELS.items()
    ]
    rows.append(
        replace(
            experiment_row("always the top class", TFIDF_LOGREG, constant, note="labels by training rows"),
            yardstick=True,
        )
    )
    return Table(
        "telegram_rus.models",
        "All models on the small variant",
        tuple(metric.name for metric in metrics),
        tuple(rows),
        "What can be had on the same rows, in percent; the paper has numbers for the first models only, on "
        "other data.",
        in_paper=False,
    )


def _zeroed() -> Table:
    rows = [experiment_row(label, experiment, ZEROED) for label, experiment in MODELS.items()]
    return Table(
        "telegram_rus.zeroed",
        "Zeroed classes",
        tuple(metric.name for metric in ZEROED),
        tuple(rows),
        "Of the 62 classes those that have rows in the split and are never predicted there. The paper's "
        "sections 5 and 7 name the problem and print no number.",
        in_paper=False,
    )


def _ceiling() -> Table:
    rows = [
        Row(
            split,
            (
                *(reachable_of(split, top) for top in ("top_1", "top_10")),
                *(constant_of(split, top) for top in ("top_1", "top_10")),
            ),
        )
        for split in ("validation", "test")
    ]
    return Table(
        "telegram_rus.ceiling",
        "The best that any model could reach",
        ("best top 1", "best top 10", "always by frequency: top 1", "top 10"),
        tuple(rows),
        "In percent. A comment with several emoji gives one row for each, with the same text: a model that "
        "gives a text one answer cannot be right on all of them.",
        in_paper=False,
    )


WARMUP, RANK, ALPHA = (
    f"model.{key}=" for key in ("scheduler.warmup_steps", "network.lora_rank", "network.lora_alpha")
)
SEARCHED: Mapping[str, tuple[Experiment, str]] = {
    "learning rate 2e-4, rank 32, alpha 32, then 4e-5": (FINAL, "stated by the paper: its final model"),
    "one stage, without 4e-5": (final(then=False), "4 epochs, as the first row has; by 2e-4 alone"),
    "learning rate 5e-5": (final("model.optimizer.lr=5.0e-5"), ""),
    "learning rate 1e-3": (final("model.optimizer.lr=1.0e-3"), ""),
    "rank 8": (final(f"{RANK}8"), "the rank of the authors' code for RuBERT"),
    "rank 16": (final(f"{RANK}16"), "the rank of the authors' code for sbert-large-nlu-ru"),
    "LoRA alpha 8": (final(f"{ALPHA}8"), ""),
    "no warm-up": (final(f"{WARMUP}0"), 'the paper, of RuBERT: "no gain or loss"'),
    "warm-up of 1,000 steps": (final(f"{WARMUP}1000"), "the authors' code for sbert-large-nlu-ru"),
    "linear schedule": (
        final("model.scheduler.name=linear", then=False),
        "of one stage: to be compared with the second row",
    ),
}
OF_SEARCH = percent_of(OF_MODELS, "validation")


def _search() -> Table:
    rows = [
        experiment_row(label, experiment, OF_SEARCH, note=note)
        for label, (experiment, note) in SEARCHED.items()
    ]
    return Table(
        "telegram_rus.search",
        "Section 5.4: learning rate, rank, alpha, schedule, warm-up",
        tuple(metric.name for metric in OF_SEARCH),
        tuple(rows),
        "The paper states what it chose (the first row) and prints no number for anything else, so each row "
        "here changes one thing of the first, the linear schedule one thing of the second. A whole search, "
        "over the same settings: `python train.py hparams_search=lora model=lora encoder=ru_en_rosberta "
        "data=telegram_rus loss=focal loss.gamma=1 alpha=inverse_sqrt`.",
        in_paper=False,
    )


DRAWN = (("CNN from navec, trained further", CNN_NAVEC),)

PAPER = Paper(
    "telegram_rus",
    "Telegram-Rus: Russian comments and 62 emoji",
    'Paturyla and Belopolskikh, "Text2Emoji Classifier", 2024',
    (_data(), *_tables_of_paper(), _models(), _zeroed(), _ceiling(), _search()),
    (
        Figure(
            "telegram_rus.figure1",
            "Figure 1: distribution of emoji",
            "embeddings",
            DRAWN,
            "Rows of the last layer in two dimensions, of a CNN that starts from navec's vectors; the paper "
            "draws its final model.",
        ),
        Figure(
            "telegram_rus.figure2",
            "Figure 2: clusters of emoji",
            "embeddings",
            DRAWN,
            "The same vectors in clusters by k-means, 15 of them as in the authors' code. The paper prints "
            f"{len(FIGURE_2)} clusters: {' · '.join(FIGURE_2)}. Where a ? stands, its text cannot be "
            "read: it has the same emoji several times, and each is in one cluster.",
        ),
    ),
    FINDINGS,
)
