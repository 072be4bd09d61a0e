"""What a model answers to one text: ranked labels, as a JSON line or as a row of a table for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emoji_pred.decision import Decision

TEXT_SHARE = 0.45  # of the screen's width, at most
SHOWN_CHARACTERS = 400  # of a text in the table; JSON lines hold it whole


@dataclass(frozen=True)
class Answer:
    """The labels of one text, those it is given before the others, each kind the most probable first.

    Attributes:
        text: as it was given.
        ranked: (label, probability) of the labels that are shown, those that the text is given first (with a
            threshold for each class they need not be the most probable); empty for an empty text.
        given: how many of them, from the first, the model gives the text; None where it gives exactly one.
        printed: the answer that a paper prints for this text.
        printed_rank: its place in this model's order, from 1; None where it is no class of it.
        refused: why there is no answer, where the text could not be used; `text` is empty then.
    """

    text: str
    ranked: tuple[tuple[str, float], ...]
    given: int | None = None
    printed: str | None = None
    printed_rank: int | None = None
    refused: str | None = None

    def plain(self) -> dict[str, Any]:
        """As plain JSON values."""
        value: dict[str, Any] = {"text": self.text}
        if self.given is not None:
            value["labels"] = [label for label, _ in self.ranked[: self.given]]
        value["predictions"] = [{"label": label, "probability": share} for label, share in self.ranked]
        if self.printed is not None:
            value |= {"paper": self.printed, "rank_of_paper": self.printed_rank}
        if self.refused is not None:
            value["error"] = self.refused
        return value


def answer(
    text: str,
    probabilities: np.ndarray,
    label_names: Sequence[str],
    *,
    top: int,
    decision: Decision | None = None,
    printed: str | None = None,
) -> Answer:
    """Rank the labels of one text.

    Args:
        text: as it was given; for an empty one there is no answer.
        probabilities: (C,).
        label_names: C names.
        top: labels kept at most.
        decision: of several labels a text, which are given, as in `metrics.evaluate`. None: one label a text.
        printed: what a paper answers.
    """
    if not text.strip():
        return Answer(text, (), None if decision is None else 0, printed)
    order = np.argsort(-probabilities, kind="stable")  # equal ones: the first class wins
    shown, given = order, None
    if decision is not None:
        is_given = decision.labels(probabilities[None, :])[0]
        shown, given = order[np.argsort(~is_given[order], kind="stable")], min(int(is_given.sum()), top)
    ranked = tuple((label_names[row], round(float(probabilities[row]), 6)) for row in shown[:top])
    rank = None
    if printed is not None:
        names = [_same_emoji(label_names[row]) for row in order]
        rank = names.index(_same_emoji(printed)) + 1 if _same_emoji(printed) in names else None
    return Answer(text, ranked, given, printed, rank)


def _same_emoji(label: str) -> str:
    """Papers and data write one heart as U+2764 or U+2665, with and without a variation selector."""
    return label.replace("\ufe0f", "").replace("\u2665", "\u2764")


def print_answers(answers: Sequence[Answer], screen: Console, header: bool) -> None:
    """Print some answers as rows of a table, whose columns have the same place for every call.

    Args:
        answers: one or more.
        screen: where to.
        header: whether they are the first.
    """
    with_paper = answers[0].printed is not None
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False, show_header=header)
    width = int(screen.width * TEXT_SHARE)
    table.add_column("text", width=width, overflow="fold")
    if with_paper:
        table.add_column("paper", width=5)
        table.add_column("its rank here", width=13)
    table.add_column("answers with their probabilities", overflow="fold", ratio=1)
    for one in answers:
        paper = (
            [Text(one.printed or ""), Text(str(one.printed_rank or "no such class"))] if with_paper else []
        )
        table.add_row(Text(shown(one.text)), *paper, _cells(one))
    table.expand = True
    screen.print(table)


def _cells(one: Answer) -> Text:
    if one.refused is not None:
        return Text("(refused)", style="dim")
    if not one.ranked:
        return Text("(no text)", style="dim")
    line = Text()
    for place, (label, share) in enumerate(one.ranked):
        if one.given == place:
            line.append("| " if place else "none | ", style="dim")
        first = place < (1 if one.given is None else one.given)
        line.append(f"{shown(label)} {share:.3f}", style="bold" if first else "")
        line.append("  ")
    line.rstrip()
    return line


def shown(text: str) -> str:
    """A text as one line that a terminal takes for nothing else: no control sequences, not without end."""
    line = " ".join(text[: SHOWN_CHARACTERS + 1].split())
    if len(line) > SHOWN_CHARACTERS:
        line = line[:SHOWN_CHARACTERS] + "…"
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" or _turns(c) else c for c in line)


def _turns(character: str) -> bool:
    """Whether a character changes the direction of what follows it."""
    return "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
