"""A table for a paper (LaTeX) and for a program (CSV): the same numbers as on the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import emoji

from experiments import numbers, stand_ins
from experiments.markup import sentence
from experiments.measured import ROWS, Measured, Shelf, Verdict
from experiments.profiles import NOTE_OF_SMOKE, SMOKE
from experiments.table import Cell, Row, Table

COLUMNS = (
    *("table", "row", "column", "split", "published", "mean", "low", "high", "interval_of", "seeds"),
    *("difference", "verdict", "runs", "stand_in", "stale"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with one of these a spreadsheet begins to compute
_ESCAPED = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    # Square brackets would be read as an option where they follow a line's end.
    **{"[": "{[}", "]": "{]}", "`": r"\textasciigrave{}"},
    **{"*": r"\textasteriskcentered{}", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}"},
    '"': "''",  # babel gives a straight quote a meaning in some languages
    **{numbers.MINUS: "$-$", numbers.NO_NUMBER: "--", "±": r"$\pm$", "×": r"$\times$", "→": r"$\to$"},
    **{"≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$"},
}
_BLANKS = re.compile(r"\s+")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?:[ \u200c][\u0590-\u08ff]+)*")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
MARKS = {  # a count that agrees needs none
    **{Verdict.REPRODUCED: "$=$", Verdict.BETTER: r"$\uparrow$", Verdict.WORSE: r"$\downarrow$"},
    **{Verdict.DIFFERENT: r"$\neq$", Verdict.INCONCLUSIVE: "$?$", Verdict.NOT_COMPARABLE: "n/c"},
}
STALE = r"$\circ$"
OF_ROWS = r"\textsuperscript{b}"  # of an interval of one run; one over seeds has no mark
PREAMBLE = (r"\usepackage{booktabs}", r"\usepackage{adjustbox}")
EMOJI_FONT = (
    r"\usepackage{fontspec}",
    r"\newfontfamily\emojifont{Noto Color Emoji}[Renderer=HarfBuzz]",
    r"\DeclareTextFontCommand{\textemoji}{\emojifont}",
)
URDU_FONT = (
    r"\usepackage{fontspec}",
    r"\newfontfamily\urdufont{Noto Naskh Arabic}[Script=Arabic,Renderer=HarfBuzz]",
    r"\newcommand{\righttoleft}[1]{{\textdir TRT\urdufont #1}}",
)
RUSSIAN_FONT = (r"\usepackage{fontspec}", r"\setmainfont{CMU Serif} % or another with Cyrillic")


def escaped(text: str) -> str:
    r"""A text as LaTeX shows it: signs escaped, emoji in `\textemoji{...}`, Urdu in `\righttoleft{...}`."""
    plain = _BLANKS.sub(" ", _UNSEEN.sub("", text))
    parts, end = [], 0
    for found in emoji.emoji_list(plain):
        parts.append(_escaped_words(plain[end : found["match_start"]]))
        parts.append(rf"\textemoji{{{found['emoji']}}}")
        end = found["match_end"]
    return "".join([*parts, _escaped_words(plain[end:])])


def _escaped_words(text: str) -> str:
    signs = "".join(_ESCAPED.get(sign, sign) for sign in text)
    return _RIGHT_TO_LEFT.sub(lambda found: rf"\righttoleft{{{found.group()}}}", signs)


def latex(table: Table, shelf: Shelf) -> str:
    """A table in LaTeX, by booktabs: published beside measured, with intervals, marks and their legend.

    It is made smaller where it is wider than the line. The comment above it names the lines that a preamble
    needs. Emoji and Urdu need LuaLaTeX.

    Args:
        table: what is written.
        shelf: the runs.
    """
    measured = {cell: shelf.measured(cell) for row in table.rows for cell in row.cells if cell}
    published = [_has_published(table, place) for place in range(len(table.head))]
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escaped(table.title)}}}",
        rf"\label{{tab:{re.sub('[^A-Za-z0-9.-]+', '-', table.name)}}}",
        r"\begin{adjustbox}{max width=\linewidth}",
        rf"\begin{{tabular}}{{l{''.join('rr' if both else 'r' for both in published)}}}",
        r"\toprule",
        *_heading(table.head, published),
        r"\midrule",
        *(_line(row, _label(row, table, shelf), published, measured) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{adjustbox}",
        *_below(_legend(table, shelf, published, list(measured.values()))),
        r"\end{table}",
    ]
    body = "\n".join(lines)
    return "\n".join([*_comment(table.name, body), body]) + "\n"


def _has_published(table: Table, place: int) -> bool:
    cells = (row.cells[place] for row in table.rows)
    return any(cell is not None and cell.published is not None for cell in cells)


def _comment(name: str, body: str) -> list[str]:
    """What a user must know to compile it."""
    needed = [*PREAMBLE]
    for sign, font in ((r"\textemoji", EMOJI_FONT), (r"\righttoleft", URDU_FONT)):
        needed += font if sign in body else ()
    if _CYRILLIC.search(body):
        needed += RUSSIAN_FONT
    engine = " (LuaLaTeX)" if len(needed) > len(PREAMBLE) else ""
    lines = [
        f"{name}, written by `make reproduce-tables`. The preamble needs{engine}:",
        *dict.fromkeys(needed),
    ]
    return [f"% {line}" for line in lines]


def _heading(head: Sequence[str], published: Sequence[bool]) -> list[str]:
    """The headings, and below those with two columns which is which."""
    if not any(published):
        return [" & ".join(["", *map(escaped, head)]) + r" \\"]
    first, rules, second, column = [""], [], [""], 2
    for name, both in zip(head, published, strict=True):
        first.append(rf"\multicolumn{{2}}{{c}}{{{escaped(name)}}}" if both else escaped(name))
        second += ["published", "measured"] if both else ["measured"]
        if both:
            rules.append(rf"\cmidrule(lr){{{column}-{column + 1}}}")
        column += 2 if both else 1
    return [" & ".join(first) + r" \\", "".join(rules), " & ".join(second) + r" \\"]


def _label(row: Row, table: Table, shelf: Shelf) -> str:
    signs = ",".join(map(escaped, stand_ins.signs_of(row, table, shelf)))
    return escaped(row.label) + (rf"\textsuperscript{{{signs}}}" if signs else "")


def _line(row: Row, label: str, published: Sequence[bool], measured: dict[Cell, Measured]) -> str:
    parts = [label]
    for cell, both in zip(row.cells, published, strict=True):
        if both:
            parts.append("" if cell is None else escaped(numbers.published(cell.metric, cell.published)))
        parts.append("" if cell is None else _measured(measured[cell]))
    return " & ".join(parts) + r" \\"


def _measured(found: Measured) -> str:
    """With its interval and verdict; what stale runs said never as the plain number."""
    if found.before:
        return rf"({_mean_and_interval(found.before)})\,{STALE}"
    mark = MARKS.get(found.verdict)
    return _mean_and_interval(found) + (rf"\,{mark}" if mark else "")


def _mean_and_interval(found: Measured) -> str:
    text, interval = escaped(numbers.mean(found)), escaped(numbers.interval(found))
    if not interval:
        return text
    return text + rf"\,{{\scriptsize{interval}}}" + (OF_ROWS if found.interval_of == ROWS else "")


def _below(lines: Sequence[str]) -> list[str]:
    """Lines of small print, each a paragraph."""
    if not lines:
        return []
    return [r"\par\smallskip", r"{\footnotesize\raggedright", *(rf"{line}\par" for line in lines), "}"]


def _legend(table: Table, shelf: Shelf, published: Sequence[bool], measured: Sequence[Measured]) -> list[str]:
    """What the intervals, marks, dashes and signs of a table say, as far as it has them; the rows' notes."""
    smoke = [rf"\textbf{{{escaped(NOTE_OF_SMOKE)}}}"] if shelf.profile == SMOKE else []
    return [
        *smoke,
        *_intervals([one.before or one for one in measured]),
        *_verdicts(measured),
        *_dashes(table, published, measured),
        *_stand_in_texts(table, shelf),
        *(f"{escaped(row.label)}: {escaped(row.note.rstrip('.'))}." for row in table.rows if row.note),
        *_stale(measured),
    ]


