"""Whether TF-IDF beats the emothreat paper's BERT variants where both are read by its own equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.profiles import SMOKE
from experiments.table import Cell, Finding
from experiments.tables.emothreat_models import (
    ALL_ROWS,
    CONSTANTS_AT_SHARE,
    EVERYTHING,
    EXACT_AT_SHARE,
    HEADINGS,
    MEASURES,
    MODELS,
    NOTHING,
    SMOOTHED_AT_SHARE,
    SVC,
    TABLE_3,
    TABLE_4,
    TFIDF,
    Reading,
    bars_of_table_3,
    beside_table_4,
    reading_of,
)

if TYPE_CHECKING:
    from experiments.measured import Shelf

ABOVE, BELOW, UNCLEAR = "above both", "below both", "neither clearly above nor below both"
Interval = tuple[float, float]


def at_share(label: str, measure: str) -> Cell:
    """A TF-IDF model by the equations, the reviews at their official share."""
    return beside_table_4(label, EXACT_AT_SHARE, measure)


def against(interval: Interval, printed: Sequence[float]) -> str:
    """Where an interval lies to the printed numbers: wholly above or below all of them, or not."""
    if interval[0] > max(printed):
        return ABOVE
    return BELOW if interval[1] < min(printed) else UNCLEAR


def _by_equations(shelf: Shelf) -> str:
    if shelf.profile == SMOKE:
        return ""  # other rows than those it speaks of
    f1 = [shelf.measured(at_share(label, "f1")).mean for label in TFIDF]
    told = {
        # not `capitalize`, which would write "f1"
        HEADINGS[measure][0].upper() + HEADINGS[measure][1:]: _told(shelf, measure, place)
        for place, measure in enumerate(MEASURES)
    }
    zero = _nothing_beats(shelf)
    if None in f1 or not all(told.values()) or not zero:
        return ""
    bert = _listed(list(TABLE_3), [numbers[-1] for numbers in TABLE_3.values()])
    printed = _listed(TFIDF, [numbers[-1] for numbers in TABLE_4.values()], 2)
    return (
        "The paper sets its Table 4 against its Table 3. By equation 10, with the reviews at their official "
        f"share, F1 of the TF-IDF models is {_listed(TFIDF, f1)}; Table 4 prints {printed}. Table 3 prints "
        f"{bert} for the BERT variants. If Table 3 is measured by the equations, as the paper says, this "
        "is how the TF-IDF models compare with both of its rows. "
        f"{' '.join(f'{name}: {text}.' for name, text in reversed(told.items()))} "
        "Above or below means that the whole 95 % interval over the test rows lies there; what another "
        f"training run of the BERT variants would give is not known{_stand_in(shelf)}. If Table 3 has the "
        "notebook's +1 instead, as Table 4 has, all TF-IDF models are ahead in F1, as the paper says; but "
        f"then a model that answers nothing beats both BERT variants too, in {zero}."
    )


def _stand_in(shelf: Shelf) -> str:
    """That the TF-IDF models are not trained on the official rows, where it is so."""
    if not any(shelf.stand_in(MODELS[ALL_ROWS][label]) for label in TFIDF):
        return ""
    return ", and the TF-IDF models were trained on the stand-in data"


def _told(shelf: Shelf, measure: str, place: int) -> str:
    """Such as `linear SVC and logistic regression are above both, naive Bayes is below both`; "": not run."""
    printed = [numbers[place] for numbers in TABLE_3.values()]
    groups: dict[str, list[str]] = {}
    for label in TFIDF:
        interval = shelf.measured(at_share(label, measure)).interval
        if interval is None:
            return ""
        groups.setdefault(against(interval, printed), []).append(label)
    if len(groups) == 1:
        return f"all three are {next(iter(groups))}"
    return ", ".join(
        f"{' and '.join(groups[kind])} {'are' if len(groups[kind]) > 1 else 'is'} {kind}"
        for kind in (ABOVE, UNCLEAR, BELOW)
        if kind in groups
    )


def _nothing_beats(shelf: Shelf) -> str:
    """The measures by the notebook's metric in which no answer at all is better than all of Table 3."""
    found = []
    for place, measure in enumerate(MEASURES):
        mean = shelf.measured(_constant(NOTHING, SMOOTHED_AT_SHARE, measure)).mean
        if mean is not None and mean > max(numbers[place] for numbers in TABLE_3.values()):
            found.append(f"{HEADINGS[measure]} ({mean:.3f})")
    return ", ".join(found)


def _listed(labels: Sequence[str], values: Sequence[float | None], decimals: int = 3) -> str:
    pairs = zip(labels, values, strict=True)
    return ", ".join(f"{value:.{decimals}f} ({label})" for label, value in pairs if value is not None)


def _constant(label: str, reading: Reading, measure: str) -> Cell:
    return Cell(SVC, replace(reading_of(reading, measure), select=CONSTANTS_AT_SHARE[label]))


BY_EQUATIONS = Finding(
    "emothreat.equations",
    '"TF-IDF beats BERT" by the paper\'s own equations',
    _by_equations,
    (
        *((label, at_share(label, "f1")) for label in TFIDF),
        *bars_of_table_3("f1"),
        (EVERYTHING, _constant(EVERYTHING, EXACT_AT_SHARE, "f1")),
    ),
    ("emothreat.3", "emothreat.4"),
)
