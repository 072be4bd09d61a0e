"""Progress that suits where it is shown: a bar and a line an epoch on a terminal, lines in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from emoji_pred.lean_imports import lean_imports
from emoji_pred.process import LABEL
from emoji_pred.summary import duration

with lean_imports():  # a run imports Lightning here first
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import Callback, TQDMProgressBar

SILENCE_SECONDS = 60  # after which a log gets a line
REFRESH_STEPS = 25  # drawing a bar each step costs more than a step of a small model


class EpochBar(TQDMProgressBar):
    """Lightning's bar, with epochs counted as people and `EpochLines` count them."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=REFRESH_STEPS)

    def on_train_epoch_start(self, trainer: pl.Trainer, *modules: Any) -> None:
        """Begin the bar of an epoch."""
        super().on_train_epoch_start(trainer, *modules)
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}")

    def init_predict_tqdm(self) -> Any:
        """The bar of an evaluation, gone when it is done."""
        bar = super().init_predict_tqdm()
        bar.leave = False
        return bar

    def init_train_tqdm(self) -> Any:
        """The bar of training, gone when it is done: the lines of the epochs stay."""
        bar = super().init_train_tqdm()
        bar.leave = False
        return bar


class EpochLines(Callback):
    """One line after each epoch: losses, validation macro-F1, and the time still to go at most.

    Args:
        above_bar: the lines stand above a bar; without one, a long epoch or evaluation says each minute how
            far it is.
    """

    def __init__(self, above_bar: bool = False) -> None:
        self._above_bar = above_bar

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = self._spoke = time.monotonic()
        self._before = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say where a run goes on that was interrupted."""
        given = trainer.fit_loop.epoch_loop.batch_progress.current.ready if trainer.fit_loop.restarting else 0
        done = given / float(trainer.num_training_batches)  # 0 between two epochs
        self._before = trainer.current_epoch + done
        if self._before and trainer.is_global_zero:
            epochs = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
            self._say(f"continues in epoch {epochs} after {done:.0%} of its batches")

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say how far the epoch is, if it was silent for long."""
        if self._silent_for_long(trainer):
            part = (batch_idx + 1) / float(trainer.num_training_batches)
            epochs, total = trainer.current_epoch + part, trainer.max_epochs or 1
            self._say(
                f"epoch {trainer.current_epoch + 1}/{total}  {part:.0%}  "
                f"at most {self._remaining(epochs, total)} left"
            )

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print the line."""
        if not trainer.is_global_zero:
            return
        curves: Any = module.curves
        figures: dict[str, float] = curves[-1]
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 1
        self._say(
            f"epoch {done}/{total}  train loss {figures.get('train/loss', float('nan')):.4f}  "
            f"val loss {figures['val/loss']:.4f}  val macro-F1 {figures['val/macro_f1']:.4f}  "
            f"at most {self._remaining(done, total)} left"
        )

    def on_predict_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = self._spoke = time.monotonic()
        self._before = 0.0

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Say how far the evaluation is, if it was silent for long."""
        if self._silent_for_long(trainer):
            done, total = batch_idx + 1, int(trainer.num_predict_batches[0])
            self._say(f"evaluating  {done / total:.0%}  {self._remaining(done, total)} left")

    def _silent_for_long(self, trainer: pl.Trainer) -> bool:
        silent = time.monotonic() - self._spoke > SILENCE_SECONDS
        return silent and not self._above_bar and trainer.is_global_zero

    def _remaining(self, done: float, total: float) -> str:
        here = done - self._before
        if not here:  # continued in the validation of an epoch: nothing was trained here yet
            return "?"
        return duration((time.monotonic() - self._started) / here * (total - done))

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        line = os.environ.get(LABEL, "") + line
        if self._above_bar:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stdout)  # print would write into the bar
        else:
            print(line, flush=True)


def callbacks(progress: str) -> list[Callback]:
    """The Lightning callbacks for a `trainer.progress` setting."""
    if progress == "none":
        return []
    if _bars(progress):
        return [EpochBar(), EpochLines(above_bar=True)]
    return [EpochLines()]


def chunks(progress: str, items: Sequence[Any], description: str) -> Iterable[Any]:
    """Iterate over `items` under a progress bar where one can be seen."""
    if _bars(progress):
        from tqdm import tqdm

        return tqdm(items, desc=description, leave=False)
    return items


def _bars(progress: str) -> bool:
    return progress == "bar" or (progress == "auto" and sys.stderr.isatty())
