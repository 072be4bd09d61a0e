from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import load_corpus
from emoji_pred.data.sources import git_blob_id
from emoji_pred.data.text_files import local_files
from emoji_pred.errors import UserError
from emoji_pred.text import duplicate_key

CONF = Path(__file__).resolve().parents[2] / "conf/data/text_files.yaml"
OPTIONS = yaml.safe_load(CONF.read_text(encoding="utf-8"))
ROWS = [(f"text {row}", ("❤", "😂")[row % 2]) for row in range(40)]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    train: Any = "train.csv", validation: Any = None, test: Any = None, mapping: Any = None, **options: Any
) -> Corpus:
    files = {"train": train, "validation": validation, "test": test, "mapping": mapping}
    return load_corpus({**OPTIONS, "files": files, **options}, Path("cache"))


def error_of(*args: Any, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        load(*args, **options)
    message = str(error.value)
    assert "\n" not in message and len(message) < 700
    return message


def write_csv(
    rows: list[tuple], name: str = "train.csv", header: str = "text,label", delimiter: str = ","
) -> None:
    lines = [header, *(delimiter.join(map(str, row)) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")


# Formats


def write_all(kind: str) -> dict[str, Any]:
    """Write ROWS in one format and return the options that read them."""
    if kind == "jsonl":
        lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in ROWS]
        Path("data.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return {"train": "data.jsonl"}
    if kind == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        texts, labels = zip(*ROWS, strict=True)
        pq.write_table(
            pa.table({"text": texts, "label": pa.array(labels).dictionary_encode()}), "data.parquet"
        )
        return {"train": "data.parquet"}
    if kind == "paired":
        Path("texts.txt").write_text("".join(f"{text}\n" for text, _ in ROWS), encoding="utf-8")
        Path("labels.txt").write_text("".join(f"{int(label == '😂')}\n" for _, label in ROWS))
        Path("mapping.txt").write_text("0\t❤\t_heart_\n1\t😂\t_joy_\n", encoding="utf-8")
        return {"train": {"texts": "texts.txt", "labels": "labels.txt"}, "mapping": "mapping.txt"}
    if kind == "tsv":
        write_csv(ROWS, "data.tsv", "text\tlabel", "\t")
        return {"train": "data.tsv"}
    if kind == "semicolons":
        write_csv(ROWS, "data.csv", "text;label", ";")
        return {"train": "data.csv", "delimiter": ";"}
    if kind == "cp1251":
        Path("data.csv").write_bytes(
            b"text,label\n"
            + b"".join(f"{t},{'да' if y == '❤' else 'нет'}\n".encode("cp1251") for t, y in ROWS)
        )
        return {"train": "data.csv", "encoding": "cp1251"}
    write_csv(ROWS, "data.csv", "\ufefftext,label")
    return {"train": "data.csv"}


@pytest.mark.parametrize(
    "kind", ["csv with mark", "tsv", "semicolons", "jsonl", "parquet", "paired", "cp1251"]
)
def test_every_format_gives_the_same_corpus(kind: str) -> None:
    corpus = load(**write_all(kind))
    names = ("да", "нет") if kind == "cp1251" else ("❤", "😂")
    assert corpus.label_names == names
    assert corpus.task == "multiclass"
    assert {name: len(split) for name, split in corpus.splits.items()} == {
        "train": 32,
        "validation": 4,
        "test": 4,
    }
    for split in corpus.splits.values():
        for text, label, row_id in zip(split.texts, split.labels, split.row_ids, strict=True):
            assert row_id == f"train/{text.split()[1]}"
            assert label == int(text.split()[1]) % 2


def test_quoted_cells_keep_commas_line_breaks_and_quotes() -> None:
    write_csv([*ROWS, ('"a, ""b""\nc"', "❤"), ("", "😂")])
    corpus = load(validation_fraction=0.05, test_fraction=0)
    texts = [text for split in corpus.splits.values() for text in split.texts]
    assert 'a, "b"\nc' in texts
    assert corpus.warnings == (
        "1 row(s) dropped: the text is empty (the first: train.csv, row 42 (line 44))",
    )
    assert corpus.provenance["rows_dropped"] == 1
    assert "test" not in corpus.splits


def test_quotation_marks_can_be_plain_characters() -> None:
    write_csv([*ROWS, ('"unclosed', "❤")], "data.tsv", "text\tlabel", "\t")
    assert "quotation mark" in error_of("data.tsv")
    corpus = load("data.tsv", quoting=False)
    assert '"unclosed' in [text for split in corpus.splits.values() for text in split.texts]


# Labels


def test_numbers_are_sorted_as_numbers_and_words_by_code_point() -> None:
    write_csv([(f"t{row}", (10, 9, 2)[row % 3]) for row in range(60)])
    assert load().label_names == ("2", "9", "10")
    write_csv([(f"t{row}", ("b", "B", "a")[row % 3]) for row in range(60)])
    assert load().label_names == ("B", "a", "b")


def test_whole_numbers_written_as_fractions_are_the_same_class(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    labels = pa.array([float(row % 2) for row in range(39)] + [None])
    pq.write_table(pa.table({"text": [t for t, _ in ROWS], "label": labels}), "data.parquet")
    corpus = load("data.parquet", on_missing_label="drop")
    assert corpus.label_names == ("0", "1")
    assert corpus.warnings[0].startswith(
        "1 row(s) dropped: the label is missing (the first: data.parquet, row 40)"
    )


def several(corpus: Corpus) -> dict[str, list[int]]:
    return {
        t: y.tolist()
        for split in corpus.splits.values()
        for t, y in zip(split.texts, split.labels, strict=True)
    }


def test_several_labels_from_columns_cells_or_lists() -> None:
    truth = {f"text {row}": [int(row % 2 == 0), int(row % 3 == 0)] for row in range(60)}
    write_csv([(t, *y) for t, y in truth.items()], header="text,joy,anger")
    columns = load(label_columns=["joy", "anger"])
    assert (columns.task, columns.label_names) == ("multilabel", ("joy", "anger"))
    assert several(columns) == truth

    named = {t: [n for n, on in zip(("joy", "anger"), y, strict=True) if on] for t, y in truth.items()}
    Path("data.jsonl").write_text("\n".join(json.dumps({"text": t, "label": n}) for t, n in named.items()))
    lists = load("data.jsonl")
    assert (lists.task, lists.label_names) == ("multilabel", ("anger", "joy"))
    assert several(lists) == {t: y[::-1] for t, y in truth.items()}

    write_csv([(t, " | ".join(n)) for t, n in named.items() if n], "cells.csv")
    cells = load("cells.csv", label_separator="|")
    assert several(cells) == {t: y[::-1] for t, y in truth.items() if any(y)}


NAMED = [(f"text {row}", ("joy", "joy|anger", "")[row % 3]) for row in range(60)]  # every third has no label


def write_named(kind: str) -> Any:
    """Write NAMED in one format and return what `load` is given as its training file."""
    if kind == "xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        for cells in [("text", "label"), *((text, label or None) for text, label in NAMED)]:
            book.active.append(cells)
        book.save("train.xlsx")
    elif kind == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(
            pa.table({"text": [t for t, _ in NAMED], "label": [y or None for _, y in NAMED]}), "train.parquet"
        )
    elif kind == "paired":
        Path("texts.txt").write_text("".join(f"{text}\n" for text, _ in NAMED))
        Path("labels.txt").write_text("".join(f"{label}\n" for _, label in NAMED))
        return {"texts": "texts.txt", "labels": "labels.txt"}
    elif kind == "blanks":
        write_csv([(text, label or " | ") for text, label in NAMED], "train.blanks")
    else:
        write_csv(NAMED)
    return f"train.{kind}"


@pytest.mark.parametrize("kind", ["csv", "blanks", "xlsx", "parquet", "paired"])
def test_an_empty_cell_between_separators_is_a_row_without_any_label_as_an_empty_list_is(kind: str) -> None:
    train = write_named(kind)
    cells = load(train, label_separator="|", **({"format": "csv"} if kind == "blanks" else {}))
    lists = [
        json.dumps({"text": text, "label": [part for part in y.split("|") if part]}) for text, y in NAMED
    ]
    Path("lists.jsonl").write_text("\n".join(lists))
    same = load("lists.jsonl")
    assert cells.label_names == ("anger", "joy") and several(cells) == several(same)
    # By hand: of 60 rows 20 have no label; the splits are stratified, and such rows are a class of their own.
    assert cells.provenance["rows_without_label"] == {"train": 16, "validation": 2, "test": 2}
    assert cells.provenance["rows_without_label"] == same.provenance["rows_without_label"]
    # An empty cell may be one that was forgotten; an empty list is not.
    (warning,) = cells.warnings
    assert warning.startswith("20 of 60 row(s) without any label: their label cell is empty")
    assert "data.on_missing_label=drop" in warning and "row 3" in warning and not same.warnings


def test_rows_with_an_empty_cell_can_still_be_left_out() -> None:
    write_csv(NAMED)
    left = load(label_separator="|", on_missing_label="drop")
    assert len(several(left)) == 40 and all(map(sum, several(left).values()))
    assert left.provenance["rows_dropped"] == 20
    (warning,) = left.warnings
    assert warning.startswith(
        "20 row(s) dropped: the label is missing (the first: train.csv, row 3 (line 4))"
    )


def test_where_a_label_is_needed_an_empty_cell_is_an_error_that_says_how_to_mend_it() -> None:
    write_csv(NAMED)
    message = error_of()
    assert message.startswith("train.csv, row 3 (line 4): the label is missing; fill it in, or leave")
    assert "data.on_missing_label=drop" in message and "data.label_separator" in message
    write_csv([("a", 1), ("b", "")], header="text,joy")
    message = error_of(label_columns=["joy"])
    assert "row 2 (line 3): the label is missing" in message and "is a 0" in message


def test_a_split_whose_label_cells_are_all_empty_is_refused() -> None:
    write_csv(NAMED)
    write_csv([("v", "joy"), ("w", "")], "fine.csv")
    write_csv([("v", ""), ("w", "")], "test.csv")
    given = load("train.csv", "fine.csv", "fine.csv", label_separator="|")
    assert given.provenance["rows_without_label"] == {"train": 20, "validation": 1, "test": 1}
    message = error_of("train.csv", "fine.csv", "test.csv", label_separator="|")
    assert message.startswith("test.csv: the label cell of every test row is empty")


@pytest.mark.parametrize(
    "cell",
    [
        *("['joy', 'fear']", "['joy','fear']", "[joy, fear]", '["joy"]', " ['joy' 'fear'] ", "[]", "[ ]"),
        *("[1, 2]", "[3]", "[-1 2]", "['joy'\\n 'fear']", "('joy', 'fear')", "('joy',)", "{'joy', 'fear'}"),
    ],
)
@pytest.mark.parametrize("separator", [None, ","])
def test_a_list_as_text_is_refused(cell: str, separator: str | None) -> None:
    cells = [*(("a", "joy"), ("b", "fear")) * 10, ("c", cell.replace("\\n", "\n"))]
    Path("lists.jsonl").write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in cells))
    message = error_of("lists.jsonl", label_separator=separator)
    assert "row 21" in message and "is a list in text" in message
    assert "data.label_separator" in message and "JSON lines" in message and "\n" not in message


def test_names_in_brackets_and_faces_are_no_lists() -> None:
    names = ("[joy]", "(joy)", "{joy}", "('_')", "[don't know]", "(^_^)", "joy [1]")
    write_csv([(f"text {row}", names[row % 7]) for row in range(140)])
    assert set(load().label_names) == set(names)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("joy", "anger", "joy,fear"), ["1 label name(s)", "'joy,fear'", "to ','"]),
        (("joy", "anger", "anger | joy", "joy/fear"), ["2 label name(s)", "'anger | joy'", "to '|' or '/'"]),
        (("joy", "anger", "fear,awe"), None),  # no part is a label
        (("joy", "anger", "joy,", "joy fear", "rock & joy"), None),
    ],
)
def test_labels_that_seem_to_be_several_are_a_warning(names: tuple[str, ...], told: list[str] | None) -> None:
    rows = [{"text": f"text {row}", "label": names[row % len(names)]} for row in range(40 * len(names))]
    Path("joined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    warnings = [line for line in load("joined.jsonl").warnings if "several labels in one" in line]
    assert len(warnings) == bool(told)
    for words in told or ():
        assert words in warnings[0]
    if told and len(names) == 3:
        split = load("joined.jsonl", label_separator=",")
        assert split.label_names == ("anger", "fear", "joy") and split.task == "multilabel"
        assert not any("several labels in one" in line for line in split.warnings)


def test_labels_that_differ_only_invisibly_are_pointed_at() -> None:
    write_csv([(f"t{row}", ("❤", "❤\ufe0f")[row % 2]) for row in range(40)])
    assert any("invisible" in warning for warning in load().warnings)


# Splits


def test_given_files_and_row_ids() -> None:
    write_csv([(*row, f"id{place}") for place, row in enumerate(ROWS)], header="text,label,id")
    write_csv([("v", "❤", "x1"), ("w", "😂", "x2")], "dev.csv", "text,label,id")
    corpus = load("train.csv", "dev.csv", "dev.csv", id_column="id")
    assert {name: len(split) for name, split in corpus.splits.items()} == {
        "train": 40,
        "validation": 2,
        "test": 2,
    }
    assert corpus.splits["train"].row_ids[:2] == ["id0", "id1"]
    assert corpus.provenance["drawn"] is None
    assert corpus.provenance["files"]["train"] == {
        "file": "train.csv",
        "git_blob_id": git_blob_id(Path("train.csv")),
    }


def test_a_split_column() -> None:
    words = ["train"] * 30 + ["Dev", "val", "test", "TEST"]
    write_csv([(f"t{row}", row % 2, word) for row, word in enumerate(words)], header="text,label,part")
    corpus = load(split_column="part")
    assert {name: split.row_ids for name, split in corpus.splits.items() if name != "train"} == {
        "validation": ["row/30", "row/31"],
        "test": ["row/32", "row/33"],
    }


def test_drawn_splits_are_seeded_stratified_and_rare_classes_stay_in_training() -> None:
    write_csv([(f"t{row}", "often" if row % 10 else "seldom") for row in range(200)] + [("once", "single")])
    first, again, other = load(split_seed=1), load(split_seed=1), load(split_seed=2)
    assert first.splits["test"].texts == again.splits["test"].texts != other.splits["test"].texts
    assert first.class_counts("test").tolist() == [18, 2, 0]
    assert first.class_counts("validation").tolist() == [18, 2, 0]
    assert "once" in first.splits["train"].texts
    assert first.warnings == (
        "1 class(es) have no row in validation: single",
        "1 class(es) have no row in test: single",
    )


@pytest.mark.parametrize(("split", "copies", "what"), [("by_row", 1, "row(s)"), ("by_text", 3, "text(s)")])
def test_many_rows_of_classes_too_small_to_draw_from(split: str, copies: int, what: str) -> None:
    write_csv([(f"text {label}", f"label {label}") for label in range(100) for _ in range(copies)])
    message = error_of(split=split)
    assert f"no class has enough {what}, the largest of 100 classes only 1," in message
    assert "data.files.validation" in message and "fewer classes" in message and "too few" not in message


def test_splits_can_be_drawn_by_text() -> None:
    write_csv([(f"t{row // 2}", "ab"[row % 2]) for row in range(200)])  # each text twice, with both labels
    by_row, by_text = load(), load(split="by_text")
    assert by_row.provenance["cleaning"]["test_duplicates"] > 0
    assert by_text.provenance["cleaning"]["test_duplicates"] == 0
    assert by_text.provenance["rows"] == {"train": 160, "validation": 20, "test": 20}
    assert by_text.provenance["drawn"]["by"] == "by_text"
    assert by_text.provenance["ceiling"]["test"]["top_1"] == 0.5
    assert "data.split='rows'" in error_of(split="rows")


def keys_of(corpus: Corpus) -> dict[str, set[str]]:
    return {name: {duplicate_key(text) for text in split.texts} for name, split in corpus.splits.items()}


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        # Forty beginnings of two words, each with five ends that the cut takes away.
        ([f"begins {row % 40} and ends {row}" for row in range(200)], {"max_words": 2}),
        (
            [f"begins\u200b {row % 40} ends {row}" for row in range(200)],
            {"max_words": 2, "clean": "leak_free"},
        ),
        # Each text with an Arabic and a Farsi yeh, which the spelling makes one.
        ([f"متن ب{'يی'[row // 100]} {row % 100}" for row in range(200)], {"normalise": "urdu"}),
    ],
)
def test_texts_that_are_equal_when_they_are_read_are_drawn_into_one_split(
    texts: list[str], options: dict[str, Any]
) -> None:
    write_csv([(text, "ab"[row % 2]) for row, text in enumerate(texts)])
    by_row, by_text = load(**options), load(**options, split="by_text")
    together, apart = keys_of(by_row), keys_of(by_text)
    assert together["train"] & together["test"] and by_row.provenance["cleaning"]["test_duplicates"]
    assert (
        sum(map(len, apart.values()))
        == len(set.union(*apart.values()))
        == len(set(map(read(options), texts)))
    )
    assert by_text.provenance["cleaning"]["test_duplicates"] == 0
    assert sum(map(len, by_text.splits.values())) == 200


