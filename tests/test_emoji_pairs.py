"""Steps from a comment to pairs: expected values are read off the Unicode charts, the paper and by hand."""

import random
import time

import emoji
import pytest

from emoji_pred.emoji_pairs import (
    ClassCounts,
    Counts,
    Rules,
    find_runs,
    frequent_classes,
    has_more_words,
    keep_classes,
    last_sentence,
    last_words,
    pairs_of_message,
    split_run,
    tail,
    without_duplicates,
)

HEART, HEART_SIGN = "\u2764\ufe0f", "\u2764"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1f7\U0001f1fa"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
KEYCAP = "1\ufe0f\u20e3"
SHRUG = "\U0001f937\U0001f3fb\u200d\u2640\ufe0f"
BURNING = "\u2764\ufe0f\u200d\U0001f525"
THUMB, DARK_THUMB = "👍", "👍\U0001f3ff"


def runs(message: str, rules: Rules | None = None) -> list[tuple[str, str]]:
    return list(find_runs(message, rules or Rules()))


def pairs(message: str, rules: Rules | None = None) -> list[tuple[str, str]]:
    return list(pairs_of_message(message, rules or Rules(), Counts()))


@pytest.mark.parametrize(
    "whole", [HEART, FAMILY, FLAG, ENGLAND, KEYCAP, SHRUG, BURNING, DARK_THUMB, "😀", "⭐"]
)
def test_a_grapheme_is_one_run_and_one_emoji(whole: str) -> None:
    assert runs(f"так и есть {whole}!") == [("так и есть", whole)]
    assert len(split_run(whole)) == 1
    assert "\ufe0f" not in split_run(whole)[0]


@pytest.mark.parametrize(
    "sign", [HEART_SIGN, "☺", "1", "#", "*", "©", "™", "‼", "❤\ufe0e", "😀\ufe0e", "\U0001f1f7", "☆", "я"]
)
def test_what_is_no_emoji_by_itself_is_text(sign: str) -> None:
    assert runs(f"так и есть {sign} вот") == []


def test_text_style_takes_signs_as_telegram_shows_them() -> None:
    rules = Rules(text_style=True)
    assert [run for _, run in find_runs("а ❤ б ☺ в © г ‼ д 1 е #", rules)] == ["❤", "☺"]
    assert runs("а ❤\ufe0e", rules) == []


def test_every_emoji_of_the_emoji_package_is_found_whole() -> None:
    """Unicode's own list, all fully qualified sequences; single skin tones are components, not among them."""
    listed = [
        text for text, entry in emoji.EMOJI_DATA.items() if entry["status"] == emoji.STATUS["fully_qualified"]
    ]
    assert len(listed) > 3500
    missed = [text for text in listed if runs(f"а б в {text}") != [("а б в", text)]]
    assert missed == []


def test_the_text_of_a_run_begins_after_the_run_before() -> None:
    assert runs("раз два три 😀😀 четыре 😁 😂") == [("раз два три", "😀😀"), ("четыре", "😁"), ("", "😂")]


def test_last_sentence_passes_over_parts_of_one_character() -> None:
    assert last_sentence("Первое. Второе") == " Второе"
    assert last_sentence("Да. Нет...") == " Нет"
    assert last_sentence("Да.а.  .") == "Да"
    assert last_sentence("...") == last_sentence("") == ""


def test_last_words_and_their_number() -> None:
    twenty = " ".join(map(str, range(20)))
    assert last_words(twenty) == " ".join(map(str, range(5, 20)))
    assert last_words("  a \n b  ") == "a b"
    assert [has_more_words(text) for text in ("", "a b", "a  b c", "a b c d")] == [False, False, True, True]


def test_one_pair_for_each_distinct_emoji_of_a_run() -> None:
    assert pairs(f"Ну. Вот это да {THUMB}{DARK_THUMB}😀{HEART}{THUMB}") == [
        ("Вот это да", "👍"),
        ("Вот это да", "😀"),
        ("Вот это да", HEART_SIGN),
    ]
    assert pairs(f"Вот это да {DARK_THUMB}", Rules(fold_skin_tones=False)) == [("Вот это да", DARK_THUMB)]


