"""Telegram-Rus, published beside measured: `python -m experiments.telegram_rus [run|figures|report]`.

`run` starts what is missing through `train.py`, as a user would, on the small variant of the data; `figures`
has the run that is best on validation draw its labels and answer the paper's phrases; `report` copies each
finished run's result to `results/telegram_rus/<hash>/` and renders `results/telegram_rus.md`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.kept_runs import (
    ROOT,
    kept_results,
    mistakes_in_one_line,
    parser_of,
    run_names,
    seeds_without,
    start,
)

RESULTS = ROOT / "results" / "telegram_rus"
REPORT = ROOT / "results" / "telegram_rus.md"
FIGURES, EXAMPLES = "figures", "examples.jsonl"  # below the results
DATA = "data=telegram_rus_small"
# One epoch of the paper's 401,903 training rows is 1,570 optimizer steps of 256 rows. On 13,384 rows that is
# 30 epochs (1,590 steps), for words. An encoder, whose epoch costs minutes, has 4 of 32 rows a step (1,676)
EPOCHS, BATCH, EPOCHS_OF_WORDS = 4, 32, 30
# all-MiniLM-L6-v2 was trained with the mean of its tokens.
STAND_IN_SETTINGS = (
    *("encoder=minilm", "model.network.pooling=mean", f"model.batch_size={BATCH}"),
    "trainer.precision=bf16-mixed",  # 1.8 x the steps of 32-true a second
)
STAND_IN = "stand-in encoder: all-MiniLM-L6-v2, 22.7 M parameters, trained on English"


@dataclass(frozen=True)
class Row:
    """One cell of a published table, or a model of ours beside it.

    Attributes:
        table: of the paper, or "ours".
        label: in the table.
        overrides: on the command line, without data and seed.
        seeds: one run each.
        paper: top 1, top 10, recall and precision of the top class, in percent as printed; None: not printed.
        full: what to type for the paper's own experiment on the full data; not run here.
        note: what makes the row something else than the paper's.
    """

    table: str
    label: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]
    paper: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
    full: str = ""
    note: str = ""


def _lora(*more: str) -> tuple[str, ...]:
    stage = ("model.scheduler.then=null", f"model.max_epochs={EPOCHS}")
    return ("model=lora", *STAND_IN_SETTINGS, *stage, *more)


CROSS_ENTROPY = "loss=cross_entropy"
FOCAL = ("loss=focal", "loss.gamma=1")
LORA_CE = _lora(CROSS_ENTROPY)
FULL = "python train.py data=telegram_rus model=lora"
# Chosen by hand before any run: laughter, hearts, love, sorrow, disgust, praise, a smile
CLUSTERS = (
    "[['😂','🤣','😁','😅','😄','😆','😀','😃'],['❤','💚','🤍'],['😍','🥰','😘','💋','🤩'],"
    "['😭','😢','😔','🥺','🥲','🥹','💔'],['😡','🤮','👎','💩','🤡'],['👍','👌','👏','🙌','🤝','💪','💯'],"
    "['😉','😊','☺','😏','😜','🙃','🤗']]"
)
ROSBERTA = f"{FULL} encoder=ru_en_rosberta model.max_epochs=1"

ROWS = (
    Row(
        "Table 2",
        "without LoRA (encoder frozen)",
        _lora(CROSS_ENTROPY, "model.network.encoder_training=frozen"),
        (0, 1, 2),
        (13.84, 54.55, None, None),
        f"{FULL} encoder=rubert_cased model.network.encoder_training=frozen model.max_epochs=1 "
        f"{CROSS_ENTROPY}",
        STAND_IN,
    ),
    Row(
        "Table 2",
        "with LoRA",
        LORA_CE,
        (0, 1, 2),
        (16.26, 57.10, None, None),
        f"{FULL} encoder=rubert_cased model.network.lora_rank=8 model.max_epochs=1 {CROSS_ENTROPY}",
        STAND_IN,
    ),
    Row(
        "Table 3",
        "alpha = 1/sqrt(fr)",
        _lora(*FOCAL, "alpha=inverse_sqrt"),
        (0,),
        (18.18, 67.71, 40.99, 26.45),
        f"{ROSBERTA} loss=focal loss.gamma=1 alpha=inverse_sqrt",
        STAND_IN,
    ),
    Row(
        "Table 3",
        "alpha = 1",
        _lora(*FOCAL, "alpha=uniform"),
        (0,),
        (20.35, 69.25, 60.17, 24.34),
        f"{ROSBERTA} loss=focal loss.gamma=1 alpha=uniform",
        STAND_IN,
    ),
    Row(
        "Table 3",
        "alpha = 1/fr^(3/4)",
        _lora(*FOCAL, "alpha=inverse_three_quarters"),
        (0,),
        (14.86, 62.61, 25.37, 28.71),
        f"{ROSBERTA} loss=focal loss.gamma=1 alpha=inverse_three_quarters",
        STAND_IN,
    ),
    Row(
        "Table 4",
        "ru-en-RoSBERTa",
        LORA_CE,
        (0, 1, 2),
        (20.35, 69.25, 60.17, 24.34),
        f"{ROSBERTA} {CROSS_ENTROPY}",
        f"{STAND_IN}; the run of Table 2 with LoRA. The paper's numbers repeat those of Table 3, alpha = 1",
    ),
    Row(
        "Table 4",
        "sbert-large-nlu-ru",
        (),
        (),
        (20.27, 68.26, 68.50, 22.10),
        f"{FULL} encoder=sbert_large_nlu_ru model.network.lora_rank=16 model.scheduler.warmup_steps=1000 "
        f"model.max_epochs=1 {CROSS_ENTROPY}",
        "not run: the encoder's weights cannot be had without the Hugging Face Hub",
    ),
    Row(
        "Table 4",
        "rubert",
        (),
        (),
        (17.12, 62.13, 84.35, 17.56),
        f"{FULL} encoder=rubert model.network.lora_rank=8 model.max_epochs=1 {CROSS_ENTROPY}",
        "not run: the encoder's weights cannot be had without the Hugging Face Hub",
    ),
    Row(
        "Table 4",
        "word2vec",
        ("model=word2vec", CROSS_ENTROPY, f"model.max_epochs={EPOCHS_OF_WORDS}"),
        (0, 1, 2),
        (16.34, 59.55, 83.39, 16.97),
        f"python train.py data=telegram_rus model=word2vec model.max_epochs=1 {CROSS_ENTROPY}",
    ),
    Row(
        "Table 5",
        "final",
        ("model=lora", *STAND_IN_SETTINGS, *FOCAL, "alpha=inverse_sqrt"),
        (0,),
        (19.67, 69.61, 51.82, 26.70),
        f"{FULL} encoder=ru_en_rosberta loss=focal loss.gamma=1 alpha=inverse_sqrt",
        STAND_IN,
    ),
    Row(
        "ours",
        "average of word2vec vectors, trained on the texts ten times as long",
        ("model=word2vec", "vectors.epochs=50", CROSS_ENTROPY, f"model.max_epochs={EPOCHS_OF_WORDS}"),
        (0, 1, 2),
    ),
    Row(
        "ours",
        "average of navec vectors",
        ("model=word2vec", "vectors=navec", CROSS_ENTROPY, f"model.max_epochs={EPOCHS_OF_WORDS}"),
        (0, 1, 2),
    ),
    Row("ours", "CNN, embeddings from scratch", ("model=cnn", CROSS_ENTROPY), (0, 1, 2)),
    Row(
        "ours",
        "CNN from navec, trained further",
        ("model=cnn", "vectors=navec", "vectors.train=true", CROSS_ENTROPY),
        (0, 1, 2),
    ),
    Row("ours", "Transformer from scratch", ("model=transformer", CROSS_ENTROPY), (0, 1, 2)),
    Row(
        "ours",
        "Transformer from navec, trained further",
        ("model=transformer", "vectors=navec", "vectors.train=true", CROSS_ENTROPY),
        (0, 1, 2),
    ),
    Row(
        "ours",
        "CNN from navec, similar emoji trained as one",
        ("model=cnn", "vectors=navec", "vectors.train=true", CROSS_ENTROPY, f"data.clusters={CLUSTERS}"),
        (0, 1, 2),
    ),
    Row(
        "ours",
        "fine-tuned encoder (all weights)",
        _lora(CROSS_ENTROPY, "model.network.encoder_training=full"),
        (0,),
        note=STAND_IN,
    ),
    Row(
        "ours",
        "LoRA beside navec vectors",
        (
            *("model=lora_word2vec", "vectors=navec", *STAND_IN_SETTINGS),
            *("model.scheduler.then=null", f"model.max_epochs={EPOCHS}", CROSS_ENTROPY),
        ),
        (0,),
        note=STAND_IN,
    ),
    # Nothing is chosen by results: the settings stood before any row was seen.
    Row(
        "ours",
        "TF-IDF of words and characters, logistic regression",
        (
            *("model=tfidf_logreg", "model.estimator.solver=lbfgs", "model.estimator.max_iterations=300"),
            *("model.features.words.ngrams=[1,2]", "model.features.words.min_df=2"),
            *("model.features.words.max_features=100000", "model.features.characters.ngrams=[2,5]"),
            *("model.features.characters.within_words=true", "model.features.characters.min_df=2"),
            "model.features.characters.max_features=100000",
        ),
        (0,),
    ),
)


@dataclass
class Measured:
    """The finished runs of a row."""

    row: Row
    results: list[dict[str, Any]] = field(default_factory=list)


def command(row: Row, seeds: Sequence[int]) -> list[str]:
    """The sweep over seeds that a user would type for a row."""
    return ["train.py", "-m", DATA, *row.overrides, f"seed={','.join(map(str, seeds))}"]


def collect(runs_dir: Path) -> list[Measured]:
    """The rows with their results; finished runs are copied to the results first."""
    cells = []
    for row in ROWS:
        names = run_names(command(row, row.seeds)) if row.seeds else []
        cells.append(Measured(row, kept_results(runs_dir, RESULTS, names)))
    return cells


def run_missing(runs_dir: Path, only: str | None, threads: int | None) -> None:
    """Start what is neither kept in the results nor finished: a sweep over seeds for each row.

    Raises:
        UserError: a command failed; the others ran nevertheless.
    """
    wanted: dict[tuple[str, ...], None] = {}
    for cell in collect(runs_dir):
        seeds = seeds_without(cell.row.seeds, cell.results)
        if seeds and (not only or only in " ".join(cell.row.overrides)):
            wanted[tuple(command(cell.row, seeds))] = None
    start(list(map(list, wanted)), runs_dir, threads)


def best_of(cells: Sequence[Measured]) -> dict[str, Any]:
    """The result of a network with the best macro F1 on validation: it has a last layer to draw."""
    return max(
        (result for cell in cells for result in cell.results if result["curves"]),
        key=lambda result: float(result["validation"]["macro_f1"]),
    )


def draw_figures(runs_dir: Path, emoji_font: str | None) -> None:
    """Have the best run draw its label embeddings (Figures 1 and 2) and answer the paper's phrases."""
    run = best_of(collect(runs_dir))["run"]
    command = [sys.executable, "-m", "emoji_pred"]
    place = [run, "--runs-dir", str(runs_dir)]
    font = ["--emoji-font", emoji_font] if emoji_font else []
    subprocess.run(
        [*command, "embeddings", *place, "--out", str(RESULTS / FIGURES), *font], cwd=ROOT, check=True
    )
    answers = subprocess.run(
        [*command, "predict", *place, "--examples", "telegram", "--top", "3", "--json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [
        json.dumps({"run": run, **json.loads(line)}, ensure_ascii=False) for line in answers.splitlines()
    ]
    (RESULTS / EXAMPLES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def examples() -> list[dict[str, Any]]:
    """The kept answers to the paper's phrases; none before they were asked."""
    if not (RESULTS / EXAMPLES).is_file():
        return []
    return [json.loads(line) for line in (RESULTS / EXAMPLES).read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Run what is missing, or render what is there."""
    parser = parser_of(__doc__, "run", "figures", "report")
    parser.add_argument("--emoji-font", help="a colour font for the figures")
    arguments = parser.parse_args()
    with mistakes_in_one_line():
        if arguments.action == "run":
            run_missing(arguments.runs_dir, arguments.only, arguments.threads)
        elif arguments.action == "figures":
            draw_figures(arguments.runs_dir, arguments.emoji_font)
        else:
            from experiments.telegram_rus_report import render

            page = render(collect(arguments.runs_dir), examples())
            REPORT.write_text(page, encoding="utf-8")
            print(f"written: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
