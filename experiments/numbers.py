"""How the numbers of a cell are written, on whatever page."""

from __future__ import annotations

import math

from experiments.measured import ROWS, SEEDS, Measured, Verdict
from experiments.table import Metric

NOT_RUN = "not run"
NO_NUMBER = "–"
MINUS = "−"
FINEST = 4  # decimals of a fraction: a resample of 50,000 rows moves the third
MARKS = {  # of a verdict, where there is no room for the word; a count that agrees needs none
    Verdict.REPRODUCED: "✓",
    Verdict.BETTER: "▲",
    Verdict.WORSE: "▼",
    Verdict.DIFFERENT: "≠",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_COMPARABLE: "n/c",
}
WORDS = {
    Verdict.REPRODUCED: "reproduced",
    Verdict.BETTER: "better than published",
    Verdict.WORSE: "worse",
    Verdict.DIFFERENT: "different, neither better nor worse",
    Verdict.INCONCLUSIVE: "inconclusive, our runs spread too widely",
    Verdict.NOT_COMPARABLE: "not comparable, a stand-in",
}
INTERVALS = {
    SEEDS: "over seeds (Student's t)",
    ROWS: "of one run, over the rows of its split (bootstrap)",
}


def number(value: float, decimals: int) -> str:
    """With separators of thousands and a true minus; never a minus before zero."""
    written = f"{value:,.{decimals}f}"
    if float(written.replace(",", "")) == 0:
        written = written.lstrip("-")
    return written.replace("-", MINUS)


def published(metric: Metric, value: float | None) -> str:
    """As the paper prints it."""
    return NO_NUMBER if value is None else number(value, metric.decimals)


def decimals_of(metric: Metric, value: float = 0.5) -> int:
    """Decimals of a measured number: one more than of the published one, where that says something.

    Args:
        metric: whose; of a count there are none where the mean is a whole number.
        value: the mean.
    """
    if metric.is_count:
        return 0 if float(value).is_integer() else 1
    of_fraction = metric.decimals + round(math.log10(metric.scale))
    return metric.decimals + (of_fraction < FINEST)


def mean(found: Measured) -> str:
    """`0.231`; a dash where the runs have no such number, `not run` where there are none."""
    if found.mean is None:
        return NOT_RUN if found.missing else NO_NUMBER
    return number(found.mean, decimals_of(found.cell.metric, found.mean))


def interval(found: Measured) -> str:
    """`[0.228, 0.235]`, or nothing."""
    if found.mean is None or found.interval is None:
        return ""
    digits = decimals_of(found.cell.metric, found.mean)
    return f"[{', '.join(number(end, digits) for end in found.interval)}]"


def mean_and_interval(found: Measured) -> str:
    """`0.231 [0.228, 0.235]`."""
    return f"{mean(found)} {interval(found)}".rstrip()


def difference(found: Measured) -> str:
    """`+0.011`, measured less published; a dash where either is missing."""
    if found.difference is None or found.mean is None:
        return NO_NUMBER
    written = number(found.difference, decimals_of(found.cell.metric, found.mean))
    is_signed = written.startswith(MINUS) or not written.strip("0.,")
    return written if is_signed else f"+{written}"


def verdict_mark(found: Measured) -> str:
    """The sign of its verdict; nothing where nothing was published or measured."""
    return MARKS.get(found.verdict, "")


def minutes(seconds: float) -> str:
    """`35 s`, `6.0 min` or `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest:02d} min"
