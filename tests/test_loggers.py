"""Which loggers there are, what they call a run, and the CSV of the learning curves."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Ended
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from emoji_pred.errors import Stopped
from emoji_pred.loggers import EpochCSVLogger, build_logger, log_evaluation, run_title, told_of_the_end
from emoji_pred.tensorboard_logger import EpochTensorBoardLogger

# --- which logger


def test_none_is_lightnings_false(tmp_path: Path) -> None:
    assert build_logger({"none": {}}, tmp_path, "run", {}) is False
    log_evaluation(False, {}, {})


def test_csv_is_one_logger_and_writes_nothing_before_the_first_epoch(tmp_path: Path) -> None:
    loggers = build_logger({"csv": {}}, tmp_path, "run", {})
    assert isinstance(loggers, list) and [type(logger) for logger in loggers] == [EpochCSVLogger]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("logger=csv", ["csv"]),
        ("logger=none", ["none"]),
        ("logger=wandb", ["wandb"]),
        ("logger=[csv,wandb]", ["csv", "wandb"]),
        ("logger=[wandb,tensorboard]", ["tensorboard", "wandb"]),
    ],
)
def test_one_or_several_are_chosen(
    compose: Callable[..., dict[str, Any]], typed: str, chosen: list[str]
) -> None:
    assert sorted(compose(typed)["logger"]) == chosen


def test_the_csv_is_kept_beside_every_other(compose: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    loggers = build_logger(compose("logger=tensorboard")["logger"], tmp_path, "run", {})
    assert isinstance(loggers, list)
    assert [type(logger) for logger in loggers] == [EpochCSVLogger, EpochTensorBoardLogger]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["logger=[csv,wand]"], "logger=wand is not a choice; did you mean wandb?"),
        (["logger=wandb", "logger.mode=offline"], "did you mean logger.wandb.mode?"),
        (["logger.wandb.mode=offline"], "belongs to logger=wandb"),
        (["logger=[none,csv]"], "logger=none keeps no log"),
        (["logger=wandb", "logger.wandb.timeout=0"], "logger.wandb.timeout"),
        (["logger=wandb", "logger.wandb.mode=of"], "logger.wandb.mode"),
    ],
)
def test_a_choice_that_makes_no_sense(command: Callable[..., Ended], typed: list[str], words: str) -> None:
    ended = command("data=sample", *typed)
    assert ended.code == 2
    assert words in ended.error


def test_a_sweep_over_loggers_trains_once(
    command: Callable[..., Ended], quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    overrides = [item for item in quick("cnn") if not item.startswith("logger")]
    ended = command("-m", *overrides, "logger=none,csv,[csv,tensorboard]")
    assert ended.code == 0, ended.err
    assert "3 runs: 0 finished before, 1 to train" in ended.out  # the logger is no part of what a run is
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == 1


# --- what a run is called


def test_a_run_is_called_by_what_was_typed_of_the_experiment() -> None:
    typed = ["model=cnn", "logger=[wandb,csv]", "+logger.x=1", "runs_dir=/a", "force=true", "seed=1"]
    assert run_title(typed, "48baa45bfbf7") == "model=cnn seed=1"
    assert run_title(["data.files.train=/some/where/a.csv"], "x") == "data.files.train=a.csv"
    assert run_title(["logger=wandb"], "48baa45bfbf7") == "48baa45bfbf7"


def test_a_long_name_is_cut() -> None:
    assert run_title(["a" * 128], "x") == "a" * 128
    assert run_title(["a" * 129], "x") == "a" * 127 + "…"


# --- the end


class Recording:
    """A logger that notes how it was closed."""

    name = "recording"

    def __init__(self) -> None:
        self.ends: list[BaseException] = []

    def end_early(self, error: BaseException) -> None:
        self.ends.append(error)

    def log_evaluation(self, *_: Any) -> None:
        raise RuntimeError("no room\nfor this")


@pytest.mark.parametrize("error", [Stopped(15), ValueError("x")])
def test_a_logger_is_told_when_training_ends_early(error: BaseException) -> None:
    logger: Any = Recording()
    with pytest.raises(type(error)), told_of_the_end([logger]):
        raise error
    assert logger.ends == [error]
    with told_of_the_end([logger]):
        pass
    assert logger.ends == [error]


def test_a_logger_that_fails_at_the_end_costs_a_warning() -> None:
    logger: Any = Recording()
    with pytest.warns(UserWarning, match="its logger recording failed: RuntimeError: no room$") as caught:
        log_evaluation([logger], {}, {})
    assert len(caught) == 1


# --- CSV


class OneNumber(LightningModule):
    """Logs train/loss and val/loss of known values."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return (self.weight * batch).sum()

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        self.log("val/loss", torch.tensor(0.5 * (self.current_epoch + 1)))

    def on_train_epoch_end(self) -> None:
        self.log("train/loss", torch.tensor(0.25))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_lightning_writes_one_row_per_epoch_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = []
    original = os.replace
    monkeypatch.setattr(os, "replace", lambda *args: (writes.append(args[1]), original(*args)))
    batches = DataLoader(torch.ones(30), batch_size=1)
    trainer = Trainer(
        logger=build_logger({"csv": {}}, tmp_path, "run", {}),
        max_epochs=3,
        accelerator="cpu",
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(OneNumber(), batches, batches)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [(row["epoch"], float(row["val/loss"]), float(row["train/loss"])) for row in rows] == [
        ("0", 0.5, 0.25),
        ("1", 1.0, 0.25),
        ("2", 1.5, 0.25),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    assert len(writes) <= 6  # at most twice per epoch: end of validation, end of training


def test_csv_replaces_a_file_of_an_earlier_run_and_takes_new_columns(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,old\n7,1\n")
    logger = EpochCSVLogger(path)
    logger.log_metrics({"epoch": 0, "val/loss": 2.0}, step=10)
    logger.log_metrics({"epoch": 1, "val/loss": 1.0, "val/macro_f1": 0.5}, step=20)
    assert path.read_text() == "epoch,val/loss,step,val/macro_f1\n0,2.0,10,\n1,1.0,20,0.5\n"
