"""What the fitting of a model leaves for the run's result, whatever model it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoji_pred import runs


@dataclass(frozen=True)
class Outcome:
    """What training and evaluation leave for the run's result.

    Attributes:
        figures: parameters, curves, best epoch, validation and test metrics, padding; of a linear model too
            how it was fitted, and what its probabilities are.
        predictions: of each evaluated split: row ids, targets, probabilities (N, C) float32.
        checkpoint: the file of the model, under a name of its own until the result is whole.
        log_evaluation: hands the finished result to the loggers.
        on_gpu: where the model was trained.
        seconds_before: that processes trained which were interrupted.
        interruptions: how often.
        forget_states: removes what was kept to continue.
        name: what the file of the model is called in the run's directory.
        told_of_the_end: in its context an error is told to the loggers, until they have the result.
    """

    figures: dict[str, Any]
    predictions: dict[str, runs.SplitPredictions]
    checkpoint: Path
    log_evaluation: Callable[[dict[str, Any]], None]
    on_gpu: bool
    seconds_before: float
    interruptions: int
    forget_states: Callable[[], None]
    name: str = runs.CHECKPOINT
    told_of_the_end: Callable[[], AbstractContextManager[None]] = nullcontext
