"""Listing, comparing and removing runs, from their files alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY

from emoji_pred import runs
from emoji_pred.errors import UserError
from emoji_pred.runs_command import fits, main, paired_bootstrap, read_runs, value_of

Train = Callable[..., Any]
Quick = Callable[..., list[str]]


@pytest.fixture
def some_runs(train: Train, quick: Quick, tmp_path: Path) -> Path:
    place = tmp_path / "runs"
    place.mkdir()
    for seed in (0, 1):
        trained = train(*quick("ffn", f"seed={seed}", "model.max_epochs=2"))
        shutil.copytree(trained.directory, place / trained.directory.name)
    (place / ("0" * 12)).mkdir()
    failed = place / ("a" * 12)
    failed.mkdir()
    runs.write_failure(failed, ZeroDivisionError("a bug"), "trace", ["seed=7"])
    (place / ("b" * 12)).mkdir()
    (place / ("b" * 12) / "state-000000003-0123456789abcdef.ckpt").touch()
    (place / "sweeps").mkdir()
    return place


def test_every_run_is_known_by_its_state(some_runs: Path) -> None:
    found = {run["run"]: run["status"] for run in read_runs(some_runs)}
    assert sorted(found.values()) == ["failed", "finished", "finished", "interrupted", "unfinished"]
    assert (found["a" * 12], found["b" * 12]) == ("failed", "interrupted")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("loss.gamma=2", True),
        ("loss.gamma=2.0", True),
        ("loss.gamma!=2", False),
        ("model.name=cnn", True),
        ("model.name=ffn", False),
        ("test.macro_f1>0.2", True),
        ("test.macro_f1>=0.25", True),
        ("test.macro_f1<0.25", False),
        ("test.macro_f1<=0.3", True),
        ("model.name>3", False),
        ("no.such.key=1", False),
        ("no.such.key!=1", False),
        ("seed=0", True),
        ("force=false", True),
    ],
)
def test_conditions(condition: str, expected: bool) -> None:
    run = {
        "run": "0" * 12,
        "status": "finished",
        "test": {"macro_f1": 0.25},
        "config": {"loss": {"gamma": 2.0}, "model": {"name": "cnn"}, "seed": 0, "force": False},
    }
    assert fits(run, [condition]) is expected


def test_a_condition_without_an_operator_is_a_mistake() -> None:
    with pytest.raises(UserError, match="write KEY=VALUE"):
        fits({}, ["model"])


def test_the_list_is_filtered_and_sorted(some_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "--runs-dir",
            str(some_runs),
            "list",
            "--where",
            "status=finished",
            "--sort",
            "test.macro_f1",
            "--json",
        ]
    )
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    scores = [row["test macro F1"] for row in rows]
    assert len(rows) == 2 and scores == sorted(scores, reverse=True)
    main(["--runs-dir", str(some_runs), "list"])
    out = capsys.readouterr().out
    assert "interrupted" in out and "failed" in out and "5 run(s)" in out


def test_two_runs_are_compared(some_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [run["run"] for run in read_runs(some_runs) if run["status"] == "finished"]
    main(["--runs-dir", str(some_runs), "compare", names[0][:6], names[1][:6]])
    out = capsys.readouterr().out
    assert "seed" in out and "loss.gamma" not in out
    results = {run["run"]: run for run in read_runs(some_runs)}
    difference = value_of(results[names[1]], "test.macro_f1") - value_of(results[names[0]], "test.macro_f1")
    assert f"{difference:+.4f}" in out


def test_the_bootstrap_by_hand_and_against_the_normal_approximation() -> None:
    rng = np.random.default_rng(1)
    targets = np.repeat([0, 1], 500)
    first = np.where(rng.random(1000) < 0.6, targets, 1 - targets)
    second = np.where(rng.random(1000) < 0.7, targets, 1 - targets)
    found = paired_bootstrap(targets, first, second, 2)
    paired = (second == targets).astype(float) - (first == targets)
    difference, lower, upper = found["accuracy"]
    assert difference == pytest.approx(paired.mean())
    half = 1.96 * paired.std() / np.sqrt(1000)
    assert (lower, upper) == pytest.approx((paired.mean() - half, paired.mean() + half), abs=0.006)
    from sklearn.metrics import f1_score

    expected = f1_score(targets, second, average="macro") - f1_score(targets, first, average="macro")
    assert found["macro_f1"][0] == pytest.approx(expected)
    assert paired_bootstrap(targets, first, first, 2)["macro_f1"] == (0.0, 0.0, 0.0)


def test_removing_needs_a_condition_and_a_yes(some_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--runs-dir", str(some_runs), "prune"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    main([*arguments, "--where", "status=failed"])
    assert (some_runs / ("a" * 12)).is_dir()
    main([*arguments, "--where", "status=failed", "--yes"])
    assert not (some_runs / ("a" * 12)).exists()
    assert len(read_runs(some_runs)) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs", "--runs-dir", "/no/such/place", "list"], "/no/such/place is no directory"),
        (["runs", "--runs-dir", ".", "compare", "a", "b"], "a is the beginning of 0 runs"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emoji_pred", *arguments], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and words in line
