"""The cache of an array: built once, whole or not at all, and done without where it cannot be written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from emoji_pred.array_cache import cached_array

ARRAY = np.arange(5000, dtype=np.float32).reshape(50, 100)


def never() -> np.ndarray:
    raise AssertionError("it is in the cache")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors" / "key.npz"


def test_it_is_computed_once(path: Path) -> None:
    assert cached_array(path, lambda: ARRAY, "vector") is ARRAY
    read = cached_array(path, never, "vector")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, ARRAY)
    assert sorted(file.name for file in path.parent.iterdir()) == ["key.lock", "key.npz"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "text"])
def test_a_damaged_file_is_computed_again(path: Path, damage: str) -> None:
    cached_array(path, lambda: ARRAY, "vector")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {
        "flipped": bytes(content),
        "cut": content[: len(content) // 2],
        "empty": b"",
        "text": b"no archive",
    }
    path.write_bytes(damaged[damage])
    np.testing.assert_array_equal(cached_array(path, lambda: ARRAY, "vector"), ARRAY)
    np.testing.assert_array_equal(cached_array(path, never, "vector"), ARRAY)


def test_processes_that_ask_together_compute_it_once(path: Path, tmp_path: Path) -> None:
    log = tmp_path / "built"

    def slowly() -> np.ndarray:
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return ARRAY

    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(cached_array(path, slowly, "vector"), ARRAY) else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    assert len(log.read_text().splitlines()) == 1


def test_a_directory_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"vector cache .* cannot be written \(Not a directory\)"):
        found = cached_array(tmp_path / "file" / "vectors" / "key.npz", lambda: ARRAY, "vector")
    assert found is ARRAY


def test_a_disk_that_is_full_is_done_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match=r"vector cache .* cannot be written \(No space left on device\)"):
        assert cached_array(path, lambda: ARRAY, "vector") is ARRAY
    assert [file.name for file in path.parent.iterdir()] == ["key.lock"]


def test_an_error_of_the_computation_is_no_matter_of_the_cache(path: Path) -> None:
    with pytest.raises(AssertionError, match="it is in the cache"):
        cached_array(path, never, "vector")
    np.testing.assert_array_equal(cached_array(path, lambda: ARRAY, "vector"), ARRAY)
