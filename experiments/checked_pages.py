"""Whether committed pages, tables and model cards are what the kept runs give: written anew, byte by byte.

The report is written in a copy of the checkout, as its links and its README hang on where it lies; the copy
goes when the comparison is done.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from emoji_pred.errors import UserError
from experiments.keeping import ROOT

COPIED = ("conf", "docs", "emoji_pred", "experiments", "hydra_plugins", "results")
RENDERED = ("figures", "tables", "model_cards")  # folders of the results in which `RENDER` writes every file
ENDINGS = {"html": "report.html", "latex": "tables/*.tex", "csv": "tables/*.csv"}
RENDER = """
import sys
from experiments.measured import Shelf
from experiments.model_cards import CARDS, write_cards
from experiments.rendering import RESULTS, render
from experiments.table import papers
cards = write_cards(CARDS) if CARDS.is_dir() else []
for path in [*render(papers(), Shelf(), RESULTS, sys.argv[1:]), *cards]:
    print(path)
"""
KEYS = ("table", "row", "column", "split")  # of a line of CSV
MOST = 20  # differences of one file that are named
BEFORE_DIFFERENCE = 30  # characters of a line that are shown before it differs


def page_differences(root: Path = ROOT) -> tuple[list[str], int]:
    """Render everything again and compare.

    Args:
        root: the checkout.

    Returns:
        A line for each difference, and how many files were compared.

    Raises:
        UserError: rendering fails.
    """
    with tempfile.TemporaryDirectory(prefix="emoji_pred_verify_") as folder:
        copy = Path(folder).resolve() / "checkout"
        copy_checkout(root, copy)
        written = _render(copy, formats_of(root / "results"))
        lines = [line for path in written for line in file_differences(path, root, copy)]
        lines += [
            f"{path.relative_to(root)}: nothing writes it now; remove it"
            for path in _committed(root / "results")
            if copy / path.relative_to(root) not in written
        ]
    return lines, len(written)


def copy_checkout(root: Path, copy: Path) -> None:
    """What rendering reads, without environments, unfinished runs and caches."""
    copy.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in COPIED:
        shutil.copytree(root / name, copy / name, ignore=ignored)
    for path in root.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy2(path, copy / path.name)


def formats_of(results: Path) -> list[str]:
    """The formats of which there are files, Markdown always."""
    return ["markdown", *(name for name, ending in ENDINGS.items() if any(results.glob(ending)))]


def _render(copy: Path, formats: Sequence[str]) -> list[Path]:
    """Write the report in the copy, by the code of the copy."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        [sys.executable, "-c", RENDER, *formats], cwd=copy, env=clean, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise UserError(f"the pages cannot be rendered: {' '.join(last)}")
    return [Path(line) for line in done.stdout.splitlines()]


def _committed(results: Path) -> Iterator[Path]:
    for folder in RENDERED:
        yield from sorted(path for path in (results / folder).glob("*") if path.is_file())


def file_differences(path: Path, root: Path, copy: Path) -> list[str]:
    """How a rendered file differs from the committed one, a line each.

    Args:
        path: in the copy.
        root: the checkout.
        copy: its copy.
    """
    name = path.relative_to(copy)
    if not (root / name).is_file():
        return [f"{name}: it is not there; `make reproduce-tables` writes it"]
    before, now = (root / name).read_bytes(), path.read_bytes()
    if before == now:
        return []
    of_kind = {".csv": csv_differences, ".md": markdown_differences}.get(path.suffix, line_differences)
    found = list(of_kind(before.decode(errors="replace"), now.decode(errors="replace")))
    found = found or ["the same text in other bytes, as of line ends"]
    rest = [f"{len(found) - MOST} more differences"] if len(found) > MOST else []
    return [f"{name}: {line}" for line in [*found[:MOST], *rest]]


def csv_differences(before: str, now: str) -> Iterator[str]:
    """By table, row and column of both."""
    old, new = (_by_cell(text) for text in (before, now))
    for cell in [*old, *(cell for cell in new if cell not in old)]:
        where = ", ".join(part for part in cell[:-1] if part)
        if cell not in old or cell not in new:
            yield f"{where}: the cell is {'new' if cell not in old else 'no more'}"
            continue
        for field in [*old[cell], *(field for field in new[cell] if field not in old[cell])]:
            there, here = old[cell].get(field), new[cell].get(field)
            if there != here:
                yield f"{where}, {field}: {there!r} there, {here!r} by the runs"


def _by_cell(text: str) -> dict[tuple[str, ...], dict[str, str]]:
    """The lines of CSV by what they are of; equal ones are counted."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for line in csv.DictReader(io.StringIO(text)):
        key = tuple(str(line.get(name) or "") for name in KEYS)
        count = sum(known[:-1] == key for known in found)
        found[*key, str(count)] = {str(name): str(value) for name, value in line.items()}
    return found


def markdown_differences(before: str, now: str) -> Iterator[str]:
    """Cells by table, row and column; other lines by the heading above."""
    old, new = before.splitlines(), now.splitlines()
    for kind, start, end, other, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if kind != "replace" or end - start != last - other:
            counts = f"{end - start} lines there, {last - other} by the runs"
            yield f"{_section(new, other)}: {counts}: {_cut((old[start:end] or new[other:last])[0])}"
            continue
        for offset in range(end - start):
            yield from _of_line(new, other + offset, old[start + offset])


def _of_line(lines: Sequence[str], place: int, there: str) -> Iterator[str]:
    """What differs in one line; of a table, each cell."""
    section, here = _section(lines, place), lines[place]
    old, new = _cells(there), _cells(here)
    if not new or len(old) != len(new):
        yield f"{section}: {_cut(there)} there, {_cut(here)} by the runs"
        return
    head = _head(lines, place)
    for column, (left, right) in enumerate(zip(old, new, strict=True)):
        if left != right:
            heading = head[column] if column < len(head) and head[column] else f"column {column + 1}"
            yield f"{section}, {new[0] or 'first column'}, {heading}: {left!r} there, {right!r} by the runs"


def _cells(line: str) -> list[str]:
    return [part.strip() for part in line.strip().strip("|").split(" | ")] if line.startswith("|") else []


def _head(lines: Sequence[str], place: int) -> list[str]:
    """The headings of the table in which a line stands."""
    first = place
    while first > 0 and lines[first - 1].startswith("|"):
        first -= 1
    return _cells(lines[first])


def _section(lines: Sequence[str], place: int) -> str:
    """The name of the table, figure or finding above a line, or else the heading."""
    for number in reversed(range(min(place, len(lines)))):
        if lines[number].startswith("#"):
            above = lines[number - 2] if number > 1 else ""  # markup.heading puts the name there
            is_named = above.startswith('<a id="')
            return above.split('"')[1].replace("-", ".") if is_named else lines[number].lstrip("# ")
    return "the top"


def line_differences(before: str, now: str, by: str = "the runs") -> Iterator[str]:
    """The first line that differs, from shortly before it does.

    Args:
        before: what is there.
        now: what was written again.
        by: what it was written from.
    """
    old, new = before.splitlines(), now.splitlines()
    for number, (left, right) in enumerate(zip(old, new, strict=False), 1):
        if left != right:
            same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
            start = max(0, sum(1 for _ in same) - BEFORE_DIFFERENCE)
            yield f"line {number}: {_cut(left[start:])} there, {_cut(right[start:])} by {by}"
            return
    if len(old) != len(new):
        yield f"{len(old)} lines there, {len(new)} by {by}"


def _cut(text: str, most: int = 90) -> str:
    return repr(text if len(text) <= most else text[:most] + " ...")
