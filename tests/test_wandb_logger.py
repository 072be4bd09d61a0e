"""W&B: what an offline run holds, how a run continues, and that no failure of W&B costs the run."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import REPOSITORY, Ended
from wandb_file import OfflineRun, offline_runs
from wandb_server import WandbServer

from emoji_pred import resume, runs, wandb_logger
from emoji_pred.errors import Stopped
from emoji_pred.loggers import build_logger, log_evaluation
from emoji_pred.metrics import evaluate
from emoji_pred.wandb_logger import RunWandbLogger

Train = Callable[..., Any]
Quick = Callable[..., list[str]]

LABELS = ["❤", "😂", "غصہ"]
KEY = "0" * 40
PATIENCE = 120  # seconds for another process on a loaded machine
PATIENT = ("logger=wandb", f"logger.wandb.timeout={PATIENCE}")


def wandb_options(**changes: Any) -> dict[str, Any]:
    options = {"mode": None, "project": "p", "entity": None, "group": None, "tags": ["t"]}
    return {"wandb": options | {"predictions": 3, "timeout": 60.0} | changes}


# --- what an offline run holds


def curves_of(directory: Path) -> list[dict[str, float]]:
    with (directory / runs.CURVES).open(newline="") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def all_of(overrides: list[str], *more: str) -> list[str]:
    return [item for item in overrides if not item.startswith("logger")] + list(more)


def test_an_offline_run_holds_what_the_run_has(
    logged_out: Path,
    train: Train,
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_MODE", "")  # W&B itself stops at an empty value
    more = [*PATIENT, "logger.wandb.tags=[a,b]", "logger.wandb.group=g", "model.max_epochs=2"]
    outcome = train(*all_of(quick("cnn"), *more), runs_dir=tmp_path / "runs")
    result = outcome.result
    (run,) = offline_runs(outcome.directory)

    out, err = capfd.readouterr()
    assert f"W&B: kept offline; `wandb sync {run.directory}` uploads it\n" in out
    assert "wandb:" not in out + err
    assert run.exit_code == 0 and not run.preempting
    assert (run.run.run_group, list(run.run.tags)) == ("g", ["a", "b"])
    assert run.run.display_name.startswith("model=cnn data=sample data.rows=300 ")
    assert not run.run.host
    # The configuration: nested, which W&B shows and filters as `model.optimizer.lr`.
    expected = {key: value for key, value in result["config"].items() if key in ("model", "loss", "data")}
    assert {key: run.config[key] for key in expected} == expected
    assert run.config["run"] == result["run"] and "runs_dir" not in run.config
    assert run.epochs == curves_of(outcome.directory) and len(run.epochs) == 2
    for split in ("validation", "test"):
        assert run.summary[f"{split}/macro_f1"] == result[split]["macro_f1"]
    assert {"proc.memory.rssMB", "memory_percent"} <= run.stats
    assert (
        run.artifacts["result"]["result.json"].read_bytes() == (outcome.directory / runs.RESULT).read_bytes()
    )


def test_charts_and_tables_of_an_offline_run(logged_out: Path, tmp_path: Path) -> None:
    loggers = build_logger(wandb_options(), tmp_path, "run", {})
    result, predictions = evaluated(tmp_path)
    log_evaluation(loggers, result, predictions, {"test": [f"text number {i}" for i in range(20)]})
    (run,) = offline_runs(tmp_path)
    assert [row[0] for row in run.table("test/per_class")["data"]] == LABELS
    assert sum(row[2] for row in run.table("test/confusion_matrix_table")["data"]) == 20
    shown = run.table("test/predictions")
    losses = [row[shown["columns"].index("loss")] for row in shown["data"]]
    assert len(losses) == 3 and losses == sorted(losses, reverse=True)
    assert all(row[1] == "text number " + row[0].removeprefix("test-") for row in shown["data"])
    # The diagram's measured line: weighted by rows, its distance from the diagonal is the calibration error.
    columns, rows = (run.table("test/reliability")[name] for name in ("columns", "data"))
    bins = [dict(zip(columns, row, strict=True)) for row in rows]
    distance = sum(row["rows"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / 20
    assert distance == pytest.approx(result["test"]["ece"], abs=1e-6)
    assert sum("test/predictions/path" in row and "test/reliability/path" in row for row in run.history) == 1
    charts = {key.removeprefix("_wandb/visualize/") for key in run.config if key.startswith("_wandb/visual")}
    assert charts == {"test/per_class_f1", "test/reliability_diagram", "test/confusion_matrix"}
    # The file of the diagram: measured accuracy, and the diagonal.
    series = run.table("test/reliability_diagram_table")["data"]
    points = {(row[0], row[2]) for row in series if row[1] == "measured"}
    assert points == {(row["confidence"], row["accuracy"]) for row in bins}
    assert all(row[0] == row[2] for row in series if row[1] == "perfectly calibrated")


def evaluated(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A result of 20 rows of 3 classes, and its predictions; the result file holds nothing."""
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(20, 3, generator=generator).softmax(1)
    targets = torch.randint(0, 3, (20,), generator=generator)
    metrics = evaluate(probabilities, targets, "multiclass", LABELS)
    predictions = {"test": ([f"test-{i}" for i in range(20)], targets.numpy(), probabilities.numpy())}
    (directory / runs.RESULT).write_text("{}")
    result = {"label_names": LABELS, "task": "multiclass", "validation": metrics, "test": metrics}
    return result, predictions