def test_the_authors_way_takes_code_points_from_their_ranges() -> None:
    """By their notebook: U+FE0F goes, skin tones and halves of flags stay, U+200D ends a run, at most 3."""
    rules = Rules.authors()
    assert pairs(f"Вот это да {DARK_THUMB}", rules) == [("Вот это да", "👍"), ("Вот это да", "\U0001f3ff")]
    assert pairs(f"Вот это да {FLAG}", rules) == [("Вот это да", "\U0001f1f7"), ("Вот это да", "\U0001f1fa")]
    assert pairs(f"Вот это да {FAMILY}", rules) == [("Вот это да", "\U0001f468")]
    assert pairs(f"Вот это да {HEART}", rules) == [("Вот это да", HEART_SIGN)]
    assert pairs("Вот это да 😀😁😂🤣", rules) == []
    counts = Counts()
    assert list(pairs_of_message("Вот это да!‼\ufe0f", rules, counts)) == []  # only U+FE0F is in their ranges
    assert counts.no_emoji == 1


def test_a_table_made_elsewhere_is_split_without_selectors_and_rubbish() -> None:
    assert split_run("❤☺") == (HEART_SIGN, "☺")
    assert split_run("🤦\U0001f3fb😀") == ("🤦", "😀")
    assert (
        split_run("\U0001f3fb")
        == split_run("\U0001f1f7")
        == split_run("\u2800☆\ufeff")
        == split_run("")
        == ()
    )


def test_counts_by_hand() -> None:
    messages = [
        "без эмодзи совсем",
        "Вот это да 😀😁",  # 2 pairs
        "Вот это да 😀",  # a duplicate
        "мало слов 😀",
        "😀 Ещё раз всё ❤️",  # a run without text; a pair
    ]
    counts, seen = Counts(), ClassCounts()
    made = (pair for message in messages for pair in pairs_of_message(message, Rules(), counts))
    kept = list(seen.counting(without_duplicates(made, counts)))
    assert kept == [("Вот это да", "😀"), ("Вот это да", "😁"), ("Ещё раз всё", HEART_SIGN)]
    classes = seen.choose(counts, most=2)
    assert classes == (HEART_SIGN, "😀")  # all come once: in order of code points
    assert list(keep_classes(kept, classes, counts)) == [kept[0], kept[2]]
    assert counts.as_dict() == {
        "messages": 5, "with_emoji": 4, "runs": 5, "without_text": 1, "too_short": 1, "run_too_long": 0,
        "no_emoji": 0, "sentences": 3, "pairs": 4, "duplicates": 1, "distinct": 3, "rare": 1, "rows": 2,
        "emoji": 3, "classes": 2,
    }  # fmt: skip
    assert counts.runs == counts.without_text + counts.too_short + counts.sentences
    assert "cleaned from duplicates, 1 text - 1 emoji (sentences)             3" in str(counts)


def test_counts_of_parts_add_up() -> None:
    total = Counts(messages=2, pairs=3, emoji=2) + Counts(messages=5, pairs=1, emoji=2)
    assert (total.messages, total.pairs, total.emoji) == (7, 4, 0)


def test_classes_by_frequency_and_the_tail() -> None:
    counts = {"a": 6, "b": 3, "c": 3, "d": 1}
    assert frequent_classes(counts, at_least=3) == ("a", "b", "c")
    assert frequent_classes(counts, most=2) == ("a", "b")
    assert tail(counts, "abc") == {
        "largest_class": 6, "smallest_class": 3, "ratio": 2.0, "largest_share": 0.5, "once": 1,
        "dropped_emoji": 1, "dropped_share": 1 / 13,
    }  # fmt: skip
    assert tail({}, ())["ratio"] is None


def test_time_grows_with_the_length_of_a_message() -> None:
    """No message makes the patterns try again and again: a million signs of each troublesome kind."""
    rng = random.Random(0)
    signs = ["\u200d", "\ufe0f", "\U0001f3fb", "😀", "\U0001f1f7", "1", "\u20e3", "\U000e0067", "❤", "a"]
    hostile = [sign * 300_000 for sign in signs] + ["".join(rng.choices(signs, k=300_000))]
    started = time.perf_counter()
    for message in hostile:
        for rules in (Rules(), Rules(text_style=True), Rules.authors()):
            sum(1 for _ in find_runs(message, rules))
    assert time.perf_counter() - started < 20
