"""What an audit says: one line for each finding, what it rests on, and the command that mends it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from emoji_pred import runs

# leak: a label, or a held-out row, can be known without reading the text as a person would.
# flaw: the data are not what they seem. note: worth knowing, and no fault.
Status = Literal["leak", "flaw", "note"]
STATUSES: tuple[Status, ...] = ("leak", "flaw", "note")


@dataclass(frozen=True)
class Remedy:
    """An option that mends a finding.

    Attributes:
        option: an override, such as `data.clean=leak_free`.
        what: what it does, in a few words.
    """

    option: str
    what: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        name: of what was found, the same in every audit: `invisible U+FE0F`, `length neutral`.
        status: leak, flaw or note.
        line: the verdict, one line.
        labels: the classes it tells of, by name.
        evidence: plain values it rests on.
        remedies: the options that mend it.
    """

    name: str
    status: Status
    line: str
    labels: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()

    def plain(self, overrides: Sequence[str]) -> dict[str, Any]:
        """As JSON values, with the command that tries each remedy; no place of this machine stands in it."""
        return {
            "name": self.name,
            "status": self.status,
            "line": self.line,
            "labels": list(self.labels),
            "evidence": dict(self.evidence),
            "remedies": [
                {
                    "option": remedy.option,
                    "what": remedy.what,
                    "command": command(runs.public_overrides(overrides), remedy),
                }
                for remedy in self.remedies
            ],
        }


def command(overrides: Sequence[str], remedy: Remedy) -> str:
    """The audit with the remedy in place, as it is typed."""
    key = remedy.option.partition("=")[0]
    kept = [word for word in overrides if word.partition("=")[0] != key]
    return " ".join(["python -m emoji_pred audit", *map(shlex.quote, kept), remedy.option])


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,234 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share as people read it: `12 %`, `0.3 %`, `100 %` only where it is whole."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    if value < 9.95 or value > 99:
        return f"{min(value, 99.9):.1f} %" if value >= 0.05 else "< 0.1 %"
    return f"{value:.0f} %"