def _intervals(measured: Sequence[Measured]) -> list[str]:
    kinds = {one.interval_of for one in measured if one.interval}
    parts = [
        rf"{{[}}\,{{]}}{OF_ROWS if kind == ROWS else ''} 95\,\% interval {words}"
        for kind, words in numbers.INTERVALS.items()
        if kind in kinds
    ]
    return [f"{'; '.join(parts)}."] if parts else []


def _verdicts(measured: Sequence[Measured]) -> list[str]:
    found = {one.verdict for one in measured}
    parts = [f"{sign} {numbers.WORDS[verdict]}" for verdict, sign in MARKS.items() if verdict in found]
    return [f"Beside the measured number: {'; '.join(parts)}."] if parts else []


def _dashes(table: Table, published: Sequence[bool], measured: Sequence[Measured]) -> list[str]:
    """A dash where the paper printed nothing is another than one where our runs have no such number."""
    cells = [cell for row in table.rows for cell, both in zip(row.cells, published, strict=True) if both]
    parts = []
    if any(cell is not None and cell.published is None for cell in cells):
        parts.append("-- below published: nothing was published")
    if any(not one.before and numbers.mean(one) == numbers.NO_NUMBER for one in measured):
        parts.append("-- below measured: the runs have no such number")
    return [f"{'; '.join(parts)}."] if parts else []


