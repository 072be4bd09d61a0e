"""One module a paper, called as its key: what its page says that no plain table holds.

A module may have either of

    introduction(shelf: Shelf) -> str      Markdown below the title
    sections(shelf: Shelf) -> list[str]    Markdown below the tables, each with its own `## ` heading

They are called with any shelf, an empty one or one of smoke runs too, and leave out what was not measured.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.measured import Shelf


def introduction(key: str, shelf: Shelf) -> str:
    """What stands above the tables of a paper; "" where its module has nothing to say."""
    return _called(key, "introduction", shelf) or ""


def sections(key: str, shelf: Shelf) -> list[str]:
    """What stands below them."""
    return _called(key, "sections", shelf) or []


def _called(key: str, name: str, shelf: Shelf):  # type: ignore[no-untyped-def]  # a str, or a list of them
    module = f"{__name__}.{key}"
    if importlib.util.find_spec(module) is None:
        return None
    function = getattr(importlib.import_module(module), name, None)
    return function(shelf) if function else None
