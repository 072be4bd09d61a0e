"""A finished run of a linear model as an object that answers, without torch; for networks see `predictor`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from emoji_pred.data.prepare import Cleaning
from emoji_pred.decision import decision_of
from emoji_pred.finished import read_result
from emoji_pred.models.linear import LinearClassifier
from emoji_pred.models.linear_file import read_linear


class LinearPredictor:
    """The linear model of a run, ready to be asked.

    Args:
        model: fitted.
        label_names: C names, in class order.
        result: of the run, as in `result.json`.

    Attributes:
        decision: which labels a text is given, as the run chose it on its validation rows; None for one label
            a text.
    """

    def __init__(self, model: LinearClassifier, label_names: Sequence[str], result: dict[str, Any]) -> None:
        self.model, self.task = model, model.task
        self.label_names, self.result = tuple(label_names), result
        self.cleaning = Cleaning.of_run(result)
        self.decision = decision_of(result, len(label_names)) if self.task == "multilabel" else None

    @classmethod
    def load(cls, directory: Path) -> LinearPredictor:
        """Read the model of a finished run: arrays and JSON alone, nothing is executed.

        Args:
            directory: of the run.

        Raises:
            UserError: the run is not finished, or a file of it is damaged or not of this suite.
        """
        result = read_result(directory)
        model, described = read_linear(directory / runs.LINEAR)
        return cls(model, described.label_names, result)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities (N, C) float32 of N texts, in their order; each is cleaned as those of the run were.

        A text without a known n-gram is answered by the intercepts: what is probable of any text.
        """
        return self.model.predict([self.cleaning(text) for text in texts])
