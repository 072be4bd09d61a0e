"""Loggers of a run: a CSV file of the learning curves, and what `logger=` adds to it."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from emoji_pred.run_tables import known_digits
from emoji_pred.runs import CURVES, SplitPredictions, public_overrides, replace_file

TITLE = 128  # characters of a run's name that W&B takes
NOT_IN_A_TITLE = ("logger", "force", "retry_failed", "trainer.progress")  # nothing of the experiment


def run_title(overrides: Sequence[str], name: str) -> str:
    """What trackers call a run: what the user typed of the experiment, or its name where that is nothing."""
    typed = [item for item in public_overrides(overrides) if not item.lstrip("+~").startswith(NOT_IN_A_TITLE)]
    title = " ".join(typed) or name
    return title if len(title) <= TITLE else f"{title[: TITLE - 1]}…"


def build_logger(
    options: Mapping[str, Any],
    run_directory: Path,
    run_title: str,
    config: Mapping[str, Any],
    continued: bool = False,
) -> list[Logger] | bool:
    """The loggers that `logger=` names, for Lightning's Trainer.

    Args:
        options: the resolved `logger` group: for each logger its settings.
        run_directory: where the loggers write; its name is the run's.
        run_title: what trackers call the run.
        config: the resolved configuration, stored with the run there.
        continued: the run goes on where an earlier process was interrupted.

    Returns:
        A list of loggers, or False for `logger=none`.

    Raises:
        UserError: a mode that does not exist, or a library that is not installed.
    """
    if "none" in options:
        return False
    loggers: list[Logger] = [EpochCSVLogger(run_directory / CURVES, continued)]
    if "tensorboard" in options:
        from emoji_pred.tensorboard_logger import build_tensorboard_logger

        loggers.append(build_tensorboard_logger(options["tensorboard"], run_directory, config))
    if "wandb" in options:
        from emoji_pred.wandb_logger import start_wandb_logger

        started = start_wandb_logger(options["wandb"], run_directory, run_title, config, continued)
        loggers += [] if started is None else [started]
    return loggers


@contextmanager
def told_of_the_end(loggers: Sequence[Logger] | bool) -> Iterator[None]:
    """Tell the loggers that keep a run open when training ends by an error or a signal."""
    try:
        yield
    except BaseException as error:
        for logger in loggers if isinstance(loggers, Sequence) else ():
            end_early = getattr(logger, "end_early", None)
            if end_early is not None:
                end_early(error)
        raise


def log_evaluation(
    loggers: Sequence[Logger] | bool,
    result: Mapping[str, Any],
    predictions: Mapping[str, SplitPredictions],
    texts: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Hand a finished run to the loggers, and close them; one that fails costs a warning, not the run.

    Args:
        loggers: what `build_logger` returned.
        result: the content of `result.json`.
        predictions: for each split row ids, targets (N,) or (N, C), probabilities (N, C).
        texts: the texts of the splits, in the rows' order; without them predictions are shown by row id.
    """
    for logger in loggers if isinstance(loggers, Sequence) else ():
        finish = getattr(logger, "log_evaluation", None)
        try:
            if finish is not None:
                finish(result, predictions, texts or {})
        except Exception as error:
            reason = str(error).partition("\n")[0]
            warnings.warn(
                f"the run is finished, but its logger {logger.name} failed: {type(error).__name__}: {reason}",
                stacklevel=2,
            )


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
        row.update({key: value for key, value in known_digits(metrics).items() if key != "epoch"})
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
