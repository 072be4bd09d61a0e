"""What a paper's page says of its own, in HTML: the introduction, and the sections below the tables."""

from __future__ import annotations

from experiments import pages
from experiments.html_report import wording
from experiments.html_report.tables import permalink
from experiments.markup import anchor, relinked
from experiments.measured import Shelf
from experiments.table import Paper

DRAWN = ("Clusters of emoji", "The paper's phrases")  # by `figures`, with the points and answers themselves


def introduction(paper: Paper, shelf: Shelf) -> str:
    """What is measured, and what stands in for what; "" where the page says nothing of it."""
    text = pages.introduction(paper.key, shelf)
    return f"<div class=introduction>{_prose(text, paper)}</div>" if text else ""


def sections(paper: Paper, shelf: Shelf) -> list[tuple[str, str, str]]:
    """Of each section its id, its title and its HTML, but for those that are drawn as figures."""
    found = []
    for place, (title, text) in enumerate(map(pages.titled, pages.sections(paper.key, shelf)), 1):
        if title not in DRAWN:
            name = f"{paper.key}.own{place}"
            found.append((name, title, _section(name, title, _prose(text, paper))))
    return found


def _section(name: str, title: str, body: str) -> str:
    head = f"<h3>{wording.prose_line(title)} {permalink(name)}</h3>"
    return f'<section class="figure own" id="{wording.escape(name)}">{head}{body}</section>'


def _prose(text: str, paper: Paper) -> str:
    """Links to tables lead to them here; those to files, which this one does without, are their text."""
    names = [*(table.name for table in paper.tables), *(figure.name for figure in paper.figures)]
    return wording.prose(relinked(text, {f"#{anchor(name)}": f"#{name}" for name in names}))
