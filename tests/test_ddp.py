"""Several processes train what one does, however they are started; what happens when one is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import REPOSITORY

from emoji_pred import runs

Quick = Callable[..., list[str]]
LIMIT = 240  # seconds for a command on a busy machine
LOST_SECONDS = 60  # within which the others must notice that a process was killed
RECORD = str(REPOSITORY / "tests" / "record_steps.py")
DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.threads=1", "trainer.progress=lines")
FIFTY_STEPS = (
    "data.rows=700",
    "model.batch_size=8",
    "model.network.dropout=0",
)  # 490 rows, 62 steps an epoch


class Run:
    """The commands of one run, each with its output in a file."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.started: list[tuple[subprocess.Popen[bytes], Path]] = []
        self.others: list[Run] = []

    def beside(self) -> Run:
        """Another run with its own directories, which ends with this one."""
        other = Run(self.place / "other")
        other.place.mkdir()
        self.others.append(other)
        return other

    def start(self, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        output = self.place / f"output-{len(self.started)}.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *command, *self.own()],
                cwd=REPOSITORY,
                env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self.started.append((process, output))
        return process

    def own(self) -> list[str]:
        return [f"{name}_dir={self.place / name}" for name in ("runs", "cache", "data")]

    def ended(self) -> list[tuple[int, str]]:
        """Exit code and output of each command."""
        return [(process.wait(LIMIT), output.read_text()) for process, output in self.started]

    @property
    def directory(self) -> Path:
        (directory,) = (path for path in (self.place / "runs").iterdir() if path.name != "sweeps")
        return directory

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / runs.RESULT).read_text(encoding="utf-8"))
        return found

    def wait_for(self, pattern: str) -> None:
        until = time.monotonic() + LIMIT
        while not list(self.place.glob(pattern)):
            assert time.monotonic() < until, f"no {pattern}"
            assert self.started[-1][0].poll() is None, self.started[-1][1].read_text()
            time.sleep(0.05)

    def wait_for_text(self, text: str) -> None:
        """Until the last command has printed it."""
        process, output = self.started[-1]
        until = time.monotonic() + LIMIT
        while text not in output.read_text():
            assert time.monotonic() < until, f"never said {text}"
            assert process.poll() is None, output.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        for other in self.others:
            other.stop()
        for process, _ in self.started:
            for helper in descendants(process.pid):
                with suppress(psutil.NoSuchProcess):
                    helper.kill()
            process.kill()  # nothing where it has ended
            process.wait()


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.stop()


def torchrun(node: int, port: int, nodes: int = 2) -> list[str]:
    """The command of one node; two processes in all."""
    return [
        *("-m", "torch.distributed.run", f"--nnodes={nodes}", f"--node-rank={node}"),
        *(f"--nproc-per-node={2 // nodes}", "--master-addr=127.0.0.1", f"--master-port={port}"),
    ]


