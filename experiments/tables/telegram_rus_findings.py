"""What the telegram_rus paper does not tell, each with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.profiles import SMOKE
from experiments.table import Cell, Finding, Metric
from experiments.tables.telegram_rus_models import (
    IN_PAPER,
    METRICS,
    MODELS,
    TABLE_3,
    TFIDF_LOGREG,
    ZEROED,
    constant_of,
    reachable_of,
)

if TYPE_CHECKING:
    from experiments.measured import Shelf

WEIGHED = "alpha=inverse"  # how an override begins that weighs classes by their rows


def _ceiling_text(shelf: Shelf) -> str:
    if shelf.profile == SMOKE:
        return ""  # other rows than those it speaks of
    best, most, rows = (
        shelf.measured(cell).mean
        for cell in (reachable_of("validation", "top_1"), reachable_of("test", "top_1"), constant_of("test"))
    )
    top_10 = shelf.measured(constant_of("test", "top_10")).mean
    if best is None or most is None or rows is None or top_10 is None:
        return ""
    return (
        "A comment with several emoji becomes a row for each of them, with the same text. So no model can be "
        f"right on every row: on the small variant at most {best:.1f} % of the validation rows and "
        f"{most:.1f} % of the test rows. The paper splits by rows, so that a text stands on both sides of "
        "the split; its small variant here is split by text. From below, a model that always answers the "
        f"most frequent emoji has top 1 {rows:.1f} %, and by frequency alone top 10 is {top_10:.1f} %: the "
        "paper's numbers, from 13.84 and 54.55 % to 20.35 and 69.61 %, are to be read between these (on its "
        "own validation rows the most frequent emoji has 11.4 %)."
    )


def _zeroed_text(shelf: Shelf) -> str:
    if shelf.profile == SMOKE:
        return ""  # other rows than those it speaks of
    means = {label: shelf.measured(Cell(one, ZEROED[1])).mean for label, one in MODELS.items()}
    found = {label: mean for label, mean in means.items() if mean is not None}
    listed = []
    for alpha in TABLE_3:
        label = f"Table 3: {alpha}"
        top_1 = shelf.measured(Cell(IN_PAPER[label], METRICS[4])).mean
        if label not in found or top_1 is None:
            return ""
        listed.append(f"{found[label]:.0f} with {alpha} (top 1 {top_1:.1f} %)")
    unweighted = [
        label for label in found if not any(one.startswith(WEIGHED) for one in MODELS[label].measured)
    ]
    fewest, most = (choice(unweighted, key=lambda label: found[label]) for choice in (min, max))
    is_ours = any(shelf.stand_in(IN_PAPER[f"Table 3: {alpha}"]) for alpha in TABLE_3)
    encoder = "the stand-in encoder" if is_ours else "the encoder"
    return (
        "The paper names zeroed classes as its main problem and prints no count. Of the 62 emoji, all of "
        f"which have test rows, never predicted are {', '.join(listed)}, by {encoder} with focal "
        f"loss, one seed each. Without class weights it is from {found[fewest]:.0f} ({fewest}) to "
        f"{found[most]:.0f} ({most})."
    )


def _bars_of_zeroed() -> tuple[tuple[str, Cell], ...]:
    labels = [f"Table 3: {alpha}" for alpha in TABLE_3]
    labels += ["Table 4: word2vec", "FFN from scratch", "CNN, embeddings from scratch"]
    labels += ["CNN from navec, trained further", "linear SVM of character and word n-grams"]
    return tuple((label, Cell(MODELS[label], ZEROED[1])) for label in labels)


FINDINGS = (
    Finding(
        "telegram_rus.row_split",
        "No model can reach 100 %: one text stands in several rows",
        _ceiling_text,
        (
            ("best reachable", reachable_of("test", "top_1")),
            (
                "TF-IDF, logistic regression",
                Cell(TFIDF_LOGREG, Metric("test: top 1", "top_1", "test", scale=100)),
            ),
            ("always the top class", constant_of("test")),
        ),
        ("telegram_rus.ceiling", "telegram_rus.models"),
        "telegram_rus_small_by_row_codepoint",
    ),
    Finding(
        "telegram_rus.unpredicted",
        "How many classes are never predicted hangs on the class weights, and on the model",
        _zeroed_text,
        _bars_of_zeroed(),
        ("telegram_rus.zeroed", "telegram_rus.3"),
        "telegram_rus_small",
    ),
)
