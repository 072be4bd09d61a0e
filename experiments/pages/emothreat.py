"""What the emothreat page says beside its tables: what is measured, and the best of both sides."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.markup import grid
from experiments.measured import Shelf
from experiments.pages import ALL_OWN, NO_OWN, NO_OWN_RUN, SOME_OWN, stand_ins
from experiments.profiles import SMOKE
from experiments.table import Cell, Experiment, Metric
from experiments.tables.emothreat_findings import best_of_side
from experiments.tables.emothreat_models import (
    ALL_ROWS,
    COMPARED,
    ENCODERS,
    EVERYTHING,
    LOOKS,
    MODELS,
    NOTHING,
    SIDES,
)

DATA = """The official training file
could not be had where these were trained. They take `data=emothreat_public`, which is built from public
files{rows}. The test tweets are the official ones with their labels recovered; of the 753 neutral film
reviews of the official test, {reviews} stay in the test and the others train, in the place of the 3,014 of
the official training file."""
ENCODER = """The encoder models take all-MiniLM-L6-v2, trained on English, for
UrduHack and multilingual BERT, whose weights could not be had."""
METHOD = """
Labels are given at probability 0.5 unless a column says otherwise. The epoch is the one with the best macro
F1 on validation.
"""

BEST = """## The best of both sides

The best of the three TF-IDF models of Table 4 against the better of the two encoder models, under each
metric: chosen on validation by that metric, shown on test.

"""


def introduction(shelf: Shelf) -> str:
    """What stands in for what."""
    standing, own = stand_ins((one for models in MODELS.values() for one in models.values()), shelf)
    if not standing:
        return f"{ALL_OWN}\n{METHOD}"
    parts = [
        SOME_OWN if own else NO_OWN,
        _of_data(standing, shelf),
    ]
    if any(models[label] in standing for models in MODELS.values() for label in ENCODERS):
        parts.append(ENCODER)
    if not own:
        parts.append(NO_OWN_RUN)
    return f"{' '.join(parts)}\n{METHOD}"


def _of_data(standing: Sequence[Experiment], shelf: Shelf) -> str:
    """What the rows of the stand-ins are, counted where one on all of them was run."""
    rows, reviews = "", "151"
    whole = [one for one in MODELS[ALL_ROWS].values() if one in standing]
    of_these = [run for one in whole for run in shelf.runs(one)] if shelf.profile != SMOKE else []
    if of_these:  # in smoke, of other rows
        given = of_these[0].result["provenance"]
        counts = given["rows"]
        rows = f": {' / '.join(f'{count:,}' for count in counts.values())} rows for {', '.join(counts)}"
        reviews = str((given["corpus"].get("reviews") or {}).get("test", reviews))
    return DATA.format(rows=rows, reviews=reviews)


def sections(shelf: Shelf) -> list[str]:
    """The best of both sides under each metric."""
    text = best_of_both(shelf)
    return [text] if text else []


def best_of_both(shelf: Shelf) -> str:
    """A line for each choice of rows and each metric; "" where nothing was run."""
    lines = [line for look in LOOKS for line in _lines(shelf, look)]
    head = ["rows", "metric", *(f"best {side}" for side in SIDES), NOTHING, EVERYTHING]
    return BEST + grid(head, lines, left=2) if lines else ""


def _lines(shelf: Shelf, look: str) -> list[list[str]]:
    reading, _, constants = LOOKS[look]
    run = MODELS[reading]["linear SVC"]
    lines = []
    for path, name in COMPARED.items():
        sides = [best_of_side(shelf, side, path, look) for side in SIDES]
        cells = [Cell(run, Metric(name, path, select=select)) for select in constants.values()]
        means = [mean for cell in cells if (mean := shelf.measured(cell).mean) is not None]
        if len(means) < len(cells) or not any(sides):
            continue
        told = ["not run" if best is None else f"{best[1]:.3f} {best[0]}" for best in sides]
        lines.append([look, name, *told, *(f"{mean:.3f}" for mean in means)])
    return lines
