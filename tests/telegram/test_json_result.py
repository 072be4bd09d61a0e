"""result.json: what is read of it, and what broken ones cost."""

from __future__ import annotations

import io
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from telegram_files import result

from emoji_pred.errors import UserError
from emoji_pred.telegram import bounded_json
from emoji_pred.telegram.bounded_json import BoundedJson
from emoji_pred.telegram.json_result import read_result
from emoji_pred.telegram.messages import MAX_CHARS, Message, Part, Tally

PATH = Path("export/result.json")


def read(content: Any, max_chars: int = MAX_CHARS) -> tuple[list[Message], Tally]:
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False, indent=1).encode()
    tally = Tally()
    return list(read_result(io.BytesIO(content), PATH, 1, tally, max_chars)), tally


def texts(messages: list[Message]) -> list[str]:
    return ["".join(part.text for part in one.parts) for one in messages]


def test_texts_are_strings_or_lists_of_strings_and_entities() -> None:
    parts = [
        "Привет ",
        {"type": "bold", "text": "всем"},
        " ",
        {"type": "custom_emoji", "text": "👍", "document_id": "5368"},
        {"type": "mention_name", "text": "Анна", "user_id": 7},
        {"type": "text_link", "text": "тут", "href": "https://example.org"},
    ]
    found, tally = read(result("просто текст 😂", parts, ""))
    assert texts(found) == ["просто текст 😂", "Привет всем 👍Аннатут"]
    assert found[1].parts[3] == Part("custom_emoji", "👍")
    assert found[1].parts[4] == Part("mention_name", "Анна")
    assert (tally.messages, tally.without_text, tally.custom_emoji) == (3, 1, 1)


def test_service_messages_stickers_and_nested_texts_are_no_texts() -> None:
    content = result("один два три")
    content["messages"] += [
        {"type": "service", "text": "закреплено", "actor": "Анна"},
        {"type": "message", "media_type": "sticker", "sticker_emoji": "😂", "text": ""},
        {"type": "message", "poll": {"text": "не то", "answers": [{"text": "не то"}]}, "text": "опрос"},
        {"id": 5, "type": "unsupported"},
        "not an object",
        ["nor", {"type": "message", "text": "this"}],
    ]
    found, tally = read(content)
    assert texts(found) == ["один два три", "опрос"]
    assert (tally.service, tally.messages, tally.stickers) == (1, 3, 1)


def test_an_account_has_many_chats_and_other_lists_are_not_read() -> None:
    content = {
        "about": "here",
        "personal_information": {"phone_number": "+7 999", "messages": ["no"]},
        "contacts": {"list": [{"messages": [{"type": "message", "text": "no"}]}]},
        "chats": {"about": "", "list": [result("раз"), {"name": "empty"}, result("два", "три")]},
        "left_chats": {"list": [result("четыре")]},
    }
    found, tally = read(content)
    assert [(one.chat, *texts([one])) for one in found] == [
        *((1, "раз"), (2, "два"), (2, "три")),
        (3, "четыре"),
    ]
    assert tally.chats == 3


def test_it_finds_what_json_finds_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    pieces = ["слово ", '"', "\\", "\n", "\\\\n", "😂", "\t", "\u2028", "{", "]", "é", "\\u0041"]
    plain = ["".join(rng.choices(pieces, k=rng.randint(1, 12))) + "!" for _ in range(200)]
    for ascii_only in (False, True):
        content = json.dumps(result(*plain), ensure_ascii=ascii_only).encode()
        for size in (1, 7, 1000):
            monkeypatch.setattr("emoji_pred.telegram.json_result.CHUNK", size)
            assert texts(read(content)[0]) == plain


def test_a_file_that_ends_anywhere_gives_the_messages_before() -> None:
    content = json.dumps(result(*(f"номер {number} 😂" for number in range(4))), ensure_ascii=False).encode()
    complete = texts(read(content)[0])
    first = content.index(b'"messages": [') + 13
    lengths = set()
    for end in range(first, len(content) - 1):
        found, tally = read(content[:end])
        assert texts(found) == complete[: len(found)]
        assert len(tally.warnings) == 1 and str(PATH) in tally.warnings[0]
        lengths.add(len(found))
    assert lengths == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"name": "x"}', "no list of messages"),
        (b"[1, 2]", "no list of messages"),
        (b"not json", "not JSON"),
        (b'{"messages": {"a": 1}}', "no list of messages"),
        (b'{"a": ' + b"[" * 3_000_000, "1 MB of brackets"),
        (b'{"messages": [' + b"1" * 3_000_000, "1 MB of brackets"),
    ],
)
def test_what_is_no_export_is_said_to_be_none(content: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        read(content)
    assert str(PATH) in str(caught.value)


def test_long_deep_and_crowded_messages_cost_themselves_only() -> None:
    deep = '{"text": [' * 5000 + "]}" * 5000
    bad = ["я" * 20_001, ["кусок "] * 2_500, [{"type": "bold", "text": "DEEP"}], [["x"]], '"' * 3_000_000]
    good = "всё хорошо"
    content = json.dumps(result(*(one for each in bad for one in (each, good))))
    found, tally = read(content.replace('"DEEP"', deep).encode())
    assert texts(found) == [good] * len(bad)
    assert (tally.too_long, tally.too_nested) == (2, 3)


@pytest.mark.parametrize("unit", [b'{"a":', b'["",', b'{"":[', b'[{"text":'])
def test_a_bomb_of_brackets_is_skipped_in_little_time(unit: bytes) -> None:
    started = time.monotonic()
    found, tally = read(b'{"messages":[{"type":"message","text":"a b c"},{"x":' + unit * 300_000)
    assert texts(found) == ["a b c"] and tally.cut_off == 1
    assert time.monotonic() - started < 5


def test_what_telegram_writes_for_control_characters_is_read() -> None:
    content = rb'{"messages": [{"type": "message", "text": "a\x0Bb \\x0B \u0000c\ud83d"}]}'
    found, _ = read(content)
    assert texts(found)[0].replace("\ufffd", "?") in ("a\x0bb \\x0B c?",)


def test_a_byte_order_mark_and_bytes_that_are_not_utf_8() -> None:
    content = json.dumps(result("раз", "ЗДЕСЬ", "три"), ensure_ascii=False).encode()
    found, tally = read(b"\xef\xbb\xbf" + content.replace("ЗДЕСЬ".encode(), b"\xe4\xee\xec"))
    assert texts(found) == ["раз", "три"]
    assert tally.unreadable == 1 and "not UTF-8" in tally.warnings[0]


def test_long_strings_are_cut_and_the_rest_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_json, "MAX_STRING_BYTES", 50)
    rng = random.Random(5)
    for _ in range(300):
        strings = ["".join(rng.choices('ab"\\\né😂u0', k=rng.choice((3, 20, 400)))) for _ in range(6)]
        stream = BoundedJson(io.BytesIO(json.dumps(strings).encode()), "x")
        got = json.loads(b"".join(iter(lambda s=stream: s.read(16), b"")))  # type: ignore[misc]
        assert len(got) == len(strings)
        for cut, whole in zip(got, strings, strict=True):
            assert whole.startswith(cut.rstrip("\ud83d"))  # half of a pair may be left
            assert len(cut) <= 50 + 3 * 16
            assert cut == whole or len(json.dumps(whole)) > 50
