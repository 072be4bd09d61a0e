"""A kept run, packed for the page: what is the same in many runs is referred to by number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.keeping import KeptRun

Share = Callable[[Any], int]
OF_A_CLASS = ("precision", "recall", "f1", "support", "predicted")
CURVES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1")
FIGURES = ("accuracy", "macro_f1", "weighted_f1", "micro_f1", "top_3", "top_5", "hamming_loss", "ece", "loss")


def packed(run: KeptRun, share: Share) -> dict[str, Any]:
    """What the page shows of a run.

    Args:
        run: whose; a key that its result lacks is left out.
        share: gives a value its number.
    """
    result = run.result
    origin = result.get("provenance") or {}
    code = origin.get("code") or {}
    about = {
        "seed": run.seed,
        "overrides": share(list(result.get("overrides") or [])),
        "config": {group: share(value) for group, value in (result.get("config") or {}).items()},
        "date": origin.get("date"),
        "code": code.get("commit"),
        "dirty": bool(code.get("dirty")) or None,
        "software": share({"python": origin.get("python"), **(origin.get("packages") or {})}),
        "machine": share(origin.get("machine") or {}),
        "data": share(_data(origin)),
        "files": result.get("files"),
        "wall": result.get("wall_seconds"),
        "memory": result.get("peak_memory_mb"),
        "interruptions": result.get("interruptions") or None,
        "warnings": origin.get("warnings") or None,
        "parameters": (result.get("parameters") or {}).get("total"),
        "best": result.get("best_epoch"),
        "labels": share(list(result.get("label_names") or [])),
        "curves": _curves(result.get("curves") or []),
        "splits": {split: _split(result[split]) for split in ("validation", "test") if result.get(split)},
    }
    return {key: value for key, value in about.items() if value is not None}


def _data(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Where the rows came from: repository, commit, blob ids, rows of each split."""
    corpus = origin.get("corpus") or {}
    kept = {key: corpus[key] for key in ("repository", "commit", "files", "cleaning") if corpus.get(key)}
    return kept | {"rows": origin.get("rows") or {}}


def _curves(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]] | None:
    """A list for each curve, a value an epoch."""
    found = {name: [_rounded(epoch.get(name), 5) for epoch in epochs] for name in CURVES}
    return {name: column for name, column in found.items() if any(v is not None for v in column)} or None


def _split(part: Mapping[str, Any]) -> dict[str, Any]:
    """Averages, numbers of each class, and the confusion matrix (C, C) row by row as one list."""
    classes = part.get("per_class") or []
    about: dict[str, Any] = {
        "figures": {key: _rounded(part.get(key), 5) for key in FIGURES if part.get(key) is not None},
        "classes": {key: [_rounded(one.get(key), 4) for one in classes] for key in OF_A_CLASS},
    }
    if part.get("confusion_matrix"):
        about["confusion"] = [count for row in part["confusion_matrix"] for count in row]
    return about


def _rounded(value: Any, places: int) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else round(value, places)
