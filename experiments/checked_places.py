"""Whether everything in `results/` is something that the code writes there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from emoji_pred import runs
from experiments.keeping import ANSWERS

# By what writes them; `*` is one step of a path.
RUN = (runs.RESULT, ANSWERS, runs.PREDICTIONS)
WRITTEN = {
    "the report": ("README.md", "report.html", "figures/*.svg", "tables/*.tex", "tables/*.csv"),
    "kept runs": tuple(f"{folder}/*/{name}" for folder in ("runs", "bundled") for name in RUN),
    "model cards": ("model_cards/*.md",),
    "audits": ("audit/README.md", "audit/*/audit.html", "audit/*/audit.json"),
    "benches": ("bench.json", "bench.md"),
}
OF_A_PAPER = ("{}.md", "{}/examples.jsonl", "{}/residue_rows.json")
DRAWN = ("clusters.md", "coordinates.csv", "embeddings.png", "page.html")  # by `embeddings`


def strangers(results: Path, papers: Iterable[str]) -> list[str]:
    """What nothing writes, a line each: a folder of which nothing is known once, not file by file.

    Hidden files are passed over, as those of editors and file managers.

    Args:
        results: the directory of the report.
        papers: their keys.
    """
    keys = list(papers)
    of_papers = [form.format(key) for key in keys for form in OF_A_PAPER]
    of_papers += [f"{key}/figures/{name}" for key in keys for name in DRAWN]
    patterns = [pattern for known in WRITTEN.values() for pattern in known] + of_papers
    return [
        f"{results.name}/{path.as_posix()}: no run, table, page, card, audit or bench writes it; remove it"
        for path in _unknown(results, PurePath(), patterns)
    ]


def _unknown(results: Path, folder: PurePath, patterns: list[str]) -> Iterator[PurePath]:
    for entry in sorted((results / folder).iterdir()):
        place = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            below = [pattern for pattern in patterns if _may_hold(place, pattern)]
            if below:
                yield from _unknown(results, place, below)
                continue
        elif any(place.match(pattern) for pattern in patterns if _depth(pattern) == len(place.parts)):
            continue
        yield place


def _may_hold(folder: PurePath, pattern: str) -> bool:
    """Whether files of a pattern may lie somewhere below a folder."""
    steps = PurePath(pattern).parts
    depth = len(folder.parts)
    return len(steps) > depth and folder.match("/".join(steps[:depth]))


def _depth(pattern: str) -> int:
    return len(PurePath(pattern).parts)
