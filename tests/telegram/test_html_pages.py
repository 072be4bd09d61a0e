"""Pages of an HTML export: what is read of them, and what broken ones cost."""

from __future__ import annotations

import io
import random
from pathlib import Path

import lxml.html
import pytest
from telegram_files import SERVICE, STICKER, message, page, text

from emoji_pred.errors import UserError
from emoji_pred.telegram import html_pages
from emoji_pred.telegram.html_pages import parse_text, read_page
from emoji_pred.telegram.messages import MAX_CHARS, Message, Part, Tally


def read(path: Path, content: str | bytes, max_chars: int = MAX_CHARS) -> tuple[list[Message], Tally]:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)
    tally = Tally()
    return list(read_page(io.BytesIO(data), path, 1, tally, max_chars)), tally


def texts(messages: list[Message]) -> list[str]:
    return ["".join(part.text for part in one.parts) for one in messages]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.html"


def test_the_texts_of_messages_are_read_and_nothing_else(path: Path) -> None:
    reply = '<div class="reply_to details">\nIn reply to <a href="#go_to_message1">this message</a>\n</div>'
    forwarded = (
        f'<div class="forwarded body">\n<div class="from_name">\nКанал\n</div>{text("переслано 👍")}</div>'
    )
    reactions = '<span class="reactions"><span class="reaction"><span class="emoji">❤</span></span></span>'
    found, tally = read(
        path,
        page(
            SERVICE,
            message(text("Привет &amp; пока 😂")),
            message(reply + text("ответ"), joined=True),
            message(forwarded),
            message(STICKER),
            message('<div class="media_wrap clearfix"></div>' + text("подпись 🔥") + reactions),
        ),
    )
    assert texts(found) == ["Привет & пока 😂", "ответ", "переслано 👍", "подпись 🔥"]
    assert (tally.service, tally.messages, tally.without_text, tally.stickers) == (1, 5, 1, 1)
    assert tally.warnings == []


def test_formatted_texts_read_as_they_are_shown(path: Path) -> None:
    inner = (
        'Первая<br>вторая <strong>жирно <em>и</em> криво</strong> <a href="https://ya.ru/">ya.ru</a> '
        '<a href="https://example.org/x">слово</a> <span class="spoiler hidden">'
        '<span aria-hidden="true">тайна</span></span> конец'
    )
    found, _ = read(path, page(message(text(inner))))
    assert texts(found) == ["Первая\nвторая жирно и криво ya.ru слово тайна конец"]
    assert [part.text for part in found[0].parts if part.kind == "link"] == ["ya.ru"]


@pytest.mark.parametrize(
    ("element", "kind", "shown"),
    [
        ('<a href="" onclick="return ShowMentionName()">Анна Тайная</a>', "mention_name", "Анна Тайная"),
        ('<a href="tg://user?id=1">Анна Тайная</a>', "mention_name", "Анна Тайная"),
        ('<a href="" onclick="return ShowMentionName()"><b>Анна</b></a>', "mention_name", "Анна"),
        ('<a href="https://t.me/anna">@anna</a>', "", "@anna"),
        ('<a href="tel:+79991234567">+79991234567</a>', "phone", "+79991234567"),
        ('<a href="mailto:a@b.ru">a@b.ru</a>', "email", "a@b.ru"),
        ('<a href="" onclick="return ShowNotLoadedEmoji();">👍</a>', "custom_emoji", "👍"),
        ('<a href = "stickers/AnimatedSticker.tgs">👍</a>', "custom_emoji", "👍"),
        ('<tg-emoji emoji-id="5368">👍</tg-emoji>', "custom_emoji", "👍"),
        ('<span class="rich_custom_emoji"><a href="">👍</a></span>', "custom_emoji", "👍"),
        ('<img class="emoji" alt="👍" src="x.png">', "custom_emoji", "👍"),
    ],
)
def test_marked_parts_are_told_apart(element: str, kind: str, shown: str) -> None:
    parts = parse_text(f'<div class="text">до {element} после</div>'.encode())
    assert parts == [Part("", "до "), Part(kind, shown), Part("", " после")] or (
        parts is not None
        and [part for part in parts if part.text.strip()]
        == [Part("", "до "), Part(kind, shown), Part("", " после")]
    )


