"""Loss by class weights by architecture, as a table of shades: any table whose experiments set all three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments import numbers
from experiments.html_report import wording
from experiments.html_report.collected import Collected
from experiments.measured import Measured
from experiments.table import Experiment, Table

Linked = tuple[Measured | None, str]  # and the id of the cell in the page
AXES = ("model", "loss", "alpha")


def section(table: Table, collected: Collected) -> str:
    """A table of shades for each column; "" where the table is no such grid, or nothing was measured."""
    settings = [_settings(row.cells[0].experiment) if row.cells[0] else {} for row in table.rows]
    if len(settings) < 4 or not all(all(axis in one for axis in AXES) for one in settings):
        return ""
    if any(len({one[axis] for one in settings}) < 2 for axis in AXES[1:]):
        return ""
    parts = []
    for column, head in enumerate(table.head):
        links = [f"{table.name}-{row + 1}-{column + 1}" for row in range(len(table.rows))]
        cells = [row.cells[column] for row in table.rows]
        measured = [collected.shelf.measured(cell) if cell else None for cell in cells]
        if any(one and one.values for one in measured):
            heat = _heat(settings, list(zip(measured, links, strict=True)))
            parts.append(f"<figure><figcaption>{wording.escape(head)}</figcaption>{heat}</figure>")
    return f"<div class=heats>{''.join(parts)}</div>" if parts else ""


def _settings(experiment: Experiment) -> dict[str, str]:
    typed = experiment.measured or experiment.published or ()
    pairs = (override.partition("=") for override in typed)
    return {key: value for key, _, value in pairs}


def _heat(settings: Sequence[Mapping[str, str]], cells: Sequence[Linked]) -> str:
    """Architectures and losses down, class weights across; the higher a number, the darker."""
    places = {tuple(one[axis] for axis in AXES): cell for one, cell in zip(settings, cells, strict=True)}
    models, losses, alphas = (list(dict.fromkeys(one[axis] for one in settings)) for axis in AXES)
    values = [one.mean for one, _ in cells if one and one.mean is not None]
    low, high = min(values), max(values)
    rows = []
    for model in models:
        for loss in losses:
            row = "".join(_shade(places.get((model, loss, alpha)), low, high) for alpha in alphas)
            label = f"{wording.escape(model)} <small>{wording.escape(loss)}</small>"
            rows.append(f"<tr><th scope=row>{label}</th>{row}</tr>")
    heads = "".join(f"<th scope=col>{wording.escape(alpha)}</th>" for alpha in alphas)
    return (
        f"<div class=scroll><table class=heat><thead><tr><th scope=col></th>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _shade(cell: Linked | None, low: float, high: float) -> str:
    measured, link = cell or (None, "")
    if measured is None or measured.mean is None:
        return "<td class=empty>○</td>"
    depth = round(8 + 62 * (measured.mean - low) / ((high - low) or 1))
    return f'<td style="--depth:{depth}%"><a href="#{wording.escape(link)}">{numbers.mean(measured)}</a></td>'
