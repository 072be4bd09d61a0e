"""The readings that belong beside a model's own: another setting of its dataset, a part of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emoji_pred.run_tables import last_split
from experiments.cards.best import Trained, identity, sibling
from experiments.cards.content import DECIMALS, NOT_MEASURED, with_interval
from experiments.cards.facts import Facts
from experiments.keeping import KeptRun
from experiments.measured import of_runs
from experiments.table import Metric, Select
from experiments.tables import tweeteval

NO_MEANING = "–"  # an average over all classes where two have rows
OF_ONE = (("accuracy", "accuracy"), ("macro F1", "macro_f1"), ("weighted F1", "weighted_f1"))
OF_MANY = (("macro F1", "macro_f1"), ("micro F1", "micro_f1"), ("exact match", "exact_match"))


@dataclass(frozen=True)
class Readings:
    """A table: its note, its head, and lines of a label, a run and numbers."""

    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def readings(own: KeptRun, facts: Facts, trained: Sequence[Trained]) -> Readings | None:
    """The same model under the settings that `facts` names; None where there are none.

    Args:
        own: the run of the card.
        facts: of its dataset.
        trained: where the same model under another setting is looked for.
    """
    data = identity(own)["data"]
    names = OF_ONE if own.result["task"] == "multiclass" else OF_MANY
    rows = []
    for other in facts.siblings:
        if other.key not in data:
            return None
        found = sibling(own, other.key, other.value, trained)
        run = own if data[other.key] == other.value else found.best if found else None
        for part, select in _parts(own):
            hidden = ("macro_f1",) if select is tweeteval.with_residue else ()
            rows.append((other.label + part, _name(run, own), *_values(run, names, select, hidden)))
    if not rows:
        return None
    head = ("trained and read", "run", *(name for name, _ in names))
    return Readings(_note(own), head, tuple(rows))


def _parts(run: KeptRun) -> list[tuple[str, Select | None]]:
    """All rows, and of TweetEval those with and without the residue."""
    parts: list[tuple[str, Select | None]] = [("", None)]
    if _has_residue_rows(run):
        parts.append((", rows with U+FE0F as distributed", tweeteval.with_residue))
        parts.append((", rows without", tweeteval.without_residue))
    return parts


def _has_residue_rows(run: KeptRun) -> bool:
    """Whether its test rows are those of which it is listed which held U+FE0F: all, in their order."""
    data = identity(run)["data"]
    if data["name"] != "tweeteval" or data.get("drop_test_duplicates") or last_split(run.result) != "test":
        return False
    return len(run.answers()["test"].truth) == len(tweeteval.residue_rows())


def _values(
    run: KeptRun | None, names: Sequence[tuple[str, str]], select: Select | None, hidden: Sequence[str]
) -> tuple[str, ...]:
    if run is None:
        return (NOT_MEASURED,) * len(names)
    split = last_split(run.result)
    return tuple(
        NO_MEANING
        if path in hidden
        else with_interval(of_runs(Metric(name, path, split, decimals=DECIMALS, select=select), [run]))
        for name, path in names
    )


def _name(run: KeptRun | None, own: KeptRun) -> str:
    if run is None:
        return "not run"
    return f"`{run.name}`, this one" if run.name == own.name else f"`{run.name}`"


def _note(run: KeptRun) -> str:
    text = (
        "The same model, trained and read under the settings of the dataset that matter most, best seed each."
    )
    if not _has_residue_rows(run):
        return text
    return (
        f"{text} Rows are told apart by the text as distributed, for leak-free models too. Where the "
        "invisible sign is, only the classes that it gives away have rows, so an average over all classes "
        "says nothing there. Published numbers compare with *as distributed*; *rows without* is what such a "
        "model can do where nothing gives the label away."
    )
