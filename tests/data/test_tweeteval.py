from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from emoji_pred.data import tweeteval
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import load_corpus
from emoji_pred.data.sources import git_blob_id
from emoji_pred.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf/data/tweeteval.yaml"
FOLDER = Path("cardiffnlp/tweeteval/datasets/emoji")
FILES = {
    "mapping.txt": "0\t❤\t_red_heart_\n1\t☀\t_sun_\n",
    "train_text.txt": "line\u2028separator \u0085 next\nlove \ufe0f \nthird\n",
    "train_labels.txt": "0\n1\n0\n",
    "val_text.txt": "v1\nv2\n",
    "val_labels.txt": "1\n0\n",
    "test_text.txt": "t1\nt2\n",
    "test_labels.txt": "1\n1\n",
}


def write(data_dir: Path, changes: dict[str, str | bytes] | None = None) -> dict:
    """Write the seven files (invented texts) and return the pins that verify them."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True)
    pins = {}
    for name, content in {**FILES, **(changes or {})}.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        pins[f"datasets/emoji/{name}"] = git_blob_id(folder / name)
    return {"repository": "cardiffnlp/tweeteval", "commit": "4" * 40, "files": pins}


def test_lines_end_at_line_feeds_only_and_nothing_else_is_stripped(tmp_path: Path) -> None:
    corpus = tweeteval.load_tweeteval(data_dir=tmp_path, source=write(tmp_path))
    train = corpus.splits["train"]
    assert train.texts == ["line\u2028separator \u0085 next", "love \ufe0f ", "third"]
    assert train.labels.tolist() == [0, 1, 0]
    assert train.row_ids == ["train/0", "train/1", "train/2"]
    assert corpus.splits["validation"].row_ids == ["validation/0", "validation/1"]
    assert corpus.label_names == ("❤", "☀")
    assert corpus.provenance["rows"] == {"train": 3, "validation": 2, "test": 2}
    assert len(corpus.provenance["files"]) == 7


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_labels.txt": "1\n"}, ["test_text.txt", "2", "1"]),
        ({"test_labels.txt": "1\n2\n"}, ["test", "outside", "2"]),
        ({"test_labels.txt": "1\nx\n"}, ["test_labels.txt"]),
        ({"val_text.txt": b"ok\n\xff\n"}, ["val_text.txt", "byte 3"]),
        ({"mapping.txt": "0\t❤\n2\t☀\n"}, ["mapping.txt", "row 2"]),
    ],
)
def test_files_that_disagree_are_refused(tmp_path: Path, changes: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        tweeteval.load_tweeteval(data_dir=tmp_path, source=write(tmp_path, changes))
    assert all(word in str(error.value) for word in words), error.value


def test_a_file_without_a_pin_is_named(tmp_path: Path) -> None:
    source = write(tmp_path)
    del source["files"]["datasets/emoji/val_labels.txt"]
    with pytest.raises(UserError, match=r"val_labels\.txt"):
        tweeteval.load_tweeteval(data_dir=tmp_path, source=source)


@pytest.fixture(scope="module")
def options() -> dict:
    return yaml.safe_load(CONF.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def distributed(shared_data_dir: Path, options: dict) -> Corpus:
    return load_corpus(options, shared_data_dir)


@pytest.fixture(scope="module")
def leak_free(shared_data_dir: Path, options: dict) -> Corpus:
    return load_corpus({**options, "clean": "leak_free", "drop_test_duplicates": True}, shared_data_dir)


def share_with_selector(corpus: Corpus, split: str, label: str) -> float:
    rows = corpus.splits[split]
    chosen = np.flatnonzero(rows.labels == corpus.label_names.index(label))
    return float(np.mean(["\ufe0f" in rows.texts[row] for row in chosen]))


def test_the_real_data_have_the_published_sizes_and_leak(distributed: Corpus) -> None:
    assert {name: len(split) for name, split in distributed.splits.items()} == {
        "train": 45_000,
        "validation": 5_000,
        "test": 50_000,
    }
    assert distributed.num_classes == 20
    assert distributed.label_names[:2] == ("❤", "😍")
    # The shares that the notes on the paper's data state.
    assert share_with_selector(distributed, "train", "❤") == pytest.approx(0.84, abs=0.005)
    assert share_with_selector(distributed, "train", "☀") == pytest.approx(0.96, abs=0.005)
    assert share_with_selector(distributed, "test", "❤") == pytest.approx(0.85, abs=0.005)
    assert share_with_selector(distributed, "test", "☀") == pytest.approx(0.98, abs=0.005)
    assert share_with_selector(distributed, "validation", "☀") == pytest.approx(0.17, abs=0.005)


def test_leak_free_drops_the_85_duplicates_and_no_other_row(leak_free: Corpus, distributed: Corpus) -> None:
    assert leak_free.provenance["cleaning"]["test_duplicates_dropped"] == 85
    assert len(leak_free.splits["test"]) == 50_000 - 85
    assert leak_free.provenance["cleaning"]["texts_emptied"] == {"train": 0, "validation": 0, "test": 0}
    labels = dict(
        zip(distributed.splits["test"].row_ids, distributed.splits["test"].labels.tolist(), strict=True)
    )
    kept = leak_free.splits["test"]
    assert all(labels[row_id] == label for row_id, label in zip(kept.row_ids, kept.labels, strict=True))


def test_after_leak_free_no_character_or_space_gives_the_heart_away(
    leak_free: Corpus, distributed: Corpus
) -> None:
    def precision_of_best_mark(corpus: Corpus) -> float:
        """Precision of the best rule "this character, or this sign with a space around it, means heart"."""
        rows = corpus.splits["test"]
        marks: dict[str, list[int]] = {}
        for row, text in enumerate(rows.texts):
            found = {char for char in text if not char.isalnum()} | {text[:1], text[-1:]}
            found |= {
                text[i : i + 2]
                for i, char in enumerate(text)
                if char == " " and not text[i + 1 : i + 2].isalnum()
            }
            for mark in found:
                marks.setdefault(mark, []).append(row)
        return max(float(np.mean(rows.labels[at] == 0)) for at in marks.values() if len(at) >= 300)

    prior = float(np.mean(leak_free.splits["test"].labels == 0))
    assert precision_of_best_mark(distributed) > 0.85
    assert precision_of_best_mark(leak_free) < prior + 0.15
    texts = leak_free.splits["train"].texts
    assert not any(text != text.strip() or "  " in text for text in texts)
