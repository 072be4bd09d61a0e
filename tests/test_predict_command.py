"""`python -m emoji_pred predict`: texts from everywhere, answers in order, mistakes in one line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY, Ended
from rich.console import Console

from emoji_pred.answers import answer, print_answers, shown
from emoji_pred.data import new_texts
from emoji_pred.errors import UserError
from emoji_pred.examples import TELEGRAM
from emoji_pred.predict_command import main
from emoji_pred.predictor import Predictor

Predict = Callable[..., Ended]
TEXTS = ["what a lovely sun", "so sad today", "I love this song"]


@pytest.fixture(scope="module")
def run(train: Callable[..., Any], quick: Callable[..., list[str]]) -> Path:
    place: Path = train(*quick("ffn")).directory
    return place


@pytest.fixture(scope="module")
def several(train: Callable[..., Any], quick: Callable[..., list[str]]) -> Path:
    place: Path = train(*quick("cnn", "data.task=multilabel", "loss=bce", "alpha=uniform")).directory
    return place


@pytest.fixture
def predict(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """Ask the run: `predict("a text", stdin=b"...") -> Ended`."""

    def ended(*arguments: str, stdin: bytes = b"", of: Path = run) -> Ended:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = 0
        try:
            main([str(of), *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return ended


def lines(ended: Ended) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_json_lines_hold_the_most_probable_labels(predict: Predict, run: Path) -> None:
    given = lines(predict(*TEXTS, "--json", "--top", "3"))
    predictor = Predictor.load(run)
    for one, row in zip(given, predictor.predict(TEXTS), strict=True):
        best = np.argsort(-row)[:3]
        assert [item["label"] for item in one["predictions"]] == [predictor.label_names[i] for i in best]
        np.testing.assert_allclose([item["probability"] for item in one["predictions"]], row[best], atol=1e-6)
    assert [one["text"] for one in given] == TEXTS
    assert [len(one["predictions"]) for one in lines(predict(TEXTS[0], "--json"))] == [5]
    whole = lines(predict(TEXTS[0], "--json", "--top", "1000"))[0]["predictions"]
    assert len(whole) == 12 and sum(item["probability"] for item in whole) == pytest.approx(1, abs=1e-5)


def test_options_may_stand_anywhere(predict: Predict) -> None:
    expected = predict(*TEXTS, "--json", "--top", "2").out
    assert predict("--json", TEXTS[0], "--top", "2", *TEXTS[1:]).out == expected
    assert predict("--json", "--top", "2", "--", *TEXTS).out == expected
    dashed = lines(predict("--json", "--", "-5 degrees"))
    assert dashed[0]["text"] == "-5 degrees"


def test_every_source_gives_the_same_answers_in_the_same_order(predict: Predict, tmp_path: Path) -> None:
    expected = predict(*TEXTS, "--json").out
    written = "".join(f"{text}\n" for text in TEXTS).encode()
    sources: dict[str, bytes] = {
        "lines.txt": written,
        "windows.txt": b"\xef\xbb\xbf" + written.replace(b"\n", b"\r\n"),
        "no_end.txt": written.rstrip(),
        "table.csv": b"id,text\n" + b"".join(f"1,{text}\n".encode() for text in TEXTS),
        "table.tsv": b"text\tid\n" + b"".join(f"{text}\t1\n".encode() for text in TEXTS),
        "table.jsonl": b"".join(json.dumps({"text": text}).encode() + b"\n" for text in TEXTS),
    }
    for name, content in sources.items():
        (tmp_path / name).write_bytes(content)
        assert predict("--file", str(tmp_path / name), "--json").out == expected, name
    pq.write_table(pa.table({"text": TEXTS, "other": [1, 2, 3]}), tmp_path / "table.parquet")
    assert predict("--file", str(tmp_path / "table.parquet"), "--json").out == expected
    assert predict("-", "--json", stdin=written).out == expected
    assert predict("--file", "-", "--json", stdin=written).out == expected
    assert predict("-", "--json", "--batch", "1", stdin=written).out == expected


def test_the_column_and_the_way_of_reading_can_be_named(predict: Predict, tmp_path: Path) -> None:
    expected = predict(*TEXTS, "--json").out
    table = tmp_path / "table.data"
    table.write_bytes(b"tweet;n\n" + b"".join(f"{text};1\n".encode() for text in TEXTS))
    reading = ("--format", "csv", "--delimiter", ";", "--text-column", "tweet")
    assert predict("--file", str(table), *reading, "--json").out == expected
    russian = tmp_path / "russian.txt"
    russian.write_bytes("привет\n".encode("cp1251"))
    assert lines(predict("--file", str(russian), "--encoding", "cp1251", "--json"))[0]["text"] == "привет"
    as_lines = lines(predict("--file", str(table), "--format", "lines", "--json"))
    assert as_lines[0]["text"] == "tweet;n" and len(as_lines) == 4


def test_an_empty_text_keeps_its_place_and_has_no_answer(predict: Predict) -> None:
    ended = predict("-", "--json", stdin=f"{TEXTS[0]}\n\n   \n{TEXTS[1]}\n".encode())
    assert [bool(one["predictions"]) for one in lines(ended)] == [True, False, False, True]
    assert ended.err == "2 text(s) are empty and have no answer\n"
    assert "(no text)" in predict("").out


def test_several_labels_a_text(predict: Predict, several: Path) -> None:
    predictor = Predictor.load(several)
    row = predictor.predict(TEXTS[:1])[0]
    threshold = float(np.sort(row)[-3:-1].mean())  # two labels lie above it
    (one,) = lines(predict(TEXTS[0], "--json", "--threshold", str(threshold), of=several))
    best = [predictor.label_names[i] for i in np.argsort(-row)]
    assert [item["label"] for item in one["predictions"]] == best and one["labels"] == best[:2]
    assert [len(one["predictions"]) for one in lines(predict("a", "--json", "--top", "1", of=several))] == [1]
    table = predict(TEXTS[0], "--threshold", "1", of=several).out
    assert "none |" in table and all(name in table for name in predictor.label_names)


def test_the_examples_stand_beside_the_answers_of_the_paper(predict: Predict) -> None:
    given = lines(predict("--examples", "telegram", "--json", "--top", "12"))
    assert len(given) == 12 and [(one["text"], one["paper"]) for one in given] == list(TELEGRAM)
    for one in given:
        labels = [item["label"] for item in one["predictions"]]
        heart = {"♥": "❤"}.get(one["paper"], one["paper"])
        assert one["rank_of_paper"] == (labels.index(heart) + 1 if heart in labels else None)
    table = predict("--examples", "telegram").out
    assert "Огненное настроение" in table and "🔥" in table and "no such class" in table


# --- the table for people


def table_of(*answers: Any, width: int = 80) -> str:
    stream = io.StringIO()
    print_answers(answers, Console(file=stream, width=width, emoji=False, highlight=False), header=True)
    return stream.getvalue()


def test_a_text_cannot_write_to_the_terminal() -> None:
    names, row = ("😂", "[red]x"), np.array([0.25, 0.75], dtype=np.float32)
    hostile = "\x1b[31mred\x07 [bold]not[/bold] \u202eback"
    out = table_of(answer(hostile, row, names, top=2))
    assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out
    assert "[bold]not[/bold]" in out and "[red]x 0.750  😂 0.250" in out
    assert len(shown("a b " * 100_000)) < 500
    assert shown("👨‍👩‍👧 ❤️") == "👨‍👩‍👧 ❤️"


def test_equal_probabilities_keep_the_order_of_the_classes() -> None:
    names = ("a", "b", "c")
    one = answer("text", np.array([0.25, 0.5, 0.25], dtype=np.float32), names, top=3)
    assert [label for label, _ in one.ranked] == ["b", "a", "c"]


def test_parts_of_a_table_stand_below_each_other(predict: Predict) -> None:
    out = predict(*TEXTS, "--batch", "1", "--top", "1").out.splitlines()
    rows = [line for line in out if any(line.startswith(text) for text in TEXTS)]
    places = {len(line) - len(line[50:].lstrip()) for line in rows}  # where the answers begin
    assert len(rows) == 3 and len(places) == 1
    assert sum("answers with" in line for line in out) == 1


# --- mistakes: one line, exit code 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give texts, or --file PATH"),
        (("a", "--file", "b"), "one of them"),
        (("a", "--examples", "telegram"), "one of them"),
        (("a", "--top", "0"), "--top 0"),
        (("a", "--batch", "0"), "--batch 0"),
        (("a", "--threshold", "0.4"), "--threshold is for several labels"),
        (("a", "--threshold", "nan"), "between 0 and 1"),
        (("a", "--device", "warp"), "--device warp"),
        (("a\0b",), "text 1: the text holds a NUL"),
        (("fine", "a\udcffb"), "text 2: the text is not UTF-8"),
        (("a" * 100_001,), "text 1: the text has 100,001 characters"),
        (("--file", "no/such/file.txt"), "does not exist"),
        (("--file", "."), "is a directory"),
        (("-", "--text-column", "x"), "standard input is read as one text a line"),
        (("-", "--encoding", "utf-16"), "convert the file first"),
        (("-", "--encoding", "no-such"), "not an encoding"),
        (("-",), "there is no text"),
    ],
)
def test_mistakes_are_one_line(predict: Predict, arguments: tuple[str, ...], message: str) -> None:
    ended = predict(*arguments)
    assert ended.code == 2 and message in ended.error and ended.out == ""


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("a.txt", b"fine\nb\xffd\n", (), "a.txt, line 2: byte 2 of it (0xff) is not utf-8; set --encoding"),
        ("a.txt", b"fine\nb\0d\n", (), "a.txt, line 2: the text holds a NUL"),
        ("a.txt", b"x" * 500_000, (), "a.txt, line 1: the text has more than 100,000 characters"),
        ("a.txt", b"PK\x03\x04..", (), "zip archive"),
        ("a.txt", b"\xff\xfeh\0i\0", (), "UTF-16"),
        ("a.csv", b"tweet,id\nx,1\n", (), "no column 'text' (--text-column)"),
        ("a.csv", b"text;id\nx;1\n", (), "set --delimiter=';'"),
        ("a.csv", b"text\nb\xffd\n", (), "set --encoding to"),
        ("a.csv", b'text\n"open\n', (), "--quoting=false"),
        ("a.jsonl", b'{"text": 5}\n', (), "the text is int 5, not a string"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "' + b"x" * 100_001 + b'"}\n', (), "row 2 (line 2)"),
        ("a.parquet", b"not parquet", (), "not a Parquet file"),
        ("a.csv", b"text\nx\n", ("--max-file-mb", "0"), "more than --max-file-mb=0"),
        ("a.txt", b"", (), "there is no text"),
        ("a.csv", b"text\nx\n", ("--delimiter", "ab"), "one character"),
    ],
)
def test_mistakes_in_files_name_the_row_and_options_of_this_command(
    predict: Predict, tmp_path: Path, name: str, content: bytes, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    ended = predict("--file", str(tmp_path / name), "--json", *arguments, "--batch", "1")
    assert ended.code == 2 and message in ended.error and "data." not in ended.error


def test_a_run_that_cannot_be_used(predict: Predict, tmp_path: Path) -> None:
    assert "there is no result.json" in predict("a", of=tmp_path).error
    assert "neither a directory nor" in predict("a", of=Path("no such run")).error


def test_exactly_the_longest_text_is_answered(predict: Predict) -> None:
    assert lines(predict("a" * 100_000, "--json"))[0]["predictions"]


# --- streams


def test_lines_are_read_as_they_are_wanted() -> None:
    class Endless(io.RawIOBase):
        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            block = b"one more line\n" * 100
            buffer[: len(block)] = block
            self.read_so_far += len(block)
            return len(block)

    stream = Endless()
    texts = new_texts.read_lines(io.BufferedReader(stream, 2000), "endless")
    assert [next(texts) for _ in range(1000)] == ["one more line"] * 1000
    assert stream.read_so_far < 20_000


def test_a_huge_line_ends_after_the_limit() -> None:
    stream = io.BytesIO(b"x" * 10_000_000)
    with pytest.raises(UserError, match="line 1"):
        list(new_texts.read_lines(stream, "huge"))
    assert stream.tell() < 1_000_000


@pytest.mark.parametrize("batch", ["1", "256"])
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"x" * 100_001, "the text has 100,001 characters, more than 100,000"),
        (b"x" * 2_000_000, "the text has more than 100,000 characters"),
        (b"b\xffd", "byte 2 of it (0xff) is not utf-8; set --encoding"),
        (b"b\0d", "the text holds a NUL"),
    ],
)
def test_a_stream_goes_on_after_a_line_that_cannot_be_used(
    predict: Predict, bad: bytes, why: str, batch: str
) -> None:
    expected = predict(*TEXTS, "--json").out.splitlines()
    written = b"\n".join([TEXTS[0].encode(), bad, b"", TEXTS[1].encode(), TEXTS[2].encode()])
    ended = predict("-", "--json", "--batch", batch, stdin=written)
    first, refused, empty, *rest = ended.out.splitlines()  # answers stay beside their lines
    assert [first, *rest] == expected and json.loads(empty) == {"text": "", "predictions": []}
    said, of_empty, last = ended.err.splitlines()
    assert said.startswith("error: standard input, line 2: ") and why in said and ended.code == 2
    assert json.loads(refused) == {"text": "", "predictions": [], "error": said.removeprefix("error: ")}
    assert of_empty.startswith("1 text(s) are empty")
    assert last == "error: 1 text(s) could not be used and have no answer"
    assert "(refused)" in predict("-", stdin=bad).out


def test_the_rest_of_a_long_line_is_not_kept() -> None:
    stream = io.BytesIO(b"\xef\xbb\xbf" + b"x" * 10_000_000 + b"\nfine\n")
    refused, fine = new_texts.read_stream(stream, "stream", longest=1000)
    assert isinstance(refused, new_texts.Refused) and fine == "fine"
    assert refused.why == "stream, line 1: the text has more than 1,000 characters; cut it before"


def test_a_run_is_asked_texts_as_long_as_its_own(
    train: Callable[..., Any], quick: Callable[..., list[str]], predict: Predict, tmp_path: Path
) -> None:
    table = tmp_path / "own.csv"
    table.write_text("text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(40)), encoding="utf-8")
    options = [option for option in quick("ffn") if not option.startswith("data")]
    data = ["data=text_files", f"data.files.train={table}"]
    long = "so long " * 25_000  # 200,000 characters
    place = train(*options, *data, "data.max_text_chars=200000").directory
    lines_of = tmp_path / "long.txt"
    lines_of.write_text(f"short\n{long}\n", encoding="utf-8")
    for given in (("--file", str(lines_of)), ("-",)):
        answers = lines(predict(*given, "--json", of=place, stdin=lines_of.read_bytes()))
        assert [one["text"] for one in answers] == ["short", long] and answers[1]["predictions"]
    assert "200,001 characters, more than 200,000" in predict(f"{long}x", of=place).error
    small = train(*options, *data, "data.max_text_chars=50", "seed=3").directory  # its texts were short
    assert lines(predict("a" * 51, "--json", of=small))[0]["predictions"]


def test_the_command_itself_streams_and_ends_quietly_when_nobody_reads(run: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.txt"
    many.write_text("a lovely sun\n" * 50_000, encoding="utf-8")
    command = f"{sys.executable} -m emoji_pred predict {run} --file {many} --json | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""
