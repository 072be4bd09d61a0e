from __future__ import annotations

import csv
import io
import sys
import unicodedata
from pathlib import Path

import pytest

from emoji_pred.text import (
    duplicate_key,
    first_words,
    normalise_tweet,
    strip_invisible,
    strip_stray_invisible,
)

# Category Cf, but signs a reader sees: they stand above or around the digits that follow.
VISIBLE_FORMAT = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
WHITE_SPACE_CONTROLS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Venice in the sun \ufe0f \ufe0f @ Abbot", "Venice in the sun @ Abbot"),
        ("\ufe0four happy place", "our happy place"),
        ("I \ufe0f You", "I You"),
        ("love \ufe0f", "love"),
        ("trailing ", "trailing"),
        ("a\u200bb\u200dc\u2060d\ufeffe\u00adf", "abcdef"),
        ("\u200fسلام\u200e \u202bدنیا\u202c", "سلام دنیا"),
        ("flag \U0001f3f4\U000e0067\U000e007f", "flag \U0001f3f4"),
        ("a\u00a0b\u2002c\u2028d\u0085e\u3000f", "a b c d e f"),
        ("a\u2800b\u3164c", "a b c"),
        ("bell\x07 tab\there", "bell tab here"),
        ("۱\u0600۲", "۱\u0600۲"),
        ("caf\u00e9 e\u0301", "caf\u00e9 e\u0301"),
        ("\ufe0f", ""),
        ("", ""),
    ],
)
def test_strip_invisible_leaves_what_a_reader_sees(text: str, clean: str) -> None:
    assert strip_invisible(text) == clean


def test_strip_invisible_covers_the_unicode_tables_of_this_python() -> None:
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        category = unicodedata.category(character)
        selector = "VARIATION SELECTOR" in unicodedata.name(character, "")
        if (
            (category == "Cf" and point not in VISIBLE_FORMAT)
            or selector
            or (category == "Cc" and character not in WHITE_SPACE_CONTROLS)
        ):
            expected = "ab"
        elif character.isspace():
            expected = "a b"
        elif category[0] in "LNPS" and point not in (0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0):
            expected = f"a{character}b"
        else:
            continue
        assert strip_invisible(f"a{character}b") == expected, hex(point)


def test_strip_invisible_changes_nothing_the_second_time() -> None:
    text = " a \ufe0f\u200b b\u00a0\u00a0c \x00\x1f d "
    assert strip_invisible(strip_invisible(text)) == strip_invisible(text) == "a b c d"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("وزیراعظم\u200cنواز", "وزیراعظم\u200cنواز"),  # keeps two words of a compound from joining
        ("ہ\u200dے", "ہ\u200dے"),
        ("مِ\u200cں", "مِ\u200cں"),  # after a vowel sign
        ("کرو\u200c میڈیا", "کرو میڈیا"),  # at the end of a word there is nothing to hold apart
        ("\u200cہیں", "ہیں"),
        ("ہے\u200d\u200c ہے", "ہے ہے"),
        ("ا\u200b\u200cب", "ا\u200cب"),
        ("\u200fسلام\u200cدنیا\u200e", "سلام\u200cدنیا"),
        ("T\u200cext o\u200cf", "Text of"),
        ("🤦🏽\u200d♀\ufe0f", "🤦🏽\u200d♀"),
        ("👩\u200d❤\ufe0f\u200d👨 ok", "👩\u200d❤\ufe0f\u200d👨 ok"),
        ("👩\u200d\u200d👨", "👩👨"),  # what is left where the heart was taken out
        ("👩\u200d x", "👩 x"),
        ("😂\u200dا", "😂ا"),
        ("1\u200d😂", "1😂"),
        ("❤\ufe0f", "❤"),
        ("I \ufe0f You", "I You"),
        ("the sun\ufe0f \ufe0f", "the sun"),
        ("", ""),
    ],
)
def test_leak_free_leaves_what_joins_letters_and_emoji(text: str, clean: str) -> None:
    assert strip_stray_invisible(text) == clean
    assert strip_stray_invisible(clean) == clean
    assert strip_invisible(clean) == strip_invisible(text)


