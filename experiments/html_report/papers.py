"""A paper as HTML: its verdicts at a glance, what it does not tell, its tables and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from experiments.html_report import ablation, comparisons, figures, own, tables, wording
from experiments.html_report.bars import Bar, labelled
from experiments.html_report.collected import Collected
from experiments.measured import Measured, Verdict
from experiments.table import Finding, Paper

Entry = tuple[str, str, Sequence[Measured]]  # of the contents: id, title, measurements


def section(paper: Paper, collected: Collected, audits: Path | None) -> tuple[str, list[Entry]]:
    """All of a paper, and its entries of the contents.

    Args:
        paper: which.
        collected: takes its cells.
        audits: where `<name>/audit.html` lie, as seen from the page's own place; None: not to be linked.
    """
    entries: list[Entry] = []
    findings = _findings(paper, collected, audits, entries)
    parts = []
    for table in paper.tables:
        first = len(collected.measurements)
        grid, compared = ablation.section(table, collected), comparisons.section(table, collected.shelf)
        parts.append(tables.section(table, collected, grid, compared))
        entries.append((table.name, table.title, collected.measurements[first:]))
    for place, figure in enumerate(paper.figures):
        again = figure.kind in {one.kind for one in paper.figures[:place]}
        parts.append(figures.section(figure, paper, collected, again))
        entries.append((figure.name, figure.title, ()))
    phrases = figures.phrases(paper, collected)
    if phrases:
        parts.append(phrases)
        entries.append((f"{paper.key}.phrases", "The paper's phrases", ()))
    for name, title, text in own.sections(paper, collected.shelf):
        parts.append(text)
        entries.append((name, title, ()))
    everything = [one for _, _, found in entries for one in found]
    return (
        f'<section class=paper id="{wording.escape(paper.key)}"><h2>{wording.escape(paper.title)} '
        f"{tables.permalink(paper.key)}</h2><p class=soft>{wording.escape(paper.citation)}</p>"
        f"{own.introduction(paper, collected.shelf)}{strip(everything)}{findings}{''.join(parts)}</section>",
        entries,
    )


def strip(measured: Sequence[Measured], words: bool = True) -> str:
    """Verdicts as parts of one bar, and in words below it."""
    counts = Counter(one.verdict for one in measured)
    if not counts:
        return ""
    shown = [verdict for verdict in wording.SIGNS if counts[verdict]]
    parts = "".join(
        f'<span data-v="{wording.css_name(verdict)}" style="flex-grow:{counts[verdict]}" '
        f'title="{counts[verdict]} {verdict.value}"></span>'
        for verdict in shown
    )
    if not words:
        return f"<span class=strip aria-hidden=true>{parts}</span>"
    text = "".join(
        f'<li data-v="{wording.css_name(verdict)}"><i aria-hidden=true>{wording.SIGNS[verdict]}</i>'
        f"{counts[verdict]} {verdict.value}</li>"
        for verdict in shown
    )
    return f"<div class=strip aria-hidden=true>{parts}</div><ul class=verdicts>{text}</ul>"


def _findings(paper: Paper, collected: Collected, audits: Path | None, entries: list[Entry]) -> str:
    parts = []
    for finding in paper.findings:
        text = finding.text(collected.shelf)
        if text:
            parts.append(_finding(finding, text, collected, audits))
            entries.append((finding_id(finding), finding.title, ()))
    return f"<div class=findings>{''.join(parts)}</div>" if parts else ""


def _finding(finding: Finding, text: str, collected: Collected, audits: Path | None) -> str:
    rows = []
    for place, (label, cell) in enumerate(finding.bars):
        labels = (finding.title, label, cell.metric.name)
        index, measured = collected.cell(f"{finding_id(finding)}-{place + 1}", labels, cell)
        verdict = measured.verdict
        right = (
            f'<td data-v="{wording.css_name(verdict)}"><button type=button data-cell={index}>'
            f"{tables.inside(measured)}</button></td>"
        )
        rows.append((wording.name(label), Bar.of(measured), right))
    drawn = f"<figure>{labelled(rows)}</figure>" if rows else ""
    links = [f'<a href="#{wording.escape(name)}">{wording.escape(name)}</a>' for name in finding.tables]
    links += [_audit(finding.audit, audits)] if finding.audit else []
    evidence = f"<p class=soft>Evidence: {', '.join(links)}</p>" if links else ""
    name = finding_id(finding)
    head = f"<h3>{wording.escape(finding.title)} {tables.permalink(name)}</h3>"
    return (
        f'<article class=finding id="{wording.escape(name)}">{head}<div class=twofold>'
        f"<div>{wording.prose(text)}{evidence}</div>{drawn}</div></article>"
    )


def finding_id(finding: Finding) -> str:
    """Its id in the page: a finding may be called as a table is."""
    return f"{finding.name}.finding"


def _audit(name: str, audits: Path | None) -> str:
    """An audit is a file of its own, which is not sent along with this page: so it is said where it lies."""
    words, file = f"audit of {wording.escape(name)}", Path(name, "audit.html")
    if audits:
        words = f'<a href="{wording.escape((audits / file).as_posix())}">{words}</a>'
    place = (Path("results", "audit") / file).as_posix()
    return f"{words} (another file: <code>{wording.escape(place)}</code> of the repository)"


def contents(papers: Sequence[tuple[Paper, Sequence[Entry]]]) -> str:
    """Links to every paper, table and figure, each with its verdicts as a bar."""
    parts = []
    for paper, entries in papers:
        items = "".join(
            f'<li><a href="#{wording.escape(name)}"><span>{wording.escape(title)}</span>'
            f"{strip(measured, words=False)}</a></li>"
            for name, title, measured in entries
        )
        parts.append(
            f'<li><a href="#{wording.escape(paper.key)}"><b>{wording.escape(paper.title)}</b></a>'
            f"<ul>{items}</ul></li>"
        )
    return f"<ul>{''.join(parts)}</ul>"


def count_verdicts(measured: Sequence[Measured]) -> dict[Verdict, int]:
    """How many cells have which verdict, in the order of the signs; those that none has are left out."""
    counts = Counter(one.verdict for one in measured)
    return {verdict: counts[verdict] for verdict in wording.SIGNS if counts[verdict]}
