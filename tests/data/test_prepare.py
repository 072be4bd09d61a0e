from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.data.prepare import load_corpus
from emoji_pred.errors import UserError

TARGET = "emoji_pred.data.toy.load_toy"


def load_toy(*, data_dir: Path, size: int = 3, deep: dict[str, int] | None = None) -> Corpus:
    def split(name: str, texts: list[str]) -> Split:
        labels = np.arange(len(texts)) % 2
        return Split(texts, labels.astype(np.int64), [f"{name}/{row}" for row in range(len(texts))])

    return Corpus(
        name="toy",
        task="multiclass",
        label_names=("a", "b"),
        splits={
            "train": split("train", ["one \ufe0f heart", "two", "three"]),
            "validation": split("validation", ["four", "\u200b"]),
            "test": split("test", ["TWO", "five", "one heart", "four ", "six"]),
        },
        provenance={"size": size, "data_dir": str(data_dir)},
        warnings=("from the loader",),
    )


@pytest.fixture(autouse=True)
def toy_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("emoji_pred.data.toy")
    monkeypatch.setattr(load_toy, "__module__", module.__name__)
    module.load_toy = load_toy  # type: ignore[attr-defined]
    module.load_foreign = json.loads  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "emoji_pred.data.toy", module)


def load(**options: Any) -> Corpus:
    return load_corpus({"_target_": TARGET, "name": "my toy", **options}, Path("cache"))


def test_as_distributed_changes_no_text() -> None:
    corpus = load(clean="as_distributed", size=9)
    assert corpus.name == "my toy"
    cleaning = {"clean": "as_distributed", "test_duplicates": 3}
    ceiling = dict.fromkeys(
        ("train", "validation", "test"), dict.fromkeys(("top_1", "top_3", "top_5", "top_10"), 1.0)
    )
    assert corpus.provenance == {"size": 9, "data_dir": "cache", "cleaning": cleaning, "ceiling": ceiling}
    assert corpus.splits["train"].texts[0] == "one \ufe0f heart"
    assert len(corpus.splits["test"]) == 5


def test_leak_free_cleans_every_split_counts_and_keeps_rows() -> None:
    corpus = load(clean="leak_free")
    assert corpus.splits["train"].texts == ["one heart", "two", "three"]
    assert corpus.splits["validation"].texts == ["four", ""]
    assert corpus.provenance["cleaning"] == {
        "clean": "leak_free",
        "rows_changed": {"train": 1, "validation": 1, "test": 1},
        "texts_emptied": {"train": 0, "validation": 1, "test": 0},
        "test_duplicates": 3,
    }
    loader, emptied, doubled = corpus.warnings
    assert loader == "from the loader"
    assert emptied.startswith("1 text(s)")
    assert doubled.startswith("3 of 5 test texts stand in train or validation too")


def test_every_dataset_can_be_cut_and_spelt_alike() -> None:
    corpus = load(max_words=1, normalise="urdu")
    assert corpus.splits["train"].texts == ["one", "two", "three"]
    assert corpus.splits["validation"].texts == ["four", "\u200b"]
    assert corpus.splits["test"].texts == ["two", "five", "one", "four", "six"]
    assert corpus.provenance["cleaning"] == {
        "clean": "as_distributed",
        "normalise": "urdu",
        "max_words": 1,
        "rows_changed": {"train": 1, "validation": 0, "test": 3},
        "texts_emptied": {"train": 0, "validation": 0, "test": 0},
        "rows_cut": {"train": 1, "validation": 0, "test": 1},
        "test_duplicates": 3,
    }


def test_words_are_counted_as_the_text_then_is() -> None:
    # U+FE0F between two spaces is a word until it is removed.
    assert load(max_words=2).splits["train"].texts[0] == "one \ufe0f"
    assert load(max_words=2, clean="leak_free").splits["train"].texts[0] == "one heart"


