"""Compose the configurations of a sweep: once for all that differ in plain values alone.

Hydra takes some 70 ms for each configuration. What `seed=1,2,3` or `model.optimizer.lr=1e-3,1e-4` change is
one value in a tree that is otherwise the same, so it is set there; choices of groups, additions, deletions,
lists and interpolations are left to Hydra.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

PLAIN_KEY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
INTEGER = re.compile(rf"({PLAIN_KEY.pattern})=(0|-?[1-9]\d*)")
FROM_OUTSIDE = re.compile(r"\$\{(oc\.env|home):")  # resolvers that look at no other key
MISSING = "???"


class Composer:
    """Composes configurations as plain values, as Hydra would.

    Args:
        compose: Hydra's way from overrides to a configuration.
        is_group: whether a key names a group of choices.
    """

    def __init__(self, compose: Callable[[list[str]], DictConfig], is_group: Callable[[str], bool]) -> None:
        self._compose, self._is_group = compose, is_group
        self._templates: dict[tuple[str, ...], _Template | None] = {}
        self._parse = functools.cache(lambda text: OverridesParser.create().parse_override(text))

    def __call__(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The configuration of a run, resolved.

        Raises:
            HydraException, OmegaConfBaseException: it does not compose.
        """
        plain = {text: value for text in overrides if (value := self._plain_value(text)) is not None}
        others = tuple(text for text in overrides if text not in plain)
        if others not in self._templates:
            self._templates[others] = self._template(others)
        template = self._templates[others]
        config = template.filled(list(plain.values())) if template is not None else None
        return config if config is not None else _resolved(_own(self._compose(list(overrides))))

    def _plain_value(self, text: str) -> tuple[list[str], Any] | None:
        """The key, split, and the value of an override that sets one plain value; else None."""
        integer = INTEGER.fullmatch(text)
        if integer and not self._is_group(integer[1].replace(".", "/")):
            return integer[1].split("."), int(integer[2])  # such as a thousand seeds: not worth a parser
        override: Override = self._parse(text)
        key, value = override.key_or_group, override.value()
        if override.type != OverrideType.CHANGE or override.package is not None:
            return None
        if not isinstance(value, bool | int | float | str | None) or "${" in str(value):
            return None
        if not PLAIN_KEY.fullmatch(key) or self._is_group(key.replace(".", "/")):
            return None
        return key.split("."), value

    def _template(self, overrides: tuple[str, ...]) -> _Template | None:
        config = _own(self._compose(list(overrides)))
        raw = OmegaConf.to_container(config, resolve=False)
        if any("${" in FROM_OUTSIDE.sub("", value) for value in _strings(raw)):
            return None  # a key may depend on one that is set
        try:
            return _Template(OmegaConf.to_container(config, resolve=True))
        except OmegaConfBaseException:
            return None


class _Template:
    """A resolved configuration in which values are set."""

    def __init__(self, values: Any) -> None:
        self._values = values
        self._missing = sum(value == MISSING for value in _strings(values))

    def filled(self, settings: Sequence[tuple[list[str], Any]]) -> dict[str, Any] | None:
        """A copy with the values set; None where a key does not exist or a value is still missing."""
        config: dict[str, Any] = dict(self._values)
        missing = self._missing
        for (*path, last), value in settings:
            node: Any = config
            for key in path:  # what is not on the way is shared by all copies
                if not isinstance(node.get(key), dict):
                    return None
                node[key] = dict(node[key])
                node = node[key]
            if last not in node or isinstance(node[last], dict | list):
                return None
            missing += (value == MISSING) - (node[last] == MISSING)
            node[last] = value
        return config if not missing else None


def _own(config: DictConfig) -> DictConfig:
    """Without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _resolved(config: DictConfig) -> Any:
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return [value] if isinstance(value, str) else []
