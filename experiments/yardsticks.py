"""A linear model of TF-IDF features as a yardstick: `python -m experiments.yardsticks data=... --out DIR`.

Words and pairs of words, and 2 to 5 characters inside words, each weighted by TF-IDF; logistic regression on
top (scikit-learn). Nothing is chosen by results: the settings stand before any row is seen. It is trained on
the training rows and measured on validation and test as a run is, so its figures stand beside those of runs.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from emoji_pred import runs
from emoji_pred.config import expand
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import load_corpus
from emoji_pred.errors import MISTAKE, UserError, one_line
from emoji_pred.metrics import evaluate
from emoji_pred.provenance import code_revision, environment, peak_memory_mb
from experiments.compose import compose_config

SHOWN = ("accuracy", "top_10", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Settings:
    """Of features and classifier.

    Attributes:
        word_ngrams: shortest and longest run of words.
        character_ngrams: shortest and longest run of characters, within words.
        min_df: training texts that a feature must stand in; 2 leaves out most, which are typing errors.
        max_features: of words and of characters each, the most frequent.
        inverse_regularisation: C of the logistic regression.
        max_iterations: of its solver, L-BFGS.
    """

    word_ngrams: tuple[int, int] = (1, 2)
    character_ngrams: tuple[int, int] = (2, 5)
    min_df: int = 2
    max_features: int = 100_000
    inverse_regularisation: float = 1.0
    max_iterations: int = 300


def tfidf_logistic_regression(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Train on the training rows, and measure on the other splits.

    Returns:
        features (how many there are), iterations, converged, and for `validation` and `test` the metrics of
        `emoji_pred.metrics.evaluate`, or None where there is no such split.

    Raises:
        UserError: a corpus of several labels a text, one of whose classes alone has training rows, or whose
            texts hold no feature.
    """
    if corpus.task != "multiclass":
        raise UserError(f"data={corpus.name} is {corpus.task}; this yardstick is for one label per text")
    train = corpus.splits["train"]
    model = _pipeline(settings)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*failed to converge")  # it is told in the result
            model.fit(train.texts, train.labels)
    except ValueError as error:  # scikit-learn's way to refuse
        raise UserError(
            f"data={corpus.name}: scikit-learn cannot learn from it ({one_line(error)})"
        ) from None
    classifier = model[-1]
    iterations = int(classifier.n_iter_.max())
    return {
        "features": int(classifier.n_features_in_),
        "iterations": iterations,
        "converged": iterations < settings.max_iterations,
        **{split: _measured(model, corpus, split) for split in ("validation", "test")},
    }


def _pipeline(settings: Settings) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    shared = {"min_df": settings.min_df, "max_features": settings.max_features, "dtype": np.float32}
    return make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=settings.word_ngrams, **shared),
            TfidfVectorizer(analyzer="char_wb", ngram_range=settings.character_ngrams, **shared),
        ),
        LogisticRegression(C=settings.inverse_regularisation, max_iter=settings.max_iterations),
    )


def _measured(model: Any, corpus: Corpus, split: str) -> dict[str, Any] | None:
    import torch

    if split not in corpus.splits:
        return None
    rows = corpus.splits[split]
    # A class without a training row has no column of its own; it is never answered.
    probabilities = np.zeros((len(rows), corpus.num_classes))
    probabilities[:, model.classes_] = model.predict_proba(rows.texts)
    targets = torch.from_numpy(rows.labels)
    return evaluate(torch.from_numpy(probabilities), targets, corpus.task, corpus.label_names)


def measure(overrides: list[str], settings: Settings, directory: Path) -> Path:
    """Train on the data that the overrides name, and write `tfidf_logreg_<hash>.json`; returns the file.

    The hash is that of settings and data, as for runs.

    Raises:
        UserError: the data cannot be used, or the directory cannot be written.
    """
    started = time.monotonic()
    config = compose_config(overrides)
    code = code_revision()
    runs.prepare_directory(directory)
    corpus = load_corpus(config["data"], expand(config["data_dir"]))
    data = runs.public({"data": config["data"]})["data"]
    determining = {"yardstick": "tfidf_logreg", "settings": asdict(settings), "data": data}
    figures = tfidf_logistic_regression(corpus, settings)
    import sklearn

    result = {
        **determining,
        "label_names": list(corpus.label_names),
        **figures,
        "wall_seconds": round(time.monotonic() - started, 2),
        "peak_memory_mb": peak_memory_mb(),
        "provenance": {
            "corpus": corpus.provenance,
            "rows": {split: len(rows) for split, rows in corpus.splits.items()},
            "code": code,
            "scikit-learn": sklearn.__version__,
            **environment(on_gpu=False),
        },
    }
    name = runs.run_hash({**determining, "corpus": corpus.provenance})
    path = directory / f"tfidf_logreg_{name}.json"
    runs.write_json(path, result)
    return path


def main(words: list[str] | None = None) -> None:
    """Measure one corpus, and print what matters most."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "overrides", nargs="+", help="the data, as for train.py: data=sample data.language=ru"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory of the result")
    parser.add_argument("-C", type=float, default=1.0, help="inverse regularisation (1.0)")
    arguments = parser.parse_args(words)
    try:
        if not arguments.C > 0:
            raise UserError(f"-C {arguments.C} must be above 0")
        settings = Settings(inverse_regularisation=arguments.C)
        path = measure(arguments.overrides, settings, arguments.out)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(MISTAKE)
    _show(path)


def _show(path: Path) -> None:
    import json

    result = json.loads(path.read_text(encoding="utf-8"))
    for split in ("validation", "test"):
        if result[split]:
            print(f"{split}: " + ", ".join(f"{name} {result[split][name]:.4f}" for name in SHOWN))
    if not result["converged"]:
        print(f"the solver stopped after {result['iterations']} iterations, before it had converged")
    print(path)


if __name__ == "__main__":
    main()
