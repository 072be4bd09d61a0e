"""From the label cells of user files to class indices or multi-hot rows."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from emoji_pred.data.corpus import Task
from emoji_pred.errors import UserError
from emoji_pred.text import strip_invisible, strip_stray_invisible

Label = str | int
Where = Callable[[int], str]

_WHOLE_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})(\.0*)?")
# What pandas, NumPy and Python write of a list, a tuple or a set where a file can only hold text.
_LIST_IN_TEXT = re.compile(
    r"""\[ \s* ( | ['"].* | [+-]?[0-9].* | .*,.* ) \]  |  \( \s* ['"].*,.* \)  |  \{ \s* ['"].* \}""",
    re.VERBOSE | re.DOTALL,
)
_SEPARATOR = re.compile("[,;|/]")
_MULTI_HOT = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}

# In what two spellings of one name may differ, and what takes the difference away; applied in this order.
_WAYS: dict[str, Callable[[str], str]] = {
    "Unicode form": lambda name: unicodedata.normalize("NFKC", name),
    "letter case": str.casefold,
    "invisible characters": strip_invisible,
    "white space": lambda name: " ".join(name.split()),
}


def parse_label(value: Any, row: int, where: Where) -> Label | None:
    """Read one label: a word, a whole number, or None where it is missing.

    Raises:
        UserError: the value is a fraction, a list (as text too) or another thing that names no class.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        _refuse_list_in_text(value, row, where)
        word = value.strip()
        return int(word.partition(".")[0]) if _WHOLE_NUMBER.fullmatch(word) else word or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise UserError(f"{where(row)}: label {value!r} names no class; a label is a word or a whole number")


def parse_labels(value: Any, separator: str | None, row: int, where: Where) -> tuple[Label, ...] | None:
    """Read a cell of several labels: a list, or words between separators; None where it is missing.

    Raises:
        UserError: a part of it names no class, or it is a list as text.
    """
    if isinstance(value, str):
        _refuse_list_in_text(value, row, where)
        value = [part for part in value.split(separator) if part.strip()] or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    parts = value if isinstance(value, (list, tuple)) else [value]
    parsed = (parse_label(part, row, where) for part in parts)
    return tuple(dict.fromkeys(label for label in parsed if label is not None))


def _refuse_list_in_text(cell: str, row: int, where: Where) -> None:
    if _LIST_IN_TEXT.fullmatch(cell.strip()):
        raise UserError(
            f"{where(row)}: label {' '.join(cell.split()):.60} is a list in text; write its labels without "
            "brackets and quotes and set data.label_separator, or write JSON lines with lists"
        )


def parse_multi_hot(
    values: Sequence[Any], names: Sequence[str], row: int, where: Where
) -> tuple[Label, ...] | None:
    """Read one row of 0/1 columns into the names of its ones; None where a cell is missing.

    Raises:
        UserError: a cell is neither 0 nor 1.
    """
    chosen: list[Label] = []
    for name, value in zip(names, values, strict=True):
        written = "" if value is None else str(value).strip().lower()
        if written in ("", "nan"):
            return None
        if written not in _MULTI_HOT:
            raise UserError(f"{where(row)}: column {name!r} holds {value!r}; a label column holds 0 or 1")
        if _MULTI_HOT[written]:
            chosen.append(name)
    return tuple(chosen)


def find_classes(labels: Sequence[tuple[Label, ...]], where: Where) -> tuple[Label, ...]:
    """Return the distinct labels in a fixed order: by number where all are numbers, else by code point.

    Raises:
        UserError: numbers and words are mixed; the message names a row of the rarer kind.
    """
    kinds = Counter(type(label) for row in labels for label in row)
    if len(kinds) > 1:
        rare = min(kinds, key=lambda kind: (kinds[kind], kind is int))
        row, label = next(
            (row, label) for row, cell in enumerate(labels) for label in cell if type(label) is rare
        )
        word = "a number" if rare is int else "a word"
        rest = "words" if rare is int else "numbers"
        raise UserError(
            f"{where(row)}: label {label!r} is {word}, but {kinds.total() - kinds[rare]} labels are {rest}; "
            "write all labels as numbers or all as words"
        )
    return tuple(sorted({label for row in labels for label in row}))


def check_mapped(labels: Sequence[tuple[Label, ...]], names: Sequence[str], where: Where) -> None:
    """Check that every label is an index into the mapping file's names.

    Raises:
        UserError: a label is outside the classes.
    """
    for row, cell in enumerate(labels):
        for label in cell:
            if not isinstance(label, int) or not 0 <= label < len(names):
                raise UserError(
                    f"{where(row)}: label {label!r} is outside the {len(names)} classes "
                    f"of data.files.mapping (0 to {len(names) - 1})"
                )


def encode(labels: Sequence[tuple[Label, ...]], classes: Sequence[Label], task: Task) -> np.ndarray:
    """Turn N cells into (N,) int64 class indices or (N, C) uint8 multi-hot rows."""
    index = {label: place for place, label in enumerate(classes)}
    if task == "multiclass":
        return np.array([index[cell[0]] for cell in labels], dtype=np.int64)
    hot = np.zeros((len(labels), len(classes)), dtype=np.uint8)
    for row, cell in enumerate(labels):
        hot[row, [index[label] for label in cell]] = 1
    return hot


def spelt_alike(names: Sequence[str]) -> list[list[int]]:
    """Find label names that are most likely one label in several spellings: `joy` and `Joy`, ❤ with U+FE0F.

    Names count as the same under Unicode NFKC, whatever the case of letters, with white space folded and
    nothing invisible; but for the tags that tell the flag of England from that of Scotland.

    Returns:
        The places of the names of each group of two or more, groups and places in the order of the names.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for place, name in enumerate(names):
        tags = "".join(sign for sign in strip_stray_invisible(name) if "\U000e0020" <= sign <= "\U000e007f")
        groups.setdefault((_folded(name, _WAYS), tags), []).append(place)
    return [places for (look, _), places in groups.items() if look and len(places) > 1]


def joined_names(names: Sequence[str]) -> dict[int, str]:
    """Find label names that seem to be several labels in one cell: `joy,fear` where `joy` is a label too.

    Returns:
        Place of a name -> the separator in it: a comma, semicolon, bar or slash, of whose parts one at least
        is a label itself.
    """
    known = set(names)
    found = {}
    for place, name in enumerate(names):
        separator = _SEPARATOR.search(name)
        parts = [part.strip() for part in name.split(separator[0])] if separator else []
        if separator and all(parts) and not known.isdisjoint(parts):
            found[place] = separator[0]
    return found


def joined_warnings(names: Sequence[str]) -> list[str]:
    """One warning for all names that `joined_names` finds."""
    joined = joined_names(names)
    if not joined:
        return []
    shown = ", ".join(repr(names[place]) for place in list(joined)[:5])
    return [f"{len(joined)} label name(s) seem to be several labels in one: {shown}; {to_part(joined)}"]


def to_part(joined: Mapping[int, str]) -> str:
    """Say which option parts the names that `joined_names` found."""
    separators = " or ".join(f"{sign!r}" for sign in dict.fromkeys(joined.values()))
    return f"where a text has several, set data.label_separator to {separators}"


def differ_by(names: Sequence[str]) -> str:
    """In what the names of a group of `spelt_alike` differ, as words: `letter case and white space`."""
    # The narrowest explanation: few ways, and those that fold white space beside other things last.
    order = ("letter case", "white space", "Unicode form", "invisible characters")
    explained = (
        ways
        for number in range(1, len(order) + 1)
        for ways in combinations(order, number)
        if len({_folded(name, ways) for name in names}) == 1
    )
    return " and ".join(next(explained, order))


def _folded(name: str, ways: Iterable[str]) -> str:
    chosen = set(ways)
    for way, fold in _WAYS.items():
        name = fold(name) if way in chosen else name
    return name
