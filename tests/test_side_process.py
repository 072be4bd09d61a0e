"""A process beside the run: heard, and never waited for longer than was said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emoji_pred.side_process import SideProcess

PATIENCE = 120.0

Start = Callable[[str], SideProcess]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a module with the given code as a process."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def started(code: str) -> SideProcess:
        (tmp_path / "code_of_a_test.py").write_text(f"import json, os, sys, time\n{code}\n")
        return SideProcess("code_of_a_test")

    return started


def test_messages_arrive_in_order_whatever_their_size(start: Start) -> None:
    process = start("for line in sys.stdin: print(json.dumps({'length': len(json.loads(line)['text'])}))")
    sizes = [3, 1_000_000, 0]  # a pipe holds 64 kB
    for size in sizes:
        process.send({"text": "ä" * size})
    heard = process.close(lambda _: PATIENCE)
    assert [message["length"] for message in heard] == sizes
    assert process.gone


def test_one_that_never_reads_holds_up_nobody(start: Start) -> None:
    process = start("time.sleep(600)")
    try:
        for _ in range(100):  # far more than the pipe takes; a write that waited would never end
            process.send({"text": "x" * 10_000})
        assert process.heard() == []
        assert process.close(lambda _: 0.2) == []
        assert not process.gone
    finally:
        assert process._process is not None
        process._process.kill()


def test_patience_follows_what_is_heard(start: Start) -> None:
    process = start("print(json.dumps({'hopeless': True}), flush=True); time.sleep(600)")
    try:
        heard = process.close(lambda heard: 0.0 if heard else PATIENCE)
        assert heard == [{"hopeless": True}] and not process.gone
    finally:
        assert process._process is not None
        process._process.kill()


def test_one_that_has_ended_is_gone_and_its_last_words_are_heard(start: Start) -> None:
    process = start("print(json.dumps({'last': 1}), flush=True)")
    assert process._process is not None
    process._process.wait(PATIENCE)
    for _ in range(3):
        process.send({"text": "x" * 100_000})
    assert process.heard() == [{"last": 1}]
    assert process.gone
    assert process.close(lambda _: PATIENCE) == []


def test_one_that_cannot_be_started_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", os.devnull)
    process = SideProcess("whatever")
    process.send({})
    assert process.gone and process.heard() == [] and process.close(lambda _: PATIENCE) == []


def test_a_signal_for_the_group_of_the_run_is_not_for_it(start: Start) -> None:
    process = start("print(json.dumps({'group': os.getpgid(0)}), flush=True)")
    (message,) = process.close(lambda _: PATIENCE)
    assert message["group"] != os.getpgid(0)
