"""A table, a figure and a finding as GitHub Markdown, read from a shelf."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments import numbers, profiles, stand_ins
from experiments.keeping import ROOT
from experiments.markup import Links, anchor, grid, heading, named, picture, sentence, shown
from experiments.measured import Measured, Shelf
from experiments.table import Cell, Experiment, Figure, Finding, Row, Table

STALE = "⌛"  # of a number that the code of today would not give
FEW_COMMANDS = 3  # that stand open below a table


def table(wanted: Table, shelf: Shelf, level: int = 2) -> str:
    """A table with everything that must be known to read it.

    Args:
        wanted: the table.
        shelf: the runs.
        level: of its heading.
    """
    found = {cell: shelf.measured(cell) for row in wanted.rows for cell in row.cells if cell}
    parts = [
        heading(wanted.name, wanted.title, level),
        wanted.about,
        _grid(wanted, shelf, found),
        _legend(found.values()),
        " ".join(filter(None, (_same_runs(wanted, shelf), _same_counts(wanted, found)))),
        *_stand_in_texts(wanted, shelf),
        *_notes(wanted),
        _contradictions(wanted),
        _not_run(wanted, shelf),
        _stale(found.values()),
    ]
    return "\n\n".join(part for part in parts if part)


def _grid(wanted: Table, shelf: Shelf, found: dict[Cell, Measured]) -> str:
    beside = [not _is_one_number(column) for column in _columns(wanted, found)]
    counted = _runs_of_all(wanted, shelf) is None
    head = [""]
    for name, is_beside in zip(wanted.head, beside, strict=True):
        head += [f"{name}: paper", "measured", "difference"] if is_beside else [name]
    lines = []
    for row in wanted.rows:
        line = [_label(row, wanted, shelf)]
        for cell, is_beside in zip(row.cells, beside, strict=True):
            line += _fields(found[cell] if cell else None, is_beside)
        lines.append([*line, *([_run_count(row, shelf)] if counted else [])])
    return grid([*head, *(["runs"] if counted else [])], lines)


def _columns(wanted: Table, found: dict[Cell, Measured]) -> list[list[Measured]]:
    columns = zip(*(row.cells for row in wanted.rows), strict=True)
    return [[found[cell] for cell in column if cell] for column in columns]


def _is_one_number(column: Sequence[Measured]) -> bool:
    """Whether a column needs no paper beside it: nothing is printed there, or counts that are the same."""
    return all(one.cell.published is None for one in column) or _is_same_counts(column)


def _is_same_counts(column: Sequence[Measured]) -> bool:
    counts = [one for one in column if one.cell.metric.is_count]
    return bool(column) and len(counts) == len(column) and all(one.difference == 0 for one in column)


def _same_counts(wanted: Table, found: dict[Cell, Measured]) -> str:
    columns = zip(wanted.head, _columns(wanted, found), strict=True)
    names = [f"`{name}`" for name, column in columns if _is_same_counts(column)]
    return f"{', '.join(names)}: measured as published, in every row." if names else ""


def _fields(found: Measured | None, is_beside: bool) -> list[str]:
    """Published, measured, difference with its verdict; or what was measured alone."""
    if found is None:
        return [""] * (3 if is_beside else 1)
    measured = numbers.mean_and_interval(found)
    if found.before:  # never as the plain number
        measured = f"({numbers.mean_and_interval(found.before)}) {STALE}"
    if not is_beside:
        return [measured]
    published = numbers.published(found.cell.metric, found.cell.published)
    return [published, measured, f"{numbers.difference(found)} {numbers.verdict_mark(found)}".rstrip()]


def _label(row: Row, wanted: Table, shelf: Shelf) -> str:
    signs = map(_escaped, stand_ins.signs_of(row, wanted, shelf))
    note = [f"<sup>{place}</sup>" for place, noted in _noted(wanted) if noted is row]
    return " ".join([named(row.label), *signs, *note])


def _escaped(sign: str) -> str:
    """Markdown reads a bare asterisk."""
    return sign.replace("*", "\\*")


def _stand_in_texts(wanted: Table, shelf: Shelf) -> list[str]:
    if common := stand_ins.of_every_row(wanted, shelf):
        return [f"**Every row is a stand-in.** {sentence(common)}"]
    signs = stand_ins.signs(wanted, shelf)
    return [f"{_escaped(sign)} {sentence(text)}" for text, sign in signs.items()]


def _noted(wanted: Table) -> list[tuple[int, Row]]:
    return list(enumerate((row for row in wanted.rows if row.note), start=1))


def _notes(wanted: Table) -> list[str]:
    return [
        f"<sup>{place}</sup> {shown(row.label)}: {row.note.rstrip('.')}." for place, row in _noted(wanted)
    ]


def _runs_text(experiments: Iterable[Experiment], shelf: Shelf) -> str:
    """`3`, `2 of 5`, or `1–3` where a row's cells are of several experiments."""
    texts = set()
    for experiment in experiments:
        have = len(shelf.runs(experiment))
        want = len(shelf.seeds(experiment))
        texts.add(str(have) if have in (0, want) else f"{have} of {want}")
    ordered = sorted(texts, key=lambda text: (int(text.split()[0]), text))  # the same in every process
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]}–{ordered[-1]}" if ordered else ""


def _run_count(row: Row, shelf: Shelf) -> str:
    return _runs_text(dict.fromkeys(cell.experiment for cell in row.cells if cell), shelf)


