"""What is launched: in order, several at once, whatever ends it; by a stand-in of `train.py`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from conftest import REPOSITORY

from emoji_pred import lease, runs
from experiments.commands import Command, Hardware, hardware, seed_commands, single_commands, visible_gpus
from experiments.history import Estimate, History
from experiments.launching import LOGS, Ends, Launch, Running, lacked
from experiments.planning import Places, Wanted
from experiments.profiles import Planned

SCRIPT = Path(__file__).parent / "stand_in_train.py"
WORDS = {"kind": "words"}
TWEETS = {"name": "tweeteval", "source": {"repository": "cardiffnlp/tweeteval"}}
NOTHING = {"name": "none", "_target_": runs.NO_VECTORS}


def wanted(number: int, do: str = "finish", data: dict | None = None, **more: object) -> Wanted:
    """A run that the stand-in ends as is said; `number` digits make its name."""
    name = f"{number:012x}"
    config = {
        "data": data or {"name": "sample"},
        "model": {"name": "cnn", "tokenizer": WORDS},
        "encoder": {"name": "bertweet", "repository": "vinai/bertweet-base"},
        "vectors": NOTHING,
    }
    overrides = (f"name={name}", f"do={do}", *(f"{key}={value}" for key, value in more.items()))
    return Wanted(Planned(name, overrides, config), Estimate(1.0))


class KnowsNothing(History):
    """Its estimates stay as they are."""

    def estimate(self, config: object) -> Estimate:
        return Estimate(60.0)


class Stage:
    """Where a test launches."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "runs", folder / "results" / "runs")
        self.said: list[str] = []

    def launch(self, commands: list[Command], jobs: int = 1) -> Ends:
        return Launch(commands, Hardware(jobs), self.places, KnowsNothing(), self.said.append, SCRIPT).run()

    def started(self) -> list[int]:
        """The numbers of the runs that were started, in order."""
        return [int(line, 16) for line in (self.places.runs_dir / "started").read_text().split()]

    def kept(self) -> set[int]:
        return {int(path.parent.name, 16) for path in self.places.kept.glob("*/result.json")}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def until(happens: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_all_are_run_in_their_order_and_kept(stage: Stage) -> None:
    ends = stage.launch(single_commands([wanted(1), wanted(2), wanted(3)]))
    assert stage.started() == [1, 2, 3]
    assert ends.finished == [f"{number:012x}" for number in (1, 2, 3)]
    assert stage.kept() == {1, 2, 3} and not ends.failed
    starts = [line for line in stage.said if line.startswith("start")]
    done = [line for line in stage.said if line.startswith("finished")]
    assert len(starts) == len(done) == 3 and stage.said[0] == starts[0] and stage.said[1] == done[0]
    # The result that the stand-in writes has these; two runs of a minute are left, one after the other.
    assert "macro F1 0.250, 1 min 00 s" in done[0] and "2 left, about 2 min 00 s" in done[0]
    assert "left" not in done[2]


def test_a_run_that_fails_stops_no_other(stage: Stage) -> None:
    ends = stage.launch(single_commands([wanted(1, "fail"), wanted(2, "die"), wanted(3)]))
    assert stage.kept() == {3}
    error, log = ends.failed[f"{1:012x}"]
    assert error == "ValueError: no such luck" and log.parent == stage.places.runs_dir / LOGS
    assert "error: ValueError: no such luck" in log.read_text()
    assert "name=000000000001 do=fail" in log.read_text()  # what was typed
    assert "SIGKILL" in ends.failed[f"{2:012x}"][0]
    (line,) = [line for line in stage.said if line.startswith("failed   000000000001")]
    assert "no such luck" in line and str(log) in line


def test_a_run_that_failed_before_is_told_apart_from_one_that_fails_now(stage: Stage) -> None:
    stage.launch(single_commands([wanted(1, "fail")]))
    ends = stage.launch(single_commands([wanted(1, "finish")]))
    assert ends.finished == [f"{1:012x}"] and not ends.failed


def test_what_lacks_the_same_data_is_skipped_and_the_rest_is_run(stage: Stage) -> None:
    says = json.dumps("cardiffnlp/tweeteval: test_text.txt is missing and could not be fetched (no network)")
    commands = single_commands(
        [
            wanted(1, "mistake", TWEETS, says=says),
            wanted(2, "mistake", TWEETS, says=says),
            wanted(3, "mistake", TWEETS, says=says),
            wanted(4),
        ]
    )
    ends = stage.launch(commands)
    assert stage.started() == [1, 4] and stage.kept() == {4}
    assert list(ends.failed) == [f"{1:012x}"]
    assert "test_text.txt is missing" in ends.failed[f"{1:012x}"][0]
    assert set(ends.skipped) == {f"{2:012x}", f"{3:012x}"}
    assert sum("is missing" in line for line in stage.said if not line.startswith("start")) == 1
    assert any("2 more runs that need data=tweeteval" in line for line in stage.said)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("cardiffnlp/tweeteval: test_text.txt is missing", {"data=tweeteval"}),
        ("data=tweeteval needs pip install x", {"data=tweeteval"}),
        ("data=tweeteval_other is no choice", set()),
        ("encoder=bertweet: vinai/bertweet-base is not here", set()),  # a CNN reads no encoder's tokens
        ("model.optimizer.lr=-1 is below 0", set()),
    ],
)
def test_what_an_error_says_is_lacking(error: str, expected: set[str]) -> None:
    assert lacked(wanted(1, data=TWEETS).run.config, error) == expected


