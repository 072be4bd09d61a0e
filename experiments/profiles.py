"""How far an experiment is run: `smoke` (a few steps on bundled data), `cpu` (on a processor), `full`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments.compositions import composed
from experiments.table import Experiment

SMOKE, CPU, FULL = "smoke", "cpu", "full"
PROFILES = (SMOKE, CPU, FULL)
SAMPLE = "sample"  # the bundled data, which stand for themselves
# What stands in the place of a dataset in the smoke profile: rows of our own grammar, in its language.
BUNDLED = {
    "tweeteval": ("data=sample",),
    "telegram_rus": ("data=sample", "data.language=ru"),
    "telegram_rus_small": ("data=sample", "data.language=ru"),
    "emothreat": ("data=sample", "data.language=ur", "data.task=multilabel"),
    "emothreat_public": ("data=sample", "data.language=ur", "data.task=multilabel"),
}
NOTE_OF_SMOKE = (
    "This is a smoke run: every model was trained for three steps on bundled data, to show that all parts "
    "work. Its numbers mean nothing."
)
FEW = ("data.rows=300", "trainer.max_steps=3")
FEW_KEYS = tuple(override.partition("=")[0] for override in FEW)
KEPT_OF_DATA = "data.clean"  # the setting of a dataset that the bundled one has too
OTHER_CHOICES = {"encoder": "encoder=tiny", "vectors": "vectors=word2vec"}


@dataclass(frozen=True)
class Planned:
    """A run as a table asks for it.

    Attributes:
        name: what `train.py` calls it.
        overrides: what is typed, with the seed.
        config: what they compose to.
    """

    name: str
    overrides: tuple[str, ...]
    config: dict[str, Any]


def overrides_of(experiment: Experiment, profile: str) -> tuple[str, ...]:
    """What is typed for an experiment, without the seed; nothing where it cannot be run in this profile."""
    if profile == CPU:
        return experiment.measured
    whole = experiment.published or experiment.measured
    if profile == FULL or not whole:
        return whole
    typed = experiment.measured or whole
    return () if _data_without_stand_in(typed) else _on_bundled_data(typed)


def lacking_of(experiment: Experiment, profile: str) -> str:
    """Why an experiment cannot be run in this profile; "" where it can."""
    if overrides_of(experiment, profile):
        return ""
    name = _data_without_stand_in(experiment.measured or experiment.published or ())
    if profile == SMOKE and name:
        return f"no bundled rows stand for data={name}; {__name__} has them in BUNDLED"
    return experiment.lacking


def seeds_of(experiment: Experiment, profile: str, seeds: int | None = None) -> tuple[int, ...]:
    """The seeds of its runs.

    Args:
        experiment: whose.
        profile: smoke has one seed.
        seeds: how many a user asks for instead of the experiment's own number.
    """
    if profile == SMOKE or not experiment.random:
        return (0,)
    return tuple(range(seeds or experiment.seeds))


def planned(experiment: Experiment, profile: str = CPU, seeds: int | None = None) -> list[Planned]:
    """The runs of an experiment, one a seed; none where it cannot be run in this profile.

    Raises:
        UserError: its overrides do not compose.
    """
    overrides = overrides_of(experiment, profile)
    if not overrides:
        return []
    try:
        return [_planned(overrides, seed) for seed in seeds_of(experiment, profile, seeds)]
    except Exception as error:  # Hydra and OmegaConf, which are loaded only where nothing was kept
        raise _mistake(error, overrides) from error


def command(overrides: Sequence[str], seeds: Sequence[int]) -> str:
    """What a user types for the runs of an experiment."""
    sweep = "-m " if len(seeds) > 1 else ""
    return f"python train.py {sweep}{' '.join(map(_quoted, overrides))} seed={','.join(map(str, seeds))}"


def _quoted(override: str) -> str:
    return f'"{override}"' if any(sign in override for sign in "[]'*? ") else override


def _mistake(error: Exception, overrides: Sequence[str]) -> Exception:
    """A configuration that does not compose, in one line; any other error as it is."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from emoji_pred.cli import explain

    if not isinstance(error, HydraException | OmegaConfBaseException):
        return error
    return UserError(f"{explain(error)} (in: {' '.join(overrides)})")


@functools.cache
def _planned(overrides: tuple[str, ...], seed: int) -> Planned:
    """A run; only seed 0 is composed, as nothing else of a configuration hangs on the seed."""
    config = {**composed((*overrides, "seed=0")), "seed": seed}
    return Planned(runs.run_hash(runs.identity(config, {})), (*overrides, f"seed={seed}"), config)


def _data_without_stand_in(overrides: Sequence[str]) -> str:
    """The dataset of an experiment, if no bundled rows stand for it."""
    names = [override.partition("=")[2] for override in overrides if override.startswith("data=")]
    return next((name for name in names if name != SAMPLE and name not in BUNDLED), "")


def _on_bundled_data(overrides: Sequence[str]) -> tuple[str, ...]:
    """The same experiment in small: bundled rows, the tiny encoder, a few steps."""
    typed: list[str] = []
    if not any(override.startswith("data=") for override in overrides):
        typed.append(f"data={SAMPLE}")  # never what conf/config.yaml has by default
    is_sample = f"data={SAMPLE}" in overrides
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "data":
            typed += BUNDLED.get(value, (override,))
        elif key in OTHER_CHOICES:
            typed.append(OTHER_CHOICES[key])
        elif key not in FEW_KEYS and (is_sample or not key.startswith("data.") or key == KEPT_OF_DATA):
            typed.append(override)
    return (*typed, *FEW)
