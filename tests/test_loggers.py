"""CSV learning curves, and W&B offline."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

import emoji_pred.wandb_logger
from emoji_pred.errors import UserError
from emoji_pred.loggers import EpochCSVLogger, build_logger, log_evaluation
from emoji_pred.metrics import evaluate
from emoji_pred.wandb_logger import wandb_mode, worst_predictions

LABELS = ["❤", "😂", "غصہ"]
KEY = "0" * 40


def wandb_options(**changes: Any) -> dict[str, Any]:
    options = {"name": "wandb", "mode": None, "project": "p", "entity": None, "group": None, "tags": ["t"]}
    return options | {"predictions": 3, "timeout": 2} | changes


@pytest.fixture
def logged_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without credentials, and no W&B variables."""
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


# --- which logger


def test_none_is_lightnings_false(tmp_path: Path) -> None:
    assert build_logger({"name": "none"}, tmp_path, "run", {}) is False
    log_evaluation(False, {}, {})


def test_csv_is_one_logger_and_writes_nothing_before_the_first_epoch(tmp_path: Path) -> None:
    loggers = build_logger({"name": "csv"}, tmp_path, "run", {})
    assert isinstance(loggers, list) and [type(logger) for logger in loggers] == [EpochCSVLogger]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="csv, wandb or none"):
        build_logger({"name": "tensorboard"}, tmp_path, "run", {})


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
        logger=build_logger({"name": "csv"}, tmp_path, "run", {}),
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


# --- the mode of W&B


def test_without_credentials_the_mode_is_offline(logged_out: Path) -> None:
    assert wandb_mode(None) == "offline"


def test_a_key_in_the_environment_means_online(logged_out: Path) -> None:
    assert wandb_mode(None, {"HOME": str(logged_out), "WANDB_API_KEY": KEY}) == "online"
    assert wandb_mode(None, {"HOME": str(logged_out), "WANDB_API_KEY": ""}) == "offline"