def test_an_encoder_is_lacking_where_it_is_read() -> None:
    config = {**wanted(1).run.config, "model": {"name": "bert", "tokenizer": {"kind": "encoder"}}}
    assert lacked(config, "encoder=bertweet: the files are not here") == {"encoder=bertweet"}


def test_jobs_run_at_once(stage: Stage) -> None:
    begun = time.monotonic()
    stage.launch(single_commands([wanted(number, takes=1.5) for number in (1, 2, 3)]), jobs=3)
    assert time.monotonic() - begun < 4.5  # one after the other they sleep as long, and start three times
    assert stage.kept() == {1, 2, 3}
    assert [line.split()[0] for line in stage.said[:3]] == ["start"] * 3


def test_a_signal_ends_the_runs_that_go_and_starts_no_other(stage: Stage) -> None:
    commands = single_commands([wanted(1), wanted(2, "hang"), wanted(3)])
    directory = stage.places.runs_dir / f"{2:012x}"
    pids: list[int] = []

    def press() -> None:
        until((directory / "pid").exists)
        pids.append(int((directory / "pid").read_text()))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    ends = stage.launch(commands)
    thread.join()
    assert ends.signal_number == signal.SIGINT
    assert ends.finished == [f"{1:012x}"] and not ends.failed
    assert (directory / "saved").read_text() == str(int(signal.SIGINT))  # it was asked, not killed
    assert not psutil.pid_exists(pids[0]) and stage.started() == [1, 2]
    assert sum("save their states" in line for line in stage.said) == 1


class Pressing(Hardware):
    """Ctrl-C comes in the moment in which a run is started."""

    def overrides(self, command: Command) -> tuple[str, ...]:
        os.kill(os.getpid(), signal.SIGINT)
        return super().overrides(command)


def test_a_signal_in_the_moment_of_a_start_reaches_the_run(stage: Stage) -> None:
    begun = time.monotonic()
    commands = single_commands([wanted(1, "hang"), wanted(2)])
    ends = Launch(commands, Pressing(1), stage.places, KnowsNothing(), stage.said.append, SCRIPT).run()
    assert time.monotonic() - begun < 30  # the run would go on for a minute
    assert ends.signal_number == signal.SIGINT and not ends.finished and len(stage.said) == 2


