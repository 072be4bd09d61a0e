"""How the processes of a run end each other, without starting any."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from typing import Any

import pytest

from emoji_pred import peers
from emoji_pred.errors import RunFailed, Stopped, UserError, stopped_with
from emoji_pred.peers import Peers
from emoji_pred.signals import stop_request


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The codes with which the watching thread would have ended this process."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(peers, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(peers, "ASKED_EVERY_SECONDS", 0.01)
    return codes


@pytest.mark.parametrize(
    ("loss", "code", "said"),
    [
        (RunFailed("process 1 is gone"), 1, "error: process 1 is gone"),
        (Stopped(signal.SIGTERM), 143, "stopped by SIGTERM; the same command continues"),
    ],
)
def test_a_process_that_waits_for_one_that_is_gone_is_ended(
    exits: list[int], capfd: pytest.CaptureFixture[str], loss: Any, code: int, said: str
) -> None:
    first = Peers()
    first._loss = lambda: loss  # type: ignore[method-assign]
    first._watch()
    until = time.monotonic() + 60
    while not exits and time.monotonic() < until:
        time.sleep(0.01)
    first._over.set()
    assert exits[0] == code
    assert said in capfd.readouterr().err


def test_a_process_that_takes_its_time_to_end_is_not_cut_off(exits: list[int]) -> None:
    """It has left what they do together by an error, and closes its trackers."""
    first = Peers()
    first._loss = lambda: RunFailed("process 1 is gone")  # type: ignore[method-assign]
    first._watch()
    with suppress(RuntimeError), first.working():
        raise RuntimeError("Connection closed by peer")
    time.sleep(1.5)
    assert exits == []


class Store(dict[str, bytes]):
    """In the place of torch's."""

    def set(self, key: str, value: str) -> None:
        self[key] = value.encode()

    def get(self, key: str) -> bytes:  # type: ignore[override]
        return self[key]

    def check(self, keys: list[str]) -> bool:
        return all(key in self for key in keys)


@pytest.mark.parametrize(
    ("told", "kind", "message"),
    [
        (["mistake", "a row is wrong"], UserError, "a row is wrong (in process 1 of the run)"),
        (["failed", "no memory"], RunFailed, "no memory (in process 1 of the run)"),
        (["stopped", 15], Stopped, "15"),
    ],
)
def test_what_a_helper_told_ends_the_first_that_waits(told: list[Any], kind: type, message: str) -> None:
    first = Peers()
    first.count, first._store = 2, Store()
    first._store.set("ended/1", json.dumps(told))
    with pytest.raises(kind) as raised:
        first.meet()
    assert str(raised.value) == message


def test_a_signal_ends_a_wait_where_it_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Peers()
    first.count, first._store = 2, Store()
    monkeypatch.setattr(stop_request, "signal_number", int(signal.SIGUSR1))
    with pytest.raises(Stopped) as stopped:
        first.meet()
    assert stopped.value.signal_number == signal.SIGUSR1


def test_exit_codes_of_signals() -> None:
    """As a shell tells them, and as Python tells them of a child that did not listen."""
    numbers = {
        code: end and end.signal_number
        for code in (143, -15, 130, -2, 138, -10)
        for end in [stopped_with(code)]
    }
    assert numbers == {143: 15, -15: 15, 130: 2, -2: 2, 138: 10, -10: 10}
    assert [stopped_with(code) for code in (0, 1, 2, 137, -9, 128)] == [None] * 6