def _runs_of_all(wanted: Table, shelf: Shelf) -> str | None:
    """How many runs every row has; None where the rows differ."""
    counts = {_run_count(row, shelf) for row in wanted.rows}
    return counts.pop() if len(counts) == 1 else None


def _same_runs(wanted: Table, shelf: Shelf) -> str:
    count = _runs_of_all(wanted, shelf)
    if not count or count == "0":
        return ""
    each = f"{count} run" if count == "1" else f"{count} runs, one a seed"
    return f"Each row: {each}."


def _legend(found: Iterable[Measured]) -> str:
    """What the brackets and the signs of a table say, as far as it has them."""
    found = list(found)
    kinds = [kind for kind in numbers.INTERVALS if any(one.interval_of == kind for one in found)]
    signs = [verdict for verdict in numbers.MARKS if any(one.verdict is verdict for one in found)]
    lines = []
    if kinds:
        lines.append(
            f"In brackets: the 95 % interval, {' or '.join(numbers.INTERVALS[kind] for kind in kinds)}."
        )
    if signs:
        lines.append(
            "Beside the difference: "
            + "; ".join(f"{numbers.MARKS[verdict]} {numbers.WORDS[verdict]}" for verdict in signs)
            + "."
        )
    return " ".join(lines)


def _contradictions(wanted: Table) -> str:
    if not wanted.contradictions:
        return ""
    lines = [f"- {sentence(text)}" for text in wanted.contradictions]
    return "\n".join(["Where the paper's own numbers do not fit together:", "", *lines])


def _not_run(wanted: Table, shelf: Shelf) -> str:
    """The rows without a run: why, or what to type."""
    lacking: dict[str, list[str]] = {}
    typed: dict[str, list[str]] = {}
    for row in wanted.rows:
        for experiment in dict.fromkeys(cell.experiment for cell in row.cells if cell):
            missing = missing_seeds(experiment, shelf)
            if not shelf.overrides(experiment):
                lacking.setdefault(reason(experiment, shelf.profile), []).append(shown(row.label))
            elif missing:
                command = profiles.command(shelf.overrides(experiment), missing)
                typed.setdefault(command, []).append(shown(row.label))
    parts = [f"Not run, {_rows_text(rows, wanted)}: {text}" for text, rows in lacking.items()]
    return "\n\n".join([*parts, *([_commands(typed, wanted)] if typed else [])])


def _rows_text(rows: Sequence[str], wanted: Table) -> str:
    """Names of rows; not all twenty classes where none was measured."""
    distinct = list(dict.fromkeys(rows))
    return "all rows" if len(distinct) == len(wanted.rows) > 1 else ", ".join(distinct)


def reason(experiment: Experiment, profile: str) -> str:
    """Why an experiment was not run in a profile, and what a user would type where it can be."""
    text = sentence(profiles.lacking_of(experiment, profile))
    if experiment.published:
        seeds = profiles.seeds_of(experiment, profiles.FULL)
        text += f" Elsewhere: `{profiles.command(experiment.published, seeds)}`"
    return text


def missing_seeds(experiment: Experiment, shelf: Shelf) -> list[int]:
    """The seeds of an experiment that have no run."""
    have = {run.seed for run in shelf.runs(experiment)}
    return [seed for seed in shelf.seeds(experiment) if seed not in have]


def _commands(typed: dict[str, list[str]], wanted: Table) -> str:
    code = "\n".join(["```sh", *typed, "```"])
    count = len(typed)
    made = f"`make reproduce-tables TABLE={wanted.name}`"
    said = f"Not run yet, or not with every seed; {made} trains what is missing"
    if count <= FEW_COMMANDS:
        return f"{said}:\n\n{code}"
    return f"{said}.\n\n<details><summary>{count} commands</summary>\n\n{code}\n\n</details>"


def _stale(found: Iterable[Measured]) -> str:
    """What has changed since the runs of those cells that carry the sign."""
    reasons = dict.fromkeys(text for one in found for text in one.stale)
    return " ".join(f"{STALE} Stale, measured before a change: {text.rstrip('.')}." for text in reasons)


def figure(wanted: Figure, path: Path | None, links: Links, level: int = 2) -> str:
    """A figure with its title and what the paper shows there.

    Args:
        wanted: the figure.
        path: the drawn file; None where there is nothing to draw yet.
        links: from the page.
        level: of its heading.
    """
    parts = [heading(wanted.name, wanted.title, level), wanted.about]
    if path is None:
        parts.append(
            f"Not drawn: no run yet. `make reproduce-tables TABLE={wanted.name}` trains what it shows."
        )
    else:
        parts.append(picture(wanted.title, path, links))
    return "\n\n".join(part for part in parts if part)


def finding(wanted: Finding, shelf: Shelf, path: Path | None, links: Links, level: int = 3) -> str:
    """A claim with its numbers, its figure and its evidence; "" where nothing was measured.

    Args:
        wanted: the finding.
        shelf: the runs.
        path: its figure, if it was drawn.
        links: from the page.
        level: of its heading.
    """
    text = wanted.text(shelf)
    if not text:
        return ""
    parts = [heading(wanted.name, wanted.title, level), text]
    if path is not None:
        parts.append(picture(wanted.title, path, links))
    evidence = [f"[{name}](#{anchor(name)})" for name in wanted.tables]
    if wanted.audit:
        page = ROOT / "results" / "audit" / wanted.audit
        evidence.append(links.to_file(f"audit of {wanted.audit}", page))
    if evidence:
        parts.append(f"Evidence: {', '.join(evidence)}.")
    return "\n\n".join(parts)
