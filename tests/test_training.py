"""What whole runs do not show of training: class weights, the network's mode, limits, Ctrl-C, NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from conftest import settings_restored
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from emoji_pred import pretrained, training
from emoji_pred.data.corpus import Corpus, Split, Task
from emoji_pred.token_cache import tokenize
from emoji_pred.trainer import build_trainer

Compose = Callable[..., dict[str, Any]]
Quick = Callable[..., list[str]]


def corpus(task: Task = "multiclass") -> Corpus:
    labels = np.array([0, 0, 0, 1, 2, 0])
    if task == "multilabel":
        labels = np.eye(3, dtype=np.uint8)[labels]
    names = [f"row/{row}" for row in range(6)]
    split = Split([f"text {row}" for row in range(6)], labels, names)
    return Corpus("own", task, ("a", "b", "c"), {"train": split, "validation": split})


@pytest.fixture
def built(compose: Compose, quick: Quick, tmp_path: Path) -> Callable[..., tuple[dict[str, Any], Any, Any]]:
    def build(model: str, *overrides: str, task: Task = "multiclass") -> tuple[dict[str, Any], Any, Any]:
        config = compose(*quick(model, *overrides))
        rows = corpus(task)
        texts = {split: part.texts for split, part in rows.splits.items()}
        tokenized = tokenize(texts, config["model"]["tokenizer"], config["encoder"], tmp_path)
        with settings_restored():
            return (
                config,
                training.build_classifier(config, rows, tokenized),
                training.build_batches(config, rows, tokenized),
            )

    return build


def test_class_weights_are_those_of_the_training_split(built: Any) -> None:
    _, classifier, _ = built("ffn", "loss=focal", "alpha=balanced")
    # N / (K n_c) with 4, 1 and 1 of 6 rows
    expected = torch.tensor([6 / (3 * 4), 6 / 3, 6 / 3])
    torch.testing.assert_close(classifier.loss.class_weights, expected)
    assert "loss.class_weights" not in classifier.state_dict()


def test_an_encoder_trains_with_its_dropout_on(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pretrained weights are loaded in eval mode, and Lightning keeps the mode it finds.
    load = pretrained.load_encoder
    monkeypatch.setattr(pretrained, "load_encoder", lambda *options: load(*options).eval())
    _, classifier, _ = built("bert")
    assert all(module.training for module in classifier.network.modules())
    assert classifier.checkpoint_extras["encoder"]["name"] == "tiny"
    assert built("cnn")[1].checkpoint_extras["encoder"] is None


def test_the_batch_size_is_that_of_an_optimizer_step(built: Any) -> None:
    assert built("ffn", "model.batch_size=4")[2].batch_size == 4
    batches = built("ffn", "model.batch_size=4", "model.accumulate=2")[2]
    assert (batches.batch_size, batches.accumulate) == (4, 2)
    sizes = {len(batch["targets"]) for batch in batches.train_dataloader()}
    assert max(sizes) == 2


def test_several_labels_are_floats_for_the_loss(built: Any) -> None:
    _, _, batches = built("ffn", "loss=bce", task="multilabel")
    assert batches.rows["train"].targets.dtype == np.float32
    assert built("ffn")[2].rows["train"].targets.dtype == np.int64


@pytest.mark.parametrize(
    ("overrides", "limit"),
    [([], 40), (["trainer.max_steps=7"], 7), (["trainer.max_steps=7", "model.accumulate=4"], 28),
     (["trainer.max_steps=100"], 40)],
)  # fmt: skip
def test_a_trial_ends_with_an_epoch_of_its_own(
    compose: Compose, quick: Quick, tmp_path: Path, overrides: list[str], limit: int
) -> None:
    with settings_restored():
        trainer = build_trainer(compose(*quick("ffn", *overrides)), tmp_path, False, 40, pl.Callback())
    assert trainer.limit_train_batches == limit


@pytest.mark.parametrize(("monitor", "mode"), [("val/loss", "min"), ("val/macro_f1", "max")])
def test_what_is_watched(compose: Compose, quick: Quick, tmp_path: Path, monitor: str, mode: str) -> None:
    stopping = f"model.early_stopping={{monitor: {monitor}, patience: 4}}"
    with settings_restored():
        trainer = build_trainer(compose(*quick("ffn", stopping)), tmp_path, False, 4, pl.Callback())
    (early,) = [callback for callback in trainer.callbacks if isinstance(callback, EarlyStopping)]
    assert (early.monitor, early.mode, early.patience) == (monitor, mode, 4)
    (select,) = [callback for callback in trainer.callbacks if isinstance(callback, ModelCheckpoint)]
    assert (select.monitor, select.mode, select.save_top_k) == ("val/macro_f1", "max", 1)


def test_probabilities_are_float32_also_of_half_precision() -> None:
    logits = torch.tensor([[1.0, 0.0], [-2.0, 2.0]], dtype=torch.bfloat16)
    several = training.probabilities_of(logits, "multilabel")
    torch.testing.assert_close(several, 1 / (1 + (-logits.float()).exp()))
    one = training.probabilities_of(logits, "multiclass")
    assert one.dtype == torch.float32
    torch.testing.assert_close(one.sum(1), torch.ones(2))


def test_a_figure_that_is_no_number_is_null_in_json() -> None:
    row = {"epoch": 3, "val/loss": float("nan"), "train/loss": float("inf"), "val/macro_f1": 0.5}
    assert training._plain_figures(row) == {
        "epoch": 3, "val_loss": None, "train_loss": None, "val_macro_f1": 0.5
    }  # fmt: skip
