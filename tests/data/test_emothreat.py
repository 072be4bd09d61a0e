"""EmoThreat: invented files of the same form; the real public files where there are any."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import yaml

from emoji_pred.data.corpus import Corpus
from emoji_pred.data.emothreat import PAPER_COUNTS, load_emothreat, load_emothreat_public
from emoji_pred.data.emothreat_rows import EMOTIONS, LABELS, folded
from emoji_pred.data.prepare import load_corpus
from emoji_pred.data.sources import git_blob_id
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key, first_words, strip_stray_invisible
from emoji_pred.urdu import normalise_urdu

CONF = Path(__file__).resolve().parents[2] / "conf" / "data"
TWEETS, OFFICIAL = "ashraf/tweets", "mirror/emothreat"
URDU_HEADER = ["Sentences", "غصہ", "نفرت", "خوف", "اداسی", "حیرت", "خوشی"]


def hot(*names: str, of: tuple[str, ...] = EMOTIONS) -> list[int]:
    return [int(label in names) for label in of]


# 60 tweets, ten of each emotion, and some that stand twice.
SIMPLE = [(f"ٹویٹ نمبر {n} ہے", hot(EMOTIONS[n % 6])) for n in range(60)]
TRAIN_TWEETS = [*SIMPLE[:50], ("دو بار  لکھا", hot("anger")), ("آزمائش دو بار", hot("fear")), ("بغیر", hot())]
TEST_TWEETS = [*SIMPLE[50:], ("دو بار لکھا ", hot("disgust", "fear")), ("آزمائش دو بار", hot("anger"))]
REVIEWS = [f"فلم کا جائزہ\n\nنمبر {n}" for n in range(20)]  # blank lines inside quoted cells
# Eight tweets, one of them with other white space and one with two labels, and the reviews.
TEST = [*(text for text, _ in SIMPLE[:6]), " ٹویٹ  نمبر 6 ہے", "آزمائش دو بار", *REVIEWS]


def table(header: list[str], rows: list[list[Any]], mark: str = "\ufeff") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([header, *rows])
    return (mark + text.getvalue()).encode()


def tweets(rows: list[tuple[str, list[int]]]) -> bytes:
    return table(URDU_HEADER, [[text, *labels] for text, labels in rows])


def official_rows(count: int = 40) -> list[list[Any]]:
    """Rows of the official training file: labels first, the sentence last."""
    tweets_of = [[*hot(LABELS[n % 6], of=LABELS), f"رسمی جملہ {n}"] for n in range(count)]
    return [*tweets_of, *([*hot("neutral", of=LABELS), f"فلم {n}"] for n in range(count // 2))]


def write(data_dir: Path, **changes: bytes) -> dict[str, Any]:
    """Write the public files, and return the pins that verify them."""
    contents = {
        "train_ds_final": tweets(TRAIN_TWEETS),
        "test_ds_final": tweets(TEST_TWEETS),
        "testing_data": table(["Sentences"], [[text] for text in TEST], mark=""),
        "training_data": table([*LABELS, "Sentences"], official_rows(), mark=""),
        **changes,
    }
    pins: dict[str, dict[str, str]] = {TWEETS: {}, OFFICIAL: {}}
    for name, content in contents.items():
        repository, folder = (TWEETS, "dataset/") if name.endswith("final") else (OFFICIAL, "")
        path = data_dir / repository / f"{folder}{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        pins[repository][f"{folder}{name}.csv"] = git_blob_id(content)
    return {
        part: {"repository": repository, "commit": "c" * 40, "files": pins[repository]}
        for part, repository in (("tweets", TWEETS), ("official", OFFICIAL))
    }


def labels_of(corpus: Corpus, split: str) -> dict[str, set[str]]:
    rows = corpus.splits[split]
    return {
        text: {name for name, one in zip(corpus.label_names, labels, strict=True) if one}
        for text, labels in zip(rows.texts, rows.labels.tolist(), strict=True)
    }


# --- the test labels, recovered


def test_test_labels_are_those_of_the_same_tweet_and_the_rest_is_neutral(tmp_path: Path) -> None:
    corpus = load_emothreat(data_dir=tmp_path, source=write(tmp_path))
    assert corpus.label_names == LABELS and corpus.task == "multilabel"
    test = corpus.splits["test"]
    assert test.texts == TEST and test.row_ids == [f"test/{place}" for place in range(len(TEST))]
    found = labels_of(corpus, "test")
    assert [found[text] for text in TEST[:6]] == [{emotion} for emotion in EMOTIONS]
    assert found[" ٹویٹ  نمبر 6 ہے"] == {"anger"}  # white space folded
    assert found["آزمائش دو بار"] == {"anger"}  # the last of its rows
    assert all(found[text] == {"neutral"} for text in REVIEWS)
    recovered = corpus.provenance["recovered_test"]
    assert (recovered["found_among_tweets"], recovered["neutral_reviews"], recovered["dropped"]) == (8, 20, 0)
    assert recovered["labels"] == {**dict.fromkeys(EMOTIONS, 1), "anger": 3, "neutral": 20}


@pytest.mark.parametrize(
    ("conflicts", "in_test", "in_train"),
    [
        ("last", {"anger"}, {"disgust", "fear"}),
        ("first", {"fear"}, {"anger"}),
        ("union", {"anger", "fear"}, {"anger", "disgust", "fear"}),
        ("drop", None, None),
    ],
)
def test_sentences_with_different_labels(
    tmp_path: Path, conflicts: Any, in_test: set[str] | None, in_train: set[str] | None
) -> None:
    corpus = load_emothreat_public(data_dir=tmp_path, source=write(tmp_path), conflicts=conflicts)
    assert labels_of(corpus, "test").get("آزمائش دو بار") == in_test
    trained = {folded(text): held for split in ("train", "validation")
               for text, held in labels_of(corpus, split).items()}  # fmt: skip
    assert trained.get("دو بار لکھا") == in_train
    assert "آزمائش دو بار" not in trained
    assert corpus.provenance["tweets"] == {
        "rows": 65,
        "sentences": 63,
        "repeated_sentences": 2,
        "sentences_with_different_labels": 2,
    }
    recovered = corpus.provenance["recovered_test"]
    assert (recovered["disputed"], recovered["dropped"]) == (1, conflicts == "drop")
    repeats, of_tweets, of_test = corpus.warnings
    assert repeats == "2 of 65 rows of the tweets repeat a sentence, which counts once"
    assert of_tweets.startswith("2 sentences of the tweets stand twice with different labels: ")
    assert of_test.startswith("1 test sentences have different labels among the tweets: ")
    what = {"last": "the last row's", "first": "the first row's", "union": "all", "drop": "they are left out"}
    for warning in (of_tweets, of_test):
        assert what[conflicts] in warning and warning.endswith("(data.conflicts)")


@pytest.mark.parametrize("conflicts", ["last", "first", "union", "drop"])
def test_labels_that_differ_with_the_spelling_are_counted_and_kept(tmp_path: Path, conflicts: Any) -> None:
    # Arabic and Urdu kaf; a space before the stop. Two spellings with the same labels are no conflict.
    rows = [
        *(("ایک کتاب", hot("anger")), ("ایک \u0643تاب", hot("fear"))),
        *(("یہ ہے۔", hot("fear")), ("یہ ہے ۔", hot())),
        *(("وہ کون", hot("fear")), ("وہ \u0643ون", hot("fear"))),
    ]
    source = write(tmp_path, train_ds_final=tweets([*SIMPLE[:50], *rows]), test_ds_final=tweets(SIMPLE[50:]))
    corpus = load_emothreat_public(data_dir=tmp_path, source=source, conflicts=conflicts)
    assert corpus.provenance["disputed_spellings"] == 2
    (warning,) = corpus.warnings
    assert warning.startswith("2 texts stand in several spellings with different labels")
    held = {text: labels for split in corpus.splits for text, labels in labels_of(corpus, split).items()}
    assert (held["ایک کتاب"], held["ایک \u0643تاب"]) == ({"anger"}, {"fear"})


# --- the public variant


def test_the_public_variant_divides_the_reviews_and_keeps_the_test_tweets(tmp_path: Path) -> None:
    source = write(tmp_path)
    corpus = load_emothreat_public(data_dir=tmp_path, source=source)
    texts = {split: set(rows.texts) for split, rows in corpus.splits.items()}
    assert texts["test"] & set(TEST[:8]) == set(TEST[:8])
    assert len(texts["test"] & set(REVIEWS)) == 4  # a fifth of 20
    assert len((texts["train"] | texts["validation"]) & set(REVIEWS)) == 16
    keys = [{duplicate_key(text) for text in split} for split in texts.values()]
    assert len(set.union(*keys)) == sum(map(len, keys))  # no text stands on two sides
    # 63 sentences less the 8 of the test, and 16 reviews.
    assert len(texts["train"]) + len(texts["validation"]) == 55 + 16
    assert "not the official split" in corpus.provenance["variant"]
    assert (
        corpus.provenance["rows_without_label"]["train"]
        + corpus.provenance["rows_without_label"]["validation"]
        == 1
    )
    again = load_emothreat_public(data_dir=tmp_path, source=source)
    other = load_emothreat_public(data_dir=tmp_path, source=source, split_seed=1)
    assert again.splits["test"].row_ids == corpus.splits["test"].row_ids != other.splits["test"].row_ids


@pytest.mark.parametrize("load", [load_emothreat, load_emothreat_public])
def test_without_the_reviews_the_class_neutral_goes(tmp_path: Path, load: Any) -> None:
    corpus = load(data_dir=tmp_path, source=write(tmp_path), neutral=False)
    assert corpus.label_names == EMOTIONS
    assert corpus.splits["test"].texts == TEST[:8]
    assert not any("فلم" in text for rows in corpus.splits.values() for text in rows.texts)


# --- texts that a cut makes the same


def first_two(text: str) -> str:
    return " ".join(text.split()[:2])


def test_texts_that_a_cut_makes_the_same_stand_in_one_split(tmp_path: Path) -> None:
    # 40 pairs of tweets that differ from the third word on; each tweet of the test begins as one more does.
    pairs = [(f"ا{n} ب {end}", hot(EMOTIONS[n % 6])) for n in range(40) for end in ("ج", "د")]
    twins = [(f"{text} {place}", labels) for place, (text, labels) in enumerate(SIMPLE[:6])]
    tested = [(f"آ{n} ب {end}", hot("anger")) for n in range(6) for end in ("ج", "د")]
    sentences = [text for text, _ in tested if text.endswith("ج")]
    source = write(
        tmp_path,
        train_ds_final=tweets([*pairs, *twins]),
        test_ds_final=tweets(tested),
        testing_data=table(["Sentences"], [[text] for text in (*sentences, *REVIEWS)], mark=""),
    )
    options = {"_target_": "emoji_pred.data.emothreat.load_emothreat_public", "name": "x", "source": source}

    def twice(**cut: int) -> list[str]:
        """Texts that stand in two splits."""
        corpus = load_corpus({**options, **cut}, tmp_path)
        held = Counter(text for rows in corpus.splits.values() for text in set(rows.texts))
        return sorted(text for text, splits in held.items() if splits > 1)

    assert twice() == [] == twice(max_words=2) == twice(max_words=1)
    whole, cut = (
        load_emothreat_public(data_dir=tmp_path, source=source, as_read=read) for read in (None, first_two)
    )
    # Six tweets of training begin as one of the test does, and all 20 reviews begin alike.
    assert whole.provenance["tweets_left"]["copies_of_test_texts"] == 0
    assert cut.provenance["tweets_left"]["copies_of_test_texts"] == 6
    assert [text for text in whole.splits["test"].texts if text in sentences] == sentences
    assert [text for text in cut.splits["test"].texts if text in sentences] == sentences


def test_the_official_rows_stay_and_only_validation_is_drawn_by_the_cut(tmp_path: Path) -> None:
    rows = [[*hot(LABELS[n % 6], of=LABELS), f"ا{n} ب {end}"] for n in range(40) for end in ("ج", "د")]
    source = write(tmp_path, training_data=table([*LABELS, "Sentences"], rows, mark=""))
    corpus = load_emothreat(data_dir=tmp_path, source=source, as_read=first_two)
    train, validation = (set(map(first_two, corpus.splits[name].texts)) for name in ("train", "validation"))
    assert len(train) + len(validation) == 40 and not train & validation
    assert sum(len(corpus.splits[name]) for name in ("train", "validation")) == 80
    assert len(corpus.splits["test"]) == len(TEST)


# --- the official training file


def test_the_official_file_keeps_its_rows(tmp_path: Path) -> None:
    corpus = load_emothreat(data_dir=tmp_path, source=write(tmp_path))
    assert sum(len(corpus.splits[split]) for split in ("train", "validation")) == 60
    counts = corpus.class_counts("train") + corpus.class_counts("validation")
    assert counts.tolist() == [7, 7, 7, 7, 6, 6, 20]
    assert corpus.provenance["train"]["sentences"] == 60


@pytest.mark.parametrize(("conflicts", "tests"), [("last", 28), ("drop", 27)])
def test_rows_of_the_official_files_that_go_are_told(tmp_path: Path, conflicts: Any, tests: int) -> None:
    rows = official_rows()
    doubled = [*rows, *rows, [*hot("fear", of=LABELS), "رسمی جملہ 0"]]
    source = write(tmp_path, training_data=table([*LABELS, "Sentences"], doubled, mark=""))
    corpus = load_emothreat(data_dir=tmp_path, source=source, conflicts=conflicts)
    trained = sum(len(corpus.splits[split]) for split in ("train", "validation"))
    assert (trained, len(corpus.splits["test"])) == (60 - (conflicts == "drop"), tests)
    repeats, of_training, of_test = corpus.warnings
    assert repeats == "61 of 121 rows of the training file repeat a sentence, which counts once"
    assert of_training.startswith("1 sentences of the training file stand twice with different labels: ")
    assert of_test.startswith("1 test sentences have different labels among the tweets: ")
    assert corpus.provenance["tweets"]["sentences_with_different_labels"] == 2
    assert corpus.provenance["recovered_test"]["disputed"] == 1


def test_an_official_file_without_repeats_and_an_own_test_have_nothing_to_tell(tmp_path: Path) -> None:
    workbook(tmp_path / "test.xlsx", [*LABELS, "Sentences"], official_rows()[:9])
    corpus = load_emothreat(data_dir=tmp_path, source=write(tmp_path), files={"test": "test.xlsx"})
    assert corpus.warnings == () and "tweets" not in corpus.provenance


def workbook(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [header, *rows]:
        sheet.append(row)
    book.save(path)


def test_the_organisers_own_workbook_or_csv_in_any_order(tmp_path: Path) -> None:
    pinned = load_emothreat(data_dir=tmp_path, source=write(tmp_path))
    header = ["id", "Sentences", *(label.title() for label in reversed(LABELS))]
    rows = [[place, row[-1], *reversed(row[:7])] for place, row in enumerate(official_rows())]
    workbook(tmp_path / "own.xlsx", header, rows)
    (tmp_path / "own.csv").write_bytes(table(header, rows))
    for name in ("own.xlsx", "own.csv"):
        own = load_emothreat(data_dir=tmp_path, source=write(tmp_path), files={"train": name})
        for split in ("train", "validation", "test"):
            assert labels_of(own, split) == labels_of(pinned, split)
        assert own.provenance["sources"]["own_files"]["train"]["file"] == name


def test_the_organisers_own_labelled_test(tmp_path: Path) -> None:
    workbook(tmp_path / "test.xlsx", [*LABELS, "Sentences"], official_rows()[:9])
    source = write(tmp_path)
    corpus = load_emothreat(data_dir=tmp_path, source=source, files={"test": "test.xlsx"})
    assert len(corpus.splits["test"]) == 9 and "recovered_test" not in corpus.provenance


def test_a_training_file_that_cannot_be_had_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoji_pred.data.sources.PUBLIC_ADDRESS", "http://127.0.0.1:9")
    source = write(tmp_path)
    (tmp_path / OFFICIAL / "training_data.csv").unlink()
    with pytest.raises(UserError) as error:
        load_emothreat(data_dir=tmp_path, source=source)
    message = str(error.value)
    assert "\n" not in message
    for words in ("training_data.csv is missing", "data.files.train", "data=emothreat_public"):
        assert words in message
    assert len(load_emothreat_public(data_dir=tmp_path, source=source).splits["test"]) == 12


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (table(["Sentences", "anger", "joy"], [["a", 0, 1]]),
         ["disgust, fear", "expected Sentences, anger", "found Sentences, anger, joy"]),
        (table([*LABELS, "Sentences"], [["yes", 0, 0, 0, 0, 0, 1, "a"]]),
         ["row 1 (line 2)", "'anger'", "'yes'", "0 or 1"]),
        (table([*LABELS, "Sentences"], [[2, 0, 0, 0, 0, 0, 1, "a"]]), ["row 1", "'2'", "0 or 1"]),
        (table([*LABELS, "Sentences"], [["", 0, 0, 0, 0, 0, 1, "a"]]),
         ["row 1", "label is missing; fill it in, or remove the row"]),
        (table([*LABELS, "Anger", "Sentences"], [[0] * 8 + ["a"]]), ["'anger' and 'Anger'"]),
        (table([*LABELS, "Sentences"], [[0] * 7 + ["ہے " * 100_000]]),
         ["row 1", "300000 characters, more than 100000; cut it"]),
        (table([*LABELS, "Sentences"], [[0] * 7 + [" "]]), ["no row has both"]),
        (table([*LABELS, "Sentences"], [[1, 0, 0, 0, 0, 0, 0, "a"]]), ["no row is left for validation"]),
    ],
)  # fmt: skip
def test_a_training_file_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, content: bytes, words: list[str]
) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        load_emothreat(data_dir=tmp_path, source=write(tmp_path), files={"train": "own.csv"})
    message = str(error.value)
    assert all(word in message for word in words) and "\n" not in message, message
    # No option that data=emothreat does not have.
    assert "on_missing_label" not in message and "max_text_chars" not in message


def test_a_class_without_training_rows_is_a_warning(tmp_path: Path) -> None:
    rows = [row for row in official_rows() if not row[2]]  # no fear
    source = write(tmp_path, training_data=table([*LABELS, "Sentences"], rows))
    options = {"_target_": "emoji_pred.data.emothreat.load_emothreat", "name": "x", "source": source}
    corpus = load_corpus(options, tmp_path)
    (warning,) = [line for line in corpus.warnings if "no training row" in line]
    assert "1 class(es)" in warning and "fear" in warning and "1 label(s) of validation and test" in warning


# --- the real public files


@pytest.fixture(scope="module")
def options(shared_data_dir: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CONF / "emothreat_public.yaml").read_text(encoding="utf-8"))
    for source in loaded["source"].values():
        for path in source["files"]:
            if not (shared_data_dir / source["repository"] / path).is_file():
                pytest.skip(f"not in EMOJI_PRED_DATA: {source['repository']}/{path}")
    return loaded


@pytest.fixture(scope="module")
def real(shared_data_dir: Path, options: dict[str, Any]) -> Corpus:
    return load_corpus(options, shared_data_dir)


def test_the_real_test_is_recovered_whole(real: Corpus) -> None:
    recovered = real.provenance["recovered_test"]
    assert (recovered["found_among_tweets"], recovered["neutral_reviews"], recovered["dropped"]) == (
        1197,
        753,
        0,
    )
    assert real.provenance["tweets"]["rows"] == 6043
    assert real.provenance["tweets"]["sentences_with_different_labels"] == 47
    assert recovered["disputed"] == 6
    assert real.provenance["disputed_spellings"] == 4
    # The tweets that are left are the official training tweets, but for seven: white space folded.
    counts = real.provenance["tweets_left"]["labels"]
    assert real.provenance["tweets_left"]["rows"] == 7800 - PAPER_COUNTS["neutral"] - 7
    for label in EMOTIONS:
        assert abs(counts[label] - PAPER_COUNTS[label]) <= 6, label


def test_the_recovered_labels_agree_with_the_paper_s_table(
    shared_data_dir: Path, options: dict[str, Any], real: Corpus
) -> None:
    # Independent of the loader: of tweets that are alike character by character the last counts.
    source = options["source"]["tweets"]
    last: dict[str, list[int]] = {}
    for name in ("train_ds_final.csv", "test_ds_final.csv"):
        path = shared_data_dir / source["repository"] / "dataset" / name
        rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        last |= {text: [int(cell) for cell in cells] for text, *cells in list(rows)[1:]}
    assert len(last) - 1197 == 7800 - PAPER_COUNTS["neutral"]
    test = [real.provenance["recovered_test"]["labels"][label] for label in EMOTIONS]
    left = np.sum(list(last.values()), axis=0) - test
    less = real.provenance["tweets_less_test"]
    assert less == {
        "rows": len(last) - 1197,
        "labels": dict(zip(EMOTIONS, left.tolist(), strict=True)),
    }
    more = left - [PAPER_COUNTS[label] for label in EMOTIONS]
    assert dict(zip(EMOTIONS, more.tolist(), strict=True)) == {
        "anger": 0, "disgust": 0, "fear": 1, "sadness": 0, "surprise": 1, "happiness": 0
    }  # fmt: skip


def test_no_real_text_stands_on_two_sides_and_reviews_are_as_frequent(real: Corpus) -> None:
    # Nor in another spelling: seven tweets are copies of test tweets but for signs and letters.
    assert real.provenance["tweets_left"]["copies_of_test_texts"] == 9
    keys = {
        split: [duplicate_key(normalise_urdu(text)) for text in rows.texts]
        for split, rows in real.splits.items()
    }
    held = Counter(key for split in keys.values() for key in set(split))
    assert max(held.values()) == 1
    shares = [real.class_counts(split)[-1] / len(real.splits[split]) for split in real.splits]
    assert max(shares) - min(shares) < 0.01


def test_the_real_raw_texts_are_found_by_their_ids(
    shared_data_dir: Path, options: dict[str, Any], real: Corpus
) -> None:
    cleaned = load_corpus(
        {**options, "normalise": "urdu", "clean": "leak_free", "max_words": 20}, shared_data_dir
    )
    raw = {row: text for rows in real.splits.values()
           for row, text in zip(rows.row_ids, rows.texts, strict=True)}  # fmt: skip
    for rows in cleaned.splits.values():
        for row, text in zip(rows.row_ids, rows.texts, strict=True):
            assert first_words(normalise_urdu(strip_stray_invisible(raw[row])), 20) == text
    assert max(len(text.split()) for text in cleaned.splits["test"].texts) == 20


@pytest.mark.parametrize("cut", [{"max_words": 20}, {"max_words": 5, "normalise": "urdu"}])
def test_no_real_text_stands_on_two_sides_when_it_is_cut(
    shared_data_dir: Path, options: dict[str, Any], real: Corpus, cut: dict[str, Any]
) -> None:
    corpus = load_corpus({**options, **cut}, shared_data_dir)
    keys = [{duplicate_key(text) for text in rows.texts} for rows in corpus.splits.values()]
    assert len(set.union(*keys)) == sum(map(len, keys))
    tweets = [row for row in real.splits["test"].row_ids if row in corpus.splits["test"].row_ids]
    assert len(tweets) >= 1197  # no tweet leaves the test


def test_one_spelling_draws_the_real_rows_as_ever(
    shared_data_dir: Path, options: dict[str, Any], real: Corpus
) -> None:
    spelt = load_corpus({**options, "normalise": "urdu", "clean": "leak_free"}, shared_data_dir)
    for split, rows in spelt.splits.items():
        assert rows.row_ids == real.splits[split].row_ids