def test_a_run_of_before_joiners_were_left_cleans_new_texts_as_it_did() -> None:
    from emoji_pred.data.prepare import Cleaning

    urdu, couple = "می\u200cشود \ufe0f", "👩\u200d❤\ufe0f\u200d👨"

    def cleaned(loader: str, identity: dict[str, Any], **options: Any) -> list[str]:
        data = {"_target_": f"emoji_pred.data.{loader}", **options}
        result = {"config": {"data": data}, "provenance": {"identity": {"version": 1, **identity}}}
        return [Cleaning.of_run(result)(text) for text in (urdu, couple)]

    own, clean = "text_files.load_text_files", {"clean": "leak_free", "max_words": 1}
    assert cleaned(own, {}, **clean) == ["میشود", "👩❤👨"]
    assert cleaned(own, {"cleaning": 2}, **clean) == ["می\u200cشود", couple]
    assert cleaned("sample.load_sample", {}, **clean) == ["می\u200cشود", couple]
    assert cleaned(own, {}, clean="as_distributed") == [urdu, couple]


def test_how_joiners_are_cleaned_is_no_option() -> None:
    with pytest.raises(UserError, match=r"data\.keep_joiners is not an option"):
        load(clean="leak_free", keep_joiners=False)


def test_a_text_of_marks_only_is_told() -> None:
    import dataclasses

    from emoji_pred.data.prepare import Cleaning, clean_corpus

    corpus = load()
    train = dataclasses.replace(corpus.splits["train"], texts=["\u064e\u0640", "b", "c"])
    cleaned = clean_corpus(
        dataclasses.replace(corpus, splits={**corpus.splits, "train": train}), Cleaning(normalise="urdu")
    )
    assert "1 text(s) held nothing but invisible characters and marks" in cleaned.warnings[-1]


def test_a_few_duplicates_are_counted_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emoji_pred.data.prepare.NOTABLE_DUPLICATES", 0.6)
    corpus = load()
    assert corpus.provenance["cleaning"]["test_duplicates"] == 3
    assert corpus.warnings == ("from the loader",)


@pytest.mark.parametrize("clean", ["as_distributed", "leak_free"])
def test_test_duplicates_go_and_the_others_keep_their_ids(clean: str) -> None:
    corpus = load(clean=clean, drop_test_duplicates=True)
    test = corpus.splits["test"]
    assert [text.strip() for text in test.texts] == ["five", "six"]
    assert test.row_ids == ["test/1", "test/4"]
    assert test.labels.tolist() == [1, 0]
    assert corpus.provenance["cleaning"]["test_duplicates_dropped"] == 3
    assert len(corpus.splits["train"]) == 3
    assert not any("drop_test_duplicates" in warning for warning in corpus.warnings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sise": 3}, ["data.sise", "size"]),
        ({"clean": "leakfree"}, ["data.clean=leakfree", "leak_free"]),
        ({"size": "many"}, ["data.size='many'", "integer"]),
        ({"deep": {"key": "x"}}, ["data.deep.key='x'", "integer"]),
        ({"_target_": "os.system"}, ["os.system", "not allowed"]),
        ({"_target_": "emoji_pred.data.toy.other"}, ["not allowed"]),
        ({"_target_": "emoji_pred.data.nowhere.load_x"}, ["does not exist"]),
        ({"_target_": "emoji_pred.data.toy.load_x"}, ["does not exist"]),
        ({"_target_": None}, ["not allowed"]),
        ({"_target_": "emoji_pred.data.toy.load_foreign"}, ["not allowed", "does not define it"]),
        ({"normalise": "urd"}, ["data.normalise=urd", "urdu"]),
        ({"max_words": 0}, ["data.max_words=0", "greater than or equal to 1"]),
        ({"max_words": 2.5}, ["data.max_words=2.5", "integer"]),
        ({"max_words": "all"}, ["data.max_words='all'", "integer"]),
        ({"drop_test_duplicates": "maybe"}, ["drop_test_duplicates"]),
    ],
)
def test_a_wrong_option_is_one_clear_line(options: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        load(**options)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


def test_a_required_option_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="source is missing"):
        load_corpus({"_target_": "emoji_pred.data.tweeteval.load_tweeteval"}, Path("cache"))


def test_data_and_text_need_no_deep_learning_library() -> None:
    import subprocess

    program = (
        "import sys, emoji_pred.data.prepare, emoji_pred.data.tweeteval, emoji_pred.data.text_files\n"
        "import emoji_pred.data.sample\n"
        "heavy = {'torch', 'lightning', 'transformers', 'nltk', 'sklearn', 'pandas', 'pyarrow', 'rich'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
