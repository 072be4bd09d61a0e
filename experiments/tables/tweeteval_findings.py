"""What the tweeteval paper does not tell: the leak of the label, and what a linear model reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.numbers import mean, mean_and_interval
from experiments.table import Cell, Experiment, Finding, Metric, Select

if TYPE_CHECKING:
    from experiments.measured import Measured, Shelf

Models = Mapping[str, Experiment]
MACRO_F1, ACCURACY = Metric("macro F1", "macro_f1"), Metric("accuracy", "accuracy")
HEART_F1 = Metric("F1 of ❤", "per_class/❤/f1")
FROM_SCRATCH = ("FFN", "Transformer", "CNN")
LINEAR = "n-gram SVM, balanced"
LINEAR_MODELS = (LINEAR, "n-gram SVM", "TF-IDF, linear SVM", "TF-IDF, logistic regression")
LEAK = """As distributed, the CNN has a macro F1 of {0} and an F1 of {2} on red hearts. Trained and tested
without invisible characters it has {1}, and {3} on red hearts: what it knew of them was a character that
the removed emoji left behind. It is not that the data got harder: on the test rows *without* U+FE0F the
model that was trained with it has {4}, the other {5}. Of the rows *with* it the first answers a share of
{6} rightly, the second {7}. The linear model of n-grams sees it too ({8}, leak-free {9}); {encoder}.
Published scores on these data compare only with scores as distributed."""
ON_MINILM = "a model on MiniLM, whose tokenizer drops U+FE0F, does not ({10} and {11})"
ON_BERTWEET = "the paper's own encoder model has {10}, leak-free {11}"
BEATEN = """A support vector machine on character and word n-grams, fitted on one processor in {minutes}
minutes, has a macro F1 of {0} as distributed, and {1} leak-free. The CNN, the best of the paper's three
models that are trained from scratch, is published with {published} and has {2} here, {3} leak-free. The
paper has no such yardstick."""


def findings(
    as_distributed: Models,
    leak_free: Models,
    published: Mapping[str, float],
    with_residue: Select,
    without_residue: Select,
) -> tuple[Finding, ...]:
    """The findings of the paper.

    Args:
        as_distributed: its experiments by label, with the leak.
        leak_free: the same without.
        published: macro F1 by label, of models as distributed.
        with_residue: leaves the test rows that hold U+FE0F.
        without_residue: leaves the others.
    """
    both = (as_distributed, leak_free)
    without = Metric("macro F1", "macro_f1", select=without_residue)
    on_leaking = Metric("accuracy", "accuracy", select=with_residue)
    leak = [
        Cell(models[label], metric)
        for label, metric in (
            *(("CNN", MACRO_F1), ("CNN", HEART_F1), ("CNN", without), ("CNN", on_leaking)),
            *((LINEAR, MACRO_F1), ("Multi-scale BERT", MACRO_F1)),
        )
        for models in both
    ]

    def bars(*labels: str) -> tuple[tuple[str, Cell], ...]:
        return tuple(
            bar
            for label in labels
            for bar in (
                (f"{label}, as distributed", Cell(as_distributed[label], MACRO_F1, published.get(label))),
                (f"{label}, leak-free", Cell(leak_free[label], MACRO_F1)),
            )
        )

    beaten = [
        Cell(models[label], MACRO_F1, published.get(label) if models is as_distributed else None)
        for label in (LINEAR, "CNN")
        for models in both
    ]
    return (
        Finding(
            "tweeteval.leak",
            "U+FE0F tells red hearts and suns, and the scores rest on it",
            _filled_leak(leak),
            bars(*FROM_SCRATCH, LINEAR),
            ("tweeteval.models", "tweeteval.leak_free", "tweeteval.classes", "tweeteval.readings"),
            "tweeteval",
        ),
        Finding(
            "tweeteval.linear",
            "A linear model of n-grams is better than the three networks trained from scratch",
            _filled_beaten(beaten),
            bars(*LINEAR_MODELS, *FROM_SCRATCH),
            ("tweeteval.models", "tweeteval.leak_free"),
        ),
    )


def _measured(shelf: Shelf, cells: Sequence[Cell]) -> list[Measured] | None:
    """What was measured of some cells; None unless all were."""
    found = [shelf.measured(cell) for cell in cells]
    return found if all(one.mean is not None for one in found) else None


def _filled_leak(cells: Sequence[Cell]) -> Callable[[Shelf], str]:
    """`LEAK` with the means of its cells; what it says of the encoder model hangs on which one was run."""

    def read(shelf: Shelf) -> str:
        found = _measured(shelf, cells)
        if not found:
            return ""
        text = LEAK.replace("{encoder}", ON_MINILM if found[-1].stand_in else ON_BERTWEET)
        return text.format(*map(mean, found))

    return read


def _filled_beaten(cells: Sequence[Cell]) -> Callable[[Shelf], str]:
    def read(shelf: Shelf) -> str:
        found = _measured(shelf, cells)
        if not found or not _is_beaten(found):
            return ""
        minutes = found[0].runs[0].result["wall_seconds"] / 60
        return BEATEN.format(
            *map(mean_and_interval, found), minutes=f"{minutes:.1f}", published=found[2].cell.published
        )

    return read


def _is_beaten(found: Sequence[Measured]) -> bool:
    """Whether the linear model stands above the CNN under both cleanings: the title says so."""
    linear, linear_leak_free, cnn, cnn_leak_free = (one.mean or 0.0 for one in found)
    return linear > cnn and linear_leak_free > cnn_leak_free
