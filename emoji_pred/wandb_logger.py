"""Weights & Biases: what it is told of a run, a run that continues, one warning where it fails.

W&B itself runs in a process of its own (`wandb_process`): a server that is slow or gone, a full directory or
a crash of W&B's service costs the training process nothing but that warning.
"""

from __future__ import annotations

import json
import os
import secrets
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from emoji_pred import rank
from emoji_pred.errors import Stopped
from emoji_pred.run_tables import known_digits, last_split, run_tables, scalars
from emoji_pred.runs import RESULT, SplitPredictions
from emoji_pred.side_process import SideProcess
from emoji_pred.wandb_mode import wandb_mode

NOTE = "wandb.json"  # in the run's directory: id of the W&B run, and the last epoch that was logged
UNANSWERED = 5.0  # seconds that the end of a run waits for a server that was never reached
LEFT_OUT = ("logger", "force", "retry_failed")  # of the configuration: nothing of the experiment

Predictions = Mapping[str, SplitPredictions]


class RunWandbLogger(Logger):
    """Hands figures to the process that talks to W&B; waits for it only at the end, and not for long.

    Args:
        process: of `wandb_process`, started and greeted.
        directory: of the run.
        note: content of the file `NOTE`.
        shown_predictions: rows of the table of predictions.
        timeout: seconds to wait for the upload at the end.
        start_timeout: seconds to wait at the end where W&B has not even started.
    """

    def __init__(
        self,
        process: SideProcess,
        directory: Path,
        note: dict[str, Any],
        shown_predictions: int,
        timeout: float,
        start_timeout: float,
    ) -> None:
        super().__init__()
        self.process, self.directory, self.note = process, directory, note
        self.shown_predictions = shown_predictions
        self.timeout, self.start_timeout = timeout, start_timeout
        self._heard: dict[str, Any] = {}
        self._warned = self._ended = False

    @property
    def name(self) -> str:
        """What Lightning calls this logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """The id of the W&B run."""
        return str(self.note["id"])

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration was given when the W&B run was started."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add the figures of an epoch, unless an interrupted process has logged that epoch before."""
        epoch = int(metrics.get("epoch", self.note["epoch"] + 1))
        if epoch > self.note["epoch"]:
            self.process.send(
                {"epoch": epoch, "values": {**known_digits(metrics), "epoch": epoch, "step": step}}
            )
            self.note["epoch"] = epoch
            _write_note(self.directory, self.note)
        self._listen(self.process.heard())
        if self.process.gone:
            self._warn("its process has ended")

    @rank_zero_only
    def log_evaluation(
        self, result: Mapping[str, Any], predictions: Predictions, texts: Mapping[str, Sequence[str]]
    ) -> None:
        """Add metrics, charts, tables and the result file of the finished run, and end the W&B run."""
        tables = run_tables(result, predictions, texts, self.shown_predictions)
        evaluation = {
            "scalars": scalars(result),
            "split": last_split(result),
            "tables": {name: asdict(table) for name, table in tables.items()},
            "step": self.note["epoch"] + 1,
            "result_file": str(self.directory / RESULT),
        }
        self.process.send({"evaluation": evaluation})
        self._end()
        if "done" in self._heard and "unreachable" not in self._heard:
            print(self._place(), flush=True)

    @rank_zero_only
    def end_early(self, error: BaseException) -> None:
        """End the W&B run of a run that was stopped or failed; a stopped one is marked as to be continued."""
        self.process.send({"stopped": isinstance(error, Stopped)})
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._listen(self.process.close(self._patience))
        if "unreachable" in self._heard:
            self._warn("the server does not answer")
        elif "done" in self._heard or "failed" in self._heard:
            return
        elif self.process.gone:
            self._warn("its process has ended")
        elif "directory" not in self._heard:
            self._warn("it has not started yet, and goes on alone")
        else:
            self._warn(f"the upload has not ended within logger.wandb.timeout={self.timeout:g} seconds")

    def _patience(self, heard: list[dict[str, Any]]) -> float:
        """Seconds to wait at the end: an upload gets its time, a server that is silent gets none."""
        known = dict(self._heard)
        for message in heard:
            known |= message
        if "unreachable" in known or "failed" in known:
            return 0.0
        return self.timeout if "directory" in known else self.start_timeout

    def _listen(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self._heard |= message
        if "failed" in self._heard:
            self._warn(self._heard["failed"])
        elif "offline" in self._heard:
            self._warn(f"{self._heard['offline']}: the run is kept offline")

    def _warn(self, reason: str) -> None:
        """The one warning of a run."""
        if not self._warned:
            self._warned = True
            one = None if "unreachable" in self._heard else self._heard.get("directory")
            folder = one or self.directory / "wandb" / "*run-*"
            warnings.warn(
                f"W&B: {reason}; training is not affected; `wandb sync {folder}` uploads what was kept",
                stacklevel=2,
            )

    def _place(self) -> str:
        """Where the W&B run lies, for the user."""
        if self._heard["url"]:
            return f"W&B: {self._heard['url']}"
        return f"W&B: kept offline; `wandb sync {self._heard['directory']}` uploads it"


def start_wandb_logger(
    options: Mapping[str, Any],
    run_directory: Path,
    run_title: str,
    config: Mapping[str, Any],
    continued: bool = False,
) -> RunWandbLogger | None:
    """Start the process that talks to W&B, and wrap it for Lightning.

    Args:
        options: the settings of `logger=wandb`.
        run_directory: of the run.
        run_title: what the run is called there.
        config: the resolved configuration; it stays nested, as W&B shows `a.b` for it, and its filters and
            charts find it by that name. A key with a dot in it they would not find.
        continued: continue the W&B run of the interrupted process.

    Returns:
        None where W&B is disabled, and in the helper processes of a distributed run.

    Raises:
        UserError: a mode that does not exist.
    """
    mode = wandb_mode(options["mode"])
    if mode == "disabled" or not rank.is_first():
        return None
    note = (_read_note(run_directory) if continued else None) or _new_note(run_directory)
    settings = {key: value for key, value in config.items() if key not in LEFT_OUT}
    arguments = {key: options[key] or None for key in ("project", "entity", "group")}
    arguments |= {"name": run_title, "tags": list(options["tags"]), "dir": str(run_directory)}
    arguments |= {"config": {"run": run_directory.name, **settings}, "id": note["id"], "resume": "allow"}
    timeout = float(options["timeout"])
    process = SideProcess("emoji_pred.wandb_process")
    process.send({"mode": mode, "timeout": timeout, "pid": os.getpid(), "arguments": arguments})
    start_timeout = min(timeout, UNANSWERED) if mode == "online" else timeout
    shown = int(options["predictions"])
    return RunWandbLogger(process, run_directory, note, shown, timeout, start_timeout)


def _new_note(directory: Path) -> dict[str, Any]:
    """Of a run that starts from the beginning: an id of its own, as a W&B run once finished takes no more."""
    note = {"id": f"{directory.name}-{secrets.token_hex(4)}", "epoch": -1}
    _write_note(directory, note)
    return note


def _read_note(directory: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads((directory / NOTE).read_text(encoding="utf-8"))
        return {"id": str(note["id"]), "epoch": int(note["epoch"])}
    return None


def _write_note(directory: Path, note: Mapping[str, Any]) -> None:
    """Keep what a continued run needs to go on with its W&B run; without it, it starts another."""
    with suppress(OSError):
        (directory / NOTE).write_text(json.dumps(note), encoding="utf-8")
