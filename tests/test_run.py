"""Whole runs on the bundled sample: what they leave, that it is true, that it comes out the same again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from sklearn import metrics as sklearn_metrics

from emoji_pred import config as configuration
from emoji_pred import runs
from emoji_pred.data.prepare import load_corpus
from emoji_pred.errors import UserError
from emoji_pred.run import TEXT_FILES, RunResult, _file_blob_ids, identify
from emoji_pred.tokenizers import from_state

Train = Callable[..., RunResult]
Quick = Callable[..., list[str]]
MODELS = ("ffn", "cnn", "transformer", "bert", "lora")
LOSSES = ("cross_entropy", "weighted_cross_entropy", "focal", "bce")


def loss_overrides(loss: str) -> list[str]:
    return [f"loss={loss}", f"data.task={'multilabel' if loss == 'bce' else 'multiclass'}"]


@pytest.fixture(params=[(model, loss) for model in MODELS for loss in LOSSES], ids="-".join)
def combination(request: pytest.FixtureRequest, train: Train, quick: Quick) -> RunResult:
    """A finished run of each model with each loss."""
    model, loss = request.param
    return train(*quick(model, *loss_overrides(loss)))


def arrays(outcome: RunResult, split: str) -> tuple[np.ndarray, np.ndarray]:
    _, targets, probabilities = runs.read_predictions(outcome.directory / runs.PREDICTIONS)[split]
    return targets, probabilities


def checkpoint(outcome: RunResult) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(outcome.directory / runs.CHECKPOINT, weights_only=True)
    return loaded


# --- every model with every loss


def test_a_result_has_all_its_parts(combination: RunResult) -> None:
    result = json.loads((combination.directory / runs.RESULT).read_text(encoding="utf-8"))
    assert result == combination.result
    assert result["status"] == "finished"
    assert result["run"] == combination.directory.name
    expected = {"config", "validation", "test", "curves", "provenance", "parameters", "label_names", "task"}
    assert expected | {"best_epoch", "wall_seconds", "peak_memory_mb", "overrides", "files"} <= set(result)
    common = {
        f"{average}_{name}"
        for average in ("macro", "micro", "weighted")
        for name in ("precision", "recall", "f1")
    }
    common |= {"accuracy", "ece", "loss", "per_class", "zeroed_classes", "never_predicted"}
    common |= {"top_class", "top_class_recall", "top_class_precision"}
    several = {"exact_match", "hamming_loss", "samples_f1", "label_ranking_average_precision"}
    several |= {"labels_per_row", "given_per_row", "rows_without_label", "rows_given_none"}
    several |= {
        f"{kind}_{name}"
        for kind in ("example", "paper_smoothed")
        for name in ("accuracy", "precision", "recall", "f1")
    }
    several |= {"decision", "yardsticks"}
    single = {"top_1", "top_3", "top_5", "top_10", "confusion_matrix"}
    for split in ("validation", "test"):
        assert set(result[split]) == common | (several if result["task"] == "multilabel" else single)
        assert [row["label"] for row in result[split]["per_class"]] == result["label_names"]
    (epoch,) = result["curves"]
    assert set(epoch) == {
        *("epoch", "step", "train_loss", "train_accuracy", "train_macro_f1"),
        *("val_loss", "val_accuracy", "val_macro_f1"),
    }
    provenance = result["provenance"]
    assert provenance["rows"] == {"train": 210, "validation": 30, "test": 60}
    assert {"identity", "corpus", "code", "packages", "python", "machine", "vocabulary"} <= set(provenance)
    assert runs.run_hash(provenance["identity"]) == result["run"]
    kept = set(os.listdir(combination.directory)) - {runs.VERIFIED}  # made when it is found again
    assert kept == {runs.RESULT, *result["files"]}


def test_the_stored_predictions_give_the_stored_metrics(combination: RunResult) -> None:
    for split in ("validation", "test"):
        stored = combination.result[split]
        targets, probabilities = arrays(combination, split)
        several = combination.result["task"] == "multilabel"
        predicted = probabilities > 0.5 if several else probabilities.argmax(1)
        assert stored["accuracy"] == sklearn_metrics.accuracy_score(targets, predicted)
        labels = range(probabilities.shape[1])
        for average in ("macro", "micro", "weighted"):
            expected = sklearn_metrics.precision_recall_fscore_support(
                targets, predicted, labels=labels, average=average, zero_division=0
            )
            found = [stored[f"{average}_{name}"] for name in ("precision", "recall", "f1")]
            assert found == pytest.approx(expected[:3], abs=1e-12)
        if several:
            assert stored["hamming_loss"] == pytest.approx(sklearn_metrics.hamming_loss(targets, predicted))
        else:
            np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
            expected = sklearn_metrics.confusion_matrix(targets, predicted, labels=labels)
            assert stored["confusion_matrix"] == expected.tolist()
            top = sklearn_metrics.top_k_accuracy_score(targets, probabilities, k=3, labels=labels)
            assert stored["top_3"] == pytest.approx(top)


def test_the_stored_loss_is_that_of_the_stored_predictions(combination: RunResult) -> None:
    config = combination.result["config"]
    corpus = load_corpus(config["data"], Path())
    counts = corpus.class_counts("train")
    for split in ("validation", "test"):
        targets, probabilities = arrays(combination, split)
        scores = probabilities.astype(np.float64)
        if config["loss"]["name"] == "bce":
            terms = np.where(targets == 1, np.log(scores), np.log1p(-scores))
            expected = -terms.mean()
        else:
            true = scores[np.arange(len(targets)), targets]
            weights = (counts.sum() / (len(counts) * counts))[targets]
            expected = {
                "cross_entropy": -np.log(true).mean(),
                "weighted_cross_entropy": -(weights * np.log(true)).sum() / weights.sum(),
                "focal": -(weights * (1 - true) ** 1.5 * np.log(true)).mean(),
            }[config["loss"]["name"]]
        assert combination.result[split]["loss"] == pytest.approx(expected, rel=1e-4)


def test_predictions_stand_in_the_order_of_the_corpus(combination: RunResult) -> None:
    corpus = load_corpus(combination.result["config"]["data"], Path())
    read = runs.read_predictions(combination.directory / runs.PREDICTIONS)
    assert list(read) == ["validation", "test"]
    for split, (row_ids, targets, _) in read.items():
        assert row_ids == corpus.splits[split].row_ids
        np.testing.assert_array_equal(targets, corpus.splits[split].labels)


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str | int) and plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return value is None or type(value) in (str, int, float, bool, torch.Tensor)


def test_a_checkpoint_alone_gives_the_stored_predictions(combination: RunResult) -> None:
    saved = checkpoint(combination)
    assert plain(saved)
    extras = saved["emoji_pred"]
    assert extras["label_names"] == combination.result["label_names"]
    tokenizer = from_state(extras["tokenizer"])
    encoder = None
    if extras["encoder"] is not None:
        from emoji_pred.pretrained import load_encoder

        encoder = load_encoder(extras["encoder"], extras["model"]["network"], extras["seed"])
    network = configuration.instantiate(
        extras["model"]["network"],
        vocab_size=tokenizer.vocab_size,
        num_classes=len(extras["label_names"]),
        pad_id=tokenizer.pad_id,
        encoder=encoder,
    )
    weights = {
        key.removeprefix("network."): value
        for key, value in saved["state_dict"].items()
        if key.startswith("network.")
    }
    network.load_state_dict(weights)
    network.eval()

    texts = load_corpus(combination.result["config"]["data"], Path()).splits["test"].texts
    tokens = tokenizer.encode(texts)
    length = int(np.diff(tokens.offsets).max())
    ids = torch.full((len(texts), length), tokenizer.pad_id)
    mask = torch.zeros((len(texts), length), dtype=torch.bool)
    for row in range(len(texts)):
        ids[row, : len(tokens[row])] = torch.from_numpy(tokens[row]).long()
        mask[row, : len(tokens[row])] = True
    with torch.no_grad():
        logits = network(ids, mask)
    again = logits.sigmoid() if extras["task"] == "multilabel" else logits.softmax(1)
    np.testing.assert_allclose(again.numpy(), arrays(combination, "test")[1], atol=1e-6)


def test_nothing_tells_where_it_was_made(combination: RunResult, workspace: Path) -> None:
    for name in (runs.RESULT, runs.CHECKPOINT):
        content = (combination.directory / name).read_bytes()
        for path in (workspace, REPOSITORY, Path.home()):
            assert f"{path}/".encode() not in content


# --- the same again


def test_two_processes_agree_bit_for_bit(train: Train, quick: Quick, tmp_path: Path, workspace: Path) -> None:
    overrides = quick("cnn", "model.max_epochs=2", "seed=3")
    here = train(*overrides)
    command = [sys.executable, "train.py", *overrides, f"runs_dir={tmp_path}/runs", f"cache_dir={tmp_path}"]
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    there = RunResult({}, tmp_path / "runs" / here.directory.name, found=False)
    one, other = (directory / runs.PREDICTIONS for directory in (here.directory, there.directory))
    assert one.read_bytes() == other.read_bytes()
    weights, others = checkpoint(here)["state_dict"], checkpoint(there)["state_dict"]
    assert list(weights) == list(others)
    assert all(weights[key].equal(others[key]) for key in weights)
    written = json.loads((there.directory / runs.RESULT).read_text(encoding="utf-8"))
    for key in ("curves", "validation", "test", "best_epoch", "parameters", "padding", "config"):
        assert written[key] == here.result[key]


@pytest.mark.parametrize("model", ["cnn", "bert"])
def test_trained_anew_it_is_the_same_and_another_seed_is_not(
    train: Train, quick: Quick, tmp_path: Path, model: str
) -> None:
    first = train(*quick(model))
    again = train(*quick(model), runs_dir=tmp_path)
    np.testing.assert_array_equal(arrays(first, "test")[1], arrays(again, "test")[1])
    assert not again.found
    other = train(*quick(model, "seed=1"))
    assert other.directory != first.directory
    assert not np.array_equal(arrays(first, "test")[1], arrays(other, "test")[1])


# --- the best epoch


def test_results_are_of_the_best_epoch_on_validation(train: Train, quick: Quick) -> None:
    overrides = quick("ffn", "model.optimizer.lr=0.05", "model.network.dropout=0")
    outcome = train(*overrides, "model.max_epochs=8")
    curves, best = outcome.result["curves"], outcome.result["best_epoch"]
    assert [epoch["epoch"] for epoch in curves] == list(range(8))
    assert [epoch["step"] for epoch in curves] == [7 * (epoch + 1) for epoch in range(8)]
    scores = [epoch["val_macro_f1"] for epoch in curves]
    assert best == scores.index(max(scores))
    assert best < 7 and scores[-1] < scores[best], "or this test says nothing"
    validation = outcome.result["validation"]
    assert validation["macro_f1"] == pytest.approx(scores[best], abs=1e-9)
    assert validation["accuracy"] == pytest.approx(curves[best]["val_accuracy"], abs=1e-9)
    assert validation["loss"] == pytest.approx(curves[best]["val_loss"], rel=1e-5)
    # Training that ends with the best epoch gives the very same test predictions: they are of that epoch.
    shorter = train(*overrides, f"model.max_epochs={best + 1}")
    assert shorter.result["curves"] == curves[: best + 1]
    assert shorter.result["test"] == outcome.result["test"]


def test_early_stopping_counts_epochs_without_a_better_loss(train: Train, quick: Quick) -> None:
    outcome = train(
        *quick("ffn", "model.optimizer.lr=0.05", "model.network.dropout=0"),
        *("model.max_epochs=30", "model.early_stopping={monitor: val/loss, patience: 2}"),
    )
    losses = [epoch["val_loss"] for epoch in outcome.result["curves"]]
    assert len(losses) < 30
    assert losses.index(min(losses)) == len(losses) - 1 - 2


def test_a_trial_of_a_few_steps_is_evaluated_too(train: Train, quick: Quick) -> None:
    outcome = train(*quick("ffn", "trainer.max_steps=2", "model.max_epochs=5"))
    assert [epoch["step"] for epoch in outcome.result["curves"]] == [2]
    assert outcome.result["best_epoch"] == 0


def test_parameters_and_padding_are_those_of_the_run(train: Train, quick: Quick) -> None:
    outcome = train(*quick("ffn"))
    words = outcome.result["provenance"]["vocabulary"]
    # Embedding, linear, LayerNorm, classifier of 12 classes.
    expected = words * 8 + (8 * 8 + 8) + 2 * 8 + (8 * 12 + 12)
    assert outcome.result["parameters"] == {"total": expected, "trainable": expected}
    assert len(checkpoint(outcome)["emoji_pred"]["tokenizer"]["words"]) == words - 2
    padding = outcome.result["padding"]
    texts = load_corpus(outcome.result["config"]["data"], Path()).splits["train"].texts
    tokens = from_state(checkpoint(outcome)["emoji_pred"]["tokenizer"]).encode(texts)
    assert padding["mean_tokens"] == pytest.approx(len(tokens.ids) / len(texts))
    assert 0 < padding["train_padded_fraction"] < 0.25


# --- knobs


@pytest.mark.parametrize(
    "knobs",
    [
        ["trainer.precision=bf16-mixed", "model.gradient_clip=0.5"],
        ["model.embedding_updates=rowwise", "model.optimizer.weight_decay=0"],
        ["model.scheduler={name: linear}", "model.gradient_clip=0.5", "model.accumulate=4"],
        ["model.optimizer._target_=torch.optim.SGD", "+model.optimizer.momentum=0.9"],
        ["logger=csv", "data.language=all", "data.clean=leak_free", "data.drop_test_duplicates=true"],
        ["model.tokenizer.kind=encoder", "bucket_batches=1"],
        ["alpha=effective_number", "loss.label_smoothing=0.1", "loss.gamma=0.5"],
    ],
    ids=" ".join,
)
def test_knobs_train(train: Train, quick: Quick, knobs: list[str]) -> None:
    outcome = train(*quick("cnn", *knobs))
    (epoch,) = outcome.result["curves"]
    assert epoch["step"] == 7
    assert 0 < epoch["train_loss"] < 10
    assert np.isfinite(arrays(outcome, "test")[1]).all()
    assert outcome.result["files"]
    assert (outcome.directory / "metrics.csv").is_file() == ("logger=csv" in knobs)


def test_training_that_diverges_says_so(
    train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoji_pred.classifier.WATCHED_STEPS", 3)
    overrides = quick("cnn", "model.optimizer.lr=1e30", "model.max_epochs=2")
    with pytest.raises(
        UserError, match=r"training diverged: the loss of batch [12] .* rate 1e\+30; .* rows are"
    ):
        train(*overrides, runs_dir=tmp_path)
    (failure,) = tmp_path.glob("*/failure.json")
    assert json.loads(failure.read_text())["status"] == "failed"
    # Also where the epoch ends before the next look.
    monkeypatch.setattr("emoji_pred.classifier.WATCHED_STEPS", 1000)
    with pytest.raises(UserError, match="training diverged"):
        train(*overrides, runs_dir=tmp_path)


def test_a_saved_model_loads_onto_its_own_encoder_only(train: Train, quick: Quick) -> None:
    from emoji_pred.pretrained import load_encoder

    saved = checkpoint(train(*quick("lora", "seed=3")))
    extras = saved["emoji_pred"]
    assert extras["seed"] == 3
    weights = {key.removeprefix("network."): value for key, value in saved["state_dict"].items()}
    for seed in (3, 4):  # of the encoder's random weights
        options = extras["model"]["network"]
        network = configuration.instantiate(
            options, num_classes=12, encoder=load_encoder(extras["encoder"], options, seed)
        )
        if seed == 3:
            network.load_state_dict(weights)
        else:
            with pytest.raises(UserError, match="belongs to an encoder with other weights"):
                network.load_state_dict(weights)


def test_layers_that_an_encoder_does_not_have_are_refused_before_training(
    train: Train, quick: Quick, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="bert has no linear layer gate; it has query, key, value, dense"):
        train(*quick("lora", "model.network.target_modules=[query,gate]"), runs_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    two = train(*quick("lora", "model.network.target_modules=[query,value]"))
    adapters = 2 * 2 * (2 * 16)  # A and B of two layers, rank 2, 16 wide
    head = (16 * 8 + 8) + (8 * 12 + 12)
    assert two.result["parameters"]["trainable"] == adapters + head


def test_a_text_longer_than_the_encoders_positions_is_refused_before_training(
    train: Train, quick: Quick
) -> None:
    with pytest.raises(
        UserError, match=r"encoder=tiny has 4 positions, .*set model\.tokenizer\.max_tokens=4"
    ):
        train(*quick("bert", "encoder.config.max_position_embeddings=4"))
    with pytest.raises(UserError, match=r"model=transformer has 3 positions"):
        train(*quick("transformer", "model.network.max_positions=3"))
    with pytest.raises(UserError, match=r"max_tokens=2 leaves no room .*encoder=tiny puts 2 special tokens"):
        train(*quick("bert", "model.tokenizer.max_tokens=2"))
    outcome = train(
        *quick("bert", "encoder.config.max_position_embeddings=4", "model.tokenizer.max_tokens=4")
    )
    assert outcome.result["status"] == "finished"


# --- a user's own files


def write_rows(path: Path, rows: int = 60) -> Path:
    path.parent.mkdir(exist_ok=True)
    lines = [f"row {i} is {('sad', 'glad')[i % 2]},{('sad', 'glad')[i % 2]}" for i in range(rows)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def test_a_users_files_are_known_by_their_content(train: Train, quick: Quick, tmp_path: Path) -> None:
    def own(path: Path, *more: str) -> RunResult:
        settings = [item for item in quick("ffn") if not item.startswith("data")]
        return train(*settings, "data=text_files", f"data.files.train={path}", *more)

    first = own(write_rows(tmp_path / "one" / "tweets.csv"))
    assert not first.found
    assert own(write_rows(tmp_path / "other" / "copy.csv")).found
    changed = own(write_rows(tmp_path / "one" / "tweets.csv", rows=62))
    assert not changed.found
    assert changed.directory != first.directory
    # The name is free to choose, and the content still counts.
    named = own(write_rows(tmp_path / "one" / "tweets.csv"), "data.name=mine")
    assert not named.found
    assert not own(write_rows(tmp_path / "one" / "tweets.csv", rows=62), "data.name=mine").found
    assert named.result["provenance"]["identity"]["files"].keys() == {"train"}


def test_the_organisers_file_of_emothreat_counts_by_its_content(
    compose: Callable[..., Any], tmp_path: Path
) -> None:
    def named(*more: str) -> str:
        return identify(compose("data=emothreat", "model=cnn", "loss=bce", *more)).name

    without = named()
    header = "Sentences,anger,disgust,fear,sadness,surprise,happiness,neutral\n"
    paths = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "other.csv"]
    for path, text in zip(paths, ("a", "a", "b"), strict=True):
        path.write_text(f"{header}{text},1,0,0,0,0,0,0\n")
    first, same, other = (named(f"data.files.train={path}") for path in paths)
    assert len({without, first, other}) == 3 and first == same
    with pytest.raises(UserError, match=r"data\.files\.train=.*nowhere\.xlsx does not exist"):
        named(f"data.files.train={tmp_path}/nowhere.xlsx")


def test_a_file_that_may_not_be_read_is_one_line(
    train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows(tmp_path / "own" / "tweets.csv")
    settings = [item for item in quick("ffn") if not item.startswith("data")]

    def denied(self: Path, *_: Any, **__: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return original(self, *_, **__)

    for method in ("open", "is_file"):
        original = getattr(Path, method)
        with monkeypatch.context() as patched:
            patched.setattr(Path, method, denied)
            with pytest.raises(UserError, match=r"tweets\.csv cannot be read: Permission denied"):
                train(*settings, "data=text_files", f"data.files.train={path}")


def test_the_ending_of_a_file_counts_where_it_decides_how_the_file_is_read(tmp_path: Path) -> None:
    def identified(name: str, format: str) -> dict[str, str]:
        path = write_rows(tmp_path / "own" / name)
        data = {"_target_": TEXT_FILES, "files": {"train": str(path)}, "format": format}
        return _file_blob_ids(data, str(tmp_path))

    assert identified("a.csv", "auto") == identified("b.csv", "auto") != identified("a.tsv", "auto")
    assert identified("a.csv", "csv") == identified("a.tsv", "csv")


def test_warnings_of_the_data_reach_the_user_and_the_result(
    train: Train, quick: Quick, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "own" / "tweets.csv")
    path.write_text(path.read_text() + ",sad\n")
    settings = [item for item in quick("ffn") if not item.startswith("data")]
    with pytest.warns(UserWarning, match=r"1 row\(s\) dropped: the text is empty"):
        outcome = train(*settings, "data=text_files", f"data.files.train={path}")
    assert len(outcome.result["provenance"]["warnings"]) == 1


def test_without_test_rows_there_are_no_test_results(train: Train, quick: Quick, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "own" / "tweets.csv")
    settings = [item for item in quick("ffn") if not item.startswith("data")]
    outcome = train(*settings, "data=text_files", f"data.files.train={path}", "data.test_fraction=0")
    assert outcome.result["test"] is None
    assert list(runs.read_predictions(outcome.directory / runs.PREDICTIONS)) == ["validation"]
