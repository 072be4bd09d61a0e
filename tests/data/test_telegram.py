"""Telegram-Rus: invented tables of the same form; the real third set where there is one."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.model_selection import train_test_split

from emoji_pred.data.prepare import load_corpus
from emoji_pred.data.sources import git_blob_id
from emoji_pred.data.splits import random_split
from emoji_pred.data.telegram import load_telegram_rus, load_telegram_rus_small
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key

CONF = Path(__file__).resolve().parents[2] / "conf" / "data"
FOLDER = Path("megnar/Text2EmojiRus/data/final")
TRAIN = [(f"вот это текст номер {number % 45}", "😂❤😁"[number % 3]) for number in range(60)]
THIRD = [
    ("вот это другой текст", "😂❤😂"),  # two pairs
    ("вот это другой текст", "❤"),  # a duplicate
    ("вот это ДРУГОЙ текст", "😁"),  # the same text but for case
    ("без эмодзи совсем", ""),
    ("мало слов", "😂"),
    ("ещё одна такая строка", "🤦\U0001f3fb🦄"),
]


def table(rows: list[tuple[str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("text", "emoji"), *rows])
    return text.getvalue().encode()


def write(data_dir: Path, **changes: bytes) -> dict[str, Any]:
    """Write both tables and return the pins that verify them."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"final_train": table(TRAIN), "final_inference": table(THIRD), **changes}
    pins = {}
    for name, content in contents.items():
        (folder / f"{name}.csv").write_bytes(content)
        pins[f"data/final/{name}.csv"] = git_blob_id(content)
    return {"repository": "megnar/Text2EmojiRus", "commit": "b" * 40, "files": pins}


# --- the authors' table


def test_the_final_table_is_taken_as_it_is(tmp_path: Path) -> None:
    corpus = load_telegram_rus(data_dir=tmp_path, source=write(tmp_path))
    assert corpus.label_names == ("😂", "❤", "😁")  # in order of first appearance
    train, validation = corpus.splits["train"], corpus.splits["validation"]
    assert (len(train), len(validation)) == (54, 6)
    rows = {
        row_id: (text, corpus.label_names[label])
        for split in (train, validation)
        for row_id, text, label in zip(split.row_ids, split.texts, split.labels.tolist(), strict=True)
    }
    assert rows == {f"row/{place}": row for place, row in enumerate(TRAIN)}


def test_the_third_set_is_the_test_split_by_the_same_steps(tmp_path: Path) -> None:
    corpus = load_telegram_rus(data_dir=tmp_path, source=write(tmp_path))
    test = corpus.splits["test"]
    assert list(zip(test.texts, test.labels.tolist(), test.row_ids, strict=True)) == [
        ("вот это другой текст", 0, "test/0/0"),
        ("вот это другой текст", 1, "test/0/1"),
        ("вот это ДРУГОЙ текст", 2, "test/2/0"),
    ]
    steps = corpus.provenance["steps"]["final_inference.csv"]
    # The last row gives three code points by the authors' way, none of them a class.
    assert (steps["messages"], steps["with_emoji"], steps["no_emoji"], steps["too_short"]) == (6, 5, 1, 1)
    assert (steps["pairs"], steps["duplicates"], steps["rare"], steps["rows"]) == (7, 1, 3, 3)


@pytest.mark.parametrize("rows", [10, 97, 446_559])
def test_a_split_by_row_is_that_of_scikit_learn(rows: int) -> None:
    train, validation = train_test_split(np.arange(rows), test_size=0.1, random_state=42)
    parts = random_split(rows, {"validation": 0.1}, seed=42)
    assert np.array_equal(parts["validation"], np.sort(validation))
    assert np.array_equal(parts["train"], np.sort(train))


def test_the_paper_s_sizes() -> None:
    parts = random_split(446_559, {"validation": 0.1}, seed=42)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 401_903, "validation": 44_656}


@pytest.mark.parametrize("load", [load_telegram_rus, load_telegram_rus_small])
def test_by_text_no_text_stands_in_two_drawn_splits(tmp_path: Path, load: Any) -> None:
    third = table([(f"Вот это текст {n % 40}" + " " * (n % 3), "😂❤😁"[n % 3]) for n in range(200)])
    source = write(tmp_path, final_inference=third)
    names = ("train", "validation") if load is load_telegram_rus else ("train", "validation", "test")

    def keys(split: str) -> list[set[str]]:
        corpus = load(data_dir=tmp_path, source=source, split=split)
        return [{duplicate_key(text) for text in corpus.splits[name].texts} for name in names]

    together, apart = keys("by_row"), keys("by_text")
    assert set.intersection(together[0], together[1])
    assert sum(map(len, apart)) == len(set.union(*apart)) == len(set.union(*together))


@pytest.mark.parametrize("name", ["telegram_rus", "telegram_rus_small"])
def test_by_text_no_beginning_stands_in_two_drawn_splits_where_texts_are_cut(
    tmp_path: Path, name: str
) -> None:
    rows = [(f"Вот это {n % 40} и ещё {n}", "😂❤😁"[n % 3]) for n in range(200)]
    source = write(tmp_path, final_train=table(rows), final_inference=table(rows))
    options = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    options |= {"source": source, "max_words": 3}

    def keys(split: str) -> list[set[str]]:
        corpus = load_corpus({**options, "split": split}, tmp_path)
        return [
            {duplicate_key(text) for text in corpus.splits[part].texts} for part in ("train", "validation")
        ]

    together, apart = keys("by_row"), keys("by_text")
    assert together[0] & together[1] and not apart[0] & apart[1]


