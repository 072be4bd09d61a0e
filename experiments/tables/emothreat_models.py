"""What the emothreat paper prints, the experiments behind it and ours, and the readings of its metric.

The metric has four: by equations 7 to 10, or as the authors' notebook computes it, with 1 added above and
below in each ratio; and either with the rows as they are, or with the film reviews at the share that they
have in the official test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.selections import (
    always_top_class,
    always_top_class_at_official_share,
    at_official_share,
    everything,
    everything_at_official_share,
    everything_on_tweets,
    nothing,
    nothing_at_official_share,
    nothing_on_tweets,
    tuned_per_class,
    tweets_alone,
)
from experiments.table import Cell, Experiment, Metric, Select

# As printed. Table 1: training rows that have a label.
TABLE_1 = {
    "anger": 811,
    "disgust": 761,
    "fear": 609,
    "sadness": 2190,
    "surprise": 1550,
    "happiness": 1046,
    "neutral": 3014,
}
TABLE_1_TOTAL = 9981
# Tables 3 and 4: accuracy, precision, recall, F1.
TABLE_3: Mapping[str, tuple[float, ...]] = {
    "Urdu-hack": (0.394, 0.453, 0.758, 0.567),
    "Multilingual-BERT": (0.340, 0.358, 0.8559, 0.5048),
}
TABLE_3_DECIMALS = {"Urdu-hack": (3, 3, 3, 3), "Multilingual-BERT": (3, 3, 4, 4)}
TABLE_4: Mapping[str, tuple[float, ...]] = {
    "Naive-Bayes": (0.68, 0.98, 0.68, 0.80),
    "LinearSVC": (0.79, 0.91, 0.84, 0.87),
    "Logistic Regression": (0.77, 0.96, 0.79, 0.86),
}

FULL, PUBLIC, TWEETS = "data=emothreat", "data=emothreat_public", "data.neutral=false"
PUBLIC_DATA = (
    "stand-in data: without the official training file, built from public ones; the test has all its tweets "
    "and 151 of its 753 film reviews"
)
MINILM = (
    "stand-in encoder: all-MiniLM-L6-v2, 22.7 M parameters, trained on English; "
    "batches of 32 at 5e-5, for want of time"
)
NO_WEIGHTS = "the encoder's weights cannot be had without the Hugging Face Hub"
# The paper trains with batches of 2 at 1e-5, ten times as many steps: an hour and more a run on one core.
ENCODER = (
    *("encoder=minilm", "trainer.precision=bf16-mixed"),
    *("model.batch_size=32", "model.optimizer.lr=5.0e-5"),
)
HEADS = ("model=seven_heads", "loss=pos_neg_weighted")


def _linear(data: Sequence[str], model: str) -> Experiment:
    return Experiment(
        (*data, f"model={model}"), (FULL, *data[1:], f"model={model}"), random=False, stand_in=PUBLIC_DATA
    )


def _scratch(data: Sequence[str], model: str) -> Experiment:
    own = (f"model={model}", "loss=bce")
    return Experiment((*data, *own), (FULL, *data[1:], *own), seeds=3, stand_in=PUBLIC_DATA)


def _encoder(data: Sequence[str], *own: str) -> Experiment:
    return Experiment(
        (*data, *own, *ENCODER),
        (FULL, *data[1:], *own, "encoder=urduhack"),
        stand_in=f"{MINILM}; {PUBLIC_DATA}",
    )


def _models(*data: str) -> dict[str, Experiment]:
    """Every model that was run, under one choice of rows."""
    return {
        "naive Bayes": _linear(data, "tfidf_nb"),
        "linear SVC": _linear(data, "tfidf_svc"),
        "logistic regression": _linear(data, "tfidf_logreg"),
        "seven heads on the encoder": _encoder(data, *HEADS),
        "one linear layer on the encoder": _encoder(data, "model=multilabel", "loss=bce"),
        "linear SVM of character and word n-grams": _linear(data, "ngram_svc"),
        "FFN from scratch": _scratch(data, "ffn"),
        "CNN from scratch": _scratch(data, "cnn"),
        "Transformer from scratch": _scratch(data, "transformer"),
    }


ALL_ROWS, WITHOUT_NEUTRAL = "all rows", "without the neutral reviews"
MODELS = {ALL_ROWS: _models(PUBLIC), WITHOUT_NEUTRAL: _models(PUBLIC, TWEETS)}
TFIDF = ("naive Bayes", "linear SVC", "logistic regression")  # those of Table 4, in its order
ENCODERS = ("seven heads on the encoder", "one linear layer on the encoder")
YARDSTICKS = "Constant answers are counted on the rows of the linear SVC's run."
SVC = MODELS[ALL_ROWS]["linear SVC"]
NOTHING, EVERYTHING, TOP_LABEL = "answers nothing", "answers everything", "always the most frequent label"
CONSTANTS: Mapping[str, Select] = {
    NOTHING: nothing,
    EVERYTHING: everything,
    TOP_LABEL: always_top_class,
}
CONSTANTS_AT_SHARE: Mapping[str, Select] = {
    NOTHING: nothing_at_official_share,
    EVERYTHING: everything_at_official_share,
    TOP_LABEL: always_top_class_at_official_share,
}

OFFICIAL = Experiment(
    (), (FULL, "model=tfidf_svc"), random=False, lacking="the official training file could not be had"
)
OF_TABLE_3 = {
    label: Experiment((), (FULL, *HEADS, f"encoder={encoder}"), lacking=NO_WEIGHTS)
    for label, encoder in zip(TABLE_3, ("urduhack", "mbert"), strict=True)
}

MEASURES = ("accuracy", "precision", "recall", "f1")
HEADINGS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"}
EXACT, SMOOTHED = "example_", "paper_smoothed_"
# A reading: what stands before the name of the metric, its heading, what it is read on.
Reading = tuple[str, str, Select | None]
SMOOTHED_AT_SHARE: Reading = (SMOOTHED, "+1, official share", at_official_share)
EXACT_AT_SHARE: Reading = (EXACT, "equation, official share", at_official_share)
ON_ALL_ROWS: tuple[Reading, ...] = ((SMOOTHED, "+1", None), (EXACT, "equation", None))


def reading_of(reading: Reading, measure: str, decimals: int = 2) -> Metric:
    """Accuracy, precision, recall or F1 under one of the readings."""
    prefix, heading, select = reading
    name = f"{HEADINGS[measure]}: {heading}"
    return Metric(name, f"{prefix}{measure}", decimals=decimals, select=select)


def beside_table_4(label: str, reading: Reading, measure: str) -> Cell:
    """A TF-IDF model by one of the readings, beside what Table 4 prints of it."""
    printed = dict(zip(TFIDF, TABLE_4.values(), strict=True))[label]
    return Cell(MODELS[ALL_ROWS][label], reading_of(reading, measure), printed[MEASURES.index(measure)])


def bars_of_table_3(measure: str) -> tuple[tuple[str, Cell], ...]:
    """What Table 3 prints of its rows, as bars of a finding."""
    place = MEASURES.index(measure)
    return tuple(
        (
            f"{label} (Table 3)",
            Cell(OF_TABLE_3[label], reading_of(EXACT_AT_SHARE, measure, 3), printed[place]),
        )
        for label, printed in TABLE_3.items()
    )


TASK = (
    Metric("micro F1", "micro_f1"),
    Metric("macro F1", "macro_f1"),
    Metric("exact match", "exact_match"),
    Metric("Hamming loss", "hamming_loss", higher_is_better=False),
    Metric("ranking precision", "label_ranking_average_precision"),
    Metric("macro F1, tuned", "macro_f1", select=tuned_per_class),
)
COMPARED = {  # of "TF-IDF beats BERT"
    "paper_smoothed_accuracy": "accuracy, +1 (the notebook)",
    "example_accuracy": "accuracy, equation 7",
    "paper_smoothed_f1": "F1, +1 (the notebook)",
    "example_f1": "F1, equation 10",
    "micro_f1": "micro F1 (shared task)",
    "macro_f1": "macro F1 (shared task)",
}
ON_TWEETS = "the tweets alone, trained on all rows"
SIDES: Mapping[str, tuple[str, ...]] = {"TF-IDF": TFIDF, "encoder": ENCODERS}
# What is looked at: rows, whose models, what they are read on, and constant answers.
LOOKS: Mapping[str, tuple[str, Select | None, Mapping[str, Select]]] = {
    ALL_ROWS: (ALL_ROWS, None, {NOTHING: nothing, EVERYTHING: everything}),
    ON_TWEETS: (ALL_ROWS, tweets_alone, {NOTHING: nothing_on_tweets, EVERYTHING: everything_on_tweets}),
    WITHOUT_NEUTRAL: (WITHOUT_NEUTRAL, None, {NOTHING: nothing, EVERYTHING: everything}),
}
