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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from emoji_pred import rank
from emoji_pred.errors import FAILED, MISTAKE, RunFailed, Stopped, UserError, did_you_mean, one_line
from emoji_pred.lease import Busy
from emoji_pred.process import prepare_process
from emoji_pred.rendezvous import say_nothing
from emoji_pred.signals import stop_request

if TYPE_CHECKING:
    from emoji_pred.jobs import Ended
    from emoji_pred.run import RunResult

# `~` in a directory: Hydra itself would make a folder of that name.
OmegaConf.register_new_resolver("home", lambda path: str(Path(path).expanduser()), replace=True)

CONF = Path(__file__).resolve().parents[1] / "conf"

_outcomes: list[RunResult | None] = []  # of a command without -m: one
_codes: list[int] = []


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """From here on Ctrl-C, SIGTERM and SIGUSR1 end the command with one line and the shell's exit code."""
    stop_request.begin_command()
    try:
        yield
    except Stopped as stopped:
        stop_request.ending = True
        if not rank.is_first():
            # The code of the first process counts; torchrun would end that one for another code here.
            sys.exit(0 if rank.place().processes else 128 + stopped.signal_number)
        name = signal.Signals(stopped.signal_number).name
        then = "continues" if stopped.continues else "begins anew"
        print(f"\nstopped by {name}; the same command {then}", file=sys.stderr)
        sys.exit(128 + stopped.signal_number)


