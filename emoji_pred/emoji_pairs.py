"""From a comment to (text, emoji) pairs: the steps of Paturyla and Belopolskikh 2024, section 4.

Each step is a function of one message, one run of emoji or one stream of pairs, so that a reader of many
gigabytes holds no more than the digests of the pairs that it has seen. `Rules` says how, `Counts` counts.
Where the paper and its authors' code differ, the paper's way is the default, `Rules.authors()` the code's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import regex

Units = Literal["grapheme", "codepoint"]
Pair = tuple[str, str]  # a text, and one emoji that follows it

# Emoji as Unicode Technical Standard 51 composes them (section 1.4.9), by the properties that `regex` knows.
_DRAWN = r"[[\p{Emoji_Presentation}]--[\p{Regional_Indicator}\p{Emoji_Modifier}]]"  # in colour of itself
_WRITTEN = r"[[\p{Emoji}]--[\p{Emoji_Presentation}0-9#*]]"  # a sign of text unless U+FE0F follows: ❤, ☺, ©
_SYMBOL = r"[[\p{Emoji}]--[\p{Emoji_Presentation}\u0000-\u24FF]]"  # those that are no letter, arrow or point
_DRESS = r"\uFE0F?\p{Emoji_Modifier}?\uFE0F?\u20E3?(?:[\U000E0020-\U000E007E]+\U000E007F)?"
_JOINED = rf"(?:\u200D\p{{Extended_Pictographic}}{_DRESS})*"
_FLAG_OR_KEYCAP = r"\p{Regional_Indicator}{2}|[0-9#*]\uFE0F?\u20E3"
_QUALIFIED = r"(?=\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})"


def _emoji_pattern(signs: str) -> str:
    return rf"(?:{_FLAG_OR_KEYCAP}|(?:{_DRAWN}(?!\uFE0E)|{signs}){_DRESS}{_JOINED})"


_STRICT = _emoji_pattern(f"{_WRITTEN}{_QUALIFIED}")
_LOOSE = _emoji_pattern(rf"(?:{_WRITTEN}{_QUALIFIED}|{_SYMBOL}(?!\uFE0E))")
_ANY = _emoji_pattern(rf"{_WRITTEN}(?!\uFE0E)")
# What may begin an emoji: a cheap test, so that the text between is skipped at once.
_FIRST = r"(?=[[\p{Emoji}\p{Regional_Indicator}]])"
_VERSION = regex.VERSION1
_RUNS = {
    ("grapheme", False): regex.compile(rf"{_FIRST}{_STRICT}+", _VERSION),
    ("grapheme", True): regex.compile(rf"{_FIRST}{_LOOSE}+", _VERSION),
}
# The authors' ranges: also arrows, boxes, CJK and U+FE0F, but neither U+200D nor the signs below U+24C2.
_AUTHORS_RUN = regex.compile(
    "[\u24c2-\U0001f251\U0001f300-\U0001f5ff\U0001f600-\U0001f64f\U0001f680-\U0001faff]+", _VERSION
)
_CLUSTER = regex.compile(r"\X", _VERSION)
_ONE_EMOJI = regex.compile(_ANY, _VERSION)
_SELECTORS = regex.compile(r"[\uFE0E\uFE0F]", _VERSION)
_SKIN_TONES = regex.compile(r"\p{Emoji_Modifier}", _VERSION)


@dataclass(frozen=True)
class Rules:
    """What counts as an emoji and as a text worth keeping.

    Attributes:
        units: `grapheme`: an emoji is a grapheme cluster (a family, a flag, a keycap is one); `codepoint`:
            the authors' way, each code point of a run is a class of its own: skin tones, halves of flags, and
            whatever else stands in their ranges of characters.
        fold_skin_tones: 👍🏽 counts as 👍 (grapheme only).
        text_style: signs that Unicode shows as text by default (❤, ☺ without U+FE0F, from U+2500 on) count as
            emoji in a message, as Telegram shows them (grapheme only). Digits, # and © never do alone.
        last_words: words of the text that are kept, its last ones.
        more_than_words: a text must have more words than this.
        longest_run: code points; pairs of longer runs are dropped. None: all are kept. The paper does not say
            it, the authors' code has 3.

    U+FE0F is never part of a class: ❤ and ❤️ are one.
    """

    units: Units = "grapheme"
    fold_skin_tones: bool = True
    text_style: bool = False
    last_words: int = 15
    more_than_words: int = 2
    longest_run: int | None = None

    @classmethod
    def authors(cls) -> Rules:
        """The rules of the authors' notebooks (megnar/Text2EmojiRus at b96f518, notebooks/)."""
        return cls(units="codepoint", fold_skin_tones=False, longest_run=3)


