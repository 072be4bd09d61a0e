"""The space of a search: the overrides that say a value, and the shipped spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import REPOSITORY
from hydra.core.override_parser.overrides_parser import OverridesParser

from emoji_pred import config as configuration
from emoji_pred.schema import Distribution
from emoji_pred.search_space import as_text, check_keys, check_values, draw

Compose = Callable[..., dict[str, Any]]
SHIPPED = sorted(path.stem for path in (REPOSITORY / "conf" / "hparams_search").glob("*.yaml"))


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -3, 1.5, 1e-05, 2.5e20, "balanced", "torch.optim.Adam", ""),
        *("null", "True", "1", "1e-3", "nan", "a b", "a,b", "it's", "back\\", "x\\'y", "[1]", "a=b", "-x"),
        *([256, 64], [[1], [2.5, "x y"]], {"name": "linear", "warmup_steps": 5, "to": None}),
    ],
    ids=repr,
)
def test_a_value_as_text_is_read_again_by_hydra_as_itself(value: Any) -> None:
    read = OverridesParser.create().parse_override(f"key={as_text(value)}").value()
    assert plain(read) == value
    assert type(plain(read)) is type(value)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return getattr(value, "text", value)  # Hydra keeps quotes


class Given:
    """A trial whose values are given."""

    def __init__(self, value: float) -> None:
        self.value = value

    def suggest_float(self, *_: Any, **__: Any) -> float:
        return self.value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00123456789, "0.001235"),
        (1.23456e-05, "1.235e-05"),
        (123456.0, "123500.0"),
        (0.1 + 0.2, "0.3"),
        (1e-06, "1e-06"),
        (987654.3, "987654.3"),  # rounded it would lie above the range
    ],
)
def test_a_drawn_number_is_one_that_people_can_type(value: float, text: str) -> None:
    space = {"a": Distribution(log_uniform=[1e-06, 987654.3])}
    trial: Any = Given(value)
    assert draw(trial, space) == [f"a={text}"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_fits_its_model_and_holds_the_papers_settings(compose: Compose, name: str) -> None:
    base = [f"model={name}", "encoder=tiny"]
    config = compose(*base)
    settings = configuration.check(compose(f"hparams_search={name}", *base)).hparams_search
    assert settings is not None
    check_keys(settings.space, config)

    def check(drawn: Sequence[str]) -> None:
        composed = compose(*base, *drawn)
        configuration.check(composed)
        configuration.check_arguments(composed)
        configuration.check_alpha(composed)

    check_values(settings.space, check)
    for key, distribution in settings.space.items():
        value: Any = config
        for part in key.split("."):
            value = value[part]
        if key == "alpha":  # a group: its choice's name
            value = value["name"]
        if distribution.choice is not None:
            assert value in distribution.choice, key
        else:
            low, high = next(iter(distribution.model_dump(exclude_none=True).values()))
            assert low <= value <= high, key
