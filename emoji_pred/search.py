"""A search for good settings: trials are ordinary runs, judged by their validation macro-F1.

A trial is the typed configuration with drawn values, composed as `train.py` would compose it. So its run lies
where that of the same command typed by hand lies, is found when it is finished, and continues when it was
interrupted. The study (`study.py`) only says what to try next.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from emoji_pred import config as configuration
from emoji_pred import runs
from emoji_pred.errors import Pruned, RunFailed, Stopped, UserError, one_line
from emoji_pred.own_process import in_own_processes, result_of_own_process
from emoji_pred.run import RunResult, check_before_training, find_finished, identify, run
from emoji_pred.schema import Search
from emoji_pred.search_space import Space, check_keys, check_values, draw, key_of
from emoji_pred.search_summary import command_of, end_line, print_trials, start_line, write_trials
from emoji_pred.study import Study, Taken

Options = Mapping[str, Any]
GROUP = "hparams_search"


@dataclass(frozen=True)
class _Plan:
    """What a command searches.

    Attributes:
        settings: of the search.
        space: what is drawn; a setting that was typed is not.
        typed: all overrides of the command.
        base: those of each trial.
        config: the configuration that `base` gives.
        script: `train.py`.
    """

    settings: Search
    space: Space
    typed: list[str]
    base: list[str]
    config: Options
    script: Path

    @property
    def several(self) -> bool:
        """Whether a run takes several devices, and so a process of its own."""
        return self.config["trainer"]["devices"] * self.config["trainer"]["num_nodes"] > 1

    def name(self) -> str:
        """The hash of all that determines the search: how many trials and workers does not."""
        parts = identify(self.config).parts
        settings = self.settings.model_dump(include={"sampler", "pruner"})
        space = {key: part.model_dump(exclude_none=True) for key, part in self.space.items()}
        return runs.run_hash({"run": _without(parts, set(space)), "space": space, **settings})


def search(config: Options, overrides: Sequence[str], script: Path) -> None:
    """Search for the settings with the best validation macro-F1; prints the table and the best command.

    Hydra must be at work, as it is under `train.py`.

    Args:
        config: the resolved configuration, with `hparams_search`.
        overrides: what the user typed.
        script: `train.py`, for processes of their own.

    Raises:
        UserError: for anything that is no matter of the drawn values; the trial is continued later.
        RunFailed: every trial failed.
        Stopped: by a signal; the same command continues.
    """
    plan = _plan(config, overrides, script)
    name = plan.name()
    directory = configuration.expand(config["runs_dir"]) / "searches"
    if not (directory / f"{name}.db").exists():
        check_values(plan.space, lambda drawn: _checked([*plan.base, *drawn]))
    study = Study(
        runs.prepare_directory(directory),
        name,
        plan.settings,
        plan.config["model"]["max_epochs"],
    )
    if plan.settings.table:
        keys = ", ".join(plan.space)
        print(f"search {name} in {study.path}: {plan.settings.trials} trials of {keys}", flush=True)
    if plan.settings.workers > 1:
        _work_side_by_side(plan, study)
    _work(plan, study)
    if plan.settings.table:
        _tell(plan, study)


def _plan(config: Options, overrides: Sequence[str], script: Path) -> _Plan:
    settings = configuration.check(config).hparams_search
    assert settings is not None
    typed = {key_of(override) for override in overrides}
    base = [item for item in overrides if key_of(item).partition(".")[0] != GROUP]
    space = {key: part for key, part in settings.space.items() if key not in typed}
    plan = _Plan(settings, space, list(overrides), base, _checked(base), script)
    check_keys(space, plan.config)
    if plan.config["force"]:
        raise UserError(
            "force=true would train each trial anew whenever the search is continued; leave it out"
        )
    if plan.several and settings.pruner.name != "none":
        raise UserError(
            "a run on several devices cannot be pruned; set hparams_search.pruner.name=none, "
            "or trainer.devices=1"
        )
    return plan


def _compose(overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration that `train.py` would run for these overrides."""
    composed = compose(HydraConfig.get().job.config_name, list(overrides))
    config: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    return config


