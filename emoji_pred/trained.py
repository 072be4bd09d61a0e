"""The model of a finished run, whatever it is: a network or a linear model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emoji_pred import runs
from emoji_pred.errors import UserError
from emoji_pred.finished import read_result

if TYPE_CHECKING:
    from emoji_pred.linear_predictor import LinearPredictor
    from emoji_pred.predictor import Predictor

    AnyPredictor = Predictor | LinearPredictor


def load_predictor(directory: Path, device: str = "cpu") -> AnyPredictor:
    """The model of a run, ready to be asked: `load_predictor(directory).predict(texts)`.

    Args:
        directory: of the run.
        device: where a network computes, as torch names it: `cpu`, `cuda`.

    Raises:
        UserError: the run is not finished, a file of it is damaged or not of this suite, or the device cannot
            be used.
    """
    if runs.LINEAR in read_result(directory)["files"]:
        if device != "cpu":
            raise UserError(
                f"--device {device}: {directory} holds a linear model, which is computed on the cpu"
            )
        from emoji_pred.linear_predictor import LinearPredictor

        return LinearPredictor.load(directory)
    from emoji_pred.predictor import Predictor

    return Predictor.load(directory, device)