def test_a_sweep_is_the_group(
    compose: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A configuration is composed once for the same overrides: these are this test's own.
    assert compose("logger=wandb", "seed=71")["logger"]["wandb"]["group"] is None
    monkeypatch.setenv("EMOJI_PRED_SWEEP", "2026-11-24_083000_4711")
    assert compose("logger=wandb", "seed=72")["logger"]["wandb"]["group"] == "2026-11-24_083000_4711"
    assert compose("logger=wandb", "logger.wandb.group=g", "seed=72")["logger"]["wandb"]["group"] == "g"


def test_a_home_that_cannot_be_written_is_not_needed(
    logged_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    loggers = build_logger(wandb_options(), tmp_path / "run", "run", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_evaluation(loggers, *evaluated(tmp_path / "run"))
    (run,) = offline_runs(tmp_path / "run")
    assert run.exit_code == 0 and run.table("test/per_class")["data"]
    # What `wandb sync` uploads later is all there.
    for files in run.artifacts.values():
        assert all(tmp_path / "run" in path.parents and path.is_file() for path in files.values())


def test_disabled_and_helper_processes_start_nothing(
    logged_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(wandb_logger, "SideProcess", start)
    assert len(build_logger(wandb_options(mode="disabled"), tmp_path, "run", {})) == 1  # type: ignore[arg-type]
    monkeypatch.setenv("MASTER_PORT", "1")  # as a first process tells its helpers
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert len(build_logger(wandb_options(), tmp_path, "run", {})) == 1  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# --- a run that continues


def test_a_continued_run_is_one_wandb_run_without_an_epoch_twice(
    logged_out: Path, train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = all_of(quick("cnn"), *PATIENT, "model.max_epochs=4", "seed=3")
    stops = [15, 0]

    def agreed(saver: Any, trainer: Any, due: bool, number: int) -> tuple[bool, int]:
        """Asked to stop in the third epoch (7 steps each)."""
        return (True, int(signal.SIGTERM)) if trainer.global_step == stops[0] else (due, number)

    monkeypatch.setattr(resume.SaveState, "_agreed", agreed)
    with pytest.raises(Stopped):
        train(*overrides, runs_dir=tmp_path / "runs")
    stops.pop(0)
    outcome = train(*overrides, runs_dir=tmp_path / "runs")

    assert outcome.result["interruptions"] == 1
    first, second = offline_runs(outcome.directory)
    assert first.run.run_id == second.run.run_id
    assert (first.exit_code, first.preempting, second.exit_code) == (1, True, 0)
    assert first.epochs + second.epochs == curves_of(outcome.directory)
    assert [len(run.epochs) for run in (first, second)] == [2, 2]
    again = train(*overrides, "force=true", runs_dir=tmp_path / "runs")
    third = offline_runs(again.directory)[-1]
    assert third.run.run_id != first.run.run_id  # W&B takes no more steps of a run that has them
    assert third.epochs == curves_of(again.directory)


class Recorded:
    """In the place of the process that talks to W&B."""

    gone = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def heard(self) -> list[dict[str, Any]]:
        return []


def test_epochs_logged_after_the_last_state_are_not_logged_again(tmp_path: Path) -> None:
    """As after a power cut: the state is older than what was logged."""
    process: Any = Recorded()
    logger = RunWandbLogger(process, tmp_path, {"id": "x", "epoch": -1}, 0, 1, 1)
    for epoch in range(3):
        logger.log_metrics({"epoch": epoch, "val/loss": 0.1}, step=epoch)
    note = wandb_logger._read_note(tmp_path)
    assert note == {"id": "x", "epoch": 2}
    logger = RunWandbLogger(process, tmp_path, note, 0, 1, 1)
    for epoch in (1, 2, 3):
        logger.log_metrics({"epoch": epoch, "val/loss": 0.1}, step=epoch)
    assert [message["epoch"] for message in process.sent] == [0, 1, 2, 3]


# --- W&B fails: the same numbers, one warning


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_port() -> Iterator[str]:
    """The address of a port where nobody listens; it stays taken, so that nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def trained_with_one_warning(train: Train, quick: Quick, tmp_path: Path, *more: str) -> tuple[Any, str]:
    """Train with W&B and without: the same numbers, and one warning more."""
    overrides = all_of(quick("cnn"), "model.max_epochs=2")
    with warnings.catch_warnings(record=True) as without:
        warnings.simplefilter("always")
        expected = train(*overrides, "logger=csv", runs_dir=tmp_path / "csv")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = train(*overrides, "logger=wandb", *more, runs_dir=tmp_path / "wandb")
    for key in ("curves", "validation", "test", "best_epoch"):
        assert outcome.result[key] == expected.result[key]
    assert curves_of(outcome.directory) == curves_of(expected.directory)
    said, expected_said = (
        # Of processes that end by themselves Python would say that they still run.
        sorted(str(item.message) for item in some if item.category is not ResourceWarning)
        for some in (caught, without)
    )
    (message,) = (line for line in said if line.startswith("W&B"))
    assert "`wandb sync " in message
    assert [line for line in said if line != message] == expected_said
    return outcome, message


@pytest.mark.parametrize("server", ["closed_port", "silent_server"])
def test_an_online_run_without_an_answer_is_kept_offline(
    logged_out: Path,
    train: Train,
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    server: str,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", request.getfixturevalue(server))
    outcome, _ = trained_with_one_warning(train, quick, tmp_path, "logger.wandb.timeout=3")
    run = until(lambda: [run for run in offline_runs(outcome.directory) if run.exit_code == 0])[0]
    assert run.epochs == curves_of(outcome.directory)


def until(condition: Callable[[], Any]) -> Any:
    """What the condition gives, once it gives something."""
    ends = time.monotonic() + PATIENCE
    while not (met := condition()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return met


def test_a_wandb_that_hangs_at_its_start_is_not_waited_for(
    logged_out: Path,
    train: Train,
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent_server: str,
) -> None:
    """The server still has 600 seconds to answer when training is over."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    monkeypatch.setattr(wandb_logger, "UNANSWERED", 0.5)
    started: list[Any] = []
    start = wandb_logger.SideProcess
    monkeypatch.setattr(wandb_logger, "SideProcess", lambda name: started.append(start(name)) or started[-1])
    try:
        before = time.monotonic()
        _, message = trained_with_one_warning(train, quick, tmp_path, "logger.wandb.timeout=600")
        assert time.monotonic() - before < 300
        assert "has not started yet" in message
    finally:
        started[0]._process.kill()
        started[0]._process.wait()


@pytest.fixture
def server(logged_out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A server that answers, and a key for it."""
    started = WandbServer()
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", started.url)
    monkeypatch.setattr(wandb_logger, "UNANSWERED", PATIENCE)
    yield started
    if not started.stopped:
        started.stop()


def at_the_last_epoch(monkeypatch: pytest.MonkeyPatch, call: Callable[[RunWandbLogger], Any]) -> None:
    """Call something when the second epoch is logged, W&B having started."""
    log = RunWandbLogger.log_metrics

    def log_and_call(logger: RunWandbLogger, metrics: Any, step: Any = None) -> None:
        if metrics["epoch"] == 1:
            call(logger)
        log(logger, metrics, step)

    monkeypatch.setattr(RunWandbLogger, "log_metrics", log_and_call)


def test_a_server_that_goes_down_in_the_middle(
    train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WandbServer
) -> None:
    def go_down(logger: RunWandbLogger) -> None:
        until(lambda: logger._listen(logger.process.heard()) or "directory" in logger._heard)
        server.stop()

    at_the_last_epoch(monkeypatch, go_down)
    outcome, message = trained_with_one_warning(train, quick, tmp_path, "logger.wandb.timeout=15")
    assert "the server does not answer" in message
    # What came after is in an offline run of the same id, which `wandb sync` joins to the first.
    (after,) = until(lambda: [run for run in offline_runs(outcome.directory) if run.exit_code == 0])
    (before,) = (OfflineRun(path.parent) for path in outcome.directory.glob("wandb/run-*/run-*.wandb"))
    assert before.run.run_id == after.run.run_id
    assert before.epochs == curves_of(outcome.directory) and after.epochs == []
    assert after.summary["test/macro_f1"] == outcome.result["test"]["macro_f1"]


def test_an_online_run_that_continues_is_continued_at_the_server(
    train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WandbServer
) -> None:
    stops = [8, 0]

    def agreed(saver: Any, trainer: Any, due: bool, number: int) -> tuple[bool, int]:
        """Asked to stop in the second epoch (7 steps each)."""
        return (True, int(signal.SIGTERM)) if trainer.global_step == stops[0] else (due, number)

    overrides = all_of(quick("cnn"), *PATIENT, "model.max_epochs=3", "seed=4")
    monkeypatch.setattr(resume.SaveState, "_agreed", agreed)
    with pytest.raises(Stopped):
        train(*overrides, runs_dir=tmp_path)
    stops.pop(0)
    directory = train(*overrides, runs_dir=tmp_path).directory
    until(lambda: len(server.history) == 4)  # three epochs and the row of the charts
    expected = [(row["epoch"], row["val/loss"]) for row in curves_of(directory)]
    assert [(row["epoch"], row["val/loss"]) for row in server.history[:3]] == expected
    assert len(set(server.names)) == 1


@pytest.mark.parametrize("when", ["before the first epoch", "after the first epoch"])
@pytest.mark.parametrize("victim", ["process", "service"])
def test_a_wandb_that_is_killed(
    logged_out: Path,
    train: Train,
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    victim: str,
) -> None:
    log, seen = RunWandbLogger.log_metrics, []

    def log_and_kill(logger: Any, metrics: Any, step: Any = None) -> None:
        if len(seen) == (when == "after the first epoch"):
            kill_wandb(logger, victim)
        seen.append(metrics)
        log(logger, metrics, step)

    monkeypatch.setattr(RunWandbLogger, "log_metrics", log_and_kill)
    trained_with_one_warning(train, quick, tmp_path)


def kill_wandb(logger: Any, victim: str) -> None:
    """Kill our process that talks to W&B, or W&B's own service behind it, once W&B has started."""
    until(lambda: list(logger.directory.glob("wandb/offline-run-*/run-*.wandb")))
    if victim == "process":
        logger.process._process.kill()
        return
    service = until(lambda: children(logger.process._process.pid))
    for pid in service:
        os.kill(pid, signal.SIGKILL)


def children(parent: int) -> list[int]:
    if sys.platform != "linux":
        pytest.skip("asks the Linux kernel")
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    found: list[int] = []
    for task in tasks:
        with suppress(OSError):  # a thread that has just ended
            found += [int(pid) for pid in task.read_text().split()]
    return found


def test_a_full_disk(
    logged_out: Path, train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of W&B may grow beyond 6 kB, which is what its processes see of a full disk."""
    start = wandb_logger.SideProcess

    def limited(module: str) -> Any:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))
        try:
            return start(module)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    resource = pytest.importorskip("resource")
    monkeypatch.setattr(wandb_logger, "SideProcess", limited)
    trained_with_one_warning(train, quick, tmp_path)


def test_a_directory_that_cannot_be_written(
    logged_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb").write_text("in the way")
    loggers = build_logger(wandb_options(), tmp_path, "run", {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        log_evaluation(loggers, *evaluated(tmp_path))
    said = [str(item.message) for item in caught if item.category is not ResourceWarning]
    assert len(said) == 1, said


def test_no_process_outlives_the_command(
    logged_out: Path, command: Callable[..., Ended], quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    start = wandb_logger.SideProcess
    monkeypatch.setattr(wandb_logger, "SideProcess", lambda name: started.append(start(name)) or started[-1])
    ended = command(*all_of(quick("cnn"), *PATIENT, "seed=5"))
    assert (ended.code, ended.err) == (0, "")
    (process,) = started
    assert process.gone
    assert process._process.wait(PATIENCE) == 0


def test_the_warning_is_one_line_on_the_screen(
    logged_out: Path, quick: Quick, tmp_path: Path, closed_port: str
) -> None:
    directories = {f"EMOJI_PRED_{name}": str(tmp_path / name.lower()) for name in ("RUNS", "CACHE", "DATA")}
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "train.py"), *all_of(quick("cnn"), "logger=wandb", "seed=6")],
        env={**os.environ, **directories, "WANDB_API_KEY": KEY, "WANDB_BASE_URL": closed_port},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: W&B: ") and "`wandb sync " in line