def read(options: dict[str, Any]) -> Callable[[str], str]:
    """By hand: the first two words, or the yeh of Urdu."""
    if "max_words" in options:
        return lambda text: " ".join(text.replace("\u200b", "").split()[:2])
    return lambda text: text.replace("ي", "ی")


def test_texts_that_nothing_makes_equal_are_drawn_as_before() -> None:
    write_csv([(f"t{row // 2}\ufe0f and more", "ab"[row % 2]) for row in range(200)])
    plain, cleaned, cut = (
        load(split="by_text", **options) for options in ({}, {"clean": "leak_free"}, {"max_words": 3})
    )
    for name, split in plain.splits.items():
        assert split.row_ids == cleaned.splits[name].row_ids == cut.splits[name].row_ids


def test_too_few_texts_are_counted_as_they_are_read() -> None:
    write_csv([(f"same {row}", f"label {row % 2}") for row in range(100)])
    assert "1 text(s) are too few" in error_of(split="by_text", max_words=1)
    assert "data.as_read is not an option" in error_of(as_read=None)


def test_paths_are_looked_up_here_and_then_under_the_data_directory() -> None:
    Path("cache").mkdir()
    write_csv(ROWS, "cache/mine.csv")
    assert len(load("mine.csv").splits["train"]) == 32
    files = {"files": {"train": "mine.csv", "test": {"texts": "mine.csv", "labels": "mine.csv"}}}
    found = local_files(files, Path("cache"))
    assert found == dict.fromkeys(["train", "test.texts", "test.labels"], Path("cache/mine.csv"))
    with pytest.raises(UserError, match=r"mine\.csv does not exist"):
        local_files(files)
    with pytest.raises(UserError, match=r"data\.files\.train=PATH"):
        local_files({"files": {"train": None}})