def test_a_netrc_entry_counts_for_its_own_host_only(logged_out: Path) -> None:
    (logged_out / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    (logged_out / ".netrc").chmod(0o600)
    home = {"HOME": str(logged_out)}
    assert wandb_mode(None, home) == "online"
    assert wandb_mode(None, home | {"WANDB_BASE_URL": "https://wandb.example.org"}) == "offline"
    assert wandb_mode(None, home | {"NETRC": str(logged_out / "absent")}) == "offline"


def test_a_damaged_netrc_counts_as_logged_out(logged_out: Path) -> None:
    (logged_out / ".netrc").write_text("machine\nnonsense ☃ here")
    assert wandb_mode(None, {"HOME": str(logged_out)}) == "offline"


def test_what_is_given_wins(logged_out: Path) -> None:
    key = {"HOME": str(logged_out), "WANDB_API_KEY": KEY}
    assert wandb_mode(None, key | {"WANDB_MODE": "offline"}) == "offline"
    assert wandb_mode(None, key | {"WANDB_MODE": "dryrun"}) == "offline"
    assert wandb_mode("disabled", key | {"WANDB_MODE": "online"}) == "disabled"
    assert wandb_mode("online", {"HOME": str(logged_out), "WANDB_MODE": "offline"}) == "online"


@pytest.mark.parametrize(
    ("option", "environment", "words"),
    [
        ("on", {}, "logger.mode=on"),
        (None, {"WANDB_MODE": "of"}, "WANDB_MODE=of"),
        ("offline", {"WANDB_MODE": "of"}, "WANDB_MODE=of"),
    ],
)
def test_a_mode_that_does_not_exist_is_a_users_mistake(option, environment, words) -> None:
    with pytest.raises(UserError, match=f"{words} .*online, offline, disabled"):
        wandb_mode(option, environment)


def test_the_mode_is_decided_without_importing_wandb(
    logged_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import would now fail
    assert wandb_mode(None) == "offline"
    assert not hasattr(emoji_pred.wandb_logger, "wandb")


# --- W&B offline


def evaluated() -> tuple[dict[str, Any], dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(20, 3, generator=generator).softmax(1)
    targets = torch.randint(0, 3, (20,), generator=generator)
    metrics = evaluate(probabilities, targets, "multiclass", LABELS)
    predictions = {"test": ([f"test-{i}" for i in range(20)], targets.numpy(), probabilities.numpy())}
    return {"label_names": LABELS, "validation": metrics, "test": metrics}, predictions


def tables_of(directory: Path) -> dict[str, Any]:
    """The tables of the only offline run, by the last part of their key."""
    found = {}
    for file in directory.glob("wandb/offline-run-*/files/media/table/**/*.table.json"):
        name, _step, _digest = file.name.removesuffix(".table.json").rsplit("_", 2)
        found[name] = json.loads(file.read_text())
    return found


def test_offline_run_keeps_config_curves_and_tables(
    logged_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "")  # W&B itself stops at an empty value
    started = time.monotonic()
    loggers = build_logger(wandb_options(), tmp_path, "run-name", {"model": {"marker": "unmistakable"}})
    assert isinstance(loggers, list)
    for logger in loggers:
        logger.log_metrics({"epoch": 0, "val/loss": 0.75}, step=10)
    result, predictions = evaluated()
    log_evaluation(loggers, result, predictions, {"test": [f"text number {i}" for i in range(20)]})
    assert time.monotonic() - started < 60

    assert (tmp_path / "metrics.csv").exists()
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    wanted = {b"unmistakable", b"run-name", b"val/loss", b"test/confusion_matrix", b"test/per_class_f1"}
    while missing := {words for words in wanted if words not in log.read_bytes()}:
        assert time.monotonic() - started < 60, missing
        time.sleep(0.02)  # W&B's own process writes the file a moment after the run is closed
    tables = tables_of(tmp_path)
    assert [row[0] for row in tables["per_class"]["data"]] == LABELS
    assert sum(row[2] for row in tables["confusion_matrix_table"]["data"]) == 20
    assert len(tables["predictions"]["data"]) == 3
    losses = [row[5] for row in tables["predictions"]["data"]]
    assert losses == sorted(losses, reverse=True)
    first = tables["predictions"]["data"][0]
    assert first[1] == "text number " + first[0].removeprefix("test-")
    out, err = capfd.readouterr()
    assert "wandb:" not in out + err
    assert out == f"W&B: kept offline; `wandb sync {log.parent}` uploads it\n"


def test_a_second_run_of_a_sweep_gets_a_wandb_run_of_its_own(logged_out: Path, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    build_logger(wandb_options(), tmp_path / "first", "first", {})  # fails before it is closed
    loggers = build_logger(wandb_options(predictions=0), tmp_path / "second", "second", {})
    log_evaluation(loggers, *evaluated())
    assert len(list((tmp_path / "second").glob("wandb/offline-run-*/run-*.wandb"))) == 1
    assert "predictions" not in tables_of(tmp_path / "second")


def test_online_without_network_falls_back_to_offline_and_says_so(
    logged_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # the discard port: nobody listens
    started = time.monotonic()
    loggers = build_logger(wandb_options(), tmp_path, "run", {})
    log_evaluation(loggers, *evaluated())
    assert time.monotonic() - started < 30
    assert "kept offline" in capfd.readouterr().err
    assert len(list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))) == 1


# --- the worst predictions


def test_worst_predictions_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.6, 0.4]])
    # Probability of the truth: 0.1, 0.8, 0.4, 0.4.
    assert worst_predictions(np.array([1, 1, 1, 1]), probabilities, 3).tolist() == [0, 2, 3]


def test_worst_predictions_of_several_labels_by_hand() -> None:
    probabilities = np.array([[0.5, 0.5], [0.9, 0.9], [0.1, 0.9]])
    targets = np.array([[1, 0], [1, 0], [1, 0]])
    # Product of the probabilities of the right answers: 0.25, 0.09, 0.01.
    assert worst_predictions(targets, probabilities, 9).tolist() == [2, 1, 0]


def test_certain_and_wrong_is_finite() -> None:
    assert worst_predictions(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), 1).tolist() == [0]
