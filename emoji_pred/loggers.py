"""Loggers of a run: a CSV file of the learning curves, and what `logger=` adds to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from emoji_pred.errors import UserError
from emoji_pred.runs import CURVES, SplitPredictions, replace_file


def build_logger(
    options: Mapping[str, Any],
    run_directory: Path,
    run_name: str,
    config: Mapping[str, Any],
    continued: bool = False,
) -> list[Logger] | bool:
    """The loggers that `logger=` names, for Lightning's Trainer.

    Args:
        options: the resolved `logger` group.
        run_directory: where the loggers write.
        run_name: what the run is called at Weights & Biases.
        config: the resolved configuration, stored with the run there.
        continued: the run goes on where an earlier process was interrupted.

    Returns:
        A list of loggers, or False for `logger=none`.

    Raises:
        UserError: an unknown logger or mode.
    """
    name = options["name"]
    if name == "none":
        return False
    loggers: list[Logger] = [EpochCSVLogger(run_directory / CURVES, continued)]
    if name == "wandb":
        from emoji_pred.wandb_logger import start_wandb_logger

        loggers.append(start_wandb_logger(options, run_directory, run_name, config))
    elif name != "csv":
        raise UserError(f"logger.name={name} is not a logger; choose csv, wandb or none")
    return loggers


def log_evaluation(
    loggers: Sequence[Logger] | bool,
    result: Mapping[str, Any],
    predictions: Mapping[str, SplitPredictions],
    texts: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Hand a finished run to the loggers, and close them.

    Args:
        loggers: what `build_logger` returned.
        result: the content of `result.json`.
        predictions: for each split row ids, targets (N,) or (N, C), probabilities (N, C).
        texts: the texts of the splits, in the rows' order; without them predictions are shown by row id.
    """
    for logger in loggers if isinstance(loggers, Sequence) else ():
        finish = getattr(logger, "log_evaluation", None)
        if finish is not None:
            finish(result, predictions, texts or {})


class EpochCSVLogger(Logger):
    """Learning curves as a CSV file: one row per epoch, written once per epoch and never in between.

    Lightning's own logger keeps a directory for each version, writes each call of `log_metrics` as a row of
    its own, and keeps the last ones in memory until the end.

    Args:
        path: the file; one that exists is replaced at the first row.
        continued: the rows of earlier epochs are kept from the file that exists.
    """

    def __init__(self, path: Path, continued: bool = False) -> None:
        super().__init__()
        self.path = path
        self._rows: dict[int, dict[str, Any]] = {}
        self._continued = continued

    @property
    def name(self) -> str:
        """What Lightning calls this logger."""
        return "csv"

    @property
    def version(self) -> str:
        """The directory is the run's own, so there is nothing to count."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: `result.json` holds the configuration."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add metrics to the row of their epoch and write the file."""
        epoch = int(metrics.get("epoch", len(self._rows)))
        if self._continued:
            self._rows, self._continued = _rows_before(self.path, epoch), False
        row = self._rows.setdefault(epoch, {"epoch": epoch})
        # Lightning hands on float32: seven digits are all it knows.
        row.update({key: float(f"{value:.7g}") for key, value in metrics.items() if key != "epoch"})
        if step is not None:
            row["step"] = step
        names = list(dict.fromkeys(name for row in self._rows.values() for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows.values())
        with replace_file(self.path) as stream:
            stream.write(text.getvalue().encode())


def _rows_before(path: Path, epoch: int) -> dict[int, dict[str, Any]]:
    """The rows of earlier epochs, as the file has them; none where it cannot be read."""
    with suppress(OSError, ValueError, KeyError), path.open(newline="", encoding="utf-8") as stream:
        rows = {int(row["epoch"]): dict(row) for row in csv.DictReader(stream)}
        return {number: row for number, row in rows.items() if number < epoch}
    return {}
