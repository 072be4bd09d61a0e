"""Lemmas, stop words and punctuation: cases that a reader of Russian can check."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from emoji_pred import word_forms
from emoji_pred.errors import UserError


@pytest.mark.parametrize(
    ("word", "lemma"),
    [
        *(("кошками", "кошка"), ("Любила", "любить"), ("красивых", "красивый"), ("котов", "кот")),
        *(("ёлки", "ёлка"), ("елки", "ёлка"), ("hearts", "hearts"), ("❤", "❤"), ("2020", "2020"), ("", "")),
    ],
)
def test_lemmas(word: str, lemma: str) -> None:
    pytest.importorskip("pymorphy3", reason="the extra `word2vec` is not installed")
    assert word_forms.lemmatiser("ru")(word) == lemma


def test_lemmas_of_russian_only() -> None:
    with pytest.raises(UserError, match=r"model\.tokenizer\.lemmatise=ur: there are lemmas of ru only"):
        word_forms.lemmatiser("ur")


def test_stop_words() -> None:
    pytest.importorskip("stop_words", reason="the extra `word2vec` is not installed")
    russian = word_forms.stop_words("ru")
    assert {"и", "не", "в", "ещё"} <= russian
    assert not {"кот", "любить", "the"} & russian
    assert "the" in word_forms.stop_words("en")
    with pytest.raises(
        UserError, match=r"model\.tokenizer\.stop_words=ur: there is no such list.* ru, .*null"
    ):
        word_forms.stop_words("ur")


@pytest.mark.parametrize(
    "word", [".", ",", "...", "…", "«", "—", "!!", ":)", "+", "$", "€", "\ufe0f", "\u200d", "-"]
)
def test_punctuation(word: str) -> None:
    assert word_forms.is_punctuation(word)


@pytest.mark.parametrize(
    "word",
    ["кот", "5", "❤", "❤\ufe0f", "🏽", "↔", "◾", "😂", ":D", "don't", "#кот", "3⃣", "🇷🇺", chr(0x1FAFA)],
)
def test_what_is_no_punctuation(word: str) -> None:
    assert not word_forms.is_punctuation(word)


@pytest.mark.parametrize(
    ("package", "option"),
    [("pymorphy3", "lemmatise"), ("pymorphy3-dicts-ru", "lemmatise"), ("stop-words", "stop_words")],
)
def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, package: str, option: str) -> None:
    version = importlib.metadata.version

    def lacking(name: str) -> Any:
        if name == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("importlib.metadata.version", lacking)
    with pytest.raises(UserError) as refused:
        word_forms.word_packages("ru", "ru")
    assert str(refused.value) == (
        f"model.tokenizer.{option} needs the package {package}: pip install -e '.[word2vec]', "
        f"or model.tokenizer.{option}=null"
    )
    # Nothing is asked for that no option needs.
    assert word_forms.word_packages(None, None) == []