# Mistakes


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("txt,label\na,b\n", {}, ["train.csv", "'text'", "did you mean txt", "txt, label"]),
        ("text;label\na;b\n", {}, ["';'", "data.delimiter"]),
        ("text,label\na,1\nb\n", {}, ["row 2 (line 3)", "1 cells", "2"]),
        ("text,text\na,1\n", {}, ["'text' stands twice"]),
        ("text,label\n", {}, ["train.csv has no rows"]),
        ("", {}, ["train.csv is empty"]),
        (" \n\n", {}, ["train.csv is empty"]),
        ("text,label\na,1\nb,\n", {}, ["row 2 (line 3)", "label is missing", "on_missing_label=drop"]),
        ("text,label\na,1\nb,2\nc,joy\n", {}, ["row 3 (line 4)", "'joy'", "a word", "2 labels are numbers"]),
        ("text,label\na,x\nb,y\nc,7\n", {}, ["row 3 (line 4)", "7", "a number", "2 labels are words"]),
        ("text,label\na,1\nb,1\n", {}, ["one label", "'1'"]),
        ("text,label\n ,1\n,2\n", {}, ["no row has both"]),
        ("text,label\na\0b,1\n", {}, ["line 2", "NUL"]),
        (b"text,label\nok,1\n\xe9t\xe9,2\n", {}, ["line 3", "byte 16", "0xe9", "data.encoding"]),
        ("text,label\na,1\n".encode("utf-16"), {}, ["UTF-16", "data.encoding=utf-16"]),
        (b"PAR1....", {}, ["Parquet", "data.format=parquet"]),
        (b"PK\x03\x04....", {}, ["Excel"]),
        (b"\x1f\x8b....", {}, ["gzip"]),
        ("\n<!DOCTYPE html><html>", {}, ["web page"]),
        ("version https://git-lfs.github.com/spec/v1\n", {}, ["Git LFS"]),
        (
            "text,label\n" + "x" * 1_000_000 + ",1\nb,2\n",
            {},
            ["row 1 (line 2)", "1000000", "max_text_chars=100000; raise that, or cut the text"],
        ),
        ("text,label\na,1\nb,2\n", {"id_column": "label2"}, ["'label2'", "data.id_column", "label"]),
        ("text,label,id\na,1,x\nb,2,x\n", {"id_column": "id"}, ["row 2 (line 3)", "'x'", "row 1"]),
        ("text,label,id\na,1,x\nb,2,\n", {"id_column": "id"}, ["row 2 (line 3)", "empty"]),
        ("text,label,part\na,1,train\nb,2,later\n", {"split_column": "part"}, ["row 2", "'later'"]),
        (
            "text,joy\na,1\nb,yes\n",
            {"label_columns": ["joy"]},
            ["row 2 (line 3)", "'joy'", "'yes'", "0 or 1"],
        ),
        ("text,label\na,1\n", {"label_columns": ["x"], "label_column": "label"}, ["both"]),
        ("text,label\na,1\n", {"label_column": "text"}, ["label column too"]),
        ("text,label\na,1\nb,2\n", {"validation_fraction": 0}, ["data.validation_fraction"]),
        ("text,label\na,1\nb,2\n", {"validation_fraction": 0.5, "test_fraction": 0.5}, ["no training rows"]),
        ("text,label\na,1\nb,2\n", {"validation_fraction": -0.1}, ["data.validation_fraction=-0.1"]),
        ("text,label\na,1\nb,2\n", {"encoding": "utf-9"}, ["data.encoding=utf-9"]),
        ("text,label\na,1\nb,2\n", {"format": "paired"}, ["texts: PATH"]),
        ("text,label\na,1\nb,2\n", {"format": "parquet"}, ["not a Parquet file"]),
        ("text,label\na,1\nb,2\n", {"format": "jsonl"}, ["line 1", "not JSON"]),
        ("text,label\na,1\nb,2\n", {"format": "cvs"}, ["data.format='cvs'"]),
        ("text,label\na,1\nb,2\n", {"text_colum": "a"}, ["text_colum", "text_column"]),
        ("text,label\na,1\nb,2\n", {"max_file_mb": 0}, ["data.max_file_mb=0"]),
        ("text,label\na,1\nb,2\n", {}, ["train.csv", "2 row(s) are too few", "data.validation_fraction=0.1"]),
    ],
)
def test_one_clear_line(content: str | bytes, options: dict, words: list[str]) -> None:
    Path("train.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = error_of(**options)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "b", "label": "joy"}', ["row 2 (line 2)", "'joy'", "numbers"]),
        ('{"text": 5, "label": 1}', ["row 2 (line 2)", "int 5"]),
        ('{"text": "b", "label": 0.5}', ["row 2 (line 2)", "0.5"]),
        ('{"text": "b", "label": {"a": 1}}', ["row 2 (line 2)", "names no class"]),
        ('{"text": "b"}', ["row 2 (line 2)", "label is missing"]),
        ('["b", 1]', ["line 2", "list"]),
        ("{not json", ["line 2", "not JSON"]),
        ('{"text": "b\\u0000", "label": 2}', ["row 2", "NUL"]),
        ('{"text": "b\\ud83d", "label": 2}', ["row 2", "surrogate"]),
    ],
)
def test_one_clear_line_for_json_lines(line: str, words: list[str]) -> None:
    Path("data.jsonl").write_text('{"text": "a", "label": 0}\n' + line)
    message = error_of("data.jsonl")
    assert all(word in message for word in words), message