def test_rich_messages_keep_their_paragraphs_apart(path: Path) -> None:
    inner = (
        '<div class="text rich_message" data-rich-message="5">\n<p>Раз два.</p>\n<p>Три 😂</p>\n'
        "<button>Нет</button></div>"
    )
    found, _ = read(path, page(message(inner)))
    assert [line.strip() for line in texts(found)[0].split("\n") if line.strip()] == ["Раз два.", "Три 😂"]


def test_it_finds_what_a_parser_of_the_whole_page_finds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    words = ["раз", "два &lt;b&gt;", "<b>три</b>", "😂", "четыре<i> пять</i>", "&quot;шесть&quot;"]
    bodies = [
        text(" ".join(rng.choices(words, k=rng.randint(1, 9)))) if rng.random() < 0.8 else STICKER
        for _ in range(300)
    ]
    content = page(*(message(body, joined=rng.random() < 0.5) for body in bodies))
    whole = lxml.html.document_fromstring(content)
    expected = [" ".join(div.text_content().split()) for div in whole.xpath('//div[@class="text"]')]
    for chunk in (64, 999, 1 << 18):
        monkeypatch.setattr(html_pages, "CHUNK", chunk)
        found, _ = read(path, content)
        assert [" ".join(one.split()) for one in texts(found)] == expected


def test_a_page_that_ends_anywhere_gives_the_messages_before(path: Path) -> None:
    content = page(*(message(text(f"сообщение <b>номер</b> {number} 😂")) for number in range(5))).encode()
    complete = texts(read(path, content)[0])
    first = content.index(b'<div class="message') + 100
    lengths = set()
    for end in range(first, len(content) - 20, 17):
        found, tally = read(path, content[:end])
        assert texts(found) == complete[: len(found)]
        lengths.add(len(found))
        if end < content.index(b"</body"):
            assert len(tally.warnings) == 1 and f"{path} ends early" in tally.warnings[0]
    assert lengths == {0, 1, 2, 3, 4, 5}


def test_long_deep_and_crowded_messages_cost_themselves_only(path: Path) -> None:
    good = message(text("всё <b>хорошо</b> 😂"))
    bad = [
        text("слово " * 4000),  # 24,000 characters
        text("<b>" * 65 + "глубоко" + "</b>" * 65),
        text("<b>" * 100_000),
        text("<b>много</b>" * 5000),
        text("я" * 3_000_000),
    ]
    found, tally = read(path, page(good, *(message(one) + good for one in bad)))
    assert texts(found) == ["всё хорошо 😂"] * 6
    assert (tally.too_long, tally.too_nested) == (2, 3)
    assert tally.messages == 11


def test_a_message_in_another_encoding_is_left_out_and_told(path: Path) -> None:
    cp1251 = message(text("русский текст 1")).encode("cp1251")
    content = page(message(text("русский текст 2"))).encode()
    place = content.index(b'<div class="message')
    found, tally = read(path, content[:place] + cp1251 + content[place:])
    assert texts(found) == ["русский текст 2"]
    assert tally.unreadable == 1
    (warning,) = tally.warnings
    assert str(path) in warning and "not UTF-8" in warning


def test_entities_are_not_resolved_and_nothing_is_fetched(path: Path, no_network: None) -> None:
    secret = path.parent / "secret.txt"
    secret.write_text("тайна")
    doctype = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}">]>'
    content = page(message(text('<b>до</b> &x; <img src="http://example.org/a.png"> после')))
    found, _ = read(path, doctype + content)
    assert "тайна" not in texts(found)[0] and texts(found)[0].startswith("до")


def test_a_nul_is_no_text(path: Path) -> None:
    found, _ = read(path, page(message(text("раз\0 два")), message(text("<b>три</b>\0 пять"))))
    assert texts(found) == ["раз два", "три пять"]


def test_a_page_without_messages_is_no_export(path: Path) -> None:
    with pytest.raises(UserError, match=r"messages\.html holds no message"):
        read(path, "<html><body><h1>404</h1></body></html>")


def test_attributes_in_other_order_and_quotes_are_read(path: Path) -> None:
    content = (
        "<html><div id='m1' class='message default clearfix'><div dir=auto class='text'>так тоже</div></div>"
    )
    found, _ = read(path, content + "</html>")
    assert texts(found) == ["так тоже"]