def srun(task: int, port: int) -> dict[str, str]:
    """What srun sets for one of two tasks, each on a node of its own."""
    return {
        **{"SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "127.0.0.1"},
        **{"SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_ID": "0"},
        **{"SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2", "SLURM_STEP_NUM_NODES": "2"},
        **{"SLURM_PROCID": str(task), "SLURM_NODEID": str(task), "SLURM_LOCALID": "0"},
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
    }


@pytest.fixture
def port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


NODES = ("trainer.devices=1", "trainer.num_nodes=2")


# --- the same experiment


def recorded(place: Path, processes: int, what: str) -> np.ndarray:
    """(processes, steps) the losses or the generators before each step."""
    files = [place / f"losses-{number}.json" for number in range(processes)]
    return np.array([json.loads(file.read_text())[what] for file in files])


@pytest.mark.parametrize("loss", ["weighted_cross_entropy", pytest.param("focal", marks=pytest.mark.slow)])
def test_two_processes_train_what_one_does(launched: Run, quick: Quick, loss: str) -> None:
    overrides = quick("cnn", *FIFTY_STEPS, f"loss={loss}")
    alone = launched.beside()
    for run, more in ((launched, DDP), (alone, ("trainer=cpu", "trainer.threads=1"))):
        run.start([RECORD, f"{run.place}/losses", *overrides, *more])
        assert [code for code, _ in run.ended()] == [0], run.ended()
    ((_, output),) = launched.ended()
    assert output.count("epoch 1/1") == 1, "only the first process speaks"
    together, expected = recorded(launched.place, 2, "losses"), recorded(alone.place, 1, "losses")
    assert expected.shape == (1, 62)
    np.testing.assert_allclose(together.mean(axis=0), expected[0], rtol=2e-5)
    generators = recorded(launched.place, 2, "generators")
    assert not (generators[0] == generators[1]).any(), "the same places would be dropped out in both"
    same_results(launched, alone)
    assert not list(launched.directory.glob("state-*"))


def same_results(one: Run, other: Run) -> None:
    """Each row once, in its place, with the same answer; so the same metrics."""
    assert one.directory.name == other.directory.name  # devices do not change the name
    found, expected = one.result(), other.result()
    for row, wanted in zip(found["curves"], expected["curves"], strict=True):
        assert row == pytest.approx(wanted, abs=1e-5)
    given, truth = (runs.read_predictions(run.directory / runs.PREDICTIONS) for run in (one, other))
    for split in ("validation", "test"):
        assert found[split]["macro_f1"] == pytest.approx(expected[split]["macro_f1"], abs=1e-9)
        assert found[split]["confusion_matrix"] == expected[split]["confusion_matrix"]
        assert len(set(given[split][0])) == len(given[split][0])
        assert given[split][0] == truth[split][0]
        np.testing.assert_array_equal(given[split][1], truth[split][1])
        np.testing.assert_allclose(given[split][2], truth[split][2], atol=1e-5)


@pytest.mark.parametrize("model", ["cnn", "ffn"])
def test_parts_of_a_step_make_the_gradient_of_the_whole(
    train: Callable[..., Any], quick: Quick, model: str
) -> None:
    """210 rows in steps of 32 and a last one of 18, whose parts weigh differently."""
    # Adam would blow up the rounding of gradients that are almost zero.
    sgd = ["model.optimizer._target_=torch.optim.SGD", "model.optimizer.lr=0.2"]
    overrides = quick(
        model, "model.network.dropout=0", *sgd, "loss=weighted_cross_entropy", "model.max_epochs=2"
    )
    whole = train(*overrides)
    for accumulate in (2, 8):
        parts = train(*overrides, f"model.accumulate={accumulate}")
        assert parts.directory.name != whole.directory.name
        for row, wanted in zip(parts.result["curves"], whole.result["curves"], strict=True):
            assert row == pytest.approx(wanted, rel=2e-5, abs=1e-6)
        found, expected = (
            runs.read_predictions(run.directory / runs.PREDICTIONS)["test"][2] for run in (parts, whole)
        )
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("starter", ["torchrun", "srun"])
def test_two_nodes_train_what_one_process_does(launched: Run, quick: Quick, port: int, starter: str) -> None:
    overrides = quick("cnn", "model.network.dropout=0", "model.max_epochs=2")
    alone = launched.beside()
    alone.start(["train.py", *overrides])
    assert alone.ended()[0][0] == 0, alone.ended()
    for _ in range(2):
        launched.started.clear()
        for node in range(2):
            if starter == "torchrun":
                launched.start([*torchrun(node, port), "train.py", *overrides, *DDP, *NODES])
            else:
                launched.start(["train.py", *overrides, *DDP, *NODES], **srun(node, port))
        (first, told), (second, nothing) = launched.ended()
        assert (first, second, nothing) == (0, 0, ""), (told, nothing)
    assert told.count("already finished") == 1
    same_results(launched, alone)


# --- mistakes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("second", "message"),
    [
        (["seed=5"], "process 1 was given another configuration"),
        (["runs_dir={place}/elsewhere"], "is another directory here than on the first node"),
        (["seed=-1"], "seed: input should"),
    ],
)
def test_nodes_that_disagree_train_no_mixture(
    launched: Run, quick: Quick, port: int, second: list[str], message: str
) -> None:
    overrides = quick("cnn", *DDP, *NODES)
    more = [item.format(place=launched.place) for item in second]
    launched.own = list  # type: ignore[method-assign]  # the directories stand before what differs
    own = Run.own(launched)
    launched.start([*torchrun(0, port), "train.py", *overrides, *own])
    launched.start([*torchrun(1, port), "train.py", *overrides, *own, *more])
    (first, told), _ = launched.ended()
    assert first != 0
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0], told
    assert not list(launched.place.glob(f"runs/*/{runs.RESULT}"))


@pytest.mark.slow
def test_what_the_first_process_decides_keeps_no_one_waiting(launched: Run, quick: Quick, port: int) -> None:
    """The run is held by another process, which only the first one can know."""
    overrides = quick("cnn", *DDP, *NODES, "model.max_epochs=4000", "trainer.save_steps=3")
    launched.start(["train.py", *overrides, "trainer.devices=2", "trainer.num_nodes=1"])
    launched.wait_for("runs/*/state-*.ckpt")
    # Without -m it waits for the holder, and says so; the helper waits with it.
    tasks = [launched.start(["train.py", *overrides], **srun(node, port)) for node in range(2)]
    until = time.monotonic() + LIMIT
    while "waiting for it to end" not in launched.started[1][1].read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    launched.started[0][0].send_signal(signal.SIGTERM)
    assert launched.started[0][0].wait(LIMIT) == 128 + signal.SIGTERM
    tasks[0].send_signal(signal.SIGTERM)
    assert [task.wait(LIMIT) for task in tasks] == [128 + signal.SIGTERM, 0]
    assert launched.started[2][1].read_text() == ""


