"""A search's Optuna study: one SQLite file that several processes on one machine share.

A process that works on a trial holds a lock file of the trial, which goes with the process however it ends.
So a trial that was cut is known at once, by its free lock, and is taken up as it is: with its number, its
values and what it reported. Optuna's heartbeat would tell it by silence alone, needs `Study.optimize`, and
retries as a further trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from emoji_pred.errors import Pruned, UserError
from emoji_pred.schema import Pruner, Sampler, Search

if TYPE_CHECKING:
    import optuna

LOCK_SECONDS = 120  # that SQLite waits for another process


@dataclass(frozen=True)
class Taken:
    """A trial that this process works on.

    Attributes:
        trial: Optuna's.
        lock: held while the process works on it.
        reported: validation macro-F1 by epochs trained.
        continued: another process began it.
    """

    trial: optuna.Trial
    lock: FileLock
    reported: dict[int, float]
    continued: bool

    def report(self, epoch: int, macro_f1: float) -> None:
        """Tell the study of an epoch (from 0); a continued run comes again to some that it knows."""
        if epoch + 1 not in self.reported:
            self.reported[epoch + 1] = macro_f1
            self.trial.report(macro_f1, epoch + 1)

    def watch(self, epoch: int, figures: Mapping[str, float], max_epochs: int) -> None:
        """Report an epoch; ends the run where it lags behind, and is not at its end anyway.

        Raises:
            Pruned: by the study's pruner.
        """
        self.report(epoch, figures["val/macro_f1"])
        if epoch + 1 < max_epochs and self.trial.should_prune():
            raise Pruned(epoch + 1, max(self.reported.values()))


class Study:
    """The study in `<directory>/<name>.db`, which is made where there is none.

    Args:
        directory: of all searches.
        name: what determines the search, as a hash.
        settings: of the search.
        max_epochs: of a run.

    Raises:
        UserError: Optuna is not installed, or the file is no study.
    """

    def __init__(self, directory: Path, name: str, settings: Search, max_epochs: int) -> None:
        optuna = _import_optuna()
        self.path, self.settings = directory / f"{name}.db", settings
        self._locks = directory / f".{name}"
        self._locks.mkdir(exist_ok=True)
        self._guard = FileLock(self._locks / "study.lock")
        with self._guard:  # two processes must not make the tables at once
            try:
                self._storage = optuna.storages.RDBStorage(
                    f"sqlite:///{self.path}", {"connect_args": {"timeout": LOCK_SECONDS}}
                )
                self._study = optuna.create_study(
                    storage=self._storage,
                    study_name=name,
                    direction="maximize",
                    pruner=_pruner(settings.pruner, max_epochs),
                    load_if_exists=True,
                )
            except Exception as error:
                reason = str(error).partition("\n")[0]
                raise UserError(
                    f"{self.path} cannot be opened as a study ({reason}); remove it to search anew "
                    "(finished runs are found again)"
                ) from error

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials so far, by number."""
        return self._study.get_trials(deepcopy=False)

    def ended(self) -> int:
        """How many trials are over, in whatever way."""
        return sum(trial.state.is_finished() for trial in self.trials())

    def best(self) -> optuna.trial.FrozenTrial | None:
        """The best of the trials that were trained to their end; the earlier of equals."""
        finished = [trial for trial in self.trials() if trial.state.name == "COMPLETE"]
        return max(finished, key=lambda trial: trial.value or 0.0, default=None)

    def take(self) -> Taken | None:
        """A trial that was cut, or a new one; None where all are over or in the hands of other processes."""
        with self._guard:
            trials = self.trials()
            for known in trials[: self.settings.trials]:
                if known.state.name == "RUNNING" and (lock := self._hold(known.number)) is not None:
                    return self._taken(known, lock)
            if len(trials) >= self.settings.trials:
                return None
            number = len(trials)
            # A seed for each trial: one of the study would give all processes the same draws, and others to
            # a search that was interrupted.
            self._study.sampler = _sampler(self.settings.sampler, number)
            trial = self._study.ask()
            lock = self._hold(trial.number)
            assert lock is not None, "a new trial has no other owner"
            return Taken(trial, lock, {}, continued=False)

    def end(self, taken: Taken, state: str, value: float | None = None, **notes: Any) -> None:
        """Write down how a trial ended.

        Args:
            taken: the trial.
            state: COMPLETE, PRUNED or FAIL.
            value: validation macro-F1 of the best checkpoint, where it is COMPLETE.
            notes: kept with the trial, plain values.
        """
        from optuna.trial import TrialState

        for key, note in notes.items():
            taken.trial.set_user_attr(key, note)
        with self._guard:
            self._study.tell(taken.trial, value, state=TrialState[state])
            Path(taken.lock.lock_file).unlink(missing_ok=True)

    def _taken(self, known: optuna.trial.FrozenTrial, lock: FileLock) -> Taken:
        from optuna import Trial

        self._study.sampler = _sampler(self.settings.sampler, known.number)  # where not all was drawn yet
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, known.number)
        return Taken(Trial(self._study, trial_id), lock, dict(known.intermediate_values), continued=True)

    def _hold(self, number: int) -> FileLock | None:
        lock = FileLock(self._locks / f"trial-{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("hparams_search needs Optuna: pip install -e '.[sweeps]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _sampler(options: Sampler, number: int) -> optuna.samplers.BaseSampler:
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    if options.name == "random":
        return optuna.samplers.RandomSampler(seed)
    return optuna.samplers.TPESampler(n_startup_trials=options.startup_trials, seed=seed)


def _pruner(options: Pruner, max_epochs: int) -> optuna.pruners.BasePruner:
    import optuna

    if options.name == "median":
        return optuna.pruners.MedianPruner(options.startup_trials, n_warmup_steps=options.min_epochs)
    if options.name == "hyperband":
        longest = max(options.min_epochs, max_epochs)
        return optuna.pruners.HyperbandPruner(options.min_epochs, longest, options.reduction_factor)
    return optuna.pruners.NopPruner()
