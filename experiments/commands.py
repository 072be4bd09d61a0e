"""From runs to commands of `train.py`, as a user would type them; hardware and launchers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emoji_pred import runs
from emoji_pred.errors import UserError, did_you_mean
from experiments.joining import joined
from experiments.planning import Wanted, time_of
from experiments.profiles import FULL

LAUNCHERS = ("joblib", "submitit_slurm", "submitit_local", "ray")
SWEEPS_AT_ONCE = 4  # that hand their runs to a launcher, which decides how many train
SHARED_SECONDS = 1800.0  # that seeds of one command may take where others run beside it: the last works alone


@dataclass(frozen=True)
class Command:
    """A command of `train.py`, a sweep where it has more than one run.

    Attributes:
        overrides: what is typed after `train.py`, without places and hardware.
        runs: that it trains.
    """

    overrides: tuple[str, ...]
    runs: tuple[Wanted, ...]

    @property
    def typed(self) -> tuple[str, ...]:
        """The words after `python train.py`."""
        return ("-m", *self.overrides) if len(self.runs) > 1 else self.overrides


def single_commands(wanted: Iterable[Wanted]) -> list[Command]:
    """A command for each run."""
    return [Command(one.run.overrides, (one,)) for one in wanted]


def shared_commands(wanted: Sequence[Wanted]) -> list[Command]:
    """As few commands as sweeps can hold: runs that take a second share the seconds of a start."""
    sweeps = joined([one.run.overrides for one in wanted])
    return [Command(typed, tuple(wanted[place] for place in places)) for typed, places in sweeps]


def seed_commands(wanted: Sequence[Wanted], jobs: int) -> list[Command]:
    """The seeds of an experiment share a command, which loads packages and data once.

    With several jobs no command takes longer than a half of what each of them has to do, so that all end at
    about the same time. A run of unknown time has its own.

    Args:
        wanted: in their order.
        jobs: how many commands run at once.
    """
    whole = time_of([one.estimate for one in wanted], 1)
    most = min(SHARED_SECONDS, whole / jobs / 2) if jobs > 1 else whole
    parts: list[list[Wanted]] = []
    latest: dict[tuple[str, ...], tuple[list[Wanted], float]] = {}
    for one in wanted:
        seconds = one.estimate.seconds or float("inf")
        others = tuple(text for text in one.run.overrides if not text.startswith("seed="))
        part, before = latest.get(others, ([], float("inf")))
        if before + seconds > most:
            part, before = [], 0.0
            parts.append(part)
        part.append(one)
        latest[others] = part, before + seconds
    return [command for part in parts for command in shared_commands(part)]


# --- hardware


@dataclass(frozen=True)
class Hardware:
    """Where the runs train.

    Attributes:
        jobs: how many commands run at once.
        gpus: that are seen and used; 0 of the profiles on a processor.
        cores: of this machine.
        launcher: what is typed for a launcher: its name and its settings; () trains here.
    """

    jobs: int
    gpus: int = 0
    cores: int = 1
    launcher: tuple[str, ...] = ()

    def overrides(self, command: Command) -> tuple[str, ...]:
        """What is typed besides for a command: nothing that changes a number.

        On several GPUs a run takes all of them (`trainer=ddp`), on one that; else runs at once share the
        cores. A linear model has no use for a GPU.
        """
        if self.launcher:
            return self.launcher
        on_gpu = self.gpus and not all(runs.is_linear(one.run.config) for one in command.runs)
        if on_gpu:
            return ("trainer=gpu",) if self.gpus == 1 else ("trainer=ddp", f"trainer.devices={self.gpus}")
        return (f"trainer.threads={max(1, self.cores // self.jobs)}",)


def hardware(profile: str, jobs: int | None, launcher: str) -> Hardware:
    """What there is, and how it is used.

    Args:
        profile: GPUs are looked for in `full` only.
        jobs: how many runs at once; None: one.
        launcher: as a user writes it: `submitit_slurm hydra.launcher.partition=gpu trainer=gpu`.

    Raises:
        UserError: an unknown launcher.
    """
    cores = _cores()
    if launcher.split():
        return Hardware(jobs or SWEEPS_AT_ONCE, 0, cores, _launcher(launcher.split()))
    gpus = visible_gpus(os.environ) if profile == FULL else 0
    if gpus and (jobs or 1) > 1:
        print(f"JOBS={jobs}: each run takes all GPUs of this machine, so they train one after the other")
    return Hardware(1 if gpus else jobs or 1, gpus, cores)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _launcher(words: Sequence[str]) -> tuple[str, ...]:
    name, *settings = words
    name = name.removeprefix("hydra/launcher=")
    if name not in LAUNCHERS:
        raise UserError(f"LAUNCHER={name} is no launcher{did_you_mean(name, LAUNCHERS)}")
    for setting in settings:
        if not setting.startswith(("hydra.launcher.", "trainer=", "trainer.", "logger")):
            raise UserError(
                f"LAUNCHER: {setting} is no setting of a launcher; after its name come "
                "hydra.launcher.KEY=VALUE, and trainer=gpu or trainer.KEY=VALUE"
            )
    return (f"hydra/launcher={name}", *settings)


def visible_gpus(environment: Mapping[str, str]) -> int:
    """How many GPUs of NVIDIA a run would see, asked without loading torch."""
    tool = shutil.which("nvidia-smi")
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if tool is None or (visible is not None and visible.strip() in ("", "-1", "NoDevFiles")):
        return 0
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    there = sum(line.startswith("GPU ") for line in listed.splitlines())
    return there if visible is None else min(there, len(visible.split(",")))


def check_names(command: Command, more: Sequence[str]) -> None:
    """Refuse settings of a launcher that would make other runs of those that the tables ask for.

    Raises:
        UserError: they would.
    """
    from experiments.compositions import composed

    typed = [text for text in more if not text.startswith("hydra")]
    one = command.runs[0].run
    if typed and runs.run_hash(runs.identity(composed((*one.overrides, *typed)), {})) != one.name:
        raise UserError(f"LAUNCHER: {' '.join(typed)} would change what is trained; leave it out")


def with_place(command: Command, runs_dir: Path, more: Sequence[str]) -> tuple[str, ...]:
    """All words after `python train.py`."""
    place = str(runs_dir).replace("\\", "\\\\").replace("'", "\\'")
    return (*command.typed, *more, f"runs_dir='{place}'")
