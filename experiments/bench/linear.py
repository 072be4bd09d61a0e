"""Linear models of n-grams against the plain scikit-learn pipeline: seconds, memory, and equal decisions."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.config import instantiate
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import load_corpus
from emoji_pred.models.linear import LinearClassifier, fit_linear
from experiments import profiles
from experiments.bench.commands import run_command
from experiments.bench.measure import Finding, Row, interleave, ratio_row, seconds_row, spread
from experiments.bench.settings import REPOSITORY, Settings
from experiments.bench.subject import composed

SAMPLED_EVERY = 0.1  # seconds between two looks at the memory
TOLERATED = 0.001  # share of other decisions: the solvers of the sides see the rows in other orders


def ngram_svc(settings: Settings) -> Finding:
    """Fit `model=ngram_svc` and predict all splits, against scikit-learn's pipeline of the same model."""
    config = composed(settings, "model=ngram_svc")
    splits = _splits(load_corpus(config["data"], Path(config["data_dir"])), settings)
    kept: dict[str, Any] = {}
    sides = {
        "plain": lambda _: _timed(kept, "plain", lambda: _plain(splits)),
        "ours": lambda _: _timed(kept, "ours", lambda: _ours(config, splits, settings)),
    }
    seconds = interleave("ngram_svc", sides, settings.repetitions)
    model, answers = kept["ours"]
    pipeline, expected = kept["plain"]
    texts = splits["test"][0]
    asked = {
        "plain": lambda _: _timed(kept, "plain test", lambda: pipeline.predict(texts)),
        "ours": lambda _: _timed(kept, "ours test", lambda: model.predict(texts)),
    }
    predicted = interleave("ngram_svc, test", asked, settings.repetitions)
    other = float(np.mean(answers["test"] != expected["test"]))
    counts = ", ".join(f"{len(part):,}" for part, _ in splits.values())
    peak = _peak_gb(settings)
    rows = [
        seconds_row(f"ngram_svc: fit, and predict {counts} texts", seconds["ours"], at_most=90.0),
        ratio_row("the same: plain scikit-learn / ours", seconds["plain"], seconds["ours"], at_least=1.0),
        seconds_row(f"ngram_svc: predict {len(texts):,} texts", predicted["ours"], at_most=10.0),
        ratio_row("the same: plain scikit-learn / ours", predicted["plain"], predicted["ours"], at_least=2.0),
        Row("test texts that plain scikit-learn answers otherwise", other, "%", at_most=TOLERATED),
        Row("peak memory of a whole ngram_svc run, all processes", peak, "GB", at_most=3.0),
    ]
    details = [
        f"{model.weights.shape[0]:,} n-grams, {model.weights.shape[1]} labels, {_processes(settings)} "
        f"process(es). Fit and predict: plain {spread(seconds['plain'], 1)}, ours "
        f"{spread(seconds['ours'], 1)}; processor time in this process: {_cpu(kept)}. Plain: `make_union` of "
        "two TfidfVectorizers, and LinearSVC.",
    ]
    return Finding(rows, details)


def tfidf(settings: Settings) -> Finding:
    """Whole `train.py` commands of the three TF-IDF models, on EmoThreat's tweets and film reviews."""
    overrides = _emotions(settings)
    names = ("tfidf_nb", "tfidf_svc", "tfidf_logreg")
    sides = {
        name: (lambda _, name=name: _command_seconds(settings, [f"model={name}", *overrides]))
        for name in names
    }
    seconds = interleave("tfidf", sides, settings.repetitions)
    rows = [
        seconds_row(f"python train.py model={name}, {_what(overrides)}", seconds[name], at_most=15.0)
        for name in names
    ]
    return Finding(rows, ["Whole commands, from the start of the process to the printed table."])


def _splits(corpus: Corpus, settings: Settings) -> dict[str, tuple[list[str], np.ndarray]]:
    rows = settings.rows or None
    return {name: (part.texts[:rows], part.labels[:rows]) for name, part in corpus.splits.items()}


def _ours(
    config: dict[str, Any], splits: dict[str, Any], settings: Settings
) -> tuple[LinearClassifier, dict[str, np.ndarray]]:
    texts, labels = splits["train"]
    options = config["model"]
    estimator = instantiate(options["estimator"], seed=0)
    processes = _processes(settings)
    model, _ = fit_linear(texts, labels, int(labels.max()) + 1, options["features"], estimator, processes)
    return model, {name: model.predict(part).argmax(1) for name, (part, _) in splits.items()}


def _plain(splits: dict[str, Any]) -> tuple[Any, dict[str, np.ndarray]]:
    """As scikit-learn's documentation would have it."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    pipeline = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 4), sublinear_tf=True, min_df=2),
            TfidfVectorizer(analyzer="char", ngram_range=(1, 6), sublinear_tf=True, min_df=2),
        ),
        LinearSVC(C=0.1, random_state=0),
    )
    pipeline.fit(*splits["train"])
    return pipeline, {name: pipeline.predict(texts) for name, (texts, _) in splits.items()}


def _timed(kept: dict[str, Any], name: str, work: Callable[[], Any]) -> float:
    """Wall seconds; the result and the processor's seconds are kept."""
    wall, cpu = time.perf_counter(), time.process_time()
    kept[name] = work()
    kept[f"{name} cpu"] = time.process_time() - cpu
    return time.perf_counter() - wall


def _cpu(kept: dict[str, Any]) -> str:
    names = ("plain", "ours", "plain test", "ours test")
    return ", ".join(f"{name} {kept[f'{name} cpu']:.1f} s" for name in names)


def _processes(settings: Settings) -> int:
    return settings.threads or os.cpu_count() or 1


def _emotions(settings: Settings) -> list[str]:
    """EmoThreat, reviews included, where its public files lie, else the sample with several labels a text."""
    data = profiles.composed(["data=emothreat_public"])["data"]
    files = (
        Path(settings.data_dir) / source["repository"] / path
        for source in data["source"].values()
        for path in source["files"]
    )
    if settings.rows or not all(file.is_file() for file in files):
        return ["data=sample", "data.task=multilabel"]
    return ["data=emothreat_public"]


def _what(overrides: Sequence[str]) -> str:
    return "the sample, several labels" if "data=sample" in overrides else "EmoThreat, several labels"


def _command(settings: Settings, place: str, overrides: Sequence[str]) -> list[str]:
    threads = [f"trainer.threads={settings.threads}"] if settings.threads else []
    words = [*overrides, f"data_dir={settings.data_dir}", f"runs_dir={place}", *threads]
    return [sys.executable, "train.py", *words]


def _command_seconds(settings: Settings, overrides: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory() as place:
        return run_command(_command(settings, place, overrides))[1]


def _peak_gb(settings: Settings) -> float:
    """The largest memory, in 2^30 bytes, that `train.py` and its processes held together.

    What they share counts once for each of them, so it is an upper bound.
    """
    data = ["data=sample", "data.rows=300"] if settings.rows else [f"data={settings.data}"]
    with tempfile.TemporaryDirectory() as place:
        command = _command(settings, place, ["model=ngram_svc", *data])
        child = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        peak = 0
        while child.poll() is None:
            peak = max(peak, _held_by(child.pid))
            time.sleep(SAMPLED_EVERY)
    if child.returncode:
        raise RuntimeError(f"train.py {' '.join(command[2:])} ended with code {child.returncode}")
    return peak / 2**30


def _held_by(pid: int) -> int:
    """Resident bytes of a process and those that it started."""
    import psutil

    held = 0
    with contextlib.suppress(psutil.Error):  # one that has just ended
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            held += process.memory_info().rss
    return held
