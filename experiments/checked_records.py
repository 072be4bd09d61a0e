"""Whether the bench's and the audits' pages are what the JSON beside them gives."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from emoji_pred.audit.page import render as audit_page
from emoji_pred.audit_command import FIGURES, PAGE
from emoji_pred.errors import one_line
from experiments.checked_pages import line_differences
from experiments.keeping import FORMS

BENCH, AUDITS = ("bench.json", "bench.md"), "audit"


def record_differences(results: Path) -> tuple[list[str], int]:
    """Write those pages again and compare.

    Args:
        results: the directory of the report.

    Returns:
        A line for each page or JSON that is not there, or that differs, and how many pages were compared.
    """
    lines: list[str] = []
    found = list(_records(results))
    for figures, page, write in found:
        name = f"{results.name}/{page.relative_to(results).as_posix()}"
        try:
            now, before = write(json.loads(figures.read_text(encoding="utf-8"))), page.read_bytes()
        except FORMS as error:
            lines.append(f"{name}: it cannot be written again from {figures.name} ({one_line(repr(error))})")
            continue
        if now.encode("utf-8", "replace") != before:
            found_here = list(line_differences(before.decode(errors="replace"), now, figures.name))
            lines += [f"{name}: {line}" for line in found_here or ["the same text in other bytes"]]
    return lines, len(found)


def _records(results: Path) -> Iterator[tuple[Path, Path, Callable[[Any], str]]]:
    """The JSON, the page, and what writes the one from the other."""
    figures, page = (results / name for name in BENCH)
    if figures.exists() or page.exists():
        yield figures, page, _bench
    for folder in sorted(path for path in (results / AUDITS).glob("*") if path.is_dir()):
        yield folder / FIGURES, folder / PAGE, _audit


def _bench(findings: Any) -> str:
    from experiments.bench.report import render  # torch comes with it

    return render(findings)


def _audit(report: Any) -> str:
    """The page, of a report whose verdict counts its findings."""
    counted = Counter(finding["status"] for finding in report["findings"])
    if counted != Counter(report["verdict"]):
        raise ValueError(f"the verdict {report['verdict']} does not count the findings")
    return audit_page(report)
