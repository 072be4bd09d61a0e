"""What is masked, what is not, and that it takes no time to speak of."""

from __future__ import annotations

import time

import pytest

from emoji_pred.emoji_pairs import Counts
from emoji_pred.telegram.messages import MAX_CHARS, Message, Part
from emoji_pred.telegram.privacy import mask_text, masked_text
from emoji_pred.telegram.steps import Steps, pairs_of_message


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("пиши @ivan_petrov, жду", "пиши @user, жду"),
        ("/start@some_bot", "/start@user"),
        ("ivan.petrov+x@mail.ru", "email"),
        ("почта:a@b.co.uk.", "почта:email."),
        ("иван@почта.рф", "email"),
        ("смотри https://t.me/abc/12?x=1#y. Класс", "смотри https. Класс"),
        ("HTTP://YA.RU", "https"),
        ("http://user:secret@host.ru/x", "https"),
        ("(www.ya.ru)", "(https)"),
        ("t.me/durov😂", "https😂"),
        ("ya.ru и пример.рф", "https и https"),
        ("tg://resolve?domain=durov", "https"),
        ("звони +7 (999) 123-45-67!", "звони phone!"),
        ("8-999-123-45-67", "phone"),
        ("тел.89991234567", "тел.phone"),
        ("8 999 123 45 67 или 123-45-67", "phone или phone"),
        ("+380501234567", "phone"),
        ("4276 1234 5678 9012", "card"),
        ("https://t.me/x1\ufe0f\u20e3", "https1\ufe0f\u20e3"),
        ("@anna1\ufe0f\u20e3", "@user1\ufe0f\u20e3"),
    ],
)
def test_what_identifies_people_is_masked(text: str, masked: str) -> None:
    # The digit before a keycap is a part of that emoji, so it is left.
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "12.03.2020 10:00 было, с 01.02.2020-15.03.2020 нет, 2024-03-12 тоже",
        "цена 1 500 000 руб, 99,9 % и 3.14",
        "т.е. и т.д., привет.как дела, node.js, кв.метр/час",
        "2+2=4, 192.168.1.1, в 2023-2024 году",
        "hotel: хорошо, на все сто @ дома, бл@ха какая",
        "1\ufe0f\u20e32\ufe0f\u20e33\ufe0f\u20e34\ufe0f\u20e35\ufe0f\u20e36\ufe0f\u20e37\ufe0f\u20e38\ufe0f\u20e3",
        "#тег и 😂❤️👍🏽",
    ],
)
def test_plain_text_and_emoji_stay(text: str) -> None:
    assert mask_text(text) == text


def test_what_telegram_marked_is_masked_whatever_its_form() -> None:
    marked = {
        **{"mention": "@user", "mention_name": "@user", "link": "https", "phone": "phone", "email": "email"},
        "bank_card": "card",
    }
    for kind, placeholder in marked.items():
        assert masked_text([Part("", "вот "), Part(kind, "Анна"), Part("", " 😂")]) == f"вот {placeholder} 😂"
    assert masked_text([Part("mention_name", "Анна")], mask=False) == "Анна"
    parts = [Part("bold", "да "), Part("custom_emoji", "👍")]
    assert masked_text(parts) == "да 👍" and masked_text(parts, custom_emoji=False) == "да "


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "a.",
            "a-",
            "@",
            "a@",
            "a@a.",
            "1",
            "1 ",
            "1-",
            "+1",
            "((1",
            "http://",
            "tg:.",
            "www.",
            "a.a/",
        ),
        *(".", "/", "😂", "👨\u200d", "\u200d", "\ufe0f", "1\ufe0f", "🇷", "#", "🏻", "❤", "\u0301", "tel:+"),
    ],
)
def test_no_text_takes_long(unit: str) -> None:
    text = (unit * MAX_CHARS)[:MAX_CHARS]
    started = time.monotonic()
    list(pairs_of_message(Message(1, (Part("", text), Part("", " раз два три 😂"))), Steps(), Counts()))
    assert time.monotonic() - started < 1
