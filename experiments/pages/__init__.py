"""One module a paper, called as its key: what its page says that no plain table holds.

A module may have either of

    introduction(shelf: Shelf) -> str      Markdown below the title
    sections(shelf: Shelf) -> list[str]    Markdown below the tables, each with its own `## ` heading

They are called with any shelf, an empty one or one of smoke runs too, and leave out what was not measured.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.measured import Shelf
    from experiments.table import Experiment

HEADING = "## "  # that each section begins with
NO_OWN = "**What is measured here is not the paper's experiment**, but stand-ins."
SOME_OWN = "**Some of what is measured here is not the paper's experiment**: the tables mark the stand-ins."
ALL_OWN = "Measured are the paper's own experiments."
NO_OWN_RUN = "The commands of the paper's own experiments are listed, and were not run."


def stand_ins(experiments: Iterable[Experiment], shelf: Shelf) -> tuple[list[Experiment], list[Experiment]]:
    """The experiments whose stand-ins are shown, and those shown as the paper's own in the place of one."""
    known = [one for one in experiments if one.stand_in and one.published]
    standing = [one for one in known if shelf.stand_in(one)]
    return standing, [one for one in known if one not in standing]


def introduction(key: str, shelf: Shelf) -> str:
    """What stands above the tables of a paper; "" where its module has nothing to say."""
    return _called(key, "introduction", shelf) or ""


def sections(key: str, shelf: Shelf) -> list[str]:
    """What stands below them."""
    return _called(key, "sections", shelf) or []


def titled(section: str) -> tuple[str, str]:
    """A section as its title and the Markdown below it."""
    title, _, text = section.removeprefix(HEADING).partition("\n")
    return title.strip(), text.strip()


def _called(key: str, name: str, shelf: Shelf):  # type: ignore[no-untyped-def]  # a str, or a list of them
    module = f"{__name__}.{key}"
    if importlib.util.find_spec(module) is None:
        return None
    function = getattr(importlib.import_module(module), name, None)
    return function(shelf) if function else None
