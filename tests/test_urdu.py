from __future__ import annotations

import csv
import io
import time
import unicodedata
from pathlib import Path

import pytest

from emoji_pred.text import first_words, strip_stray_invisible
from emoji_pred.urdu import normalise_urdu


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        # Letters of an Arabic keyboard.
        ("\u0643\u062a\u0627\u0628", "\u06a9\u062a\u0627\u0628"),  # kaf
        ("\u0645\u064a\u0646", "\u0645\u06cc\u0646"),  # yeh
        ("\u0641\u0649", "\u0641\u06cc"),  # alef maksura
        ("\u0648\u0647", "\u0648\u06c1"),  # heh
        ("\u0633\u0648\u0631\u0629", "\u0633\u0648\u0631\u06c3"),  # teh marbuta
        ("\u06c0", "\u06c2"),
        # Letters that are others, and stay.
        ("تھا تہا کے کی آم ام جرأت مؤثر کوئی", "تھا تہا کے کی آم ام جرأت مؤثر کوئی"),
        # Written as two code points.
        ("\u0627\u0653\u0645", "\u0622\u0645"),
        ("\u06cc\u0654", "\u0626"),
        ("\u064a\u0654", "\u0626"),
        ("\u0647\u0654", "\u06c2"),
        ("\u0627\u064e\u0653", "\u0622"),  # a vowel sign between them
        # Presentation forms, as PDF files hold them.
        ("\ufefb\ufeeb\u0648\u0631", "\u0644\u0627\u06c1\u0648\u0631"),  # lam with alef, heh
        ("\ufb90\ufe98\ufe8e\ufe8f", "\u06a9\u062a\u0627\u0628"),
        ("\ufdf2", "\u0627\u0644\u0644\u06c1"),
        ("محمد\ufdfa", "محمد صلی اللہ علیہ وسلم"),
        ("ب\ufe76", "ب"),
        # Vowel signs, honorifics, the stretching of a line.
        ("اُداسی گُمّ اِس رحمٰن کتـــاب تابشؔ", "اداسی گم اس رحمن کتاب تابش"),
        # Numbers.
        ("۱۲۳ ٤٥٦ 789 ۵۰٪ ۳٫۵ ۱٬۰۰۰", "123 456 789 50% 3.5 1,000"),
        ("کووڈ19 اور2022میں", "کووڈ 19 اور 2022 میں"),
        # Spaces at stops.
        ("ہاں ،نہیں؟ ہے ۔اور؛ پھر", "ہاں، نہیں؟ ہے۔ اور؛ پھر"),
        ("1،000 روپے", "1،000 روپے"),
        ("کیا؟!", "کیا؟!"),
        ("  دو \n\n سطریں\u00a0 ", "دو سطریں"),
        # Latin words.
        ("تشدد Overlong گندگیNiroاور", "تشدد overlong گندگی niro اور"),
        ("دیکھو https://T.co/Ab?x=1", "دیکھو https://t.co/ab?x=1"),
        # Emoji and what joins and directs letters.
        ("می\u200cخواہم \u200fسلام 🤦🏽\u200d♀\ufe0f", "می\u200cخواہم \u200fسلام 🤦🏽\u200d♀\ufe0f"),
        ("", ""),
    ],
)
def test_one_spelling(text: str, normal: str) -> None:
    assert normalise_urdu(text) == unicodedata.normalize("NFC", normal)


def test_the_other_languages_of_the_suite_keep_their_letters() -> None:
    assert normalise_urdu("Привет, мир! 1.5 – naïve") == "Привет, мир! 1.5 – naïve"


def test_twice_changes_nothing_more_and_no_word_is_lost(shared_data_dir: Path) -> None:
    path = shared_data_dir / "dejah22/Multi-Label-Emotion-Classification-in-Urdu/testing_data.csv"
    if not path.is_file():
        pytest.skip("the test sentences of EmoThreat are not in EMOJI_PRED_DATA")
    rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    texts = [text for (text,) in rows]
    normal = [normalise_urdu(text) for text in texts]
    assert [normalise_urdu(text) for text in normal] == normal
    assert len(texts) == 1951
    left = set("".join(normal)) & set(
        "\u064a\u0649\u0643\u0647\u0629\u0640\u064b\u064e\u064f\u0650\u0651\u0652"
    )
    assert left == set()
    for before, after in zip(texts, normal, strict=True):
        assert sum(map(str.isalpha, after)) >= sum(map(str.isalpha, before)) - before.count("\u0640")


@pytest.mark.parametrize(
    "unit",
    ["لفظ ", "word ", "\u200d", "ہ\u200cے", "، ", "\u0640", "a\u06c1", "1،", " \n", "👩\u200d", "\ufdfa"],
)
def test_a_text_of_a_hundred_thousand_words_takes_bounded_time(unit: str) -> None:
    start = time.process_time()
    text = strip_stray_invisible(unit * 100_000)
    assert first_words(normalise_urdu(text), 20)[:1] is not None
    assert time.process_time() - start < 5
