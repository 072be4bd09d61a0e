"""What a result says of where it was made: enough to repeat it, nothing that names a machine."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY

from emoji_pred import provenance


def test_the_environment_is_plain_and_names_versions_but_no_machine() -> None:
    found = provenance.environment(on_gpu=False)
    text = json.dumps(found)
    # The CUDA build of the package index says its build (+cu130) in the module alone, not in its metadata.
    assert found["packages"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert re.fullmatch(r"3\.\d+\.\d+.*", found["python"])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", found["date"])
    for private in (socket.gethostname(), str(Path.home()), str(REPOSITORY)):
        assert private not in text
    assert all(version for version in found["packages"].values())


def test_a_run_on_the_cpu_of_a_machine_with_a_gpu_names_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "a graphics card")
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: 3 << 20)
    assert provenance.environment(on_gpu=False)["machine"]["device"] == "cpu"
    on_card = provenance.environment(on_gpu=True)["machine"]
    assert (on_card["device"], on_card["gpu_peak_mb"]) == ("a graphics card", 3)


def test_a_package_that_is_absent_is_null() -> None:
    assert provenance._version("no_such_package_anywhere") is None


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_code_revision_notices_changes_of_code_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "emoji_pred"
    package.mkdir()
    (package / "provenance.py").write_text("")
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    assert provenance.code_revision() == {"commit": None, "dirty": None}
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert provenance.code_revision() == {"commit": commit, "dirty": False}
    (tmp_path / "notes.md").write_text("not code")
    assert provenance.code_revision()["dirty"] is False
    (package / "provenance.py").write_text("changed = True\n")
    assert provenance.code_revision() == {"commit": commit, "dirty": True}


def test_an_installed_copy_does_not_report_the_repository_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "somebody's project")
    installed = tmp_path / "lib" / "emoji_pred" / "provenance.py"
    installed.parent.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.code_revision() == {"commit": None, "dirty": None}


def test_without_git_the_revision_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert provenance.code_revision() == {"commit": None, "dirty": None}


def test_peak_memory_is_in_mebibytes() -> None:
    block = bytearray(64 * 1024**2)
    block[::4096] = b"x" * len(block[::4096])
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert provenance.peak_memory_mb() == pytest.approx(kibibytes / 1024, abs=2)
    assert provenance.peak_memory_mb() > 64


def test_peak_memory_is_of_the_run_and_not_of_what_ran_before() -> None:
    import numpy as np

    before = np.ones(200 * 2**20, dtype=np.uint8)  # 200 MiB
    assert provenance.peak_memory_mb() >= 200
    high = provenance.peak_memory_mb()
    del before
    provenance.reset_peak_memory()
    assert provenance.peak_memory_mb() <= high - 150 or not Path("/proc/self/clear_refs").exists()
