"""Runs that differ in the values of some keys, as few sweeps: `model=cnn,ffn loss=focal seed=0,1`."""

from __future__ import annotations

import re
from collections.abc import Sequence

SWEPT_VALUE = re.compile(r"[\w.+/-]+")  # needs no quotes in a list of values
# The values by key, in the order of a command, and the places of the runs that their combinations are.
Group = tuple[dict[str, tuple[str, ...]], tuple[int, ...]]


def joined(all_overrides: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Sweeps whose combinations are exactly these runs.

    A sweep trains all combinations of its values, so two are joined where they differ in the values of one
    key alone, again and again until none are left that do.

    Args:
        all_overrides: of each run, no two alike.

    Returns:
        For each sweep its overrides, and the places of its runs in `all_overrides`.
    """
    groups: list[Group] = []
    alone = []
    for place, overrides in enumerate(all_overrides):
        settings: dict[str, tuple[str, ...]] = {}
        for override in overrides:
            key, _, value = override.partition("=")
            settings[key] = (value,)
        if len(settings) == len(overrides):
            groups.append((settings, (place,)))
        else:  # a key comes twice: its order matters
            alone.append((tuple(overrides), (place,)))
    before = 0
    while before != len(groups):
        before = len(groups)
        for key in dict.fromkeys(key for settings, _ in groups for key in settings):
            groups = _joined_by(groups, key)
    return [(_typed(settings), tuple(sorted(places))) for settings, places in groups] + alone


def _joined_by(groups: Sequence[Group], key: str) -> list[Group]:
    """Groups that differ in the values of `key` alone become one."""
    found: dict[object, Group] = {}
    for number, (settings, places) in enumerate(groups):
        values = settings.get(key, ())
        others: object = frozenset((name, value) for name, value in settings.items() if name != key)
        if not values or not all(SWEPT_VALUE.fullmatch(value) for value in values):
            others = number  # stays as it is
        if others in found:
            before, earlier = found[others]
            found[others] = ({**before, key: (*before[key], *values)}, (*earlier, *places))
        else:
            found[others] = (settings, places)
    return list(found.values())


def _typed(settings: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(f"{key}={','.join(values)}" for key, values in settings.items())
