"""The HTML report: every table, published beside measured, in one file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from emoji_pred import runs
from experiments.html_report import provenance, wording
from experiments.html_report.collected import Collected
from experiments.html_report.papers import contents, count_verdicts, section
from experiments.measured import RULE, Measured, Shelf, Verdict
from experiments.table import Paper

PARTS = Path(__file__).with_name("html_report")
SCRIPTS = ("drawing.js", "panel.js", "page.js")


def write(papers: Sequence[Paper], shelf: Shelf, path: Path) -> None:
    """Write the page; the file is there only when it is complete.

    Args:
        papers: what it shows.
        shelf: their runs.
        path: of the page. Audits are linked where they lie beside it, in `audit/`.
    """
    text = render(papers, shelf, _audits(path.parent))
    path.parent.mkdir(parents=True, exist_ok=True)
    with runs.replace_file(path) as stream:
        stream.write(text.encode("utf-8"))


def render(papers: Sequence[Paper], shelf: Shelf, audits: Path | None = None) -> str:
    """The page as text.

    Args:
        papers: what it shows.
        shelf: their runs.
        audits: where `<name>/audit.html` lie, as seen from the page; None: not to be linked.
    """
    collected = Collected(shelf)
    written = [(paper, *section(paper, collected, audits)) for paper in _in_order(papers, shelf)]
    script = "\n".join(_part(name) for name in SCRIPTS)
    # Cells of tables alone: the bars of a finding show some of them once more.
    judged = [found for _, _, entries in written for _, _, found in entries if found]
    filled = {
        "POLICY": _policy(script),
        "STYLE": _part("page.css"),
        "SUMMARY": _summary(judged, len(collected.runs)),
        "FILTERS": _filters(judged),
        "RULE": wording.prose(RULE),
        "CONTENTS": contents([(paper, entries) for paper, _, entries in written]),
        "BODY": "\n".join(body for _, body, _ in written),
        "RUNS": provenance.section(collected),
        "DATA": wording.script_json(collected.plain()),
        "SCRIPT": script,
    }
    # In one pass: what is filled in may hold anything.
    return re.sub(r"__([A-Z]+)__", lambda found: filled.get(found[1], found[0]), _part("page.html"))


def _in_order(papers: Sequence[Paper], shelf: Shelf) -> list[Paper]:
    """First the paper of which most numbers were judged."""
    unjudged = (Verdict.NOT_RUN, Verdict.NOT_PUBLISHED, Verdict.NOT_COMPARABLE)

    def judged(paper: Paper) -> int:
        cells = [cell for table in paper.tables for row in table.rows for cell in row.cells if cell]
        return sum(shelf.measured(cell).verdict not in unjudged for cell in cells)

    return sorted(papers, key=judged, reverse=True)


def _audits(folder: Path) -> Path | None:
    return Path("audit") if (folder / "audit").is_dir() else None


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """What the browser lets the page do: run this very script, use its own style, load nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _summary(tables: Sequence[Sequence[Measured]], runs_shown: int) -> str:
    return (
        f"{sum(map(len, tables)):,} cells of {len(tables)} table{'s' * (len(tables) > 1)}, "
        f"measured by {runs_shown} runs. "
        "A click on a cell shows its runs: commands, settings, curves, confusion matrix."
    )


def _filters(tables: Sequence[Sequence[Measured]]) -> str:
    """A button for each verdict that occurs."""
    counts = count_verdicts([one for found in tables for one in found])
    return "".join(
        f'<button type=button aria-pressed=false data-v="{wording.css_name(verdict)}" '
        f'title="{wording.MEANINGS[verdict]}"><i aria-hidden=true>{wording.SIGNS[verdict]}</i>'
        f"{verdict.value} <b>{count}</b></button>"
        for verdict, count in counts.items()
    )