def test_killed_it_leaves_no_orphans_and_the_same_again_runs_what_is_missing(stage: Stage) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tests/experiments'); "
        "sys.path.insert(0, 'tests'); from test_launching import *; "
        "Stage(Path(sys.argv[1])).launch(single_commands([wanted(1), wanted(2, 'hang_once'), wanted(3)]), 1)"
    )
    folder = stage.places.runs_dir.parent
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=REPOSITORY)
    directory = stage.places.runs_dir / f"{2:012x}"
    until((directory / "pid").exists)
    child = int((directory / "pid").read_text())
    process.kill()
    process.wait()
    until(lambda: not psutil.pid_exists(child))
    assert (directory / "saved").read_text() == str(int(signal.SIGTERM))
    assert stage.kept() == {1}  # at once, not at the end
    left = [wanted(2, "hang_once"), wanted(3)]
    assert stage.launch(single_commands(left)).finished == [one.run.name for one in left]
    assert stage.started() == [1, 2, 2, 3]


def test_what_another_process_trains_comes_last_and_is_not_trained_twice(stage: Stage) -> None:
    first = stage.places.runs_dir / f"{1:012x}"
    first.mkdir(parents=True)
    begun, over = threading.Event(), threading.Event()

    def train() -> None:
        with lease.held(first):
            begun.set()
            over.wait(20)
            subprocess.run(
                [sys.executable, SCRIPT, f"name={first.name}", "do=finish", f"runs_dir={first.parent}"],
                check=True,
            )

    thread = threading.Thread(target=train)
    thread.start()
    begun.wait(20)
    said = stage.said

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("finished 000000000002"):
            over.set()

    launch = Launch(
        single_commands([wanted(1), wanted(2)]), Hardware(1), stage.places, KnowsNothing(), say, SCRIPT
    )
    ends = launch.run()
    thread.join()
    assert ends.finished == [f"{2:012x}", f"{1:012x}"] and stage.kept() == {1, 2}
    assert stage.started() == [2, 1]  # the other process started 1; here it was not
    assert sum(line.startswith("later    000000000001") for line in said) == 1


def test_runs_of_a_sweep_that_its_process_leaves_are_tried_alone(stage: Stage) -> None:
    both = (wanted(1), wanted(2, "fail"))
    # The stand-in knows no sweeps: of this command it trains the first alone, then ends.
    ends = stage.launch([Command(both[0].run.overrides, both)])
    assert ends.finished == [f"{1:012x}"]
    assert "no such luck" in ends.failed[f"{2:012x}"][0]
    assert stage.started() == [1, 2]


def seeds(model: str, seconds: float | None, *numbers: int) -> list[Wanted]:
    """Runs of one experiment."""
    return [
        Wanted(Planned(f"{model}{seed}", (f"model={model}", f"seed={seed}"), {}), Estimate(seconds))
        for seed in numbers
    ]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        # 5 x 10 + 5 x 20 + 4 x 60 = 390 seconds are to do.
        (1, ["ffn=0,1,2,3,4", "cnn=0,1,2,3,4", "bert=0,1,2,3", "new=0", "new=1"]),
        # At most 390 / 2 / 2 = 97.5 seconds each.
        (
            2,
            [
                "ffn=0,1,2,3,4",
                "cnn=0,1,2,3",
                "cnn=4",
                "bert=0",
                "bert=1",
                "bert=2",
                "bert=3",
                "new=0",
                "new=1",
            ],
        ),
    ],
)
def test_seeds_share_a_command_that_is_not_too_long(jobs: int, expected: list[str]) -> None:
    missing = [
        *seeds("ffn", 10, 0, 1, 2, 3, 4),
        *seeds("cnn", 20, 0, 1, 2, 3, 4),
        *seeds("bert", 60, 0, 1, 2, 3),
        *seeds("new", None, 0, 1),  # nobody knows how long these take
    ]
    commands = seed_commands(missing, jobs)
    typed = [" ".join(command.overrides).replace("model=", "").replace(" seed", "") for command in commands]
    assert typed == expected
    assert [one for command in commands for one in command.runs] == missing
    assert all((command.typed[0] == "-m") == (len(command.runs) > 1) for command in commands)