@dataclass
class Counts:
    """How many were left after each step; `table` prints them as the paper's Table 1.

    Attributes:
        messages: that were read.
        with_emoji: of them, those that hold an emoji.
        runs: of emoji, in all of them.
        without_text: runs with no text before them.
        too_short: runs whose text has too few words.
        run_too_long: runs dropped by `Rules.longest_run`.
        no_emoji: runs without anything that counts as an emoji (of tables that were made elsewhere).
        sentences: texts with a run of emoji that are left ("raw data with emojis").
        pairs: one for each distinct emoji of a run.
        duplicates: pairs that had come before.
        distinct: pairs without duplicates ("cleaned from duplicate 1 text - 1 emoji").
        rare: pairs whose emoji is not among the classes.
        rows: that are left ("final dataset").
        emoji: distinct emoji before rare ones are dropped ("total number of emojis in raw dataset").
        classes: distinct emoji that are left ("num of emojis we trained").
    """

    messages: int = 0
    with_emoji: int = 0
    runs: int = 0
    without_text: int = 0
    too_short: int = 0
    run_too_long: int = 0
    no_emoji: int = 0
    sentences: int = 0
    pairs: int = 0
    duplicates: int = 0
    distinct: int = 0
    rare: int = 0
    rows: int = 0
    emoji: int = 0
    classes: int = 0

    def __add__(self, other: Counts) -> Counts:
        """The counts of two parts of the same data; distinct emoji do not add up, and are left 0."""
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Counts(**{**sums, "emoji": 0, "classes": 0})

    def as_dict(self) -> dict[str, int]:
        """Plain values, for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def table(self) -> list[tuple[str, int]]:
        """The rows of the paper's Table 1 and the steps between them: what it is, and how many."""
        return [(words, getattr(self, name)) for name, words in _WORDS.items()]

    def __str__(self) -> str:
        width = max(map(len, _WORDS.values()))
        return "\n".join(f"{words:<{width}}  {count:>12,}" for words, count in self.table())


_WORDS = {
    "messages": "messages",
    "with_emoji": "messages with emoji",
    "runs": "runs of emoji",
    "without_text": "  dropped: no text before the emoji",
    "too_short": "  dropped: too few words",
    "run_too_long": "  dropped: too many code points in a row",
    "no_emoji": "  dropped: no emoji among the signs",
    "sentences": "raw data with emojis (sentences)",
    "pairs": "pairs: one for each distinct emoji of a run",
    "duplicates": "  dropped: duplicates",
    "distinct": "cleaned from duplicates, 1 text - 1 emoji (sentences)",
    "rare": "  dropped: emoji that are too rare",
    "rows": "final dataset (sentences)",
    "emoji": "total number of emojis in raw dataset",
    "classes": "num of emojis we trained",
}


def find_runs(message: str, rules: Rules) -> Iterator[Pair]:
    """Yield (text before it, run) for each run of emoji; the text begins where the run before ended.

    Emoji with white space between them are two runs, the second without a text. A text is stripped of white
    space at its ends, and is empty where nothing stands before the run.
    """
    pattern = _AUTHORS_RUN if rules.units == "codepoint" else _RUNS["grapheme", rules.text_style]
    start = 0
    for run in pattern.finditer(message):
        yield message[start : run.start()].strip(), run.group()
        start = run.end()


def last_sentence(text: str) -> str:
    """The last part between full stops that is longer than one character; empty where there is none."""
    for part in reversed(text.split(".")):
        if len(part) > 1 and not part.isspace():
            return part
    return ""


def last_words(text: str, count: int = 15) -> str:
    """The last words of a text, divided by white space, joined by one space."""
    return " ".join(text.split()[-count:])


def has_more_words(text: str, than: int = 2) -> bool:
    """Whether a text has more words than that, divided by white space."""
    return len(text.split(maxsplit=than)) > than


@lru_cache(maxsize=1 << 16)
def split_run(run: str, units: Units = "grapheme", fold_skin_tones: bool = True) -> tuple[str, ...]:
    """The distinct emoji of a run, in order, as classes are named.

    A sign that is text by default (❤) counts, as the run is known to be one of emoji; what is no emoji at
    all, a skin tone by itself and half a flag do not. In code points, each but U+FE0F is a class of its own.

    Args:
        run: of emoji, in whatever way it was found.
        units: `grapheme` or `codepoint`.
        fold_skin_tones: as in `Rules`.
    """
    if units == "codepoint":
        return tuple(dict.fromkeys(_SELECTORS.sub("", run)))
    clusters = (cluster for cluster in _CLUSTER.findall(run) if _ONE_EMOJI.match(cluster))
    return tuple(dict.fromkeys(class_of(cluster, fold_skin_tones) for cluster in clusters))


