"""Fit a linear model of n-grams and evaluate it: the part of a run that `training` is for networks."""

from __future__ import annotations

import functools
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import config as configuration
from emoji_pred import runs
from emoji_pred.data.corpus import Corpus
from emoji_pred.lean_imports import lean_imports
from emoji_pred.models.calibration import Calibration
from emoji_pred.models.linear import NEVER, LinearClassifier, fit_linear
from emoji_pred.models.linear_file import content_of
from emoji_pred.outcome import Outcome

Options = Mapping[str, Any]
CANDIDATE = "candidate.safetensors"  # until the result is whole
EVALUATED = ("validation", "test")
NAMED = 5  # labels named in a warning


def fit_and_evaluate(config: Options, corpus: Corpus, directory: Path, overrides: Sequence[str]) -> Outcome:
    """Fit on the training rows, calibrate on validation where that is asked for, evaluate both other splits.

    Args:
        config: the resolved configuration.
        corpus: texts and labels.
        directory: of the run.
        overrides: what the user typed; trackers call the run by it.

    Raises:
        UserError: no n-gram is left of the training texts.
    """
    loggers = _loggers(config, directory, overrides)
    told = functools.partial(_told_of_the_end, loggers)
    with told():
        figures, predictions = _measured(config, corpus, *_fitted(config, corpus, directory))
    texts = {name: corpus.splits[name].texts for name in predictions}
    return Outcome(
        figures,
        predictions,
        directory / CANDIDATE,
        functools.partial(_log_evaluation, loggers, predictions=predictions, texts=texts),
        on_gpu=False,
        seconds_before=0.0,
        interruptions=0,
        forget_states=lambda: None,
        name=runs.LINEAR,
        told_of_the_end=told,
    )


def _fitted(
    config: Options, corpus: Corpus, directory: Path
) -> tuple[LinearClassifier, dict[str, Any], dict[str, np.ndarray]]:
    """The model, written to its file; how it was fitted; its probabilities (N, C) of each evaluated split."""
    options, rows = config["model"], corpus.splits["train"]
    started = time.monotonic()
    estimator = configuration.instantiate(options["estimator"], seed=config["seed"])
    model, fit = fit_linear(
        rows.texts, rows.labels, corpus.num_classes, options["features"], estimator, processes(config)
    )
    fitted = time.monotonic()
    splits = [name for name in EVALUATED if name in corpus.splits]
    margins = {name: model.margins(corpus.splits[name].texts) for name in splits}
    model = _calibrated(model, options["calibration"], margins["validation"], corpus)
    _warn(fit, model, corpus, options)
    probabilities = {name: model.probabilities(margins[name]) for name in splits}
    with runs.replace_file(directory / CANDIDATE) as stream:
        stream.write(content_of(model, list(corpus.label_names)))
    fit["not_converged"] = [corpus.label_names[label] for label in fit["not_converged"]]
    fit["fit_seconds"] = round(fitted - started, 2)
    fit["predict_seconds"] = round(time.monotonic() - fitted, 2)
    return model, fit, probabilities


def _measured(
    config: Options,
    corpus: Corpus,
    model: LinearClassifier,
    fit: dict[str, Any],
    probabilities: Mapping[str, np.ndarray],
) -> tuple[dict[str, Any], dict[str, runs.SplitPredictions]]:
    """What the result says of a model, and the predictions."""
    with lean_imports():  # torchmetrics would load it
        from emoji_pred.evaluation import evaluate_splits

        measured, predictions = evaluate_splits(corpus, probabilities, config.get("decision"))
    weights = model.weights.size + model.intercepts.size
    figures: dict[str, Any] = {
        "parameters": {"total": weights, "trainable": weights},
        "best_epoch": None,
        "curves": [],
        "padding": None,
        "fit": fit,
        "probabilities": probabilities_in_words(model),
        **{name: measured.get(name) for name in EVALUATED},
    }
    return figures, predictions


def processes(config: Options) -> int:
    """How many processes may fit labels: `trainer.threads`, or as many as torch would have threads."""
    of_openmp = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # a list: one for each level
    return int(
        config["trainer"]["threads"] or (of_openmp if of_openmp.isdecimal() else 0) or os.cpu_count() or 1
    )


def probabilities_in_words(model: LinearClassifier) -> str:
    """What the probabilities of a model are, for the result."""
    one = model.task == "multiclass"
    if model.calibration is not None:
        method = model.calibration.method
        if method == "temperature":
            return (
                f"margins divided by {model.calibration.temperature:.3g}, the temperature best on validation"
            )
        return f"margins calibrated on validation by {method}" + (", then normalised" if one else "")
    if model.link == "logistic":
        return "of each label against the rest" + (", normalised" if one else "") + "; not calibrated"
    return f"{'softmax' if one else 'logistic function'} of an SVM's margins; not calibrated"


def _calibrated(
    model: LinearClassifier, method: str, margins: np.ndarray, corpus: Corpus
) -> LinearClassifier:
    if method == "none":
        return model
    labels = corpus.splits["validation"].labels
    fitted = Calibration.fit(method, margins, labels, model.known, model.task, model.link)
    return replace(model, calibration=fitted)


def _warn(fit: Options, model: LinearClassifier, corpus: Corpus, options: Options) -> None:
    """Say what a reader must know of the model before its figures."""
    absent = [corpus.label_names[label] for label in np.flatnonzero(model.known == NEVER)]
    if absent:
        warnings.warn(
            f"{len(absent)} label(s) without a training row are never predicted: {_some(absent)}",
            stacklevel=4,
        )
    cut = [corpus.label_names[label] for label in fit["not_converged"]]
    if cut:
        limit = options["estimator"].get("max_iterations")
        warnings.warn(
            f"the solver stopped before it had converged for {len(cut)} label(s): {_some(cut)}; raise "
            f"model.estimator.max_iterations={limit}",
            stacklevel=4,
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _loggers(config: Options, directory: Path, overrides: Sequence[str]) -> Any:
    """The trackers that are told of the figures; a CSV file would have no curves, and needs no Lightning."""
    if not {"wandb", "tensorboard"} & set(config["logger"]):
        return False
    from emoji_pred.loggers import build_logger, run_title

    title = run_title(overrides, directory.name)
    return build_logger(config["logger"], directory, title, runs.public(config))


def _told_of_the_end(loggers: Any) -> AbstractContextManager[None]:
    if not loggers:
        return nullcontext()
    from emoji_pred.loggers import told_of_the_end

    return told_of_the_end(loggers)


def _log_evaluation(loggers: Any, result: dict[str, Any], **evaluated: Any) -> None:
    if loggers:
        from emoji_pred.loggers import log_evaluation

        log_evaluation(loggers, result, **evaluated)