def _checked(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose, and check all that needs no data.

    Raises:
        UserError: the values do not fit.
    """
    config = _compose(overrides)
    configuration.check(config)
    check_before_training(config)
    return config


def _work(plan: _Plan, study: Study) -> None:
    """Try one trial after the other, until all are over or in the hands of other processes."""
    started, before, total = time.monotonic(), study.ended(), plan.settings.trials
    while (taken := study.take()) is not None:
        try:
            _try(plan, study, taken)
        finally:
            taken.lock.release()
        trial, ended = study.trials()[taken.trial.number], study.ended()
        seconds_each = (time.monotonic() - started) / (ended - before)
        left = seconds_each * max(0, total - ended)
        print(end_line(trial, study.best(), left), flush=True)


def _try(plan: _Plan, study: Study, taken: Taken) -> None:
    """Run a trial, and write down how it ended."""
    drawn = draw(taken.trial, plan.space)
    print(start_line(taken.trial.number, plan.settings.trials, drawn, taken.continued), flush=True)
    overrides = [*plan.base, *drawn]
    try:
        config = _checked(overrides)
    except (UserError, HydraException, OmegaConfBaseException) as error:  # values that do not go together
        study.end(taken, "FAIL", error=one_line(error))
        return
    identity = identify(config)
    name = identity.name
    try:
        outcome = _run(plan, config, overrides, taken)
    except Pruned:
        study.end(taken, "PRUNED", run=name)
    except (RunFailed, UserError) as error:
        # A mistake that leaves no mark in the run's directory is none of the values: no data, a full disk.
        if isinstance(error, UserError) and runs.read_failure(identity.directory) is None:
            raise
        study.end(taken, "FAIL", error=str(error), run=name)
    else:
        for row in outcome.result["curves"]:
            taken.report(row["epoch"], row["val_macro_f1"])
        value = outcome.result["validation"]["macro_f1"]
        study.end(taken, "COMPLETE", value, run=name, seconds=outcome.result["wall_seconds"])


def _run(plan: _Plan, config: Options, overrides: list[str], taken: Taken) -> RunResult:
    """Two trials may draw the same values: the second waits, and finds the run finished."""
    if not plan.several:
        watch = functools.partial(taken.watch, max_epochs=config["model"]["max_epochs"])
        return run(config, overrides, wait=True, watch=watch)
    found = find_finished(identify(config))
    return found if found is not None else result_of_own_process(plan.script, config, overrides)


def _work_side_by_side(plan: _Plan, study: Study) -> None:
    """Start the workers, and wait for them; what one leaves behind that was killed is for this process."""
    workers = min(plan.settings.workers, plan.settings.trials - study.ended())
    if workers < 2:
        return
    typed = {key_of(override) for override in plan.typed}
    own = [f"{GROUP}.workers=1", f"+{GROUP}.table=false"]
    if "trainer.threads" not in typed:
        own.append(f"trainer.threads={max(1, (os.cpu_count() or 1) // workers)}")
    if "trainer.progress" not in typed:
        own.append("trainer.progress=none")  # bars of several processes would mix
    errors = in_own_processes(plan.script, [[*plan.typed, *own]] * workers)
    for kind in (Stopped, UserError):
        for error in errors:
            if isinstance(error, kind):
                raise error
    for error in errors:
        if error is not None:
            print(f"warning: a worker ended early: {error}", file=sys.stderr)


def _tell(plan: _Plan, study: Study) -> None:
    """The table, and the command of the best run.

    Raises:
        RunFailed: every trial failed.
    """
    trials = study.trials()
    print_trials(trials, plan.space)
    running = len(trials) - study.ended()
    if running:
        print(f"Other processes still work on {running} trial(s).")
    table = write_trials(trials, plan.space, study.path.parent, study.path.stem)
    print(f"The table: {table} (and .csv)")
    best = study.best()
    if best is not None:
        print(f"Best of {len(trials)} trials: validation macro-F1 {best.value:.4f}, by this command:")
        print(f"  {command_of([*plan.base, *draw(best, plan.space)])}", flush=True)
    elif all(trial.state.name == "FAIL" for trial in trials):
        raise RunFailed(f"all {len(trials)} trials failed; the last: {trials[-1].user_attrs.get('error')}")


def _without(parts: Any, keys: set[str], prefix: str = "") -> Any:
    """What determines a run's numbers, without the settings that are searched."""
    if not isinstance(parts, Mapping):
        return parts
    return {
        key: _without(inner, keys, f"{prefix}{key}.")
        for key, inner in parts.items()
        if f"{prefix}{key}" not in keys
    }
