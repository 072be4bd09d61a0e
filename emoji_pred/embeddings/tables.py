"""Clusters as a table in Markdown, and coordinates as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoji_pred.embeddings.labels import Label, judged_split, members
from emoji_pred.embeddings.page import about

PRINTED = range(2, 7)  # members of the clusters that the paper prints (Figure 2)


def clusters_markdown(labels: Sequence[Label], result: Mapping[str, Any]) -> str:
    """The clusters: first those of 2 to 6 members, as the paper prints them, then the others."""
    groups = list(enumerate(members(labels), start=1))
    printed = [(number, ones) for number, ones in groups if len(ones) in PRINTED]
    others = [(number, ones) for number, ones in groups if len(ones) not in PRINTED]
    lines = [
        f"# Clusters of the labels of run {result.get('run', '')}",
        "",
        f"The run: {about(result)}. The clusters: k-means of the {len(labels)} rows of its last layer.",
        "",
        f"Those of {PRINTED[0]} to {PRINTED[-1]} members, which the telegram paper prints (Figure 2):",
        "",
        *_table(printed, judged_split(result)),
    ]
    if others:
        lines += [
            "",
            "The others, of one member or more than six:",
            "",
            *_table(others, judged_split(result)),
        ]
    return "\n".join(lines) + "\n"


def _table(groups: Sequence[tuple[int, Sequence[Label]]], split: str) -> list[str]:
    """A line for each cluster; its training rows, where the run says how many its classes have."""
    if not groups:
        return ["None."]
    counted = any(one.rows is not None for _, ones in groups for one in ones)
    head = ["cluster", "members", "classes", *(["training rows"] if counted else []), f"mean F1 ({split})"]
    lines = [_line(head), f"|{'---|' * len(head)}"]
    for number, ones in groups:
        rows = [str(sum(one.rows or 0 for one in ones))] if counted else []
        scores = [one.f1 for one in ones if one.f1 is not None]
        between = " " if all(one.is_emoji for one in ones) else ", "
        classes = between.join(_cell(one) for one in ones)
        f1 = f"{np.mean(scores):.3f}" if scores else "–"
        lines.append(_line([str(number), str(len(ones)), classes, *rows, f1]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(one: Label) -> str:
    """A label within a table of Markdown."""
    return "".join(f"\\{character}" if character in "\\|`*_<>[]" else character for character in one.shown)


def coordinates_csv(labels: Sequence[Label], coordinates: Mapping[str, np.ndarray]) -> str:
    """One row a class: label, name, cluster (from 1), training rows, F1, and its place in each projection."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    methods = [name.replace("-", "").lower() for name in coordinates]
    axes = [f"{method}_{axis}" for method in methods for axis in "xy"]
    writer.writerow(["label", "name", "cluster", "training_rows", "f1", *axes])
    for row, one in enumerate(labels):
        places = [f"{value:.6g}" for plane in coordinates.values() for value in plane[row]]
        known = ["" if value is None else value for value in (one.rows, one.f1)]
        writer.writerow([one.label, one.name, one.cluster + 1, *known, *places])
    return stream.getvalue()
