"""Progress that suits where it is shown: a bar on a terminal, a line an epoch in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from emoji_pred.without_transformers import without_transformers

with without_transformers():  # a run imports Lightning here first
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import Callback, TQDMProgressBar

REFRESH_STEPS = 25  # drawing a bar each step costs more than a step of a small model


class EpochLines(Callback):
    """One line after each epoch: losses, validation macro-F1, and the time still to go at most."""

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print the line."""
        if not trainer.is_global_zero:
            return
        curves: Any = module.curves
        figures: dict[str, float] = curves[-1]
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 1
        remaining = (time.monotonic() - self._started) / done * (total - done)
        print(
            f"epoch {done}/{total}  train loss {figures.get('train/loss', float('nan')):.4f}  "
            f"val loss {figures['val/loss']:.4f}  val macro-F1 {figures['val/macro_f1']:.4f}  "
            f"at most {remaining:.0f} s left",
            flush=True,
        )


def callbacks(progress: str) -> list[Callback]:
    """The Lightning callbacks for a `trainer.progress` setting."""
    if progress == "none":
        return []
    if progress == "bar" or (progress == "auto" and sys.stderr.isatty()):
        return [TQDMProgressBar(refresh_rate=REFRESH_STEPS)]
    return [EpochLines()]


def chunks(progress: str, items: Sequence[Any], description: str) -> Iterable[Any]:
    """Iterate over `items` under a progress bar where one can be seen."""
    if progress == "bar" or (progress == "auto" and sys.stderr.isatty()):
        from tqdm import tqdm

        return tqdm(items, desc=description, leave=False)
    return items