@pytest.mark.slow
def test_a_mistake_in_the_data_is_told_once(launched: Run, quick: Quick, port: int) -> None:
    for node in range(2):
        launched.start(["train.py", *quick("cnn", *DDP, *NODES, "loss=bce")], **srun(node, port))
    (first, told), (second, nothing) = launched.ended()
    assert (first, nothing) == (2, ""), told
    assert second in (0, 2)
    assert [line[:15] for line in told.splitlines()] == ["error: loss=bce"]


def test_the_process_whose_loss_is_no_number_is_named(launched: Run, quick: Quick) -> None:
    overrides = quick("cnn", *FIFTY_STEPS, *DDP)
    launched.start([RECORD, f"{launched.place}/losses", *overrides], NO_NUMBER_FROM="7")
    ((code, output),) = launched.ended()
    assert code == 2
    (error,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert error.startswith(
        "error: training diverged: the loss of batch 7 (from 0), of optimizer step 7, is nan"
    )
    first, second = recorded(launched.place, 2, "losses")
    assert np.isfinite(first[:8]).all() and np.isnan(second[7]) and len(first) <= 50
    failed = json.loads((launched.directory / runs.FAILURE).read_text(encoding="utf-8"))
    assert "the loss of batch 7" in failed["error"]


# --- a process that is lost


@pytest.mark.parametrize(
    ("lost", "when"),
    [
        (1, "training"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((0, "training"), (0, "starting"), (1, "starting"))
        ),
    ],
)
def test_a_killed_process_ends_the_run_that_then_continues(
    launched: Run, quick: Quick, lost: int, when: str
) -> None:
    overrides = quick("cnn", "model.max_epochs=4000", *DDP, "trainer.save_steps=3")
    first = launched.start(["train.py", *overrides])
    helper = helper_of(first)
    if when == "training":
        launched.wait_for("runs/*/state-*.ckpt")
    killed, other = (helper, psutil.Process(first.pid)) if lost else (psutil.Process(first.pid), helper)
    began = time.monotonic()
    killed.kill()
    if lost:
        first.wait(LOST_SECONDS)
    else:
        other.wait(LOST_SECONDS)
        first.wait(LOST_SECONDS)
    print(f"process {lost} killed while {when}: the other ended after {time.monotonic() - began:.2f} s")
    ((code, output),) = launched.ended()
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    if lost:
        assert code == 1
        assert errors == ["error: process 1 of the run was killed by SIGKILL; the same command continues"]
        assert runs.read_failure(launched.directory) is not None
    else:
        assert code == -signal.SIGKILL
        assert errors == ["error: the first process of the run was lost; the same command continues"]
    assert not (launched.directory / runs.RESULT).exists()
    launched.start(["train.py", *overrides])
    launched.wait_for_text("epoch ")
    assert not (launched.directory / runs.FAILURE).exists()
    launched.started[-1][0].send_signal(signal.SIGTERM)
    (_, (code, output)) = launched.ended()
    assert code == 128 + signal.SIGTERM, output
    assert ("continues in epoch" in output) == (when == "training")


def helper_of(first: subprocess.Popen[bytes], doing: str = "") -> psutil.Process:
    """The second process of a run, once it has loaded a library of that name."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        for child in descendants(first.pid):
            with suppress(psutil.Error):  # it has just ended, or is not yet what it becomes
                if child.environ().get("LOCAL_RANK") == "1" and _has_loaded(child, doing):
                    return child
        assert first.poll() is None
        time.sleep(0.01)
    raise AssertionError("no helper was started")


def _has_loaded(process: psutil.Process, library: str) -> bool:
    return not library or any(library in region.path for region in process.memory_maps())


@pytest.mark.slow
@pytest.mark.parametrize(("loaded", "seconds"), [("", 0), ("libtorch_cpu", 0), ("libtorch_cpu", 0.7)])
@pytest.mark.parametrize("told", ["first", "helper", "both"])
def test_a_signal_before_training_ends_all_at_once(
    launched: Run, quick: Quick, told: str, loaded: str, seconds: float
) -> None:
    """While a helper starts, loads torch, or reads its data."""
    overrides = quick("cnn", "model.max_epochs=4000", *DDP)
    first = launched.start(["train.py", *overrides])
    helper = helper_of(first, loaded)
    time.sleep(seconds)
    began = time.monotonic()
    if told != "first":
        helper.send_signal(signal.SIGTERM)
    if told != "helper":
        first.send_signal(signal.SIGTERM)
    ((code, output),) = launched.ended()
    took = time.monotonic() - began
    print(f"SIGTERM to {told}, {loaded or 'nothing'} loaded for {seconds} s: ended after {took:.2f} s")
    assert code == 128 + signal.SIGTERM
    assert output.splitlines()[-1] == "stopped by SIGTERM; the same command continues"
    assert "error: " not in output and took < LOST_SECONDS
    assert not helper.is_running()
    assert not list(launched.place.glob(f"runs/*/{runs.FAILURE}"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_one_task_saves_the_state_of_all(
    launched: Run, quick: Quick, port: int, number: signal.Signals
) -> None:
    overrides = quick("cnn", "model.max_epochs=4000", *DDP, *NODES, "trainer.save_steps=3")
    tasks = [launched.start(["train.py", *overrides], **srun(node, port)) for node in range(2)]
    launched.wait_for("runs/*/state-*.ckpt")
    tasks[1].send_signal(number)
    (first, told), (second, nothing) = launched.ended()
    assert (first, second, nothing) == (128 + number, 0, "")
    assert f"stopped by {number.name}; the same command continues" in told
    again = [launched.start(["train.py", *overrides], **srun(1 - node, port)) for node in range(2)]
    launched.wait_for_text("continues in epoch")
    again[0].send_signal(number)
    assert [task.wait(LIMIT) for task in again] == [0, 128 + number]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_task_ends_the_others(launched: Run, quick: Quick, port: int, lost: int) -> None:
    overrides = quick("cnn", "model.max_epochs=4000", *DDP, *NODES, "trainer.save_steps=3")
    tasks = [launched.start(["train.py", *overrides], **srun(node, port)) for node in range(2)]
    launched.wait_for("runs/*/state-*.ckpt")
    tasks[lost].kill()
    began = time.monotonic()
    assert tasks[1 - lost].wait(LOST_SECONDS) == 1
    print(f"task {lost} killed: the other ended after {time.monotonic() - began:.2f} s")
    output = launched.ended()[1 - lost][1]
    (error,) = (line for line in output.splitlines() if line.startswith("error: "))
    told = "the first process" if lost == 0 else "another process"
    assert error.startswith(f"error: {told} of the run was lost; the same command continues")


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_process_of_torchrun_ends_the_others(
    launched: Run, quick: Quick, port: int, lost: int
) -> None:
    """On one node, where torchrun asks the others to end as soon as one is gone."""
    overrides = quick("cnn", "model.max_epochs=4000", *DDP, "trainer.save_steps=3")
    agent = launched.start([*torchrun(0, port, nodes=1), "train.py", *overrides])
    launched.wait_for("runs/*/state-*.ckpt")
    of_torchrun(agent, lost).kill()
    began = time.monotonic()
    assert agent.wait(LOST_SECONDS) == 1
    print(f"process {lost} of torchrun killed: all had ended after {time.monotonic() - began:.2f} s")
    ((_, output),) = launched.ended()
    told = "another process" if lost else "the first process"
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: {told} of the run was lost; the same command continues"]
    agent = launched.start([*torchrun(0, port, nodes=1), "train.py", *overrides])
    launched.wait_for_text("continues in epoch")
    agent.terminate()  # passed on to the processes, which save
    assert "stopped by SIGTERM; the same command continues" in launched.ended()[1][1]


def of_torchrun(agent: subprocess.Popen[bytes], number: int) -> psutil.Process:
    (found,) = (
        child
        for child in descendants(agent.pid)
        if "train.py" in child.cmdline() and child.environ()["RANK"] == str(number)
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("lost", "backend"), [(0, "static"), (1, "static"), (1, "c10d")])
def test_a_run_that_torchrun_starts_again_continues(
    launched: Run, quick: Quick, port: int, lost: int, backend: str
) -> None:
    """The store of torchrun keeps what the first try told."""
    overrides = quick("cnn", "model.max_epochs=4000", *DDP, "trainer.save_steps=3")
    command = torchrun(0, port, nodes=1)
    if backend == "c10d":
        endpoint = ("--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}")
        command = ["-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2", *endpoint]
    agent = launched.start([*command, "--max-restarts=1", "train.py", *overrides])
    launched.wait_for("runs/*/state-*.ckpt")
    of_torchrun(agent, lost).kill()
    launched.wait_for_text("continues in epoch")
    assert of_torchrun(agent, lost).environ()["TORCHELASTIC_RESTART_COUNT"] == "1"
    agent.terminate()
    ((_, output),) = launched.ended()
    assert "stopped by SIGTERM; the same command continues" in output