def test_no_command_of_seeds_takes_over_half_an_hour_beside_others() -> None:
    commands = seed_commands([*seeds("cnn", 700, 0, 1, 2, 3, 4), *seeds("bert", 4000, 0, 1, 2)], 2)
    assert [len(command.runs) for command in commands] == [2, 2, 1, 1, 1, 1]


def test_a_sweep_of_which_another_process_trains_a_run_comes_last(stage: Stage) -> None:
    both = (wanted(1), wanted(2))
    second = stage.places.runs_dir / both[1].run.name
    second.mkdir(parents=True)
    begun, over = threading.Event(), threading.Event()

    def train() -> None:
        with lease.held(second):
            begun.set()
            over.wait(20)

    def say(line: str) -> None:
        stage.said.append(line)
        if line.startswith("finished 000000000001"):
            over.set()

    thread = threading.Thread(target=train)
    thread.start()
    begun.wait(20)
    commands = [Command(both[0].run.overrides, both), *single_commands([wanted(3)])]
    ends = Launch(commands, Hardware(1), stage.places, KnowsNothing(), say, SCRIPT).run()
    thread.join()
    # Started though one of its runs is not free: a sweep trains its others first, then waits itself.
    assert stage.started() == [3, 1, 2]
    assert ends.finished == [f"{number:012x}" for number in (3, 1, 2)]
    assert sum(line.startswith("later    000000000002") for line in stage.said) == 1


def test_what_is_left_of_a_sweep_counts_from_the_end_of_its_last_run(stage: Stage) -> None:
    launch = Launch([], Hardware(1), stage.places, KnowsNothing(), stage.said.append, SCRIPT)
    left = {one.run.name: (one, (None, None)) for one in (wanted(1), wanted(2))}
    process: Any = SimpleNamespace(poll=lambda: None)  # it runs
    begun = time.monotonic() - 50
    launch.running = [Running(Command((), ()), process, stage.places.runs_dir, 0, begun, left)]
    assert launch.seconds_left() == pytest.approx(2 * 60 - 50, abs=5)
    place = f"runs_dir={stage.places.runs_dir}"
    stage.places.runs_dir.mkdir(parents=True)
    subprocess.run([sys.executable, SCRIPT, f"name={1:012x}", "do=finish", place], check=True)
    launch._look()
    assert launch.seconds_left() == pytest.approx(60, abs=5)


def test_a_place_with_signs_reaches_train_py(tmp_path: Path) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from experiments.commands import with_place

    place = tmp_path / "it's, a [place] = {x}"
    (*_, word) = with_place(Command(("seed=0",), (wanted(1),)), place, ())
    assert OverridesParser.create().parse_override(word).value() == str(place)


def test_runs_share_the_cores_or_take_all_gpus() -> None:
    network, linear = wanted(1), wanted(2)
    linear.run.config["model"] = {"name": "tfidf_nb", "estimator": {}}
    command, of_linear = (Command((), (one,)) for one in (network, linear))
    assert Hardware(2, cores=8).overrides(command) == ("trainer.threads=4",)
    assert Hardware(4, cores=2).overrides(command) == ("trainer.threads=1",)
    assert Hardware(1, gpus=1).overrides(command) == ("trainer=gpu",)
    assert Hardware(1, gpus=8).overrides(command) == ("trainer=ddp", "trainer.devices=8")
    assert Hardware(1, gpus=8, cores=2).overrides(of_linear) == ("trainer.threads=2",)


def _with_tool(folder: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_gpus_are_asked_for_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_tool(tmp_path, monkeypatch, "GPU 0: A (UUID: x)\\nGPU 1: A (UUID: y)\\n")
    assert visible_gpus({}) == 2
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "1"}) == 1
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == 0
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert hardware("full", 4, "").jobs == 1  # each run takes both
    assert hardware("cpu", 4, "") == Hardware(4, 0, hardware("cpu", 4, "").cores)
    _with_tool(tmp_path, monkeypatch, "")
    assert visible_gpus({}) == 0
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert visible_gpus({}) == 0