def test_a_json_array_is_not_json_lines() -> None:
    Path("data.json").write_text('[{"text": "a", "label": 0}]')
    assert "JSON array" in error_of("data.json")


def test_a_class_that_training_never_sees_is_a_warning() -> None:
    write_csv(ROWS)
    write_csv([("v", "❤"), ("w", "🔥")], "other.csv")
    write_csv([("v", "❤"), ("w", "😂")], "fine.csv")
    for files in ({"validation": "other.csv"}, {"validation": "fine.csv", "test": "other.csv"}):
        corpus = load("train.csv", **files)
        assert corpus.label_names == ("❤", "🔥", "😂") and not corpus.class_counts("train")[1]
        (warning,) = [line for line in corpus.warnings if "no training row" in line]
        assert warning.startswith("1 class(es)") and "🔥" in warning
        assert "1 label(s) of validation and test" in warning


def test_a_workbook_of_one_or_several_labels() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [
        ("text", "label", "joy", "anger"),
        *((t, label, 1, n % 2 == 0) for n, (t, label) in enumerate(ROWS)),
    ]:
        book.active.append(row)
    notes = book.create_sheet("notes")
    notes.append(("text", "label", "joy"))
    notes.append(("a", "x", "yes"))
    book.save("train.xlsx")
    one = load("train.xlsx")
    write_csv(ROWS)
    same = load("train.csv")
    for split, rows in same.splits.items():
        assert one.splits[split].texts == rows.texts
        assert one.splits[split].labels.tolist() == rows.labels.tolist()
    several = load("train.xlsx", label_columns=["joy", "anger"])
    assert sum(several.class_counts(split) for split in several.splits).tolist() == [40, 20]
    message = error_of("train.xlsx", label_columns=["joy"], sheet="notes")
    assert "train.xlsx, row 1 (line 2): column 'joy' holds 'yes'; a label column holds 0 or 1" in message


