"""The command line of `train.py`: Hydra in front of `run`, errors as one line, a table at the end."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from emoji_pred.errors import MISTAKE, RunFailed, Stopped, UserError, did_you_mean
from emoji_pred.process import prepare_process

if TYPE_CHECKING:
    from emoji_pred.run import RunResult

# `~` in a directory: Hydra itself would make a folder of that name.
OmegaConf.register_new_resolver("home", lambda path: str(Path(path).expanduser()), replace=True)

CONF = Path(__file__).resolve().parents[1] / "conf"
FAILURE, INTERRUPTED = 1, 130  # exit codes, beside MISTAKE


@dataclass
class _Job:
    """One run of the command, for the table at the end."""

    overrides: list[str]
    outcome: RunResult | None = None
    error: str | None = None
    exit_code: int = 0


@dataclass
class _Session:
    """What the jobs of one command left behind."""

    jobs: list[_Job] = field(default_factory=list)
    sweeping: bool = False
    runs_dir: Path | None = None


_session = _Session()


def main() -> None:
    """Run the command line; ends with code 0, 2 for a user's mistake, 1 for a failed run, 130 for Ctrl-C."""
    prepare_process()
    _session.jobs.clear()
    warnings.formatwarning = _format_warning
    # argparse takes no option between overrides: `model=cnn -m loss=focal` is what people type.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    debugging = os.environ.get("HYDRA_FULL_ERROR") == "1"
    if sys.argv[1:2] in (["-m"], ["--multirun"]) and any("hparams_search=" in word for word in sys.argv):
        _fail("hparams_search tries combinations itself: leave out -m")
    try:
        with _hydra_raising():
            _hydra_main()
    except UserError as error:
        _fail(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        if debugging:
            raise
        _fail(_explain(error))
    except OSError as error:  # Hydra makes the directory of a sweep
        if debugging:
            raise
        place = error.filename or "the settings of the sweep, in the directory of the runs"
        _fail(f"cannot write {place}: {error.strerror}; set runs_dir=DIRECTORY or EMOJI_PRED_RUNS")
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Stopped as stopped:
        if int(os.environ.get("LOCAL_RANK", 0)):
            # Lightning would take another code of a helper for a crash, and kill the first process.
            sys.exit(0)
        name = signal.Signals(stopped.signal_number).name
        print(f"\nstopped by {name}; the same command continues", file=sys.stderr)
        sys.exit(128 + stopped.signal_number)
    if _session.jobs:
        _finish()


@contextmanager
def _hydra_raising() -> Iterator[None]:
    """Let Hydra raise its errors, which it would else print, ending the process."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _hydra_main(config: DictConfig) -> None:
    hydra_config = HydraConfig.get()
    _session.sweeping = hydra_config.mode == RunMode.MULTIRUN
    # Unresolved: an override may hold an interpolation of its own, `data_dir=${runs_dir}/data`.
    typed: Any = OmegaConf.to_container(hydra_config.overrides.task, resolve=False)
    job = _Job(typed)
    _session.jobs.append(job)
    if _session.sweeping:
        print(f"run {hydra_config.job.num + 1}: {' '.join(job.overrides)}", flush=True)
    # Raised here, an error would be announced by Hydra with a line of its own.
    try:
        job.outcome = _run(config, job.overrides)
    except UserError as error:
        job.error, job.exit_code = _one_line(str(error)), MISTAKE
        print(f"error: {job.error}", file=sys.stderr)
    except (HydraException, OmegaConfBaseException) as error:
        job.error, job.exit_code = _explain(error), MISTAKE
        print(f"error: {job.error}", file=sys.stderr)
    except RunFailed as error:
        job.error, job.exit_code = str(error), FAILURE
        print(f"error: {job.error}", file=sys.stderr)
    except Exception as error:
        job.error, job.exit_code = f"{type(error).__name__}: {error}".splitlines()[0], FAILURE
        traceback.print_exc()


def _run(config: DictConfig, overrides: list[str]) -> RunResult | None:
    from emoji_pred.config import expand
    from emoji_pred.own_process import train_in_own_process
    from emoji_pred.run import find_finished, run

    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    _session.runs_dir = expand(plain["runs_dir"])
    if plain.get("hparams_search") is not None:
        from emoji_pred.search import search

        search(plain, overrides, CONF.parent / "train.py")  # it says itself what it found
        return None
    hardware = plain.get("trainer") or {}
    several = (hardware.get("devices", 1), hardware.get("num_nodes", 1)) != (1, 1)
    if _session.sweeping and several and find_finished(plain) is None:
        train_in_own_process(CONF.parent / "train.py", overrides)
        trained = find_finished({**plain, "force": False})
        if trained is None:
            raise RunFailed("the process of the run left no result")
        return replace(trained, found=False)
    outcome = run(plain, overrides)
    if outcome.found:
        print(f"already finished: {outcome.directory} (force=true trains again)")
    return outcome


def _finish() -> None:
    from emoji_pred.summary import print_runs, print_summary, write_table

    done = [job for job in _session.jobs if job.outcome is not None]
    if _session.sweeping:
        rows = [_row(job) for job in _session.jobs]
        print_runs(rows)
        if _session.runs_dir is not None and done:
            # By the second and the process: two sweeps may end at once.
            name = f"{datetime.now():%Y-%m-%d_%H%M%S}_{os.getpid()}"
            try:
                print(f"The table: {write_table(rows, _session.runs_dir / 'sweeps', name)} (and .csv)")
            except (OSError, UserError) as error:
                print(f"warning: the table was not written: {error}", file=sys.stderr)
    elif done and done[0].outcome is not None:
        print_summary(done[0].outcome.result, done[0].outcome.directory)
    if any(job.exit_code for job in _session.jobs):
        sys.exit(max(job.exit_code for job in _session.jobs) if not done else FAILURE)


def _row(job: _Job) -> dict[str, Any]:
    if job.outcome is None:
        return {"status": "failed", "error": job.error, "overrides": job.overrides}
    return {**job.outcome.result, "overrides": job.overrides, "directory": str(job.outcome.directory)}


def _fail(message: str) -> None:
    print(f"error: {_one_line(message)}", file=sys.stderr)
    sys.exit(MISTAKE)


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _format_warning(message: Any, category: Any, filename: str, lineno: int, line: str | None = None) -> str:
    """The suite's own warnings speak to the user: no file and line of code."""
    if Path(filename).is_relative_to(Path(__file__).parent):
        return f"warning: {_one_line(str(message))}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def _explain(error: Exception) -> str:
    """One line for a configuration that does not compose, with the nearest names that would."""
    if not str(error) and isinstance(error.__cause__, Exception):
        return _explain(error.__cause__)
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = (error.missing_cfg_file or "").rpartition("/")
        return f"{group}={choice} is not a choice{did_you_mean(choice, error.options)}"
    several = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if several:
        return f"{several.group(1)} is a list of values: add -m to train one after the other"
    key = re.search(
        r"Could not (?:override|delete|append|add) '([^']+)'|Key '([^']+)' is not in struct", text
    )
    if key:
        name, known = key.group(1) or key.group(2), _known_keys()
        if name in known:
            return f"{name} is not a setting of what is chosen here; it belongs to {' or '.join(known[name])}"
        return f"{name} is not a setting{did_you_mean(name, known)}"
    return f"the configuration cannot be read: {_one_line(text)}"


def _known_keys() -> dict[str, list[str]]:
    """Every dotted key of every choice, with the choices that have it, and the groups themselves."""
    keys: dict[str, list[str]] = {}
    for path in sorted(CONF.rglob("*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group.startswith("hydra"):
            continue
        prefix = "" if group == "." else f"{group}."
        found = _dotted(OmegaConf.to_container(OmegaConf.load(path), resolve=False))
        for key in ([group] if prefix else []) + [prefix + key for key in found]:
            keys.setdefault(key, []).append(f"{group}={path.stem}" if prefix else path.name)
    return keys


def _dotted(value: Any, prefix: str = "") -> list[str]:
    if not isinstance(value, dict):
        return []
    keys = []
    for key, inner in value.items():
        keys += [f"{prefix}{key}", *_dotted(inner, f"{prefix}{key}.")]
    # The space of a search repeats keys of other groups.
    return [key for key in keys if not key.startswith(("defaults", "hydra", "space."))]
