"""The steps from a message to its pairs: which are taken, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import regex

from emoji_pred.emoji_pairs import Counts, Pair, Rules, find_runs, last_sentence, last_words, pairs_of_run
from emoji_pred.telegram.language import ANY
from emoji_pred.telegram.messages import MAX_CHARS, Message
from emoji_pred.telegram.privacy import masked_text

MIN_COUNT = 1500  # pairs of a class, as in the paper
MAX_RUN = 1000  # code points of a run of emoji that are looked at

# No emoji, in whatever units, stands below: a cheap test, so that most messages are done with at once.
_MAY_HOLD_EMOJI = regex.compile("[\u203c-\U0010ffff]")
_CLUSTER = regex.compile(r"\X")


@dataclass(frozen=True)
class Steps:
    """Which steps are taken, and how.

    Attributes:
        rules: of `emoji_pairs`: what is an emoji, how a text is cut, how short it may be. `last_words=0`
            keeps all words. Signs that are text by default count as emoji, as Telegram draws them so.
        sentence: a text is cut to its last sentence.
        mask: what identifies people is masked.
        custom_emoji: the emoji that stands for a custom one counts; False: it is left out.
        keep_duplicates: equal pairs stay.
        min_count: pairs that a class needs.
        max_classes: only the most frequent ones; None: all.
        language: only what is in it; `any`: everything.
        language_by: judged by chat or by message.
        max_chars: longer messages are left out.
    """

    rules: Rules = field(default_factory=lambda: Rules(text_style=True))
    sentence: bool = True
    mask: bool = True
    custom_emoji: bool = True
    keep_duplicates: bool = False
    min_count: int = MIN_COUNT
    max_classes: int | None = None
    language: str = ANY
    language_by: Literal["chat", "message"] = "chat"
    max_chars: int = MAX_CHARS


def pairs_of_message(message: Message, steps: Steps, counts: Counts) -> Iterator[Pair]:
    """Yield the pairs of a message, masked, cut and checked."""
    counts.messages += 1
    if not any(_MAY_HOLD_EMOJI.search(part.text) for part in message.parts):
        return
    text = masked_text(message.parts, steps.mask, steps.custom_emoji)
    found = False
    for before, run in find_runs(text, steps.rules):
        found = True
        cut = last_sentence(before) if steps.sentence else before
        words = last_words(cut, steps.rules.last_words)
        yield from pairs_of_run(words, _shortened(run, steps.rules), steps.rules, counts)
    counts.with_emoji += found


def _shortened(run: str, rules: Rules) -> str:
    """Of thousands of emoji in a row, the first ones: time and memory must not grow with the square."""
    if len(run) <= MAX_RUN or rules.longest_run is not None:
        return run
    start = run[:MAX_RUN]
    return (
        start if rules.units == "codepoint" else "".join(_CLUSTER.findall(start)[:-1])
    )  # the last may be cut
