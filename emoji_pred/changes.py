"""Which changes of the code alter the numbers of an unchanged configuration: the one place that says so.

A run's name is a hash of what determines its numbers (`emoji_pred.runs`). A change listed here is a part of
that where it alters anything, so that a run of before is not taken for one of today: it is stale, and run
again under its new name. Nothing is guessed from the history of the code, most of which alters no number.

To declare a change, add an entry at the end of `CHANGES`: a key of its own (or the key of an earlier entry
and a higher number), what changed in words a reader of a table understands, the date, and which
configurations it alters. These, and no others, get new names. Entries are never edited, moved or removed: the
names of runs hang on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TEXT_FILES = "emoji_pred.data.text_files.load_text_files"
EMOTHREAT = ("emoji_pred.data.emothreat.load_emothreat", "emoji_pred.data.emothreat.load_emothreat_public")


@dataclass(frozen=True)
class Change:
    """A change of the code that alters the numbers of some configurations.

    Attributes:
        key: its name in the identity of a run.
        number: its value there; the code before the first change of a key has no such key.
        what: what is done now, and what was done before.
        since: the day of the change, as 2026-11-24.
        alters: whether it alters the numbers of a resolved configuration, today's or an older one, which may
            lack keys that came later.
    """

    key: str
    number: int
    what: str
    since: str
    alters: Callable[[Mapping[str, Any]], bool]


def cleans_own_files(data: Mapping[str, Any]) -> bool:
    """Whether texts are a user's own, cleaned: joiners stay in them, which once went.

    Other datasets have no joiner that now stays, or came later: their runs keep their names.

    Args:
        data: the `data` group of a configuration.
    """
    return data.get("_target_") == TEXT_FILES and data.get("clean") == "leak_free"


def groups_as_read(data: Mapping[str, Any]) -> bool:
    """Whether splits are drawn by texts that are cut or spelt anew: such texts are grouped as they then are.

    They were once grouped as they stand in the file, and two that the cut makes equal could be drawn apart.

    Args:
        data: the `data` group of a configuration.
    """
    changed = data.get("max_words") is not None or data.get("normalise", "none") != "none"
    return data.get("split") == "by_text" and changed


def groups_emothreat_as_read(data: Mapping[str, Any]) -> bool:
    """Whether splits of EmoThreat are drawn by texts that a cut makes the same.

    One spelling alone changes no group, as texts were always grouped in it; after `leak_free` it may.

    Args:
        data: the `data` group of a configuration.
    """
    respelt = data.get("normalise", "none") != "none" and data.get("clean") == "leak_free"
    return data.get("_target_") in EMOTHREAT and (data.get("max_words") is not None or respelt)


def accumulates(model: Mapping[str, Any]) -> bool:
    """Whether a step's batch is several forward passes of a network.

    Args:
        model: the `model` group of a configuration.
    """
    return "estimator" not in model and (model.get("accumulate") or 1) > 1


CHANGES = (
    Change(
        "accumulation",
        2,
        "parts of an optimizer step are divided by what the whole is; each was divided as a batch of its own",
        "2026-11-24",
        lambda config: accumulates(config.get("model") or {}),
    ),
    Change(
        "cleaning",
        2,
        "joiners between letters and inside emoji stay in a user's own texts; cleaning removed them",
        "2026-11-24",
        lambda config: cleans_own_files(config.get("data") or {}),
    ),
    Change(
        "grouping",
        2,
        "splits by text group texts as they are cut and spelt; they were grouped as they stand in the file",
        "2026-11-24",
        lambda config: groups_as_read(config.get("data") or {}),
    ),
    Change(
        "grouping",
        3,
        "splits of EmoThreat group texts as they are cut; two that the cut makes the same were drawn apart",
        "2026-11-30",
        lambda config: groups_emothreat_as_read(config.get("data") or {}),
    ),
)


def applying(config: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes that alter the numbers of a configuration, the earliest first."""
    return tuple(change for change in CHANGES if change.alters(config))


def parts(changes: Sequence[Change]) -> dict[str, int]:
    """What these changes are in the identity of a run: of one key the last counts."""
    return {change.key: change.number for change in changes}


def missing(identity: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes that alter a configuration and came after the run that has this identity."""
    return tuple(change for change in applying(config) if identity.get(change.key, 1) < change.number)
