"""result.json of Telegram Desktop, of one chat or of a whole account, read event by event with ijson."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoji_pred.errors import UserError, one_line
from emoji_pred.telegram.bounded_json import BoundedJson
from emoji_pred.telegram.messages import MAX_DEPTH, MAX_PARTS, Message, Part, Readable, Tally

CHUNK = 1 << 18  # bytes read at a time
# Where lists of messages stand: keys from the top, an empty one for each list on the way.
_SINGLE = ("messages",)
_MANY = {("chats", "list", "", "messages"), ("left_chats", "list", "", "messages")}

Event = tuple[str, Any]


def read_result(stream: Readable, path: Path, chat: int, tally: Tally, max_chars: int) -> Iterator[Message]:
    """Yield the messages of a result.json that have a text.

    Args:
        stream: of the file, in binary, from its beginning.
        path: of the file.
        chat: number of its first chat, from which the others go on.
        tally: counted up; `chats` and the warnings too.
        max_chars: longest text.

    Raises:
        UserError: it is not JSON from its beginning, or holds no list of messages.
    """
    import ijson

    unreadable, before, chats = tally.unreadable, tally.messages + tally.service, tally.chats
    bounded = BoundedJson(stream, str(path))
    events: Iterator[Event] = ijson.basic_parse(bounded, use_float=True, buf_size=CHUNK)
    damage = ""
    inside = False
    try:
        for number, message_events in enumerate(_chats(events)):
            tally.chats += 1
            for _ in message_events:
                inside = True
                message = _read_message(events, chat + number, tally, max_chars)
                inside = False
                if message is not None:
                    yield message
    except ijson.JSONError as error:
        damage = one_line(error).partition(".")[0]  # behind it stands a piece of the text
        tally.cut_off += inside
    found = tally.messages + tally.service - before
    if tally.chats == chats:
        reason = f"not JSON ({damage})" if damage else "there is no list of messages in it"
        raise UserError(f"{path} is no result.json of Telegram Desktop: {reason}")
    if damage:
        tally.warnings.append(f"{path} is cut off or damaged; the {found:,} message(s) before that count")
    if tally.unreadable > unreadable:
        count = tally.unreadable - unreadable
        tally.warnings.append(f"{path}: {count:,} of {found:,} message(s) left out, as they are not UTF-8")


def _chats(events: Iterator[Event]) -> Iterator[Iterator[None]]:
    """Yield for each list of messages an iterator that stops at the beginning of each of its objects."""
    path: list[str] = []  # of the containers that are open: the key each stands under
    key = ""
    for event, value in events:
        if event == "map_key":
            key = value
        elif event in ("start_map", "start_array"):
            if len(path) == 1 and event == "start_array" and key == _SINGLE[0]:
                yield _messages(events)
            elif len(path) > MAX_DEPTH:
                _skip(events)
            elif event == "start_array" and (*path[1:], key) in _MANY:
                yield _messages(events)
            else:
                path.append(key)
            key = ""
        elif event in ("end_map", "end_array"):
            path.pop()
            key = ""


def _messages(events: Iterator[Event]) -> Iterator[None]:
    """Yield at the beginning of each object of a list; whoever asks reads it to its end."""
    for event, _ in events:
        if event == "end_array":
            return
        if event == "start_map":
            yield
        elif event == "start_array":
            _skip(events)


def _skip(events: Iterator[Event]) -> None:
    """Read to the end of the container that was opened last, whatever is in it."""
    depth = 1
    for event, _ in events:
        if event in ("start_map", "start_array"):
            depth += 1
        elif event in ("end_map", "end_array"):
            depth -= 1
            if not depth:
                return


def _read_message(events: Iterator[Event], chat: int, tally: Tally, max_chars: int) -> Message | None:
    """Read one message to its end; a service message, or one without a text, is counted only."""
    kind = key = ""
    sticker = False
    parts: list[Part] | None = []
    for event, value in events:
        if event == "map_key":
            key = value
        elif event == "string":
            if key == "text":
                parts = [Part("", value)]
            elif key == "type":
                kind = value
            elif key == "sticker_emoji" or (key == "media_type" and value == "sticker"):
                sticker = True
        elif event == "end_map":
            break
        elif event == "start_array" and key == "text":
            parts = _read_parts(events, max_chars)
        elif event in ("start_map", "start_array"):
            _skip(events)
    if kind in ("service", "unsupported"):
        tally.service += kind == "service"
        return None
    tally.messages += 1
    if parts is None:
        tally.too_nested += 1
        return None
    without = tally.without_text
    message = tally.usable(chat, parts, max_chars)
    tally.stickers += sticker and tally.without_text > without
    return message


def _read_parts(events: Iterator[Event], max_chars: int) -> list[Part] | None:
    """Read the list of strings and entities that a text is; None where it has too many parts, or deeper ones.

    The texts that are kept have some more characters than allowed at most.
    """
    parts: list[Part] | None = []
    size = 0
    for event, value in events:
        if event == "end_array":
            break
        part = None
        if event == "string":
            part = Part("", value)
        elif event == "start_map":
            part = _read_entity(events)
        if part is None or parts is None or len(parts) > MAX_PARTS:
            if event == "start_array":
                _skip(events)
            parts = None
        elif size <= max_chars:
            size += len(part.text)
            parts.append(part)
    return parts


def _read_entity(events: Iterator[Event]) -> Part | None:
    kind = text = key = ""
    deeper = False
    for event, value in events:
        if event == "map_key":
            key = value
        elif event == "end_map":
            break
        elif event in ("start_map", "start_array"):
            _skip(events)
            deeper = deeper or key == "text"
        elif event == "string" and key == "text":
            text = value
        elif event == "string" and key == "type":
            kind = value
    return None if deeper else Part(kind, text)
