"""Timing two or more sides in turns, and what is said about it."""

from __future__ import annotations

import contextlib
import logging
import os
import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Row:
    """One line of the report's table.

    Attributes:
        what: is measured.
        measured: the figure; None where it could not be measured (then `note` says why).
        unit: "x" for ratios, "%" for fractions of 1, or a unit of measure.
        low, high: smallest and largest of the repetitions.
        at_least, at_most: the target; both None where there is none.
        note: shown beside the figure.
    """

    what: str
    measured: float | None
    unit: str = "x"
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""


@dataclass
class Finding:
    """What a bench found: rows of the table, and lines of Markdown with the details."""

    rows: list[Row]
    details: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"rows": [asdict(row) for row in self.rows], "details": self.details}


def interleave(
    bench: str, sides: Mapping[str, Callable[[int], float]], repetitions: int
) -> dict[str, list[float]]:
    """Seconds of each side, measured in turns (A B A B ...) so that a slow minute of the machine hits all.

    Args:
        bench: shown in the progress line.
        sides: called with the repetition's number, each returns seconds.
        repetitions: of each side.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repetition in range(repetitions):
        for name, side in sides.items():
            seconds[name].append(side(repetition))
            print(f"{bench} {repetition + 1}/{repetitions}  {name}: {seconds[name][-1]:.3f} s", flush=True)
    return seconds


def ratio_row(what: str, slow: Sequence[float], fast: Sequence[float], **target: Any) -> Row:
    """The ratio of the medians; low and high are those of the pairs measured one after the other."""
    pairs = [above / below for above, below in zip(slow, fast, strict=True)]
    return Row(what, statistics.median(slow) / statistics.median(fast), "x", min(pairs), max(pairs), **target)


def seconds_row(what: str, seconds: Sequence[float], **target: Any) -> Row:
    """The median in seconds."""
    return Row(what, statistics.median(seconds), "s", min(seconds), max(seconds), **target)


def spread(seconds: Sequence[float], digits: int = 2) -> str:
    """Median and range of some seconds, for the details."""
    middle = statistics.median(seconds)
    return f"{middle:.{digits}f} s ({min(seconds):.{digits}f}-{max(seconds):.{digits}f})"


def table(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> list[str]:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return ["", *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what libraries print, progress bars included, to nowhere: a terminal's speed is not measured."""
    for name in ("lightning.pytorch", "lightning.fabric", "transformers", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def finish_device_work() -> None:
    """Wait for the GPU, where there is one: its work runs behind the clock."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
