"""A linear model in one safetensors file: arrays and JSON, nothing that could be executed.

The vocabulary is one run of UTF-8 with the length of each n-gram. scikit-learn's own objects in skops' format
would hold an entry of JSON for each of a million n-grams, and tie a run to a version of scikit-learn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from emoji_pred.errors import UserError, one_line
from emoji_pred.models.calibration import Calibration
from emoji_pred.models.linear import LinearClassifier
from emoji_pred.models.ngrams import Ngrams

FORMAT = "emoji_pred.linear.1"
# Pydantic's errors and those of decoding are ValueErrors; nested too deep, JSON is a RecursionError.
UNREADABLE = (ValueError, LookupError, TypeError, OSError, MemoryError, RecursionError)


class _Part(BaseModel):
    """The options of one kind of n-grams."""

    model_config = ConfigDict(extra="forbid", strict=True)
    ngrams: list[PositiveInt] = Field(min_length=2, max_length=2)
    min_df: PositiveInt
    max_features: PositiveInt | None
    sublinear_tf: bool
    lowercase: bool
    within_words: bool | None = None

    @field_validator("ngrams")
    @classmethod
    def _ends_rise(cls, ends: list[int]) -> list[int]:
        if ends[0] > ends[1]:
            raise ValueError("the shortest comes first, then the longest")
        return ends


class _Calibrated(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    method: Literal["sigmoid", "isotonic", "temperature"]
    labels: list[int]
    temperature: float = Field(gt=0, allow_inf_nan=False)


class Description(BaseModel):
    """What the file says beside its arrays.

    Attributes:
        format: of the file.
        task: `multiclass` or `multilabel`.
        label_names: C names.
        link: see `LinearClassifier`.
        ngrams: options of each kind, in the order of the columns.
        calibration: of the probabilities.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal["emoji_pred.linear.1"]
    task: Literal["multiclass", "multilabel"]
    label_names: list[str] = Field(min_length=1)
    link: Literal["logistic", "softmax"]
    ngrams: dict[Literal["words", "characters"], _Part] = Field(min_length=1)
    calibration: _Calibrated | None


def content_of(model: LinearClassifier, label_names: list[str]) -> bytes:
    """The bytes of a model's file.

    Args:
        model: fitted.
        label_names: C names, in class order.
    """
    from safetensors.numpy import save

    arrays = {"weights": model.weights, "intercepts": model.intercepts, "known": model.known}
    for part in model.ngrams:
        joined = "".join(part.terms).encode("utf-8", "surrogatepass")
        arrays[f"{part.kind}.terms"] = np.frombuffer(joined, dtype=np.uint8)
        arrays[f"{part.kind}.lengths"] = np.array([len(term) for term in part.terms], dtype=np.int32)
        arrays[f"{part.kind}.idf"] = part.idf
    calibration = None
    if model.calibration is not None:
        calibration = {
            "method": model.calibration.method,
            "labels": list(model.calibration.points),
            "temperature": model.calibration.temperature,
        }
        arrays |= {f"calibration.{label}": points for label, points in model.calibration.points.items()}
    description = {
        "format": FORMAT,
        "task": model.task,
        "label_names": label_names,
        "link": model.link,
        "ngrams": {part.kind: dict(part.options) for part in model.ngrams},
        "calibration": calibration,
    }
    # Lone surrogates, as a broken label file may hold, stay JSON escapes.
    return save(
        {name: np.ascontiguousarray(value) for name, value in arrays.items()},
        {"emoji_pred": json.dumps(description)},
    )


def read_linear(path: Path) -> tuple[LinearClassifier, Description]:
    """Read what `content_of` gave.

    Raises:
        UserError: the file is no linear model of this suite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            described = _described((file.metadata() or {}).get("emoji_pred", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return _model(described, arrays), described
    except (SafetensorError, *UNREADABLE) as error:
        raise UserError(
            f"{path} is no linear model of this suite ({one_line(error)[:200]}); train the run again"
        ) from error


def _described(text: str) -> Description:
    # Not pydantic's own parser, which refuses lone surrogates.
    return Description.model_validate(json.loads(text))


def _model(described: Description, arrays: Mapping[str, np.ndarray]) -> LinearClassifier:
    ngrams = tuple(_ngrams(kind, part, arrays) for kind, part in described.ngrams.items())
    features, labels = sum(len(part.terms) for part in ngrams), len(described.label_names)
    calibration = None
    if described.calibration is not None:
        points = {label: _curve(described, label, arrays) for label in described.calibration.labels}
        calibration = Calibration(described.calibration.method, points, described.calibration.temperature)
    return LinearClassifier(
        ngrams,
        _array(arrays, "weights", np.float64, (features, labels)),
        _array(arrays, "intercepts", np.float64, (labels,)),
        _array(arrays, "known", np.int8, (labels,)),
        described.task,
        described.link,
        calibration,
    )


def _ngrams(kind: str, part: _Part, arrays: Mapping[str, np.ndarray]) -> Ngrams:
    idf = arrays[f"{kind}.idf"]
    lengths = _array(arrays, f"{kind}.lengths", np.int32, (len(idf),))
    letters = (
        arrays[f"{kind}.terms"].astype(np.uint8, casting="no").tobytes().decode("utf-8", "surrogatepass")
    )
    ends = np.cumsum(lengths, dtype=np.int64)
    if (lengths < 1).any() or not len(ends) or ends[-1] != len(letters):
        raise ValueError(f"{kind}.lengths do not fit {kind}.terms")
    starts = (ends - lengths).tolist()
    terms = tuple(letters[start:end] for start, end in zip(starts, ends.tolist(), strict=True))
    if len(set(terms)) < len(terms):
        raise ValueError(f"{kind}.terms holds an n-gram twice")
    options: dict[str, Any] = part.model_dump(exclude_none=False)
    return Ngrams(kind, options, terms, _array(arrays, f"{kind}.idf", np.float64, (len(terms),)))


def _curve(described: Description, label: int, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    assert described.calibration is not None
    if not 0 <= label < len(described.label_names):
        raise ValueError(f"calibration of label {label}, which does not exist")
    name = f"calibration.{label}"
    several = described.calibration.method == "isotonic"
    return _array(arrays, name, np.float64, (2, max(1, arrays[name].shape[-1])) if several else (2,))


def _array(arrays: Mapping[str, np.ndarray], name: str, kind: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = arrays[name]
    if array.dtype != kind or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype}{array.shape}, not {np.dtype(kind)}{shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds what is no number")
    return array
