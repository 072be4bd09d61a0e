"""Runs of several labels a text: every loss, every architecture, decisions in results and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from conftest import settings_restored

from emoji_pred import runs
from emoji_pred.answers import answer
from emoji_pred.decision import Decision
from emoji_pred.evaluation import evaluate_splits
from emoji_pred.predictor import Predictor
from emoji_pred.run import RunResult

Train = Callable[..., RunResult]
Quick = Callable[..., list[str]]
SEVERAL = ("data.task=multilabel", "data.language=ur")


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        *(("cnn", [f"loss={name}"]) for name in ("bce", "asymmetric", "focal_multilabel", "double_sigmoid")),
        ("cnn", ["loss=focal_multilabel", "alpha=balanced", "loss.positive_alpha=0.25"]),
        *((name, ["loss=pos_neg_weighted"]) for name in ("cnn", "ffn", "transformer", "bert", "lora")),
        ("seven_heads", ["loss=pos_neg_weighted"]),
        ("seven_heads", ["loss=asymmetric", "model.network.encoder_training=lora"]),
        ("seven_heads", ["loss=bce", "model.network.encoder_training=frozen", "model.network.head_dims=[8]"]),
        ("multilabel", ["loss=focal_multilabel"]),
        ("multilabel_notebook", ["loss=double_sigmoid"]),
    ],
)
def test_models_train_with_the_losses_of_labels(
    train: Train, quick: Quick, model: str, overrides: list[str]
) -> None:
    done = train(*quick(model, *SEVERAL, *overrides))
    assert done.result["task"] == "multilabel"
    (epoch,) = done.result["curves"]
    for split in ("validation", "test"):
        assert np.isfinite(done.result[split]["loss"])
    # What is watched while training is what is found at the end.
    assert epoch["val_loss"] == pytest.approx(done.result["validation"]["loss"], rel=1e-4)
    assert epoch["val_macro_f1"] == pytest.approx(done.result["validation"]["macro_f1"], abs=1e-6)
    predictor, targets = Predictor.load(done.directory), predictions(done, "test")[0]
    assert predictor.predict(["a text"]).shape == (1, targets.shape[1])


def test_the_texts_of_a_frozen_encoder_are_encoded_once_for_all_heads(
    compose: Any, quick: Quick, tmp_path: Path
) -> None:
    from emoji_pred.run import run

    kept = []
    for model in ("seven_heads", "multilabel"):
        frozen = quick(model, *SEVERAL, "loss=bce", "model.network.encoder_training=frozen")
        config = compose(*frozen)
        config |= {f"{name}_dir": str(tmp_path / name) for name in ("runs", "cache", "data")}
        with settings_restored():
            run(config, frozen)
        kept.append(
            sorted(path.name for path in (tmp_path / "cache" / "embeddings").iterdir() if path.is_dir())
        )
    assert len(kept[0]) == 1 and kept[0] == kept[1]


def predictions(done: RunResult, split: str) -> tuple[np.ndarray, np.ndarray]:
    _, targets, probabilities = runs.read_predictions(done.directory / runs.PREDICTIONS)[split]
    return targets, probabilities


def test_the_weights_of_the_loss_are_counts_of_the_training_rows(
    compose: Any, quick: Quick, tmp_path: Path
) -> None:
    from emoji_pred.data.prepare import load_corpus
    from emoji_pred.token_cache import Tokenized
    from emoji_pred.training import build_classifier

    config = compose(*quick("cnn", *SEVERAL, "loss=pos_neg_weighted"))
    corpus = load_corpus(config["data"], tmp_path)
    tokenized = Tokenized({"train": ragged(), "validation": ragged()}, 10, 0, {}, cached=False)
    weights = build_classifier(config, corpus, tokenized).loss.positive_weights
    labels = corpus.splits["train"].labels.astype(int)
    expected = [len(labels) / (labels[:, c].sum() * 7) for c in range(7)]
    assert weights.tolist() == pytest.approx(expected)  # type: ignore[union-attr, operator]


def ragged() -> Any:
    from emoji_pred.tokenizers import Ragged

    return Ragged(np.zeros(3, dtype=np.int32), np.array([0, 1, 3]))


@pytest.mark.parametrize(
    "rule",
    [
        "decision.threshold=0.3",
        "decision=tuned",
        "decision=tuned_per_class",
        "decision.at_least_one=true decision.threshold=0.7",
    ],
)
def test_a_decision_of_the_validation_rows_decides_both_splits(train: Train, quick: Quick, rule: str) -> None:
    done = train(*quick("cnn", *SEVERAL, "loss=bce", *rule.split()))
    plain = train(*quick("cnn", *SEVERAL, "loss=bce"))
    assert done.result["run"] != plain.result["run"]
    assert "decision" not in plain.result["provenance"]["identity"]
    first, second = (done.result[split]["decision"] for split in ("validation", "test"))
    assert first == second and len(first["thresholds"]) == 7
    decision = Decision.from_plain(first)
    for split in ("validation", "test"):
        targets, probabilities = predictions(done, split)
        given = (probabilities.astype(float) > np.array(first["thresholds"])).astype(int)
        if "at_least_one" in rule:
            empty = ~given.any(axis=1)
            assert empty.any()
            given[empty, probabilities[empty].argmax(axis=1)] = 1
        assert given.tolist() == decision.labels(probabilities).astype(int).tolist()
        expected = sk.f1_score(targets, given, average="macro", zero_division=0)
        assert done.result[split]["macro_f1"] == pytest.approx(expected, abs=1e-12)
        assert done.result[split]["rows_given_none"] == int((~given.any(axis=1)).sum())
    # The same network, as the dropout and the rows are the same: a tuned rule is no worse on validation.
    if rule.startswith("decision=tuned"):
        assert done.result["validation"]["macro_f1"] >= plain.result["validation"]["macro_f1"]
    predictor = Predictor.load(done.directory)
    assert predictor.decision == decision


def test_the_test_rows_choose_nothing(train: Train, quick: Quick) -> None:
    """Thresholds of the validation rows alone are found again; other test labels would change nothing."""
    from emoji_pred.decision import choose

    done = train(*quick("cnn", *SEVERAL, "loss=bce", "decision=tuned_per_class"))
    targets, probabilities = predictions(done, "validation")
    found = choose(done.result["config"]["decision"], probabilities, targets)
    assert found == Decision.from_plain(done.result["test"]["decision"])


def test_two_runs_are_compared_by_what_each_decides(
    train: Train, quick: Quick, capsys: pytest.CaptureFixture[str]
) -> None:
    from emoji_pred.runs_command import main

    names: list[RunResult] = []
    for rule in ("decision=fixed", "decision=tuned"):
        done = train(*quick("cnn", *SEVERAL, "loss=bce", rule))
        names.append(done)
    main(["--runs-dir", str(names[0].directory.parent), "compare", *(done.directory.name for done in names)])
    shown = capsys.readouterr().out
    for metric in ("micro_f1", "example_accuracy", "paper_smoothed_f1"):
        one, two = (done.result["test"][metric] for done in names)
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{metric} ")]
        assert line.split()[1:4] == [f"{one:.4f}", f"{two:.4f}", f"{two - one:+.4f}"]


def test_yardsticks_stand_in_the_result(train: Train, quick: Quick) -> None:
    done = train(*quick("cnn", *SEVERAL, "loss=bce"))
    targets, _ = predictions(done, "test")
    stored = done.result["test"]["yardsticks"]
    assert stored["answers nothing"]["paper_smoothed_precision"] == 1
    everything = stored["answers everything"]
    assert everything["micro_f1"] == pytest.approx(
        sk.f1_score(targets, np.ones_like(targets), average="micro")
    )
    assert json.loads(json.dumps(stored)) == stored


def test_a_class_that_training_lacks_is_never_given() -> None:
    from emoji_pred.data.corpus import Corpus, Split

    rng = np.random.default_rng(0)
    labels = (rng.random((60, 3)) < 0.5).astype(np.uint8)
    parts = {"train": labels[:30].copy(), "validation": labels[30:45], "test": labels[45:]}
    parts["train"][:, 2] = 0
    splits = {
        name: Split(["x"] * len(rows), rows, [f"{name}-{i}" for i in range(len(rows))])
        for name, rows in parts.items()
    }
    corpus = Corpus("made", "multilabel", ("a", "b", "c"), splits)
    sure = {name: np.ones((len(parts[name]), 3), dtype=np.float32) for name in ("validation", "test")}
    for rule in (None, {"name": "tuned_per_class", "at_least_one": True}):
        figures, _ = evaluate_splits(corpus, sure, rule)
        assert figures["test"]["never_predicted"] == figures["test"]["zeroed_classes"] == 1
        assert [row["predicted"] for row in figures["test"]["per_class"]] == [15, 15, 0]
        assert figures["test"]["per_class"][2]["f1"] == 0


def test_labels_that_are_given_are_shown_before_more_probable_ones() -> None:
    decision = Decision("tuned_per_class", (0.9, 0.2, 0.5))
    one = answer(
        "text", np.array([0.8, 0.3, 0.6], dtype=np.float32), ["a", "b", "c"], top=3, decision=decision
    )
    assert [label for label, _ in one.ranked] == ["c", "b", "a"] and one.given == 2
    assert one.plain()["labels"] == ["c", "b"]
    least = Decision("fixed", (0.5,) * 3, at_least_one=True)
    few = answer("text", np.array([0.1, 0.3, 0.2]), ["a", "b", "c"], top=3, decision=least)
    assert few.plain()["labels"] == ["b"]
    assert answer("  ", np.ones(3), ["a", "b", "c"], top=3, decision=least).plain()["labels"] == []
