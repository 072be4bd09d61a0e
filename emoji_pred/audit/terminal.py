"""The audit on the terminal: tables of figures, then the findings, each with the command that mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emoji_pred import runs
from emoji_pred.audit.findings import percent
from emoji_pred.audit.surface_model import ABOVE_HALF, TUNED
from emoji_pred.errors import one_line

MOST_CLASSES = 10
COLOURS = {"leak": "bold red", "flaw": "yellow", "note": "dim"}
MOST_NOTES = 8
KINDS_OF_DUPLICATES = (
    *(("exact", "same"), ("normalised", "same, normalised")),
    *(("near", "nearly same"), ("near_normalised", "nearly same, normalised")),
)


def print_report(report: Mapping[str, Any], screen: Console, overrides: Sequence[str]) -> None:
    """Print what matters most of a report.

    Args:
        report: of `emoji_pred.audit.report.audit`.
        screen: where.
        overrides: as they were typed, for commands that can be pasted.
    """
    data = report["data"]
    kind = {"multiclass": "one label a text", "multilabel": "several labels a text"}[data["task"]]
    screen.print(Text(f"audit of {data['name']}: {len(data['label_names'])} classes, {kind}"), soft_wrap=True)
    for table in (_classes(report), _texts(report), _tokens(report)):
        screen.print(table)
    for line in _left_out(report):
        screen.print(Text(line), soft_wrap=True)
    _print_surface(report, screen)
    _print_findings(report, screen, overrides)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place == 0 else "right")
    return table


def _classes(report: Mapping[str, Any]) -> Table:
    counts, rows = report["classes"]["counts"], report["classes"]["rows"]
    names = report["data"]["label_names"]
    table = _table("class", *(f"{name} ({number:,})" for name, number in rows.items()))
    order = sorted(range(len(names)), key=lambda place: -counts["train"][place])
    for place in order[:MOST_CLASSES]:
        cells = (
            f"{values[place]:,} {percent(values[place] / rows[name]):>7}" for name, values in counts.items()
        )
        table.add_row(Text(_short(names[place])), *cells)
    if len(names) > MOST_CLASSES:
        left = order[MOST_CLASSES:]
        sums = {name: sum(values[place] for place in left) for name, values in counts.items()}
        cells = (f"{number:,} {percent(number / rows[name]):>7}" for name, number in sums.items())
        table.add_row(f"{len(left)} others", *cells)
    shift = (f"w {one['cohens_w']:.3f} {one['size']}" for one in report["shift"].values())
    table.add_row("shift from train", "", *shift)
    return table


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _texts(report: Mapping[str, Any]) -> Table:
    splits = list(report["classes"]["rows"])
    doubles, conflicts = report["duplicates"], report["conflicts"]
    best = "accuracy" if report["data"]["task"] == "multiclass" else "exact match"
    table = _table("texts", *splits)
    for kind, words in KINDS_OF_DUPLICATES:
        if "missing" not in doubles[kind]:
            inside = (f"{doubles[kind]['inside'][name]:,}" for name in splits)
            across = ("" if name == "train" else f"{doubles[kind]['across'][name]:,}" for name in splits)
            table.add_row(f"{words} inside the split", *inside)
            table.add_row(f"{words} as in an earlier split", *across)
    table.add_row(
        "rows with conflicting labels", *(f"{conflicts['exact'][name]['rows']:,}" for name in splits)
    )
    table.add_row(f"best reachable {best}", *(f"{conflicts['exact'][name]['best']:.3f}" for name in splits))
    return table


def _tokens(report: Mapping[str, Any]) -> Table:
    splits = list(report["classes"]["rows"])
    table = _table("length", *splits)
    lengths = report["contents"]["lengths"]
    for kind in ("characters", "words"):
        shown = (
            f"{lengths[split][kind]['median']:,.0f} {lengths[split][kind]['max']:,.0f}" for split in splits
        )
        table.add_row(f"{kind}, median and most", *shown)
    for one in report["contents"]["tokens"]:
        if "missing" in one:
            continue
        name = f"tokens of {one['tokenizer']}, median"
        table.add_row(name, *(f"{one['splits'][split]['median']:.0f}" for split in splits))
        cut = (percent(one["splits"][split]["truncated"]) for split in splits)
        table.add_row(f"{one['tokenizer']}, longer than {one['limit']}", *cut)
    return table


def _left_out(report: Mapping[str, Any]) -> list[str]:
    """What the tables lack, each with the reason, one line."""
    lines = [
        f"tokens of {one['tokenizer']}: left out: {one_line(one['missing'])}"
        for one in report["contents"]["tokens"]
        if "missing" in one
    ]
    near = report["duplicates"]["near"]
    return (
        [*lines, f"nearly the same texts: left out: {one_line(near['missing'])}"]
        if "missing" in near
        else lines
    )


def _print_surface(report: Mapping[str, Any], screen: Console) -> None:
    scores = report["leaks"]["surface_classifier"]
    if scores is None:
        return
    for name, one in scores["splits"].items():
        low, high = one["interval"]
        line = (
            f"without words, {name}: {100 * one['explained']:.1f} % of the labels' entropy explained "
            f"({100 * low:.1f} to {100 * high:.1f})"
        )
        if "accuracy" in one:
            line += (
                f"; accuracy {one['accuracy']:.3f} ± {one['accuracy_error']:.3f}, majority "
                f"{one['majority_accuracy']:.3f} ± {one['majority_accuracy_error']:.3f}"
            )
        if "answers" in one:
            f1 = _beside_constant(one["answers"], TUNED, "macro_f1", "macro F1")
            line += f"; {f1}, {_beside_constant(one['answers'], ABOVE_HALF, 'exact_match', 'exact match')}"
        screen.print(Text(line), soft_wrap=True)


def _beside_constant(answers: Mapping[str, Mapping[str, float]], of_tree: str, key: str, name: str) -> str:
    """A metric of several labels: of the tree, and the best of the answers that never change."""
    constant = {answer: one[key] for answer, one in answers.items() if answer not in (ABOVE_HALF, TUNED)}
    best = max(constant, key=lambda answer: constant[answer])
    return f"{name} {answers[of_tree][key]:.3f} ({best} {constant[best]:.3f})"


def _print_findings(report: Mapping[str, Any], screen: Console, overrides: Sequence[str]) -> None:
    typed = _commands(report, overrides)
    notes = 0
    screen.print()
    for one in report["findings"]:
        notes += one["status"] == "note"
        if one["status"] == "note" and notes > MOST_NOTES:
            continue
        line = Text(f"{one['status']}: ", style=COLOURS[one["status"]])
        screen.print(line.append(Text(one["line"], style="default")), soft_wrap=True)
        for remedy in one["remedies"]:
            screen.print(Text(f"      {typed(remedy)}   # {remedy['what']}"), soft_wrap=True)
        if one["status"] == "leak" and not one["remedies"]:
            screen.print(Text("      no option mends it here", style="dim"), soft_wrap=True)
    if notes > MOST_NOTES:
        screen.print(Text(f"and {notes - MOST_NOTES} more notes on the page", style="dim"))
    verdict = report["verdict"]
    words = [f"{number} {status if number == 1 else status + 's'}" for status, number in verdict.items()]
    screen.print(Text(", ".join(words) + ("" if verdict["leak"] else "; no leak was found")), soft_wrap=True)


def _commands(report: Mapping[str, Any], overrides: Sequence[str]) -> Any:
    """What is typed to try a remedy: on the terminal with the paths as the user gave them."""
    from emoji_pred.audit.findings import Remedy, command

    if list(overrides) == runs.public_overrides(overrides):
        return lambda remedy: remedy["command"]
    return lambda remedy: command(overrides, Remedy(remedy["option"], remedy["what"]))