def test_leak_free_leaves_every_emoji_sequence_whole() -> None:
    emoji = pytest.importorskip("emoji")
    sequences = [one for one in emoji.EMOJI_DATA if "\u200d" in one]
    assert len(sequences) > 1000
    for one in sequences:
        kept = one.removesuffix("\ufe0f")
        assert strip_stray_invisible(f"a {one} b") == f"a {kept} b", ascii(one)


def test_the_joiners_change_no_text_of_tweeteval_or_telegram(shared_data_dir: Path) -> None:
    """Leak-free runs that were kept read what they read before joiners were left in place."""
    texts = []
    for name in ("train", "val", "test"):
        path = shared_data_dir / f"cardiffnlp/tweeteval/datasets/emoji/{name}_text.txt"
        texts += path.read_text(encoding="utf-8").split("\n")
    telegram = shared_data_dir / "megnar/Text2EmojiRus/data/final/final_inference.csv"
    if telegram.is_file():
        texts += [row[0] for row in csv.reader(io.StringIO(telegram.read_text(encoding="utf-8"), newline=""))]
    assert [text for text in texts if strip_stray_invisible(text) != strip_invisible(text)] == []


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("one two three", 2, "one two"),
        (" one\ttwo  three ", 2, " one\ttwo"),
        ("one two ", 2, "one two "),
        ("one", 2, "one"),
        ("", 2, ""),
        ("  ", 1, "  "),
        ("ایک دو تین", 1, "ایک"),
    ],
)
def test_first_words(text: str, most: int, cut: str) -> None:
    assert first_words(text, most) == cut


def test_duplicate_key_joins_texts_that_look_alike() -> None:
    key = duplicate_key("Good  MORNING \ufe0f\uff21")
    assert key == duplicate_key(" good morning a") == "good morning a"
    assert key != duplicate_key("good morning b")


# Expected by hand, after the rules of BERTweet's published normaliser.
@pytest.mark.parametrize(
    ("tweet", "normal"),
    [
        ("@someone look https://t.co/abc now", "@USER look HTTPURL now"),
        ("I can't, I cannot go", "I can't , I can not go"),
        ("don't ain't they've", "do n't ain't they've"),
        ("it’s we'll go", "it 's we 'll go"),
        ("Tonight 5 p.m. ok", "Tonight 5 p.m. ok"),
        ("so funny 😂", "so funny :face_with_tears_of_joy:"),
        ("wait…", "wait ..."),
        ("❤", ":red_heart:"),
        ("👨\u200d👩\u200d👧", ":man: \u200d :woman: \u200d :girl:"),
        ("👨\u200d👩", ":man: \u200d :woman:"),
        ("", ""),
    ],
)
def test_normalise_tweet(tweet: str, normal: str) -> None:
    pytest.importorskip("nltk")
    pytest.importorskip("emoji")
    assert normalise_tweet(tweet) == normal


def test_normalise_tweet_agrees_with_the_published_tokenizer(tmp_path: Path, shared_data_dir: Path) -> None:
    bertweet = pytest.importorskip("transformers.models.bertweet.tokenization_bertweet")
    (tmp_path / "vocab.txt").write_text("a 1\n")
    (tmp_path / "bpe.codes").write_text("a b 1\n")
    published = bertweet.BertweetTokenizer(
        str(tmp_path / "vocab.txt"), str(tmp_path / "bpe.codes"), normalization=True
    )
    path = shared_data_dir / "cardiffnlp/tweeteval/datasets/emoji/val_text.txt"
    for tweet in path.read_text(encoding="utf-8").split("\n")[:1000]:
        assert normalise_tweet(tweet) == published.normalizeTweet(tweet)


def test_of_several_invisible_characters_the_joiner_stays() -> None:
    assert strip_stray_invisible("م\u200c\u200cن") == "م\u200cن"
    assert strip_stray_invisible("خوش\u200c\u200fآمدید") == "خوش\u200cآمدید"
    assert strip_stray_invisible("م\u200fن\u200c") == "من"  # nothing joins here


def test_joiners_of_india_and_the_flags_of_countries_stay() -> None:
    assert strip_stray_invisible("क्\u200dष") == "क्\u200dष"
    england = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    assert strip_stray_invisible(f"go {england} go\u200b") == f"go {england} go"
    assert strip_stray_invisible(england[1:] + "x") == "x"  # tags without a flag
