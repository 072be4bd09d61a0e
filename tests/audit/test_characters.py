"""The characters of texts as arrays: kinds, scripts, edges, and what is invisible and part of nothing."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from emoji_pred.audit import characters as chars
from emoji_pred.audit.characters import Characters, kind_of, name_of, script_of

TEXTS = ["aб 1!", "", "\ud800x", "नमस्ते 😀\n"]


def test_characters_stand_where_they_stand_in_the_texts() -> None:
    found = Characters.of(TEXTS)
    assert len(found) == 4
    assert found.lengths.tolist() == [len(text) for text in TEXTS]
    whole = "".join(TEXTS)
    assert found.points.tolist() == [ord(character) for character in whole]
    assert found.rows.tolist() == [row for row, text in enumerate(TEXTS) for _ in text]
    assert found.distinct.tolist() == sorted(set(map(ord, whole)))
    assert found.distinct[found.place].tolist() == found.points.tolist()
    assert found.edge(last=False).tolist() == [ord("a"), 0, 0xD800, ord("न")]
    assert found.edge(last=True).tolist() == [ord("!"), 0, ord("x"), ord("\n")]


def test_counts_are_those_of_a_loop() -> None:
    found = Characters.of(TEXTS)
    for kind in range(len(chars.KIND_NAMES)):
        by_hand = [sum(kind_of(ord(character)) == kind for character in text) for text in TEXTS]
        assert found.count(found.kinds == kind).tolist() == by_hand


def test_no_texts_and_empty_texts_have_no_characters() -> None:
    for texts in ([], ["", ""]):
        found = Characters.of(texts)
        assert len(found) == len(texts) and not found.residue().any() and not len(found.scripts)


@pytest.mark.parametrize(
    ("character", "kind"),
    [
        *[("a", chars.LETTER), ("ہ", chars.LETTER), ("\u0301", chars.MARK), ("٣", chars.DIGIT)],
        *[("۔", chars.PUNCTUATION), ("+", chars.SYMBOL), ("❤", chars.EMOJI), ("🇵", chars.EMOJI)],
        *[(" ", chars.SPACE), ("\u2028", chars.LINE), ("\u00a0", chars.BLANK), ("\t", chars.BLANK)],
        *[("\ufe0f", chars.INVISIBLE), ("\u200b", chars.INVISIBLE), ("\u2800", chars.INVISIBLE)],
        *[("\U000e0fff", chars.INVISIBLE), ("\x00", chars.INVISIBLE)],
        *[("\ufffd", chars.UNKNOWN), ("\ue000", chars.UNKNOWN), ("\u0378", chars.UNKNOWN)],
    ],
)
def test_kinds(character: str, kind: int) -> None:
    assert chars.KIND_NAMES[kind_of(ord(character))] == chars.KIND_NAMES[kind]


def test_scripts_are_those_of_the_unicode_names() -> None:
    for character in "aéбжہپअ한かカ漢ω":
        name = chars.SCRIPTS[script_of(ord(character))].upper().replace("HAN", "CJK", 1)
        assert unicodedata.name(character).startswith(name.replace("CJKGUL", "HANGUL"))
    assert script_of(ord("1")) == script_of(ord("😀")) == -1


@pytest.mark.parametrize(
    "seen",
    [
        *["❤\ufe0f", "1\ufe0f\u20e3", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "می\u200cشود", "क्\u200dष"],
        "🏴\U000e0067\U000e0062\U000e007f",
    ],
)
def test_what_belongs_to_an_emoji_or_a_word_is_no_residue(seen: str) -> None:
    assert not Characters.of([f"a {seen} b"]).residue().any()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        *[
            ("love \ufe0f", 1),
            ("\ufe0f", 1),
            ("a\ufe0f", 1),
            ("1\ufe0f", 1),
            ("ab\u200ccd", 1),
            ("a\u200d❤", 1),
        ],
        *[("x\u200by", 1), ("\u200fسلام", 1), ("❤\ufe0f\ufe0f", 1), ("сло\u200dво", 1), ("\ufeffa", 1)],
    ],
)
def test_what_belongs_to_nothing_is_residue(text: str, left: int) -> None:
    assert int(Characters.of([text]).residue().sum()) == left


def test_neighbours_are_never_those_of_the_next_text() -> None:
    assert Characters.of(["❤", "\ufe0f"]).residue().tolist() == [False, True]
    assert Characters.of(["می\u200c", "شود"]).residue().sum() == 1


def test_invisible_characters_are_named_by_code_point_and_name() -> None:
    assert name_of(0xFE0F) == "U+FE0F VARIATION SELECTOR-16"
    assert name_of(ord("!")) == "! (U+0021 EXCLAMATION MARK)"
    assert name_of(0x09) == "U+0009 TAB"
    assert name_of(0xE000).startswith("U+E000 ")
    assert np.array([ord(c) >= 32 for c in name_of(0x00)]).all()
