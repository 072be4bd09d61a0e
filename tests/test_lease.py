"""A run is trained by one process at a time, wherever the processes run and however they end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, settings_restored

from emoji_pred import lease
from emoji_pred.lease import (
    Busy,
    check_not_lost,
    child_that_trains,
    held,
    is_trained,
    wait_until_one_is_free,
    was_left,
)

HOLD = (
    "import sys, time; from pathlib import Path; from emoji_pred.lease import held\n"
    "with held(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
)


@contextmanager
def holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a directory until it is given a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with ended_with_the_test(child):
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child


@contextmanager
def ended_with_the_test(child: subprocess.Popen[str]) -> Iterator[None]:
    """No process outlives a test; one that says nothing is ended, so that nobody reads for ever."""
    deadline = threading.Timer(240, child.kill)
    deadline.start()
    try:
        yield
    finally:
        deadline.cancel()
        child.kill()
        child.wait()


def test_a_run_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        with pytest.raises(Busy, match="is being trained by another process"), held(tmp_path):
            pass
        assert child_that_trains(tmp_path) == child.pid
        assert not was_left(tmp_path)
        child.communicate("\n", timeout=60)
    with held(tmp_path):
        assert child_that_trains(tmp_path) is None, "this process is no child of its own"
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"


def test_a_killed_holder_on_this_machine_gives_way_at_once(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        child.kill()
        child.wait()
        assert was_left(tmp_path)
        assert not was_left(tmp_path), "it was cleared away"
        with held(tmp_path):
            assert child_that_trains(tmp_path) is None


def test_waiting_ends_with_the_holder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with holder(tmp_path) as child:
        assert child.stdin is not None
        waiting = subprocess.Popen(
            [sys.executable, "-c", HOLD.replace("[1])", "[1]), wait=True"), str(tmp_path)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with ended_with_the_test(waiting):
            assert waiting.stdout is not None
            assert "is being trained by another process; waiting" in waiting.stdout.readline()
            child.stdin.write("\n")
            child.stdin.flush()
            assert waiting.stdout.readline() == "held\n"
            waiting.communicate("\n", timeout=60)
    wait_until_one_is_free([tmp_path])
    wait_until_one_is_free([tmp_path / "nothing"])


def as_if_elsewhere(directory: Path) -> None:
    """Turn the lease that lies there into one of another machine."""
    marker = directory / lease.LEASE
    lines = marker.read_text().splitlines()
    assert sum(line.startswith("host=") for line in lines) == 1
    lines = ["host=another-machine" if line.startswith("host=") else line for line in lines]
    marker.write_text("\n".join(lines) + "\n")


def test_a_silent_holder_elsewhere_gives_way_after_its_time_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SILENCE_SECONDS", 3.0)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 1.0)
    with held(tmp_path):
        pass
    from filelock import SoftFileLease

    dead = SoftFileLease(tmp_path / lease.LEASE, lease_duration=3.0, heartbeat_interval=2.9)
    dead.acquire()
    content = (tmp_path / lease.LEASE).read_text()
    dead.release()
    (tmp_path / lease.LEASE).write_text(content)
    (tmp_path / lease.LEASE).chmod(0o600)
    as_if_elsewhere(tmp_path)
    # Its clock may be anywhere: the silence is measured by whoever waits.
    os.utime(tmp_path / lease.LEASE, (time.time() + 86400, time.time() + 86400))
    with pytest.raises(Busy), held(tmp_path):
        pass
    started = time.monotonic()
    with held(tmp_path, wait=True):
        assert time.monotonic() - started >= 3.0


def test_a_heart_that_beats_is_never_taken_for_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SILENCE_SECONDS", 8.0)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.5)
    from filelock import SoftFileLease, Timeout

    with held(tmp_path) as mine:
        assert mine is not None
        # On the same machine the process is seen to live, so ask for the heart-beat itself.
        before = (tmp_path / lease.LEASE).stat().st_mtime_ns
        contender = SoftFileLease(tmp_path / lease.LEASE, lease_duration=8.0, heartbeat_interval=0.5)
        with pytest.raises(Timeout):
            contender.acquire(timeout=2.0)
        assert (tmp_path / lease.LEASE).stat().st_mtime_ns > before
        check_not_lost(mine, tmp_path)


def test_a_lost_lease_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SILENCE_SECONDS", 8.0)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.1)
    with held(tmp_path) as mine:
        assert mine is not None
        (tmp_path / lease.LEASE).unlink()
        until = time.monotonic() + 60
        while mine.compromise is None:
            assert time.monotonic() < until
            time.sleep(0.05)
        with pytest.raises(Busy, match="taken over by another process"):
            check_not_lost(mine, tmp_path)


def test_a_lease_that_a_power_cut_left_empty_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "WRITING_SECONDS", 0.5)
    (tmp_path / lease.LEASE).touch()
    with held(tmp_path):
        assert (tmp_path / lease.LEASE).stat().st_size
    (tmp_path / lease.LEASE).touch()
    wait_until_one_is_free([tmp_path])


def test_one_free_run_of_several_is_enough(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "free").mkdir()
    with holder(tmp_path / "busy"):
        wait_until_one_is_free([tmp_path / "busy", tmp_path / "free"])


def test_a_lease_that_another_took_is_seen_before_the_heart_beats(tmp_path: Path) -> None:
    with held(tmp_path) as mine:
        check_not_lost(mine, tmp_path)
        marker = tmp_path / lease.LEASE
        assert mine.token
        marker.write_text(marker.read_text().replace(mine.token, "0" * len(mine.token)))
        assert mine.compromise is None
        with pytest.raises(Busy, match="taken over by another process"):
            check_not_lost(mine, tmp_path)


def test_a_run_that_another_took_stops_before_it_writes(
    compose: Callable[..., dict[str, Any]], quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    from filelock import SoftFileLease

    from emoji_pred.run import run

    config = compose(*quick("cnn", "model.max_epochs=5", "trainer.save_steps=1000"))
    config |= {f"{name}_dir": str(tmp_path / name) for name in ("runs", "cache", "data")}
    seen: list[int] = []

    def lose(epoch: int, _: Any) -> None:
        seen.append(epoch)
        (marker,) = tmp_path.glob(f"runs/*/{lease.LEASE}")
        owner = SoftFileLease(marker).owner
        assert owner is not None
        marker.write_text(marker.read_text().replace(owner.token, "0" * len(owner.token)))

    with settings_restored(), pytest.raises(Busy, match="taken over by another process"):
        run(config, watch=lose)
    assert seen == [0], "the second epoch was validated"
    (directory,) = (tmp_path / "runs").iterdir()
    assert not list(directory.glob("state-*")) and not (directory / "result.json").exists()


def test_whether_a_run_is_trained(tmp_path: Path) -> None:
    assert not is_trained(tmp_path / "nowhere") and not is_trained(tmp_path)
    with holder(tmp_path) as child:
        assert is_trained(tmp_path) and is_trained(tmp_path)
        child.kill()
        child.wait()
        assert not is_trained(tmp_path)  # who is dead trains nothing
