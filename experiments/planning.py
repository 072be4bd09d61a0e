"""What is to be trained for tables: which runs are missing, how long they take, what cannot be run here."""

from __future__ import annotations

import heapq
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emoji_pred import runs
from emoji_pred.errors import UserError
from emoji_pred.finished import state_of
from experiments import keeping
from experiments.history import Estimate, History
from experiments.joining import joined
from experiments.profiles import FULL, SMOKE, Planned, command, lacking_of, overrides_of, planned, seeds_of
from experiments.table import Experiment, Paper

MEGABYTE, GIGABYTE = 1 << 20, 1 << 30
SPARE_BYTES = GIGABYTE // 4  # what is left free on a disk


@dataclass(frozen=True)
class Wanted:
    """A run that is missing.

    Attributes:
        run: what is to be trained.
        estimate: what it is expected to take.
        state: `interrupted`, `failed` (before) or "".
    """

    run: Planned
    estimate: Estimate
    state: str = ""


@dataclass(frozen=True)
class Lacking:
    """What cannot be run in a profile: why, and the commands of the full profile."""

    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is there, and what is missing.

    Attributes:
        profile: of the runs.
        finished: runs that are kept, or lie finished in the directory of the runs.
        missing: the others, cheapest first; those of unknown time last.
        lacking: what cannot be run.
        jobs: how many runs train at once.
        runs_dir: where they go.
        launcher: that decides how many train at once; "": none.
    """

    profile: str
    finished: tuple[Planned, ...]
    missing: tuple[Wanted, ...]
    lacking: tuple[Lacking, ...]
    jobs: int
    runs_dir: Path
    launcher: str = ""

    @property
    def seconds(self) -> float:
        """Of all runs whose time can be told, `jobs` at once."""
        return time_of([wanted.estimate for wanted in self.missing], self.jobs)

    @property
    def disk(self) -> int:
        """Bytes that the runs leave, and those that the largest need while they train."""
        estimates = [wanted.estimate for wanted in self.missing]
        while_they_train = heapq.nlargest(self.jobs, (estimate.disk_while for estimate in estimates))
        return sum(disk_of(estimates)) + sum(while_they_train)


@dataclass
class Places:
    """Where things lie.

    Attributes:
        runs_dir: `train.py` leaves its runs there.
        kept: the finished runs of the tables, by name.
    """

    runs_dir: Path
    kept: Path
    _finished: dict[str, bool] = field(default_factory=dict)

    def is_kept(self, name: str) -> bool:
        """Whether a run is kept with its answers; where these are not there, it is kept or trained again.

        Raises:
            UserError: its result or its answers cannot be read.
        """
        return keeping.kept(name, self.kept) is not None

    def is_finished(self, name: str) -> bool:
        """Whether a run lies finished where `train.py` leaves it; looked at once."""
        if name not in self._finished:
            self._finished[name] = runs.read_finished(self.runs_dir / name) is not None
        return self._finished[name]


def experiments_of(papers: Iterable[Paper]) -> list[Experiment]:
    """Those of all tables, figures and findings, each once, in order."""
    found: list[Experiment] = []
    for paper in papers:
        found += [experiment for table in paper.tables for experiment in table.experiments]
        found += [experiment for figure in paper.figures for _, experiment in figure.experiments]
        found += [cell.experiment for finding in paper.findings for _, cell in finding.bars]
    return list(dict.fromkeys(found))


def place_of(experiment: Experiment, papers: Iterable[Paper]) -> str:
    """The first table and row, figure or finding that an experiment is of, in words."""
    for paper in papers:
        for table in paper.tables:
            for row in table.rows:
                if any(cell and cell.experiment == experiment for cell in row.cells):
                    return f"{table.name}, row {row.label}"
        for figure in paper.figures:
            if any(one == experiment for _, one in figure.experiments):
                return figure.name
        for finding in paper.findings:
            if any(cell.experiment == experiment for _, cell in finding.bars):
                return finding.name
    raise ValueError(f"no table has {experiment}")


def plan(
    papers: Iterable[Paper],
    profile: str,
    seeds: int | None,
    jobs: int,
    places: Places,
    history: History,
    launcher: str = "",
) -> Plan:
    """Find what is missing for tables.

    Args:
        papers: the chosen ones.
        profile: `smoke`, `cpu` or `full`.
        seeds: how many, instead of the experiments' own numbers.
        jobs: how many runs train at once.
        places: where finished ones are looked for.
        history: what runs took before.
        launcher: of the sweeps; "": they train here.

    Raises:
        UserError: a run is kept that cannot be read, or the overrides of an experiment do not compose.
    """
    papers = tuple(papers)
    experiments = experiments_of(papers)
    wanted: dict[str, Planned] = {}
    for experiment in experiments:
        try:
            wanted.update({run.name: run for run in planned(experiment, profile, seeds)})
        except UserError as error:
            raise UserError(f"{place_of(experiment, papers)}: {error}") from error
    finished = {name for name in wanted if places.is_kept(name) or places.is_finished(name)}
    missing = [
        Wanted(run, history.estimate(run.config), _state(places.runs_dir / name))
        for name, run in wanted.items()
        if name not in finished
    ]
    return Plan(
        profile,
        tuple(wanted[name] for name in wanted if name in finished),
        tuple(sorted(missing, key=_cost)),
        tuple(_lacking(experiments, profile, seeds)),
        jobs,
        places.runs_dir,
        launcher,
    )


def history_of(places: Places, gpu: bool = False, more: Path | None = None) -> History:
    """What all kept runs took.

    Args:
        places: of the runs.
        gpu: whether the runs to come train on a GPU.
        more: another directory of kept runs.
    """
    history = History(gpu)
    kept = {path.parent.name: path for place in (more, places.kept) if place for path in _results(place)}
    for path in kept.values():
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        history.add(result, places.runs_dir / path.parent.name)
    return history


def _results(kept: Path) -> list[Path]:
    return sorted(kept.glob(f"*/{runs.RESULT}"))


def time_of(estimates: Sequence[Estimate], jobs: int) -> float:
    """Seconds until all runs whose time can be told are done, in their order, `jobs` at once."""
    free = [0.0] * jobs  # when each of them has done what it was given
    for estimate in estimates:
        heapq.heapreplace(free, free[0] + (estimate.seconds or 0.0))
    return max(free)


def disk_of(estimates: Sequence[Estimate]) -> list[int]:
    """Bytes that each run leaves; one that cannot be told counts as the largest."""
    known = [estimate.disk for estimate in estimates if estimate.disk is not None]
    return [max(known, default=0) if estimate.disk is None else estimate.disk for estimate in estimates]


def check_disk(plan: Plan, free: int | None = None) -> None:
    """Refuse a plan that would fill the disk.

    Args:
        plan: what is to be trained.
        free: bytes; None: of the disk of its runs.

    Raises:
        UserError: it would.
    """
    free = free_disk(plan.runs_dir) if free is None else free
    if plan.missing and plan.disk + SPARE_BYTES > free:
        raise UserError(
            f"the runs need about {size(plan.disk)}, and {plan.runs_dir} has {size(free)} free; make room, "
            "choose fewer tables (TABLE=...), or set RUNS_DIR=DIRECTORY on another disk"
        )


def free_disk(directory: Path) -> int:
    """Bytes that are free where a directory is, or will be."""
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{max(1, round(count / MEGABYTE))} MB"


def _state(directory: Path) -> str:
    """What an earlier start of a run left."""
    state = state_of(directory)["status"] if directory.is_dir() else ""
    return state if state in ("interrupted", "failed") else ""


def _cost(wanted: Wanted) -> float:
    seconds = wanted.estimate.seconds
    return float("inf") if seconds is None else seconds


def _lacking(experiments: Iterable[Experiment], profile: str, seeds: int | None) -> list[Lacking]:
    found: dict[str, list[str]] = {}
    for experiment in experiments:
        if overrides_of(experiment, profile):
            continue
        whole = overrides_of(experiment, FULL)
        typed = [command(whole, seeds_of(experiment, FULL, seeds))] if whole else []
        found.setdefault(lacking_of(experiment, profile), []).extend(typed)
    return [Lacking(reason, tuple(dict.fromkeys(commands))) for reason, commands in found.items()]


# --- in words


def described(plan: Plan, shown: Sequence[str]) -> str:
    """A plan for the reader.

    Args:
        plan: what is there and what is missing.
        shown: names of the chosen papers and tables.
    """
    count = len(plan.finished) + len(plan.missing)
    head = f"{', '.join(shown)}, profile {plan.profile}: {count} runs, "
    lines = [f"{head}{len(plan.finished)} finished, {len(plan.missing)} missing"]
    if plan.missing:
        lines += ["", *_missing_lines(plan), "", *_total_lines(plan)]
    for lacking in plan.lacking:
        lines += ["", f"Cannot be run in this profile: {lacking.reason}"]
        lines += [f"  {line}" for line in lacking.commands]
    return "\n".join(lines)


def _missing_lines(plan: Plan) -> list[str]:
    """One for each sweep over runs that take the same, in the order in which they begin."""
    groups: dict[Estimate, list[Wanted]] = {}
    for wanted in plan.missing:
        groups.setdefault(wanted.estimate, []).append(wanted)
    lines = [f"{'runs':>4}  {'each':>12}  what"]
    for estimate, members in groups.items():
        for typed, places in joined([wanted.run.overrides for wanted in members]):
            states = _states([members[place] for place in places])
            each, like = words_of(estimate.seconds), estimate.like
            if plan.profile == SMOKE and estimate.seconds is None:  # a second or so, by their three steps
                each, like = "seconds", "three steps"
            notes = "; ".join([like, *states])
            lines.append(f"{len(places):4}  {each:>12}  {' '.join(typed)}  ({notes})")
    return lines


def _states(members: Sequence[Wanted]) -> list[str]:
    states = [wanted.state for wanted in members]
    return [f"{states.count(state)} {state} before" for state in sorted(set(states)) if state]


def _total_lines(plan: Plan) -> list[str]:
    unknown = sum(wanted.estimate.seconds is None for wanted in plan.missing)
    at_once = f" with JOBS={plan.jobs}" if plan.jobs > 1 else ", one after the other"
    if plan.launcher:
        at_once = f", if {plan.launcher} runs {plan.jobs} at once"
    if plan.profile == SMOKE:
        return [f"Time: under 5 minutes{at_once}"]
    time = f"about {words_of(plan.seconds)}{at_once}" if plan.seconds else "unknown"
    runs_of = "1 run" if unknown == 1 else f"{unknown} runs"
    more = f", and {runs_of} of unknown time" if unknown and plan.seconds else ""
    disk = f"about {size(plan.disk)} while they train" if plan.disk else "unknown"
    return [f"Time: {time}{more}", f"Disk: {disk}; {size(free_disk(plan.runs_dir))} are free"]


def words_of(seconds: float | None) -> str:
    """A time as one reads it."""
    from emoji_pred.summary import duration

    return "unknown" if seconds is None else duration(seconds)


def estimated_anew(wanted: Wanted, history: History) -> Wanted:
    """With what has been seen meanwhile."""
    return replace(wanted, estimate=history.estimate(wanted.run.config))
