"""Progress: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from emoji_pred.progress import EpochBar, EpochLines, callbacks, chunks


@pytest.mark.parametrize(
    ("setting", "terminal", "kinds"),
    [
        ("auto", True, [EpochBar, EpochLines]),
        ("auto", False, [EpochLines]),
        ("bar", False, [EpochBar, EpochLines]),
        ("lines", True, [EpochLines]),
        ("none", True, []),
    ],
)
def test_the_setting_and_the_terminal_decide(
    monkeypatch: pytest.MonkeyPatch, setting: str, terminal: bool, kinds: list[type]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    assert [type(callback) for callback in callbacks(setting)] == kinds


@pytest.mark.parametrize(
    ("setting", "shown"), [("bar", True), ("auto", False), ("lines", False), ("none", False)]
)
def test_chunks_pass_through_a_bar_or_not(
    capsys: pytest.CaptureFixture[str], setting: str, shown: bool
) -> None:
    items = [["a"], ["b", "c"]]
    assert list(chunks(setting, items, "tokenizing train")) == items
    assert ("tokenizing train" in capsys.readouterr().err) == shown


def lines_of(capsys: pytest.CaptureFixture[str], epochs: int, first_process: bool = True) -> list[str]:
    callback = EpochLines()
    trainer: Any = SimpleNamespace(is_global_zero=first_process, current_epoch=0, max_epochs=4)
    module: Any = SimpleNamespace(curves=[])
    callback.on_fit_start(trainer, module)
    callback._started -= 30  # as if the first epochs had taken 30 seconds
    for epoch in range(epochs):
        trainer.current_epoch = epoch
        module.curves.append({"train/loss": 2.5, "val/loss": 1.25, "val/macro_f1": 0.125 * epoch})
        callback.on_validation_end(trainer, module)
    return capsys.readouterr().out.splitlines()


def test_a_line_an_epoch_with_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = lines_of(capsys, 2)
    assert first.startswith("epoch 1/4  train loss 2.5000  val loss 1.2500  val macro-F1 0.0000")
    assert "val macro-F1 0.1250" in second
    # 30 s for one epoch leave 3 x 30; 30 s for two leave 2 x 15.
    assert re.search(r"at most 1 min 3\d s left", first)
    assert re.search(r"at most 3\d\.\d s left", second)


def test_helper_processes_keep_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(capsys, 2, first_process=False) == []


def test_a_long_epoch_and_a_long_evaluation_say_how_far_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    callback = EpochLines()
    trainer: Any = SimpleNamespace(
        is_global_zero=True,
        current_epoch=1,
        max_epochs=4,
        num_training_batches=10,
        num_predict_batches=[8],
    )
    module: Any = None
    callback.on_fit_start(trainer, module)
    callback._started -= 150
    callback.on_train_batch_end(trainer, module, None, None, 4)
    assert capsys.readouterr().out == "", "nothing to say yet"
    callback._spoke -= 61
    callback.on_train_batch_end(trainer, module, None, None, 4)
    callback.on_train_batch_end(trainer, module, None, None, 5)
    # One and a half epochs of four took 150 s: 250 s are left.
    assert re.fullmatch(r"epoch 2/4  50%  at most 4 min 1\d s left\n", capsys.readouterr().out)
    callback.on_predict_start(trainer, module)
    callback._started -= 62
    callback._spoke -= 62
    callback.on_predict_batch_end(trainer, module, None, None, 3)
    assert re.fullmatch(r"evaluating  50%  1 min 0\d s left\n", capsys.readouterr().out)
