"""The same architectures on the three datasets: ours, no paper has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from experiments.selections import always_top_class
from experiments.table import Cell, Experiment, Metric, Paper, Row, Table
from experiments.tables import emothreat_models as emothreat
from experiments.tables import telegram_rus_models as telegram_rus
from experiments.tables import tweeteval

LEAK_FREE = tweeteval.MODELS[tweeteval.LEAK_FREE]
PUBLIC = emothreat.MODELS[emothreat.ALL_ROWS]
MACRO_F1 = Metric("macro F1", "macro_f1")

# On TweetEval without the leak, Telegram-Rus in small, EmoThreat from public files.
ROWS: Mapping[str, tuple[Experiment, Experiment, Experiment]] = {
    "FFN": (
        LEAK_FREE["FFN"],
        telegram_rus.FFN,
        PUBLIC["FFN from scratch"],
    ),
    "CNN": (LEAK_FREE["CNN"], telegram_rus.CNN, PUBLIC["CNN from scratch"]),
    "Transformer": (LEAK_FREE["Transformer"], telegram_rus.TRANSFORMER, PUBLIC["Transformer from scratch"]),
    "encoder": (
        LEAK_FREE["Multi-scale BERT"],
        telegram_rus.WITH_LORA,
        PUBLIC["one linear layer on the encoder"],
    ),
    "TF-IDF, logistic regression": (
        LEAK_FREE["TF-IDF, logistic regression"],
        telegram_rus.TFIDF_LOGREG,
        PUBLIC["logistic regression"],
    ),
    "n-gram SVM": (
        LEAK_FREE["n-gram SVM"],
        telegram_rus.NGRAM_SVM,
        PUBLIC["linear SVM of character and word n-grams"],
    ),
}
NOTES: Mapping[str, str] = {
    "encoder": "all-MiniLM-L6-v2, trained on English; all weights are trained, on Telegram-Rus adapters "
    "(LoRA); the heads are those of each paper: multi-scale attention, one hidden layer, one linear layer",
    "TF-IDF, logistic regression": "on Telegram-Rus of words and characters, elsewhere of words",
}
COLUMNS = ("TweetEval, leak-free, 20 emoji", "Telegram-Rus, small, 62 emoji", "EmoThreat, public, 7 labels")


def _on_this_data(experiment: Experiment) -> Experiment:
    """The same runs; what stands in for a paper's data or encoder says nothing here, where no number is."""
    return replace(experiment, published=None, stand_in="")


def _row(label: str) -> Row:
    cells = tuple(Cell(_on_this_data(one), MACRO_F1) for one in ROWS[label])
    return Row(label, cells, NOTES.get(label, ""))


def _majority() -> Row:
    """The answer that is most frequent in training, on the rows of a run in which nothing is random."""
    constant = replace(MACRO_F1, select=always_top_class)
    of_rows = ROWS["TF-IDF, logistic regression"]
    cells = tuple(Cell(_on_this_data(one), constant) for one in of_rows)
    return Row("always the most frequent label", cells, yardstick=True)


PAPER = Paper(
    "across",
    "The same architectures on the three datasets",
    "Ours: none of the papers has it",
    (
        Table(
            "across.models",
            "Macro F1 on test",
            COLUMNS,
            (*map(_row, ROWS), _majority()),
            "Each with the settings of its paper's tables: losses, epochs and vocabularies differ between "
            "the columns, so a column is to be read from top to bottom. The last row is what a model is "
            "worth that does not look at the text.",
            in_paper=False,
        ),
    ),
)