def test_a_label_outside_the_mapping_is_named() -> None:
    options = write_all("paired")
    Path("labels.txt").write_text("0\n1\n" + "2\n" * 38)
    message = error_of(**options)
    assert "texts.txt (labels: labels.txt), row 3" in message and "outside the 2 classes" in message
    Path("labels.txt").write_text("0\n")
    message = error_of(**options)
    assert "texts.txt has 40 lines" in message and "labels.txt has 1" in message


def test_a_missing_file_names_its_neighbours() -> None:
    write_csv(ROWS, "tweets.csv")
    message = error_of("tweet.csv")
    assert "data.files.train=tweet.csv" in message and "did you mean tweets.csv" in message
    assert "directory" in error_of(".")
    assert "data.files.train=PATH" in error_of(None)
    Path("tweets.dat").write_text("text,label\n")
    assert "set data.format" in error_of("tweets.dat")


def test_damaged_parquet_is_one_clear_line() -> None:
    pytest.importorskip("pyarrow")
    Path("data.parquet").write_bytes(b"PAR1" + b"\x00" * 100 + b"PAR1")
    assert "damaged Parquet" in error_of("data.parquet")


def test_the_limit_of_the_csv_module_is_put_back() -> None:
    import csv

    limit = csv.field_size_limit()
    write_csv(ROWS)
    load()
    assert csv.field_size_limit() == limit