def class_of(emoji: str, fold_skin_tones: bool = True) -> str:
    """The class of one emoji: without U+FE0F and, if folded, without its skin tones."""
    name = _SELECTORS.sub("", emoji)
    return _SKIN_TONES.sub("", name) if fold_skin_tones else name


def pairs_of_message(message: str, rules: Rules, counts: Counts) -> Iterator[Pair]:
    """Yield the pairs of a message: its runs, their texts cut and checked, a pair for each distinct emoji."""
    counts.messages += 1
    found = False
    for before, run in find_runs(message, rules):
        found = True
        yield from pairs_of_run(last_words(last_sentence(before), rules.last_words), run, rules, counts)
    counts.with_emoji += found


def pairs_of_run(text: str, run: str, rules: Rules, counts: Counts) -> Iterator[Pair]:
    """Yield a text with each distinct emoji of the run after it; nothing where one of the rules drops it.

    Args:
        text: already cut to its last sentence and words.
        run: the emoji that follow it.
        rules: what is kept.
        counts: counted up.
    """
    counts.runs += 1
    if len(text) <= 1:
        counts.without_text += 1
    elif not has_more_words(text, rules.more_than_words):
        counts.too_short += 1
    elif rules.longest_run is not None and len(run) > rules.longest_run:
        counts.run_too_long += 1
    elif not (emoji := split_run(run, rules.units, rules.fold_skin_tones)):
        counts.no_emoji += 1
    else:
        counts.sentences += 1
        counts.pairs += len(emoji)
        for one in emoji:
            yield text, one


def without_duplicates(pairs: Iterable[Pair], counts: Counts) -> Iterator[Pair]:
    """Yield each pair the first time it comes: the same characters in text and emoji.

    Of each pair a digest of 128 bits is kept, some 100 bytes of memory.
    """
    seen: set[bytes] = set()
    for text, emoji in pairs:
        digest = blake2b(f"{emoji}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in seen:
            counts.duplicates += 1
            continue
        seen.add(digest)
        counts.distinct += 1
        yield text, emoji


@dataclass
class ClassCounts:
    """How often each emoji comes; classes can be chosen when all pairs have passed."""

    of: Counter[str] = field(default_factory=Counter)

    def counting(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Count a stream of pairs, and yield them as they are."""
        for text, emoji in pairs:
            self.of[emoji] += 1
            yield text, emoji

    def choose(self, counts: Counts, at_least: int = 1, most: int | None = None) -> tuple[str, ...]:
        """Choose the classes as `frequent_classes` does, and note their number and that of all emoji."""
        classes = frequent_classes(self.of, at_least, most)
        counts.emoji, counts.classes = len(self.of), len(classes)
        return classes


def frequent_classes(
    counts: Mapping[str, int], at_least: int = 1, most: int | None = None
) -> tuple[str, ...]:
    """The emoji that are classes, the most frequent first, equally frequent ones in order of code points.

    Args:
        counts: emoji -> pairs.
        at_least: pairs an emoji needs (the paper: 1500; the notebook: 500).
        most: how many classes at most; None: all.
    """
    ordered = sorted(counts, key=lambda emoji: (-counts[emoji], emoji))
    return tuple(emoji for emoji in ordered[:most] if counts[emoji] >= at_least)


def tail(counts: Mapping[str, int], classes: Iterable[str]) -> dict[str, int | float | None]:
    """How uneven the emoji are.

    Args:
        counts: emoji -> pairs, before rare emoji are dropped.
        classes: those that are kept.

    Returns:
        largest_class and smallest_class (pairs; None without classes), ratio (of the two), largest_share
        (of the kept pairs), once (emoji that come once), dropped_emoji and dropped_share (of all pairs).
    """
    kept = [counts[emoji] for emoji in classes]
    total, left = sum(counts.values()), sum(kept)
    return {
        "largest_class": max(kept, default=None),
        "smallest_class": min(kept, default=None),
        "ratio": max(kept) / min(kept) if kept else None,
        "largest_share": max(kept) / left if kept else None,
        "once": sum(1 for count in counts.values() if count == 1),
        "dropped_emoji": len(counts) - len(kept),
        "dropped_share": (total - left) / total if total else 0.0,
    }


def keep_classes(pairs: Iterable[Pair], classes: Iterable[str], counts: Counts) -> Iterator[Pair]:
    """Yield the pairs whose emoji is one of the classes."""
    kept = frozenset(classes)
    for text, emoji in pairs:
        if emoji in kept:
            counts.rows += 1
            yield text, emoji
        else:
            counts.rare += 1
