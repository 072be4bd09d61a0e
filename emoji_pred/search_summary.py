"""What a user reads of a search: a line a trial, a table at the end, and the command of the best run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from emoji_pred.search_space import Space, draw, key_of
from emoji_pred.summary import console, duration, write_rows

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SHOWN = 10  # trials of the table on the screen; the files hold all
STATUS = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


def command_of(overrides: Sequence[str]) -> str:
    """The command that trains what the overrides say, for a shell."""
    return shlex.join(["python", "train.py", *overrides])


def start_line(number: int, total: int, drawn: Sequence[str], continued: bool) -> str:
    """Which trial starts, or is taken up again, and with what."""
    again = " (continued)" if continued else ""
    return f"trial {number + 1} of {total}{again}: {_short(drawn)}"


def end_line(trial: FrozenTrial, best: FrozenTrial | None, seconds_left: float) -> str:
    """How a trial ended, the best so far, and about how long the rest will take."""
    record = "" if best is None else f"; best {best.value:.4f} (trial {best.number + 1})"
    left = f"; about {duration(seconds_left)} left" if seconds_left else ""
    return f"trial {trial.number + 1} {_ending(trial)}{record}{left}"


def print_trials(trials: Sequence[FrozenTrial], space: Space, stream: TextIO | None = None) -> None:
    """Print the best trials as one table, and why others failed."""
    screen = console(stream)
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    for header in ("trial", "status", "validation\nmacro F1"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold")
    table.add_column("run", no_wrap=True)
    ranked = _ranked(trials)
    for trial in ranked[:SHOWN]:
        row = _row(trial, space)
        value = "" if row["validation_macro_f1"] == "" else f"{row['validation_macro_f1']:.4f}"
        settings = Text(_short(draw(trial, space)))
        table.add_row(str(row["trial"]), row["status"], value, settings, row["run"])
    screen.print()
    screen.print(table)
    if len(ranked) > SHOWN:
        screen.print(f"The {SHOWN} best of {len(ranked)} trials.")
    for trial in trials:
        if trial.state.name == "FAIL":
            screen.print(Text(f"trial {trial.number + 1} {_ending(trial)}"), soft_wrap=True)


def write_trials(trials: Sequence[FrozenTrial], space: Space, directory: Path, name: str) -> Path:
    """Write all trials, the best first, as `<name>.csv` and `<name>.md`; returns the Markdown file."""
    return write_rows([_row(trial, space) for trial in _ranked(trials)], directory, name)


def _short(overrides: Sequence[str]) -> str:
    """The overrides by the last part of their keys, where it tells them apart."""
    last = [key_of(override).rpartition(".")[2] for override in overrides]
    shown = [
        override if last.count(name) > 1 else f"{name}={override.partition('=')[2]}"
        for override, name in zip(overrides, last, strict=True)
    ]
    return " ".join(shown)


def _ranked(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Finished ones by macro-F1, then pruned ones, then the others."""
    order = ("COMPLETE", "PRUNED", "FAIL")
    over = [trial for trial in trials if trial.state.name in order]
    return sorted(over, key=lambda trial: (order.index(trial.state.name), -(trial.value or 0.0)))


def _row(trial: FrozenTrial, space: Space) -> dict[str, Any]:
    notes = trial.user_attrs
    values = {key_of(override): override.partition("=")[2] for override in draw(trial, space)}
    return {
        "trial": trial.number + 1,
        "status": STATUS[trial.state.name],
        "validation_macro_f1": "" if trial.value is None else trial.value,
        "epochs": len(trial.intermediate_values),
        "seconds": notes.get("seconds", ""),
        **values,
        "run": notes.get("run", ""),
        "error": notes.get("error", ""),
    }


def _ending(trial: FrozenTrial) -> str:
    if trial.state.name == "COMPLETE":
        return f"finished: macro-F1 {trial.value:.4f}"
    if trial.state.name == "PRUNED":
        epochs = len(trial.intermediate_values)
        return f"pruned after {epochs} epoch{'s' * (epochs > 1)}: macro-F1 {trial.value:.4f}"
    return f"failed: {trial.user_attrs.get('error', '')}"
