"""What the text of the tweeteval paper states beside its tables and figures."""

from __future__ import annotations

from experiments.table import Cell, Experiment, Metric, Row, Table

ABOUT_CURVES = {  # sections 3.2 to 3.4
    "FFN": "By the text it overfits slightly from the 6th of its 10 epochs on.",
    "Transformer": "By the text the validation loss stays where it is while the training loss falls further.",
    "CNN": "By the text the accuracy ends at 31.35 % in training and 32.7 % on test: `tweeteval.text`.",
}
TRAINED = "curves/4/train_accuracy"


def in_text(bert: Experiment, cnn: Experiment) -> Table:
    """The numbers that section 3 states and no table has, beside those of our runs' epochs."""
    rows = (
        ("BERT: training loss of epoch 1", bert, _loss("curves/0/train_loss"), 2.43),
        ("BERT: training loss of epoch 3", bert, _loss("curves/2/train_loss"), 1.77),
        ("BERT: validation loss of epoch 1", bert, _loss("curves/0/val_loss"), 2.32),
        ("BERT: validation loss of epoch 3", bert, _loss("curves/2/val_loss"), 2.32),
        (
            *("CNN: training accuracy of epoch 5, %", cnn),
            *(Metric("accuracy", TRAINED, split="", scale=100, higher_is_better=None), 31.35),
        ),
        ("CNN: test accuracy, %", cnn, Metric("accuracy", "accuracy", scale=100, decimals=1), 32.7),
    )
    return Table(
        "tweeteval.text",
        "Section 3: numbers that only the text states",
        ("number",),
        tuple(Row(label, (Cell(experiment, metric, number),)) for label, experiment, metric, number in rows),
        "The text gives BERT's training loss as falling from 2.43 to 1.77 over three epochs, its validation "
        "loss as steady at about 2.32 after the first, and the CNN's final accuracy. Of a first CNN, which "
        "it does not describe, it gives 35 % on test and 72 % in training; the one that took its place, as "
        "it overfitted, has the lower test accuracy. A loss depends on the "
        "focal gamma, which is not stated of BERT. Our test accuracy is that of the epoch which is best on "
        "validation, the paper's that of its last. Our training accuracy is of the epoch's own batches, with "
        "dropout; the paper does not say how it took its own, and a higher one makes no better model.",
    )


def _loss(path: str) -> Metric:
    return Metric("loss", path, split="", higher_is_better=False)
