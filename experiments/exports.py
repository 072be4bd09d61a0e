"""A table for a paper (LaTeX) and for a program (CSV): the same cells as on the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import emoji

from experiments.measured import Measured, Shelf, Verdict
from experiments.table import Cell, Metric, Row, Table

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
}
_BLANKS = re.compile(r"\s+")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?:[ \u200c][\u0590-\u08ff]+)*")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
MARKS = {  # a count that agrees needs none
    Verdict.REPRODUCED: ("$=$", "reproduced"),
    Verdict.BETTER: (r"$\uparrow$", "better than published"),
    Verdict.WORSE: (r"$\downarrow$", "worse than published"),
    Verdict.DIFFERENT: (r"$\neq$", "different from published, neither better nor worse"),
    Verdict.INCONCLUSIVE: ("$?$", "inconclusive"),
    Verdict.NOT_COMPARABLE: (r"$\ast$", "not comparable: a stand-in for the published encoder or data"),
}
STALE = (r"$\circ$", "measured before a change of the code that alters it")
PREAMBLE = r"\usepackage{booktabs}"
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

    The comment above it names the lines that a preamble needs. Emoji and Urdu need LuaLaTeX.

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
        rf"\begin{{tabular}}{{l{''.join('rr' if both else 'r' for both in published)}}}",
        r"\toprule",
        *_heading(table.head, published),
        r"\midrule",
        *(_line(row, published, measured) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *_legend(table, list(measured.values())),
        r"\end{table}",
    ]
    body = "\n".join(lines)
    return "\n".join([*_comment(table.name, body), body]) + "\n"


def _has_published(table: Table, place: int) -> bool:
    cells = (row.cells[place] for row in table.rows)
    return any(cell is not None and cell.published is not None for cell in cells)


def _comment(name: str, body: str) -> list[str]:
    """What a user must know to compile it."""
    needed = [PREAMBLE]
    for sign, font in ((r"\textemoji", EMOJI_FONT), (r"\righttoleft", URDU_FONT)):
        needed += font if sign in body else ()
    if _CYRILLIC.search(body):
        needed += RUSSIAN_FONT
    engine = " (LuaLaTeX)" if len(needed) > 1 else ""
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


def _line(row: Row, published: Sequence[bool], measured: dict[Cell, Measured]) -> str:
    parts = [escaped(row.label)]
    for cell, both in zip(row.cells, published, strict=True):
        if both:
            parts.append("" if cell is None else _number(cell.published, cell.metric.decimals))
        parts.append("" if cell is None else _measured(measured[cell]))
    return " & ".join(parts) + r" \\"


def _number(value: float | None, decimals: int) -> str:
    return "--" if value is None else f"{value:.{decimals}f}".replace("-", "$-$")


def decimals_of(metric: Metric) -> int:
    """Of a measured number: one more than was published, but of a count."""
    return metric.decimals + (not metric.is_count)


def _measured(found: Measured) -> str:
    if found.mean is None:
        before = found.before.mean if found.before else None
        return "--" if before is None else f"({_number(before, decimals_of(found.cell.metric))})\\,{STALE[0]}"
    decimals = decimals_of(found.cell.metric)
    text = _number(found.mean, decimals)
    if found.interval is not None:
        low, high = (_number(end, decimals) for end in found.interval)
        text += rf"\,{{\scriptsize[{low}, {high}]}}"
    return text + (rf"\,{MARKS[found.verdict][0]}" if found.verdict in MARKS else "")


def _legend(table: Table, measured: Sequence[Measured]) -> list[str]:
    """The marks and intervals that the table has, explained; and the rows' notes."""
    verdicts = [found.verdict for found in measured]
    parts = [f"{sign} {words}" for verdict, (sign, words) in MARKS.items() if verdict in verdicts]
    if any(found.stale for found in measured):
        parts.append(" ".join(STALE))
    if any(found.mean is None and not found.stale for found in measured):
        parts.append("-- not run")
    of = {found.interval_of for found in measured if found.interval}
    for name, words in (
        ("seeds", "of the mean over seeds, Student's"),
        ("rows", "of one run, bootstrap over rows"),
    ):
        if name in of:
            parts.append(rf"{{[}}\,{{]}} 95\,\% interval {words}")
    parts += [f"{escaped(row.label)}: {escaped(row.note)}" for row in table.rows if row.note]
    return [rf"\par\smallskip{{\footnotesize {'; '.join(parts)}.}}"] if parts else []


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
                writer.writerow(_fields(table, row, name, shelf.measured(cell)))
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
