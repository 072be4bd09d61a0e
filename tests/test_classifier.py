"""The LightningModule: sums over rows and not over batches, rows in order, several devices as one."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from conftest import settings_restored
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from emoji_pred.batches import Batches
from emoji_pred.classifier import Classifier
from emoji_pred.tokenizers import Ragged

# Lightning's own; a run of the suite silences them.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:predict returned None.*")


class Table(nn.Module):
    """The logits of a text are the row of its first token."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(logits))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.rows[input_ids[:, 0]]


# Three texts of one token, two classes; row 0 is answered right, row 1 wrong, row 2 right.
LOGITS = [[3.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
TARGETS = np.array([0, 1, 1])
LOSSES = [math.log(1 + math.exp(-3)), math.log(1 + math.exp(2)), math.log(1 + math.exp(-1))]


def classifier(rate: float = 0.0, scheduler: Any = None, task: str = "multiclass") -> Classifier:
    loss = nn.CrossEntropyLoss() if task == "multiclass" else nn.BCEWithLogitsLoss()
    return Classifier(
        Table(LOGITS),
        loss,
        task,
        lambda network: torch.optim.SGD(network.parameters(), lr=rate),
        scheduler,
        {"label_names": ["a", "b"]},
    )


def batches_of_three(targets: np.ndarray = TARGETS) -> Batches:
    tokens = Ragged.from_rows([[0], [1], [2]])
    splits = ("train", "validation", "test")
    return Batches(dict.fromkeys(splits, tokens), dict.fromkeys(splits, targets), 0, 2, 1, seed=0)


def fit(module: Classifier, tmp_path: Path, targets: np.ndarray = TARGETS, epochs: int = 1) -> pl.Trainer:
    batches = batches_of_three(targets)
    with settings_restored():
        trainer = pl.Trainer(
            default_root_dir=tmp_path,
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, datamodule=batches)
        trainer.predict(module, batches.evaluation_dataloader("test"), return_predictions=False)
    return trainer


def test_figures_of_an_epoch_are_means_over_rows(tmp_path: Path) -> None:
    module = classifier()
    fit(module, tmp_path, epochs=2)
    assert [epoch["epoch"] for epoch in module.curves] == [0, 1]
    assert [epoch["step"] for epoch in module.curves] == [2, 4]
    for epoch in module.curves:  # the batches hold 2 rows and 1 row, in another order each epoch
        assert epoch["train/loss"] == pytest.approx(sum(LOSSES) / 3, rel=1e-6)
        assert epoch["train/accuracy"] == pytest.approx(2 / 3)
        assert epoch["train/macro_f1"] == pytest.approx(2 / 3)
        assert epoch["val/loss"] == pytest.approx(sum(LOSSES) / 3, rel=1e-6)
        assert epoch["val/accuracy"] == pytest.approx(2 / 3)
        # Class 0: precision 1/2, recall 1. Class 1: precision 1, recall 1/2. Both F1 2/3.
        assert epoch["val/macro_f1"] == pytest.approx(2 / 3)


def test_the_loss_is_that_before_each_step(tmp_path: Path) -> None:
    module = classifier(rate=1.0)
    fit(module, tmp_path)
    # One row of the table a text: no step touches the loss of a later batch of the same epoch.
    assert module.curves[0]["train/loss"] == pytest.approx(sum(LOSSES) / 3, rel=1e-6)
    assert module.curves[0]["val/loss"] < sum(LOSSES) / 3


def test_predictions_stand_in_the_order_of_the_rows(tmp_path: Path) -> None:
    module = classifier()
    fit(module, tmp_path)
    rows, logits, targets = module.predictions()
    assert rows.tolist() == [0, 1, 2]
    assert logits.tolist() == LOGITS
    assert targets.tolist() == TARGETS.tolist()
    assert module.mean_loss(logits, targets) == pytest.approx(sum(LOSSES) / 3, rel=1e-6)


def test_several_labels(tmp_path: Path) -> None:
    module = classifier(task="multilabel")
    targets = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    fit(module, tmp_path, targets)
    terms = [
        math.log1p(math.exp(-x)) if y else math.log1p(math.exp(x))
        for row, labels in zip(LOGITS, targets, strict=True)
        for x, y in zip(row, labels, strict=True)
    ]
    (epoch,) = module.curves
    assert epoch["train/loss"] == pytest.approx(sum(terms) / 6, rel=1e-6)
    # Predicted where the logit is above 0: {0}, {0}, {1}; wanted {0}, {1}, {1}.
    for split in ("train", "val"):
        assert epoch[f"{split}/accuracy"] == pytest.approx(2 / 3)
        assert epoch[f"{split}/macro_f1"] == pytest.approx(2 / 3)


def test_rows_that_two_devices_evaluated_count_once() -> None:
    module = classifier()
    one, two = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])
    for row, logits in ((1, two), (0, one), (1, two)):
        module._outputs.append((torch.tensor([row]), logits, torch.tensor([row])))
    rows, logits, targets = module.predictions()
    assert (rows.tolist(), logits.tolist(), targets.tolist()) == ([0, 1], [[1.0, 0.0], [2.0, 0.0]], [0, 1])
    assert module._outputs == []


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_clipped_by_their_norm(tmp_path: Path, precision: str) -> None:
    module = classifier(rate=1.0)
    module.make_optimizer = lambda network: torch.optim.SGD(network.parameters(), lr=1.0, fused=True)
    weights = [module.network.rows.detach().clone()]

    class Record(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            weights.append(module.network.rows.detach().clone())

    with settings_restored():
        trainer = pl.Trainer(
            default_root_dir=tmp_path,
            accelerator="cpu",
            precision=precision,
            max_epochs=1,
            gradient_clip_val=0.01,
            callbacks=[Record()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, datamodule=batches_of_three())
    # Two batches; with a rate of 1 a step is as long as its clipped gradient.
    moved = [float((after - before).norm()) for before, after in pairwise(weights)]
    assert moved == pytest.approx([0.01, 0.01], rel=1e-3)


def test_a_schedule_steps_with_the_optimizer(tmp_path: Path) -> None:
    asked, rates = [], []

    def halved(optimizer: Any, total_steps: int, epochs: int) -> LambdaLR:
        asked.append((total_steps, epochs))
        return LambdaLR(optimizer, lambda step: rates.append(step) or 0.5**step)

    module = classifier(rate=1.0, scheduler=halved)
    trainer = fit(module, tmp_path, epochs=2)
    assert asked == [(4, 2)]
    assert rates == [0, 1, 2, 3, 4]
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.5**4


def test_a_checkpoint_carries_what_it_needs_to_be_used() -> None:
    checkpoint: dict[str, Any] = {}
    classifier().on_save_checkpoint(checkpoint)
    assert checkpoint == {"emoji_pred": {"label_names": ["a", "b"]}}