@_ended_by_signals()
def main() -> None:
    """Run the command line; ends with code 0, 2 for a user's mistake, 1 for a failed run, 130 for Ctrl-C."""
    prepare_process()
    here = rank.place()
    if not here.speaks:
        say_nothing()
    _outcomes.clear()
    _codes.clear()
    # argparse takes no option between overrides: `model=cnn -m loss=focal` is what people type.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    debugging = os.environ.get("HYDRA_FULL_ERROR") == "1"
    sweeping = bool({"-m", "--multirun"} & set(sys.argv[1:]))
    searching = any("hparams_search=" in word for word in sys.argv)
    if sweeping and searching:
        _fail("hparams_search tries combinations itself: leave out -m")
    if (sweeping or searching) and (here.processes or 1) > 1:
        what = "search" if searching else "sweep"
        _fail(
            f"{here.starter} started {here.processes} processes, and each would start the whole {what}; "
            f"start it once, without {here.starter}: its runs start their own processes on trainer.devices"
        )
    try:
        with _hydra_raising():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(train)()
    except UserError as error:
        _fail(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        if debugging:
            raise
        _fail(explain(error))
    except OSError as error:  # Hydra makes the directory of a sweep
        if debugging:
            raise
        if not _stands_somewhere():
            _fail("the directory that the command was started in was removed; start it in another one")
        place = error.filename or "the settings of the sweep, in the directory of the runs"
        _fail(f"cannot write {place}: {error.strerror}; set runs_dir=DIRECTORY or EMOJI_PRED_RUNS")
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


def train(config: DictConfig) -> dict[str, Any]:
    """One run: of a single command, or one that a launcher calls for, here or in another process.

    Returns:
        For the sweep, the fields of `jobs.Ended`.
    """
    from emoji_pred.jobs import Ended, is_worker

    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    if not sweeping or not is_worker():
        return vars(_train(config, sweeping))
    prepare_process()
    try:
        with stop_request.for_a_while():
            return vars(_train(config, sweeping))
    except Stopped as stopped:
        stop_request.signal_number = stopped.signal_number  # also where only its own process was told
        return vars(Ended("stopped", code=128 + stopped.signal_number))


def _train(config: DictConfig, sweeping: bool) -> Ended:
    """Train, print what went wrong, tell how it ended."""
    from emoji_pred.jobs import Ended, announcement

    warnings.formatwarning = _format_warning
    hydra_config = HydraConfig.get()
    # Unresolved: an override may hold an interpolation of its own, `data_dir=${runs_dir}/data`.
    typed: Any = OmegaConf.to_container(hydra_config.overrides.task, resolve=False)
    if sweeping:
        print(announcement(hydra_config.job.num + 1, typed), flush=True)
    ended, outcome = Ended("finished"), None
    # Raised here, an error would be announced by Hydra with a line of its own.
    try:
        outcome = _run(config, typed, sweeping)
    except Busy as error:
        ended = Ended("busy") if sweeping else Ended("failed", one_line(error), MISTAKE)
    except UserError as error:
        ended = Ended("failed", one_line(error), MISTAKE)
    except (HydraException, OmegaConfBaseException) as error:
        ended = Ended("failed", explain(error), MISTAKE)
    except RunFailed as error:
        ended = Ended("failed", str(error), FAILED)
    except Exception as error:
        ended = Ended("failed", f"{type(error).__name__}: {error}".splitlines()[0], FAILED)
        traceback.print_exc()
    if ended.error is not None:
        print(f"error: {ended.error}", file=sys.stderr)
    if not sweeping:
        _outcomes.append(outcome)
        _codes.append(ended.code)
    return ended


def _run(config: DictConfig, overrides: list[str], sweeping: bool) -> RunResult | None:
    from emoji_pred.own_process import result_of_own_process
    from emoji_pred.run import run
    from emoji_pred.runs import is_linear

    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    if plain.get("hparams_search") is not None:
        from emoji_pred.search import search

        search(plain, overrides, CONF.parent / "train.py")  # it says itself what it found
        return None
    hardware = plain.get("trainer") or {}
    several = (hardware.get("devices", 1), hardware.get("num_nodes", 1)) != (1, 1)
    if sweeping and several:
        return result_of_own_process(CONF.parent / "train.py", plain, overrides)
    try:
        outcome = run(plain, overrides, wait=not sweeping)
    except Stopped as stopped:
        stopped.continues = sweeping or not is_linear(plain)  # the fit of a linear model has no states
        raise
    if outcome.found and not sweeping:
        print(f"already finished: {outcome.directory} (force=true trains again)")
    return outcome


def _finish() -> None:
    """Show the run of a command without -m; a sweep has shown its own."""
    from emoji_pred.summary import print_summary

    for outcome in filter(None, _outcomes):
        print_summary(outcome.result, outcome.directory)
    if any(_codes):
        sys.exit(max(_codes))


def _stands_somewhere() -> bool:
    """The working directory is there; Hydra asks for it before each run."""
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def _fail(message: str) -> None:
    print(f"error: {one_line(message)}", file=sys.stderr)
    sys.exit(MISTAKE)


def _format_warning(message: Any, category: Any, filename: str, lineno: int, line: str | None = None) -> str:
    """The suite's own warnings speak to the user: no file and line of code."""
    if Path(filename).is_relative_to(Path(__file__).parent):
        return f"warning: {one_line(str(message))}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def explain(error: Exception) -> str:
    """One line for a configuration that does not compose, with the nearest names that would."""
    if not str(error) and isinstance(error.__cause__, Exception):
        return explain(error.__cause__)
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        # Of a list of choices Hydra does not say which there are.
        choices = error.options or [path.stem for path in (CONF / group).glob("*.yaml")]
        return f"{group}={choice} is not a choice{did_you_mean(choice, choices)}"
    several = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if several:
        return f"{several.group(1)} is a list of values: add -m to train one after the other"
    key = re.search(
        r"Could not (?:override|delete|append|add) '([^']+)'|Key '([^']+)' is not in struct", text
    )
    if key and (key.group(1) or key.group(2)).startswith("hydra.launcher."):
        return f"{key.group(1) or key.group(2)} belongs to another launcher; add hydra/launcher=joblib, say"
    if key:
        name, known = key.group(1) or key.group(2), _known_keys()
        if name in known:
            return (
                f"{name} is not a setting of what is chosen here; it belongs to {' or '.join(known[name])} "
                "(in a sweep, give the models without it a command of their own)"
            )
        return f"{name} is not a setting{did_you_mean(name, known)}"
    if "INTERVAL_SWEEP" in text:
        return (
            "interval(...) names no values to train; list them, as in seed=1,2,3, or search: hparams_search"
        )
    if ("expecting" in text and "input" in text) or "LexerNoViableAlt" in text:  # of Hydra's parser
        at = re.search(r"parsing override '([^']+)'|LexerNoViableAltException: (\S+)", text)
        where = (at.group(1) or at.group(2)) if at else "the command line"
        return (
            f"{where} cannot be read: write KEY=VALUE, several values with commas and no spaces (seed=1,2), "
            "and quote what holds other signs (\"key='a, b'\", \"key='~/x'\")"
        )
    return f"the configuration cannot be read: {one_line(text)}"


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