# --- the small one


def test_small_by_hand(tmp_path: Path) -> None:
    # 20 rows of one emoji, 10 of another in two skin tones, and one rare.
    rows = [(f"вот это текст {n}", "😂") for n in range(20)]
    rows += [(f"вот такой текст {n}", "👍🏽👍" if n % 2 else "👍") for n in range(10)]
    source = write(tmp_path, final_inference=table([*rows, ("ещё один вот такой", "🦄")]))
    corpus = load_telegram_rus_small(data_dir=tmp_path, source=source, classes=2)
    assert corpus.label_names == ("😂", "👍")
    counts = {name: corpus.class_counts(name).tolist() for name in corpus.splits}
    assert counts == {"train": [16, 8], "validation": [2, 1], "test": [2, 1]}
    steps = corpus.provenance["steps"]["final_inference.csv"]
    assert (steps["pairs"], steps["distinct"], steps["rare"], steps["emoji"], steps["classes"]) == (
        31,
        31,
        1,
        3,
        2,
    )
    assert corpus.provenance["tail"]["ratio"] == 2.0


def test_min_rows_and_no_test_split(tmp_path: Path) -> None:
    source = write(tmp_path, final_inference=table(TRAIN))
    corpus = load_telegram_rus_small(data_dir=tmp_path, source=source, test_fraction=0)
    assert list(corpus.splits) == ["train", "validation"]
    with pytest.raises(UserError, match=r"data\.min_rows=50 leaves 0 of 3 emoji"):
        load_telegram_rus_small(data_dir=tmp_path, source=source, min_rows=50)
    with pytest.raises(UserError, match="leave no training rows"):
        load_telegram_rus_small(data_dir=tmp_path, source=source, test_fraction=0.5, validation_fraction=0.5)


# --- files that cannot be used


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"text,emoji\n\xff\xfe,x\n", ["final_train.csv", "line 2", "utf-8"]),
        (b"text,sign\na b c,x\n", ["final_train.csv", "emoji", "text, sign"]),
        (b"text,emoji\na b c\n", ["final_train.csv", "row 1", "1 cells"]),
        (b"text,emoji\n,x\n", ["final_train.csv", "row 1", "missing"]),
        (b"text,emoji\n", ["final_train.csv", "no rows"]),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path: Path, content: bytes, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        load_telegram_rus(data_dir=tmp_path, source=write(tmp_path, final_train=content))
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoji_pred.data.sources.PUBLIC_ADDRESS", "http://127.0.0.1:9")
    source = write(tmp_path)
    (tmp_path / FOLDER / "final_inference.csv").write_bytes(table(THIRD) + b"more,x\n")
    with pytest.raises(UserError, match=r"final_inference\.csv is corrupted"):
        load_telegram_rus(data_dir=tmp_path, source=source)
    del source["files"]["data/final/final_inference.csv"]
    with pytest.raises(UserError, match=r"final_inference\.csv is not among the pinned files"):
        load_telegram_rus_small(data_dir=tmp_path, source=source)


# --- the real third set


@pytest.fixture(scope="module")
def options(shared_data_dir: Path) -> dict[str, Any]:
    if not (shared_data_dir / FOLDER / "final_inference.csv").is_file():
        pytest.skip(
            "the third set is not in EMOJI_PRED_DATA: megnar/Text2EmojiRus/data/final/final_inference.csv"
        )
    loaded: dict[str, Any] = yaml.safe_load((CONF / "telegram_rus_small.yaml").read_text(encoding="utf-8"))
    return loaded


def test_the_real_third_set(shared_data_dir: Path, options: dict[str, Any]) -> None:
    corpus = load_corpus({**options, "drop_test_duplicates": True}, shared_data_dir)
    steps = corpus.provenance["steps"]["final_inference.csv"]
    assert steps["messages"] == 20_863  # the paper's Table 1 has the file's lines: 20,864 with the header
    assert steps["messages"] - steps["with_emoji"] == 178
    assert corpus.num_classes == 62
    assert corpus.label_names[:2] == ("😂", "❤")
    assert not set(corpus.label_names) & {"\U0001f3fb", "\U0001f1f7"}
    assert corpus.provenance["cleaning"]["test_duplicates_dropped"] == 0  # split by text
    sizes = corpus.provenance["rows"]
    assert sizes["test"] / sum(sizes.values()) == pytest.approx(0.1, abs=0.002)
    assert min(corpus.class_counts("validation")) >= 5


def test_the_real_third_set_by_code_points(shared_data_dir: Path, options: dict[str, Any]) -> None:
    corpus = load_corpus({**options, "units": "codepoint", "split": "by_row"}, shared_data_dir)
    assert "\U0001f3fb" in corpus.label_names  # a skin tone is a class of the authors' way
    assert corpus.provenance["split"]["rows_shared_with_train"]["validation"] > 100
    assert any("data.split=by_text" in warning for warning in corpus.warnings)


def test_no_heavy_library_is_loaded() -> None:
    code = (
        "import sys, emoji_pred.data.telegram, emoji_pred.data.prepare;"
        "print(sorted({'torch', 'pandas', 'sklearn', 'emoji'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
