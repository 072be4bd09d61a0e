"""What the readers of an export hand on: messages in parts, and how many of each kind there were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

MAX_CHARS = 20_000  # of a text; Telegram itself allows 4,096, and 32,768 where it is formatted at length
MAX_PARTS = 2_000  # of a text: links, words in bold, custom emoji
MAX_DEPTH = 64  # of what stands inside a message
UNREADABLE = "\ufffd"  # what bytes become that are not UTF-8


class Readable(Protocol):
    """A binary file that is read from its beginning."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, as many as asked for at most; none at the end."""


class Part(NamedTuple):
    """A piece of a text.

    Attributes:
        kind: empty for plain text; `mention`, `mention_name`, `phone`, `email`, `link`, `bank_card` for what
            Telegram marked as such, `custom_emoji` for the emoji that stands for an image.
        text: as the reader sees it.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message with a text.

    Attributes:
        chat: which chat it is of, counted over all exports from 1.
        parts: its text, in order.
    """

    chat: int
    parts: tuple[Part, ...]


@dataclass
class Tally:
    """What was found in the exports, and what was left out before any text was looked at.

    Attributes:
        files: that were read.
        chats: in them.
        service: messages by Telegram itself (somebody joined, a date), which are no messages.
        messages: all others.
        without_text: of them, those with no text: photos, stickers, voice.
        stickers: of those without a text.
        too_long: texts above the limit of characters.
        too_nested: texts with too many parts, or with parts in parts in parts.
        unreadable: texts that are not UTF-8.
        cut_off: messages that a truncated file broke off.
        other_language: messages that the language filter left out.
        custom_emoji: in the texts that were handed on.
        warnings: one line for each file with something wrong.
    """

    files: int = 0
    chats: int = 0
    service: int = 0
    messages: int = 0
    without_text: int = 0
    stickers: int = 0
    too_long: int = 0
    too_nested: int = 0
    unreadable: int = 0
    cut_off: int = 0
    other_language: int = 0
    custom_emoji: int = 0
    warnings: list[str] = field(default_factory=list)

    def usable(self, chat: int, parts: Iterable[Part], max_chars: int) -> Message | None:
        """The message of these parts; None, and counted, where there is nothing to read."""
        kept = tuple(_clean(part) for part in parts if part.text)
        text = "".join(part.text for part in kept)
        if len(text) > max_chars:
            self.too_long += 1
        elif len(kept) > MAX_PARTS:
            self.too_nested += 1
        elif not text or text.isspace():
            self.without_text += 1
        elif UNREADABLE in text:
            self.unreadable += 1
        else:
            self.custom_emoji += sum(part.kind == "custom_emoji" for part in kept)
            return Message(chat, kept)
        return None


def _clean(part: Part) -> Part:
    """Without NUL and halves of surrogate pairs, which a file of rows cannot hold."""
    if part.text.isprintable():
        return part
    return Part(part.kind, part.text.replace("\0", "").encode("utf-8", "replace").decode())
