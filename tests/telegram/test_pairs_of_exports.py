"""The steps over messages, duplicates on the disk, and the language filter."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from emoji_pred.emoji_pairs import Counts, Rules
from emoji_pred.errors import UserError
from emoji_pred.telegram import pair_store
from emoji_pred.telegram.language import SAMPLE_MESSAGES, Languages, in_language
from emoji_pred.telegram.messages import Message, Part, Tally
from emoji_pred.telegram.pair_store import PairStore
from emoji_pred.telegram.steps import MAX_RUN, Steps, pairs_of_message


def said(text: str, chat: int = 1) -> Message:
    return Message(chat, (Part("", text),))


def pairs(text: str, steps: Steps | None = None) -> list[tuple[str, str]]:
    return list(pairs_of_message(said(text), steps or Steps(), Counts()))


def test_each_step_can_be_switched() -> None:
    text = "Одно предложение тут. Другое предложение\nтоже здесь 👍🏽👍"
    assert pairs(text) == [("Другое предложение тоже здесь", "👍")]
    whole = "Одно предложение тут. Другое предложение тоже здесь"
    assert pairs(text, Steps(sentence=False)) == [(whole, "👍")]
    assert pairs(text, Steps(rules=Rules(last_words=2, more_than_words=1))) == [("тоже здесь", "👍")]
    assert pairs(text, Steps(rules=Rules(last_words=2))) == []
    tones = Steps(rules=Rules(fold_skin_tones=False))
    assert [emoji for _, emoji in pairs(text, tones)] == ["👍🏽", "👍"]
    points = Steps(rules=Rules(units="codepoint", fold_skin_tones=False))
    assert [emoji for _, emoji in pairs(text, points)] == ["👍", "🏽"]
    long = "раз " * 40 + "😂"
    assert [len(words.split()) for words, _ in pairs(long)] == [15]
    assert [len(words.split()) for words, _ in pairs(long, Steps(rules=Rules(last_words=0)))] == [40]


def test_hearts_count_in_text_style_too_unless_told_otherwise() -> None:
    text = "люблю тебя очень \u2764"
    assert pairs(text) == [("люблю тебя очень", "\u2764")]
    assert pairs(text, Steps(rules=Rules(text_style=False))) == []


def test_masking_comes_before_the_sentence_is_cut() -> None:
    text = "Пиши мне на t.me/anna или a.b@mail.ru скорее 😂"
    assert pairs(text) == [("Пиши мне на https или email скорее", "😂")]
    assert pairs(text, Steps(mask=False)) == []  # of "ru скорее", what stands behind the last full stop


def test_of_an_endless_run_the_first_emoji_count() -> None:
    run = "😂" * (MAX_RUN - 3) + "👨\u200d👩\u200d👧" * 3 + "🔥" * 5000
    # The third family would be cut by the limit; nothing half is made of it.
    assert pairs(f"вот это да {run}") == [("вот это да", "😂")]
    assert len(pairs(f"вот это да {'😂🔥' * 5000}")) == 2


def test_a_message_is_counted_once() -> None:
    counts = Counts()
    for text in ("нет эмодзи", "раз два три 😂 ещё раз три 😂🔥", "© 2024 № 5"):
        list(pairs_of_message(said(text), Steps(), counts))
    assert (counts.messages, counts.with_emoji, counts.runs, counts.pairs) == (3, 1, 2, 3)


@pytest.mark.parametrize("at_a_time", [1, 7, 100, 1 << 21])
def test_the_first_of_equal_pairs_stays_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(pair_store, "ROWS_AT_A_TIME", at_a_time)
    monkeypatch.setattr(pair_store, "HELD_DIGESTS", 16)
    rng = random.Random(6)
    given = [(f"текст {rng.randint(0, 20)}", rng.choice("😂🔥❤")) for _ in range(300)]
    with PairStore(tmp_path) as store:
        for text, emoji in given:
            store.add(text, emoji)
        first = store.first_of_each()
        expected = list(dict.fromkeys(given))
        assert len(store) == 300
        assert list(store.pairs(first)) == expected
        assert store.counts(first) == Counter(emoji for _, emoji in expected)
        assert list(store.pairs()) == given
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_has_no_pairs(tmp_path: Path) -> None:
    with PairStore(tmp_path) as store:
        assert store.first_of_each().tolist() == [] and list(store.pairs()) == []


RUSSIAN = "Сегодня в нашем городе была прекрасная погода, и мы долго гуляли"
ENGLISH = "The weather in our town was wonderful today, and we took a long walk"
UKRAINIAN = "Сьогодні в нашому місті була чудова погода, і ми довго гуляли"


def test_chats_of_another_language_are_left_out_as_a_whole() -> None:
    short = [said("ok", 1), said("lol yes", 3)]
    messages = [said(RUSSIAN, 1), short[0], said(ENGLISH, 2), said(UKRAINIAN, 2), short[1], said(RUSSIAN, 3)]
    tally = Tally()
    kept = list(in_language(messages, Languages("ru"), "chat", tally))
    assert kept == [messages[0], short[0], short[1], messages[5]]
    assert tally.other_language == 2


def test_a_chat_is_judged_by_its_first_messages() -> None:
    messages = [said(RUSSIAN)] * SAMPLE_MESSAGES + [said(ENGLISH)] * 3
    assert len(list(in_language(iter(messages), Languages("ru"), "chat", Tally()))) == SAMPLE_MESSAGES + 3


def test_single_messages_can_be_judged() -> None:
    messages = [said(RUSSIAN), said(ENGLISH), said(UKRAINIAN), said("😂 123")]
    tally = Tally()
    assert list(in_language(messages, Languages("ru"), "message", tally)) == messages[:1]
    assert tally.other_language == 3


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(UserError, match="--language rus "):
        Languages("rus")