def test_cleaning_applies_to_user_data_too() -> None:
    write_csv([(f"{text} \ufe0f", label) for text, label in ROWS])
    corpus = load(clean="leak_free")
    assert not any("\ufe0f" in text for split in corpus.splits.values() for text in split.texts)
    assert corpus.provenance["cleaning"]["rows_changed"] == {"train": 32, "validation": 4, "test": 4}
    assert np.array_equal(corpus.class_counts(), [16, 16])


def test_the_paired_layout_reads_the_real_files_as_their_own_loader_does(shared_data_dir: Path) -> None:
    folder = Path("cardiffnlp/tweeteval/datasets/emoji")

    def pair(prefix: str) -> dict[str, str]:
        return {
            kind: str(folder / f"{prefix}_{word}.txt")
            for kind, word in (("texts", "text"), ("labels", "labels"))
        }

    files = {"train": pair("train"), "validation": pair("val"), "test": pair("test")}
    mine = load_corpus(
        {**OPTIONS, "files": {**files, "mapping": str(folder / "mapping.txt")}}, shared_data_dir
    )
    tweeteval = yaml.safe_load(CONF.with_name("tweeteval.yaml").read_text(encoding="utf-8"))
    real = load_corpus(tweeteval, shared_data_dir)
    assert mine.label_names == real.label_names
    for name, split in real.splits.items():
        assert mine.splits[name].texts == split.texts
        assert np.array_equal(mine.splits[name].labels, split.labels)
        assert mine.splits[name].row_ids == split.row_ids


def test_a_small_parquet_file_that_unpacks_to_gigabytes_is_refused() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # 40 MB of one repeated text in a dictionary page of a few kilobytes.
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 2000]))
    label = pa.array(["a", "b"] * 10_000)
    pq.write_table(
        pa.table({"text": text.cast(pa.string()), "label": label}), "bomb.parquet", compression="zstd"
    )
    assert Path("bomb.parquet").stat().st_size < 100_000
    with pytest.raises(UserError, match=r"bomb\.parquet unpacks to more than data\.max_file_mb=10 MB"):
        load("bomb.parquet", max_file_mb=10)


def test_a_file_of_nothing_but_a_byte_order_mark_is_empty() -> None:
    Path("mine.csv").write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(UserError, match=r"mine\.csv is empty"):
        load("mine.csv")


def test_a_path_where_the_splits_belong_says_what_to_set() -> None:
    with pytest.raises(UserError, match=r"data\.files='mine\.csv': set data\.files\.train=PATH"):
        local_files({"files": "mine.csv"})
