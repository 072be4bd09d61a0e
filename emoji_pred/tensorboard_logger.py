"""TensorBoard: scalars by epoch, settings with the final metrics, tables of the evaluation as text."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from emoji_pred.errors import UserError
from emoji_pred.run_tables import RowTable, last_split, run_tables, scalars
from emoji_pred.runs import SplitPredictions

FOLDER = "tensorboard"  # in the run's directory
LEFT_OUT = ("logger", "force", "retry_failed")  # of the configuration: nothing of the experiment


class EpochTensorBoardLogger(TensorBoardLogger):
    """Lightning's logger with epochs as steps, which starts to write at the first of them.

    Args:
        directory: of the run.
        config: the resolved configuration.
        shown_predictions: rows of the table of predictions.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any], shown_predictions: int) -> None:
        super().__init__(directory, name=FOLDER, version="", default_hp_metric=False)
        self.settings, self.shown_predictions = flat(config), shown_predictions
        self._last_epoch: int | None = None

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add the figures of an epoch; those of later epochs that are there already do not count any more.

        They come from a run that was interrupted after its last state, or trained before with `force=true`.
        """
        figures = dict(metrics)
        epoch = int(figures.pop("epoch", 0))
        if self._last_epoch is None:
            self._kwargs["purge_step"] = epoch  # read by the writer, which is made at first use
        self._last_epoch = epoch
        super().log_metrics(figures, epoch)

    @rank_zero_only
    def log_evaluation(
        self,
        result: Mapping[str, Any],
        predictions: Mapping[str, SplitPredictions],
        texts: Mapping[str, Sequence[str]],
    ) -> None:
        """Add the settings with the final metrics, and the tables; close the file."""
        self.log_hyperparams(self.settings, scalars(result))
        split, epoch = last_split(result), self._last_epoch or 0
        for name, table in run_tables(result, predictions, texts, self.shown_predictions).items():
            shown = _square(table) if name == "confusion_matrix" else table
            self.experiment.add_text(f"{split}/{name}", markdown(shown), epoch)
        self.experiment.close()

    def end_early(self, error: BaseException) -> None:
        """Close the file of a run that ends before its evaluation."""
        if self._experiment is not None:
            self._experiment.close()

    def finalize(self, status: str) -> None:
        """Nothing: Lightning calls this after training too, when the evaluation is still to come."""

    def save(self) -> None:
        """Nothing: Lightning would write the settings into a YAML file, and begin before the first epoch."""


def build_tensorboard_logger(
    options: Mapping[str, Any], directory: Path, config: Mapping[str, Any]
) -> EpochTensorBoardLogger:
    """The logger of `logger=tensorboard`.

    Raises:
        UserError: TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("logger=tensorboard needs a package: pip install 'emoji_pred[trackers]'")
    return EpochTensorBoardLogger(directory, config, int(options["predictions"]))


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by dotted key, as TensorBoard takes them: numbers, truth values and text."""
    settings: dict[str, Any] = {}
    for key, value in config.items():
        if key in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            settings |= {f"{key}.{inner}": leaf for inner, leaf in flat(value).items()}
        else:
            settings[key] = value if isinstance(value, bool | int | float | str) else str(value)
    return settings


def _square(confusion: RowTable) -> RowTable:
    """The confusion matrix with a row for each true class, and a column for each predicted one."""
    labels = list(dict.fromkeys(row[0] for row in confusion.rows))
    counts = [row[2] for row in confusion.rows]
    rows = [[label, *counts[at * len(labels) :][: len(labels)]] for at, label in enumerate(labels)]
    return RowTable(["true \\ predicted", *labels], rows)


def markdown(table: RowTable) -> str:
    """A table as TensorBoard shows it in a text."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(shown.replace("|", "\\|").split())
