"""The table of what each step left, like the paper's Table 1 (Paturyla and Belopolskikh 2024)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from emoji_pred.emoji_pairs import Counts, frequent_classes, tail
from emoji_pred.telegram.messages import Tally
from emoji_pred.telegram.steps import Steps

SHOWN_CLASSES = 20  # in the text; JSON has all

_READ = {
    "files": "files",
    "chats": "chats",
    "service": "service messages, which are no messages",
    "messages": "messages in the exports",
    "without_text": "  left out: without a text",
    "too_long": "  left out: too long",
    "too_nested": "  left out: too much markup, or nested too deep",
    "unreadable": "  left out: not UTF-8",
    "cut_off": "  left out: broken off by the end of the file",
    "other_language": "  left out: in another language",
}
_TAIL = {
    "largest_class": "pairs of the largest class",
    "smallest_class": "pairs of the smallest class",
    "ratio": "  largest to smallest",
    "largest_share": "share of the largest class",
    "once": "emoji that come once",
    "dropped_emoji": "emoji dropped as too rare",
    "dropped_share": "  share of the pairs dropped with them",
}


@dataclass(frozen=True)
class Report:
    """What each step left.

    Attributes:
        steps: that were taken.
        tally: of reading.
        counts: of the pairs.
        classes: emoji -> rows, the most frequent first.
        tail: as `emoji_pairs.tail` gives it.
    """

    steps: Steps
    tally: Tally
    counts: Counts
    classes: dict[str, int]
    tail: dict[str, int | float | None]

    @classmethod
    def of(cls, steps: Steps, tally: Tally, counts: Counts, of_emoji: Mapping[str, int]) -> Report:
        """Choose the classes, and count what the last steps left.

        Args:
            steps: that were taken.
            tally: of reading.
            counts: of the pairs; completed.
            of_emoji: emoji -> pairs, without duplicates.
        """
        classes = frequent_classes(of_emoji, steps.min_count, steps.max_classes)
        counts.emoji, counts.classes = len(of_emoji), len(classes)
        counts.distinct = sum(of_emoji.values())
        counts.duplicates = counts.pairs - counts.distinct
        counts.rows = sum(of_emoji[emoji] for emoji in classes)
        counts.rare = counts.distinct - counts.rows
        chosen = {emoji: of_emoji[emoji] for emoji in classes}
        return cls(steps, tally, counts, chosen, tail(of_emoji, classes))

    def table(self) -> list[tuple[str, str]]:
        """What it is, and how many; steps that dropped nothing are left out where they are rare."""
        rows = [
            (words, f"{count:,}")
            for name, words in _READ.items()
            if (count := getattr(self.tally, name)) or not words.startswith("  ")
        ]
        if self.tally.stickers:
            rows.insert(5, ("    of them stickers", f"{self.tally.stickers:,}"))
        (_, messages), *others = self.counts.table()
        rows += [("messages with a text", f"{messages:,}")]
        if self.tally.custom_emoji:
            rows += [("  custom emoji in them", f"{self.tally.custom_emoji:,}")]
        rows += [(words, f"{count:,}") for words, count in others if count or not words.startswith("  ")]
        rows += [(words, _figure(name, self.tail[name])) for name, words in _TAIL.items()]
        return rows


def as_markdown(report: Report) -> str:
    """The table, and the largest classes."""
    lines = ["| | |", "|:--|--:|"]
    lines += [f"| {words.replace('  ', '&emsp;')} | {count} |" for words, count in report.table()]
    shown = list(report.classes.items())[:SHOWN_CLASSES]
    rest = f", and {len(report.classes) - len(shown)} more" if len(report.classes) > len(shown) else ""
    lines += ["", "Classes: " + ", ".join(f"{emoji} {count:,}" for emoji, count in shown) + rest + "."]
    changed = {key: value for key, value in _flat(report.steps).items() if value != _flat(Steps())[key]}
    lines += ["", f"Steps: those of the paper{' but ' if changed else ''}{_listed(changed)}."]
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """All counts, classes and options, as one JSON object."""
    read = {key: value for key, value in asdict(report.tally).items() if key != "warnings"}
    content = {
        "options": _flat(report.steps),
        "read": read,
        "pairs": report.counts.as_dict(),
        "tail": report.tail,
        "classes": report.classes,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _flat(steps: Steps) -> dict[str, Any]:
    plain = asdict(steps)
    return {**plain.pop("rules"), **plain}


def _listed(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in options.items())


def _figure(name: str, value: int | float | None) -> str:
    if value is None:
        return ""
    if name.endswith("share"):
        return f"{value:.1%}"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