def _stand_in_texts(table: Table, shelf: Shelf) -> list[str]:
    if common := stand_ins.of_every_row(table, shelf):
        return [rf"\textbf{{Every row is a stand-in.}} {escaped(sentence(common))}"]
    signs = stand_ins.signs(table, shelf)
    return [rf"\textsuperscript{{{escaped(sign)}}} {escaped(sentence(text))}" for text, sign in signs.items()]


def _stale(measured: Sequence[Measured]) -> list[str]:
    reasons = dict.fromkeys(text for one in measured for text in one.stale)
    return [f"{STALE} Stale, measured before a change: {escaped(text.rstrip('.'))}." for text in reasons]


def csv_text(table: Table, shelf: Shelf) -> str:
    """A table as CSV, a line for each cell, numbers in full.

    A text that a spreadsheet would take for a formula begins with an apostrophe.

    Args:
        table: what is written.
        shelf: the runs.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table.rows:
        for name, cell in zip(table.head, row.cells, strict=True):
            if cell is not None:
                found = shelf.measured(cell)
                stand_in = NOTE_OF_SMOKE if shelf.profile == SMOKE else found.stand_in
                writer.writerow(_fields(table, row, name, replace(found, stand_in=stand_in)))
    return stream.getvalue()


def _fields(table: Table, row: Row, column: str, found: Measured) -> list[str]:
    low, high = found.interval or (None, None)
    return [
        *map(_safe, (table.name, row.label, column, found.cell.metric.split)),
        *map(_plain, (found.cell.published, found.mean, low, high)),
        found.interval_of,
        " ".join(str(run.seed) for run in found.runs),
        _plain(found.difference),
        str(found.verdict),
        " ".join(run.name for run in found.runs),
        _safe(found.stand_in),
        _safe("; ".join(found.stale)),
    ]


def _safe(text: str) -> str:
    plain = _UNSEEN.sub("", text)
    return f"'{plain}" if plain.lstrip(" ").startswith(FORMULA) or text.startswith(FORMULA) else plain


def _plain(value: float | None) -> str:
    """A number of ten digits: more would only be how it was summed."""
    return "" if value is None else f"{value:.10g}"
