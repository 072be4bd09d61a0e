"""TensorBoard's files, read back with TensorBoard."""

from __future__ import annotations

import csv
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emoji_pred import resume, runs
from emoji_pred.errors import Stopped, UserError
from emoji_pred.run_tables import RowTable
from emoji_pred.tensorboard_logger import EpochTensorBoardLogger, build_tensorboard_logger, flat, markdown

Train = Callable[..., Any]
Quick = Callable[..., list[str]]


def read(directory: Path) -> EventAccumulator:
    """All events of a run's directory, as TensorBoard joins its files."""
    events = EventAccumulator(str(directory / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


def scalar(events: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(tag)]


def text(events: EventAccumulator, tag: str) -> str:
    (event,) = events.Tensors(f"{tag}/text_summary")
    return str(event.tensor_proto.string_val[0].decode())


def overrides(quick: Quick, *more: str) -> list[str]:
    return [item for item in quick("cnn") if not item.startswith("logger")] + ["logger=tensorboard", *more]


def curve(directory: Path, tag: str) -> list[tuple[int, Any]]:
    """A column of the CSV, which is written apart."""
    with (directory / runs.CURVES).open(newline="") as stream:
        return [(int(row["epoch"]), pytest.approx(float(row[tag]))) for row in csv.DictReader(stream)]


def test_curves_settings_and_tables(train: Train, quick: Quick, tmp_path: Path) -> None:
    outcome = train(*overrides(quick, "model.max_epochs=2"), runs_dir=tmp_path)
    events, result = read(outcome.directory), outcome.result
    for tag in ("train/loss", "val/loss", "val/macro_f1"):
        assert scalar(events, tag) == curve(outcome.directory, tag)
    # As a part of the settings: the final metrics.
    assert events.Scalars("test/macro_f1")[0].value == pytest.approx(result["test"]["macro_f1"])
    from tensorboard.plugins.hparams import plugin_data_pb2

    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert settings["model.optimizer.lr"].number_value == result["config"]["model"]["optimizer"]["lr"]
    assert settings["loss.name"].string_value == "focal"
    labels = result["label_names"]
    lines = text(events, "test/per_class").splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == labels
    counts = [
        [int(cell) for cell in line.strip("| ").split(" | ")[1:]]
        for line in text(events, "test/confusion_matrix").splitlines()[2:]
    ]
    assert counts == result["test"]["confusion_matrix"]
    assert len(text(events, "test/predictions").splitlines()) == 2 + min(
        50, result["provenance"]["rows"]["test"]
    )
    assert "test/reliability/text_summary" in events.Tags()["tensors"]


def test_a_continued_run_has_every_epoch_once(
    train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agreed(saver: Any, trainer: Any, due: bool, number: int) -> tuple[bool, int]:
        """Asked to stop in the third epoch (7 steps each)."""
        return (True, int(signal.SIGTERM)) if trainer.global_step == 15 else (due, number)

    typed = overrides(quick, "model.max_epochs=4")
    with monkeypatch.context() as patched:
        patched.setattr(resume.SaveState, "_agreed", agreed)
        with pytest.raises(Stopped):
            train(*typed, runs_dir=tmp_path)
    outcome = train(*typed, runs_dir=tmp_path)
    assert outcome.result["interruptions"] == 1
    assert len(list((outcome.directory / "tensorboard").iterdir())) == 2
    assert scalar(read(outcome.directory), "val/loss") == curve(outcome.directory, "val/loss")


def test_epochs_after_the_last_state_count_once(tmp_path: Path) -> None:
    """As after a power cut: the state is older than what was logged."""
    for epochs, loss in (((0, 1, 2), 1.0), ((1, 2, 3), 0.5)):
        logger = EpochTensorBoardLogger(tmp_path, {}, 0)
        for epoch in epochs:
            logger.log_metrics({"epoch": epoch, "val/loss": loss}, step=epoch)
        logger.end_early(Stopped(15))
    assert scalar(read(tmp_path), "val/loss") == [(0, 1.0), (1, 0.5), (2, 0.5), (3, 0.5)]


def test_nothing_is_written_before_the_first_epoch(tmp_path: Path) -> None:
    logger = EpochTensorBoardLogger(tmp_path, {}, 0)
    logger.save()
    logger.finalize("success")
    logger.end_early(ValueError())
    assert list(tmp_path.iterdir()) == []


def test_settings_by_dotted_key() -> None:
    config = {"model": {"lr": 0.5, "sizes": [3, 4], "clip": None}, "seed": 1, "logger": {"csv": {}}}
    assert flat(config) == {"model.lr": 0.5, "model.sizes": "[3, 4]", "model.clip": "None", "seed": 1}


def test_a_cell_cannot_break_its_table() -> None:
    table = markdown(RowTable(["a", "b"], [["x|y\nz", 0.123456]]))
    assert table == "| a | b |\n| --- | --- |\n| x\\|y z | 0.1235 |"


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"logger=tensorboard needs a package: pip install 'emoji_pred\[tr"):
        build_tensorboard_logger({"predictions": 0}, tmp_path, {})
