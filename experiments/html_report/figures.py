"""Figures of a paper: learning curves, rows of classes, label embeddings; and the phrases it prints."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.emoji_names import name_of
from experiments.html_report import wording
from experiments.html_report.bars import counted
from experiments.html_report.collected import Collected
from experiments.html_report.tables import permalink
from experiments.keeping import KeptRun
from experiments.table import Figure, Paper

COORDINATES, PHRASES = Path("figures", "coordinates.csv"), Path("examples.jsonl")
PROJECTIONS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
SIDE, MARGIN = 300, 16  # of a plane, in its own units
MOST_BYTES = 1_000_000  # of a file that is drawn


def section(figure: Figure, paper: Paper, collected: Collected, again: bool = False) -> str:
    """A figure with its title.

    Args:
        figure: which.
        paper: whose.
        collected: takes its runs.
        again: whether the paper has had a figure of this kind: the second of embeddings is of their clusters.
    """
    draw = {"curves": _curves, "class_counts": _class_counts, "embeddings": _embeddings}.get(figure.kind)
    if figure.kind == "embeddings" and again:
        draw = _clusters
    body = draw(figure, paper, collected) if draw else ""
    if not body:
        body = "<p class=soft>○ not run: there is nothing to draw yet.</p>"
    about = wording.prose(figure.about) if figure.about else ""
    return (
        f'<section class=figure id="{wording.escape(figure.name)}"><h3>{wording.escape(figure.title)} '
        f"{permalink(figure.name)}</h3><div class=about>{about}</div>{body}</section>"
    )


def _curves(figure: Figure, _: Paper, collected: Collected) -> str:
    """The script draws them from the runs, as it does for a single run."""
    parts = []
    for label, experiment in figure.experiments:
        runs = [name for name in collected.names(experiment) if collected.runs[name].result.get("curves")]
        if runs:
            seeds = (
                "one run"
                if len(runs) == 1
                else f"{len(runs)} seeds, their mean (of those that were still training) drawn thick"
            )
            named = "" if len(figure.experiments) == 1 else f"<b>{wording.name(label)}</b>, "
            parts.append(
                f'<figure data-curves="{wording.escape(" ".join(runs))}"><figcaption>{named}{seeds}'
                f"</figcaption></figure>"
            )
    return "".join(parts)


def _class_counts(figure: Figure, _: Paper, collected: Collected) -> str:
    parts = []
    for label, experiment in figure.experiments:
        for name in collected.names(experiment)[:1]:
            counts, split = _rows_of_classes(collected.runs[name])
            caption = f"<figcaption>{wording.name(label)}: {split} rows of each class</figcaption>"
            parts.append(f"<figure class=counts>{caption}{counted(counts)}</figure>" if counts else "")
    return "".join(parts)


def _rows_of_classes(run: KeptRun) -> tuple[list[tuple[str, int]], str]:
    """Of the training rows, or where these were not kept, of the test rows."""
    counts = (run.result.get("provenance") or {}).get("class_counts")
    if counts:
        return list(zip(run.labels, counts, strict=False)), "training"
    classes = (run.result.get("test") or {}).get("per_class") or []
    return [(one["label"], one["support"]) for one in classes], "test"


def _points(paper: Paper, collected: Collected) -> list[dict[str, str]]:
    path = collected.shelf.results.parent / paper.key / COORDINATES
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _embeddings(_: Figure, paper: Paper, collected: Collected) -> str:
    points = _points(paper, collected)
    planes = "".join(
        f"<figure><figcaption>{title}</figcaption>{_plane(points, key)}</figure>"
        for key, title in PROJECTIONS.items()
        if points and points[0].get(f"{key}_x")
    )
    return f"<div class=planes>{planes}</div>" if planes else ""


def _plane(points: Sequence[Mapping[str, str]], key: str) -> str:
    """The labels at their places, each in the colour of its cluster."""
    across, down = ([float(point[f"{key}_{axis}"]) for point in points] for axis in "xy")
    count = max(int(point["cluster"]) for point in points)
    marks = []
    for point, x, y in zip(points, _fitted(across), _fitted([-one for one in down]), strict=True):
        hue = round(360 * (int(point["cluster"]) - 1) / count)
        marks.append(
            f'<g transform="translate({x:.1f} {y:.1f})"><title>{wording.escape(point["label"])} '
            f"{wording.escape(name_of(point['label']))}, cluster {wording.escape(point['cluster'])}</title>"
            f'<circle r=11 fill="hsl({hue} 70% 50% / .28)"/><text dy=".35em">'
            f"{wording.escape(wording.coloured(point['label']))}</text></g>"
        )
    return f'<svg class=plane viewBox="0 0 {SIDE} {SIDE}" role=img>{"".join(marks)}</svg>'


def _fitted(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [MARGIN + (SIDE - 2 * MARGIN) * (one - low) / ((high - low) or 1) for one in values]


def _clusters(_: Figure, paper: Paper, collected: Collected) -> str:
    """Which labels stand together, each line a cluster."""
    points = _points(paper, collected)
    if not points:
        return ""
    groups: dict[int, list[Mapping[str, str]]] = {}
    for point in points:
        groups.setdefault(int(point["cluster"]), []).append(point)
    count = max(groups)
    items = []
    for number, ones in sorted(groups.items()):
        scores = [float(one["f1"]) for one in ones if one.get("f1")]
        mean = f"<td class=number>{sum(scores) / len(scores):.3f}</td>" if scores else "<td></td>"
        swatch = (
            f'<span class=swatch style="background:hsl({round(360 * (number - 1) / count)} 70% 50%)"></span>'
        )
        labels = " ".join(wording.name(one["label"]) for one in ones)
        items.append(f"<tr><th scope=row>{swatch}{number}</th><td class=labels>{labels}</td>{mean}</tr>")
    head = "<tr><th scope=col>cluster</th><th scope=col>labels</th><th scope=col>mean F1</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(items)}</tbody></table>"
    return f"<div class=scroll>{table}</div>"


def phrases(paper: Paper, collected: Collected) -> str:
    """The phrases that a paper prints with its answers, beside ours; "" where none were asked."""
    path = collected.shelf.results.parent / paper.key / PHRASES
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return ""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    body = "".join(_phrase(row) for row in rows)
    head = "".join(f"<th scope=col>{one}</th>" for one in ("phrase", "paper", "its rank here", "our answers"))
    name, run = f"{paper.key}.phrases", wording.escape(rows[0]["run"]) if rows else ""
    return (
        f'<section class=figure id="{wording.escape(name)}"><h3>The paper\'s phrases {permalink(name)}</h3>'
        f"<div class=about>Answers of run <code>{run}</code>, with their probability.</div>"
        f"<div class=scroll><table class=phrases><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "</div></section>"
    )


def _phrase(row: Mapping[str, Any]) -> str:
    answers = " ".join(
        f"<span>{wording.name(one['label'])} <b>{one['probability']:.2f}</b></span>"
        for one in row["predictions"]
    )
    rank = wording.DASH if row["rank_of_paper"] is None else wording.escape(row["rank_of_paper"])
    return (
        f"<tr><th scope=row>{wording.name(row['text'])}</th><td>{wording.name(row['paper'])}</td>"
        f"<td class=number>{rank}</td><td class=labels>{answers}</td></tr>"
    )
