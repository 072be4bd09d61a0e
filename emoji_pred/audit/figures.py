"""Figures of the page as HTML and SVG: bars, a histogram, a table of shades; no script, picture or font."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emoji_pred.audit.characters import EMOJI, kind_of

SPLIT_CLASSES = {"train": "one", "validation": "two", "test": "three"}
HEIGHT, WIDTH = 120, 480  # of a histogram, in its own units
LONGEST_LABEL = 40  # characters
EMOJI_STYLE = "\ufe0f"
MOST_SHADED = 24  # labels of a table of shades


def label(name: str) -> str:
    """A label as it is read in its own direction, an emoji in colour."""
    short = name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"
    # Signs such as a heart have a plain form and a coloured one, which this asks for.
    short += EMOJI_STYLE if len(short) == 1 and ord(short) > 0xFF and kind_of(ord(short)) == EMOJI else ""
    return f'<bdi class="label">{html.escape(short)}</bdi>'


def class_bars(
    names: Sequence[str], shares: Mapping[str, Sequence[float]], counts: Mapping[str, Sequence[int]]
) -> str:
    """A row for each class: its share of each split as a bar, its rows as numbers."""
    most = max((share for values in shares.values() for share in values), default=0) or 1
    order = sorted(range(len(names)), key=lambda place: -shares["train"][place])
    rows = []
    for place in order:
        bars = "".join(_bar(split, values[place], most) for split, values in shares.items())
        numbers = "".join(f"<td class=number>{values[place]:,}</td>" for values in counts.values())
        rows.append(f"<tr><th scope=row>{label(names[place])}</th><td class=bars>{bars}</td>{numbers}</tr>")
    heads = "".join(f"<th class=number>{split}</th>" for split in counts)
    return table(f"<th>class</th><th>{legend(list(shares))}</th>{heads}", rows)


def _bar(split: str, share: float, most: float) -> str:
    return (
        f'<div class="bar {SPLIT_CLASSES[split]}" style="width:{100 * share / most:.1f}%" '
        f'title="{split}: {100 * share:.2f} %"></div>'
    )


def legend(splits: Sequence[str]) -> str:
    """Which colour is which split."""
    return " ".join(f'<span class="key {SPLIT_CLASSES[split]}"></span>{split}' for split in splits)


def share_bars(shares: Mapping[str, float]) -> str:
    """A row for each name with its share as a bar."""
    most = max(shares.values(), default=0) or 1
    return table(
        "<th></th><th>share</th><th class=number>%</th>",
        [
            f"<tr><th scope=row>{html.escape(name)}</th><td class=bars>"
            f'<div class="bar one" style="width:{100 * share / most:.1f}%"></div></td>'
            f"<td class=number>{100 * share:.2f}</td></tr>"
            for name, share in shares.items()
        ],
    )


def histogram(edges: Sequence[int], texts: Mapping[str, Sequence[int]], limit: int) -> str:
    """Shares of the texts by length, a line for each split; the last column holds what is beyond the limit.

    Args:
        edges: E + 1 lower ends; column i holds lengths from edges[i] on.
        texts: by split, E + 1 counts, the last of them of lengths beyond the limit.
        limit: of the model.
    """
    columns = len(next(iter(texts.values())))
    step, floor = WIDTH / columns, HEIGHT + 12
    tops = {split: [count / max(sum(counts), 1) for count in counts] for split, counts in texts.items()}
    most = max(max(shares) for shares in tops.values()) or 1
    parts = [
        f'<rect class=beyond x="{(columns - 1) * step:.1f}" y="12" width="{step:.1f}" height="{HEIGHT}"/>'
    ]
    for split, shares in tops.items():
        points = " ".join(
            f"{(place + side) * step:.1f},{floor - HEIGHT * share / most:.1f}"
            for place, share in enumerate(shares)
            for side in (0, 1)
        )
        parts.append(f'<polyline class="{SPLIT_CLASSES[split]}" points="{points}"/>')
    for place in range(0, columns - 1, max(columns // 6, 1)):
        parts.append(f'<text x="{place * step:.1f}" y="{floor + 16}">{edges[place]}</text>')
    parts.append(f'<text x="{WIDTH}" y="{floor + 16}" text-anchor="end">&gt; {limit}</text>')
    parts.append(f'<line x1="0" x2="{WIDTH}" y1="{floor}" y2="{floor}"/>')
    return (
        f'<svg class=histogram viewBox="0 0 {WIDTH} {floor + 22}" role="img" '
        f'aria-label="Texts by their length in tokens">{"".join(parts)}</svg>'
    )


def shades(names: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> str:
    """Labels against labels: the more often they stand together, the darker; the labels that do so most."""
    both: dict[tuple[str, ...], int] = {tuple(pair["labels"]): pair["both"] for pair in pairs}
    kept = [name for name in names if any(name in pair for pair in both)][:MOST_SHADED]
    most = max(both.values(), default=1)
    rows = []
    for first in kept:
        cells = ""
        for second in kept:
            number = both.get((first, second)) or both.get((second, first)) or 0
            depth = round(85 * number / most)
            shade = (
                f' style="background:color-mix(in srgb, var(--one) {depth}%, transparent)"' if number else ""
            )
            cells += f"<td{shade}>{number if number else ''}</td>"
        rows.append(f"<tr><th scope=row>{label(first)}</th>{cells}</tr>")
    heads = "".join(f"<th>{label(name)}</th>" for name in kept)
    return table(f"<th></th>{heads}", rows, "shades")


def numbers(values: Iterable[object]) -> str:
    """Cells of a row, to the right."""
    return "".join(f"<td class=number>{value}</td>" for value in values)


def row(name: object, cells: str) -> str:
    """A row that begins with its name."""
    return f"<tr><th scope=row>{html.escape(str(name))}</th>{cells}</tr>"


def heads(first: str, names: Iterable[str]) -> str:
    """The head of a table whose columns hold numbers, all but the first."""
    return f"<th>{first}</th>" + "".join(f"<th class=number>{name}</th>" for name in names)


def table(head: str, rows: Sequence[str], kind: str = "") -> str:
    """A table that scrolls by itself where the screen is too narrow."""
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class=scroll><table class="{kind}">{body}</table></div>'
