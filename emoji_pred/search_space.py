"""The space of a search: what may be searched, how values are drawn, and the overrides that say them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Quote, QuotedString

from emoji_pred.errors import UserError, did_you_mean
from emoji_pred.schema import Distribution

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Space = Mapping[str, Distribution]
# Other settings are hardware and places, change what is measured (data), or are luck (seed).
SEARCHED = ("model", "vectors", "encoder", "loss", "alpha", "bucket_batches")
SIGNIFICANT_DIGITS = 4  # of a drawn number: it is read and typed by people
WORD = re.compile(r"(?!(?:null|true|false|nan|inf|yes|no|on|off)$)[A-Za-z_][\w./-]*", re.IGNORECASE)


def key_of(override: str) -> str:
    """The setting that an override is about: `model.optimizer.lr` of `+model.optimizer.lr=1e-3`."""
    return override.partition("=")[0].lstrip("+~")


def check_keys(space: Space, config: Mapping[str, Any]) -> None:
    """Check that each key is a setting of the configuration that may be searched.

    Raises:
        UserError: naming the key.
    """
    if not space:
        raise UserError(
            "hparams_search.space: nothing is left to search; take a typed setting back, or add one"
        )
    known = _dotted({root: config[root] for root in SEARCHED if root in config})
    for key in space:
        if key.partition(".")[0] not in SEARCHED:
            raise UserError(f"hparams_search.space: {key} is not searched, only {', '.join(SEARCHED)} are")
        if key not in known:
            raise UserError(
                f"hparams_search.space: {key} is not a setting of what is chosen here"
                f"{did_you_mean(key, known)} (~hparams_search.space.{key} takes it out)"
            )


def check_values(space: Space, check: Callable[[Sequence[str]], object]) -> None:
    """Check both ends of each range and every choice, one at a time.

    Args:
        space: what is searched.
        check: composes and checks the configuration with overrides; raises `UserError`.

    Raises:
        UserError: naming the key and the value.
    """
    for key, distribution in space.items():
        for text in _ends(distribution):
            try:
                check([f"{key}={text}"])
            except UserError as error:
                raise UserError(f"hparams_search.space: {key}={text}: {error}") from None


def draw(trial: BaseTrial, space: Space) -> list[str]:
    """Draw a trial's values, or read those it has; returns the overrides that a user would type."""
    return [f"{key}={_drawn(trial, key, distribution)}" for key, distribution in space.items()]


def _drawn(trial: BaseTrial, key: str, distribution: Distribution) -> str:
    if distribution.choice is not None:
        # Optuna stores plain values only: the text of a choice stands for lists and mappings too.
        return trial.suggest_categorical(key, [as_text(value) for value in distribution.choice])
    whole = distribution.integers or distribution.log_integers
    if whole is not None:
        return as_text(trial.suggest_int(key, *whole, log=distribution.log_integers is not None))
    low, high = distribution.uniform or distribution.log_uniform or (0.0, 0.0)
    value = trial.suggest_float(key, low, high, log=distribution.log_uniform is not None)
    # Rounded before it is used, so that the printed override is the value itself.
    return as_text(min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), low), high))


def as_text(value: Any) -> str:
    """A plain value as it is typed in an override: `null`, `1e-05`, `[256,64]`, `{name: linear}`.

    Text that would be read as something else is quoted.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{as_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(as_text, value)) + "]"
    if isinstance(value, str) and not WORD.fullmatch(value):
        return QuotedString(value, Quote.single).with_quotes()
    return str(value)


def _ends(distribution: Distribution) -> list[str]:
    """The values between which, or among which, a setting is drawn."""
    fields = ("choice", "uniform", "log_uniform", "integers", "log_integers")
    return [as_text(value) for field in fields for value in getattr(distribution, field) or ()]


def _dotted(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, inner in config.items():
        keys.append(f"{prefix}{key}")
        if isinstance(inner, Mapping):
            keys += _dotted(inner, f"{prefix}{key}.")
    return keys
