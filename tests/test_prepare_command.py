"""`python -m emoji_pred prepare telegram`, as a user meets it."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY, Ended
from telegram_files import result, write_page, write_result

from emoji_pred import prepare_command
from emoji_pred.telegram.prepare import beside

Prepare = Callable[..., Ended]
PRIVATE = (
    "Анна",
    "Тайная",
    "Название",
    "anna",
    "99912",
    "mail.ru",
    "user123",
    "t.me",
    "12.03.2024",
    "2024-03-12",
)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Prepare:
    def ended(*arguments: Any) -> Ended:
        code = 0
        try:
            prepare_command.main(["telegram", "--quiet", *map(str, arguments)])
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capfd.readouterr())

    return ended


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two emoji of three and two distinct texts, one duplicate, one rare emoji; private data in each text."""
    texts = [
        *(f"Привет @anna звони +79991234567 номер {number} 😂🔥" for number in "абв"),
        "Привет @anna звони +79991234568 номер а 😂",
        "пиши на anna@mail.ru или t.me/anna скорее ❤️",
        'это <a href="" onclick="return ShowMentionName()">Анна Тайная</a> сказала вчера 😂',
        "коротко 😂",
        "без эмодзи совсем",
    ]
    write_page(tmp_path / "export" / "messages.html", *texts[:4])
    write_page(tmp_path / "export" / "messages2.html", *texts[4:])
    return tmp_path / "export"


def read_rows(path: Path) -> Iterator[tuple[str, str]]:
    if path.suffix == ".parquet":
        table = pq.read_table(path).to_pydict()
        assert list(table) == ["text", "emoji"]
        yield from zip(table["text"], table["emoji"], strict=True)
    elif path.suffix == ".jsonl":
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert list(row) == ["text", "emoji"]
            yield row["text"], row["emoji"]
    else:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream, delimiter="\t" if path.suffix == ".tsv" else ",")
            assert next(rows) == ["text", "emoji"]
            yield from ((first, second) for first, second in rows)


# Worked out by hand from the texts of `export`, with classes of two pairs or more.
EXPECTED = [
    *((f"Привет @user звони phone номер {number}", emoji) for number in "абв" for emoji in "😂🔥"),
    ("это @user сказала вчера", "😂"),
]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_rows_of_pages_in_each_format(run: Prepare, export: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"rows.{ending}"
    ended = run(export, "--out", out, "--min-count", 2)
    assert (ended.code, ended.err) == (0, "")
    assert list(read_rows(out)) == EXPECTED
    assert {path.name for path in tmp_path.iterdir()} == {
        *("export", out.name, f"{out.name}.table.md", f"{out.name}.table.json"),
    }


def test_the_table_counts_every_step(run: Prepare, export: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    ended = run(export, "--out", out, "--min-count", 2)
    counts = json.loads(beside(out, ".table.json").read_text(encoding="utf-8"))
    assert counts["read"]["messages"] == 8 and counts["read"]["files"] == 2 and counts["read"]["chats"] == 1
    expected = {
        **{"messages": 8, "with_emoji": 7, "runs": 7, "too_short": 1, "sentences": 6, "pairs": 9},
        **{"duplicates": 1, "distinct": 8, "rare": 1, "rows": 7, "emoji": 3, "classes": 2},
    }
    assert {key: counts["pairs"][key] for key in expected} == expected
    assert counts["classes"] == {"😂": 4, "🔥": 3}
    assert counts["options"]["min_count"] == 2
    shown = dict(
        line.rsplit(None, 1) for line in ended.out.splitlines() if line.endswith(tuple("0123456789"))
    )
    assert shown["final dataset (sentences)"] == "7" and shown["num of emojis we trained"] == "2"
    markdown = beside(out, ".table.md").read_text(encoding="utf-8")
    assert "| final dataset (sentences) | 7 |" in markdown and "😂 4, 🔥 3" in markdown


def test_nothing_private_is_written(run: Prepare, export: Path, tmp_path: Path) -> None:
    ended = run(export, "--out", tmp_path / "rows.csv", "--min-count", 1)
    written = ended.out.replace(str(tmp_path), "") + ended.err
    for path in tmp_path.glob("rows*"):
        written += path.read_text(encoding="utf-8")
    assert [word for word in PRIVATE if word in written] == []


def test_a_result_json_gives_the_rows_of_the_pages(run: Prepare, export: Path, tmp_path: Path) -> None:
    texts: list[Any] = [
        *(
            ["Привет ", {"type": "mention", "text": "@anna"}, f" звони +79991234567 номер {number} 😂🔥"]
            for number in "абв"
        ),
        ["это ", {"type": "mention_name", "text": "Анна Тайная", "user_id": 1}, " сказала вчера 😂"],
    ]
    write_result(tmp_path / "account" / "result.json", {"chats": {"list": [result(*texts), result("и всё")]}})
    out = tmp_path / "rows.jsonl"
    assert run(tmp_path / "account", "--out", out, "--min-count", 2).code == 0
    assert list(read_rows(out)) == EXPECTED
    assert run(tmp_path / "account", export, "--out", out, "--min-count", 2, "--overwrite").code == 0
    assert list(read_rows(out)) == EXPECTED


def test_duplicates_and_the_number_of_classes_can_be_set(run: Prepare, export: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    assert run(export, "--out", out, "--min-count", 1, "--keep-duplicates", "--max-classes", 1).code == 0
    assert [emoji for _, emoji in read_rows(out)] == ["😂"] * 5


def test_texts_hold_what_csv_quotes(run: Prepare, tmp_path: Path) -> None:
    write_page(tmp_path / "export" / "messages.html", '"да", сказал он, = так<br>и вот 😂', "a\tb 'c' | d 🔥")
    for ending in ("csv", "tsv"):
        out = tmp_path / f"rows.{ending}"
        assert run(tmp_path / "export", "--out", out, "--min-count", 1).code == 0
        assert list(read_rows(out)) == [('"да", сказал он, = так и вот', "😂"), ("a b 'c' | d", "🔥")]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_run_trains_on_the_rows(
    run: Prepare, command: Callable[..., Ended], quick: Callable[..., list[str]], tmp_path: Path, ending: str
) -> None:
    words = ("очень", "смешно", "жарко", "вышло")
    texts = [
        f"так {words[i % 4]} номер {i} {words[i // 4 % 4]} {'😂' if i % 2 else '🔥'}" for i in range(120)
    ]
    write_page(tmp_path / "export" / "messages.html", *texts)
    out = tmp_path / f"rows.{ending}"
    assert run(tmp_path / "export", "--out", out, "--min-count", 50).code == 0
    overrides = [item for item in quick("cnn") if not item.startswith("data")]
    ended = command(*overrides, "data=text_files", f"data.files.train={out}", "data.label_column=emoji")
    assert ended.code == 0, ended.err
    (found,) = (tmp_path / "runs").glob("*/result.json")
    assert json.loads(found.read_text(encoding="utf-8"))["label_names"] == ["🔥", "😂"]


def test_progress_is_told_in_a_log(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emoji_pred.telegram.reading.SILENCE_SECONDS", -1)
    prepare_command.main(["telegram", str(export), "--out", str(tmp_path / "rows.csv"), "--min-count", "1"])
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1].startswith("reading  100%") and lines[-1].endswith("about 0 s left")


def test_the_documentation_names_the_options_there_are(run: Prepare) -> None:
    named = set(re.findall(r"--[a-z][a-z-]+", (REPOSITORY / "docs" / "telegram.md").read_text("utf-8")))
    there = set(re.findall(r"--[a-z][a-z-]+", run("--help").out))
    assert named <= there and len(named) >= 14


# --- mistakes: one line, code 2, and no file


def test_a_threshold_that_leaves_nothing_says_how_to_lower_it(
    run: Prepare, export: Path, tmp_path: Path
) -> None:
    ended = run(export, "--out", tmp_path / "rows.csv")
    assert ended.code == 2
    assert "no emoji comes 1,500 times" in ended.error and "😂, comes 4 times" in ended.error
    assert "--min-count" in ended.error
    assert "messages with emoji" in ended.out
    assert list(tmp_path.iterdir()) == [export]


def test_exports_without_pairs_say_why(run: Prepare, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    write_page(tmp_path / "a" / "messages.html", "нет ничего")
    assert "none of 1 message(s) holds an emoji" in run(tmp_path / "a", "--out", out).error
    write_page(tmp_path / "b" / "messages.html", "да 😂")
    assert "set --min-words lower" in run(tmp_path / "b", "--out", out).error
    write_page(tmp_path / "c" / "messages.html", "The weather was wonderful in our town today 😂")
    assert "in another language" in run(tmp_path / "c", "--out", out, "--language", "ru").error
    assert not out.exists()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("rows.xlsx", "must end in .csv, .tsv, .jsonl, .parquet"),
        ("rows", "must end in"),
        ("none/rows.csv", "there is no directory"),
        ("export.csv", "is a directory"),
        ("there.csv", "exists; choose another --out, or replace it with --overwrite"),
    ],
)
def test_places_that_cannot_be_written_are_refused_first(
    run: Prepare, tmp_path: Path, out: str, message: str
) -> None:
    (tmp_path / "export").mkdir()  # empty, which would be refused next
    (tmp_path / "export.csv").mkdir()
    (tmp_path / "there.csv").write_text("mine")
    ended = run(tmp_path / "export", "--out", tmp_path / out)
    assert ended.code == 2 and message in ended.error
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_a_broken_export_leaves_no_output(run: Prepare, export: Path, tmp_path: Path) -> None:
    (export / "messages3.html").write_text("<html><h1>404</h1></html>")
    ended = run(export, "--out", tmp_path / "rows.csv", "--min-count", 1)
    assert ended.code == 2 and "messages3.html holds no message" in ended.error
    assert list(tmp_path.iterdir()) == [export]


def test_a_truncated_export_counts_with_a_warning(run: Prepare, export: Path, tmp_path: Path) -> None:
    page = export / "messages2.html"
    page.write_bytes(page.read_bytes()[:-300])
    ended = run(export, "--out", tmp_path / "rows.csv", "--min-count", 1)
    assert ended.code == 0 and "messages2.html ends early" in ended.error


@pytest.mark.parametrize("option", ["--min-count=0", "--max-words=-1", "--units=byte", "--min-words=x"])
def test_options_out_of_range_are_refused(run: Prepare, export: Path, option: str) -> None:
    ended = run(export, "--out", "rows.csv", option)
    assert ended.code == 2 and option.split("=")[0] in ended.err


def test_missing_packages_are_named(
    run: Prepare, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoji_pred.telegram.prepare.find_spec", lambda name: None)
    ended = run(export, "--out", tmp_path / "rows.csv")
    assert "pip install 'emoji_pred[telegram]'" in ended.error


def test_a_full_disk_is_told_and_leaves_nothing(
    run: Prepare, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emoji_pred.telegram.pair_store.PairStore.add", full)
    ended = run(export, "--out", tmp_path / "rows.csv", "--min-count", 1)
    assert ended.code == 2 and "No space left on device; make room" in ended.error
    assert list(tmp_path.iterdir()) == [export]


# --- the process itself


def process(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "emoji_pred", "prepare", "telegram", *map(str, arguments)]


def test_a_stopped_command_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "messages.html")  # never ends
    done = subprocess.Popen(
        process(tmp_path / "messages.html", "--out", tmp_path / "rows.csv"),
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    with (tmp_path / "messages.html").open("w"):  # once it is read
        done.terminate()
        _, error = done.communicate(timeout=60)
    assert done.returncode == 128 + 15
    assert error.strip() == "stopped by SIGTERM; nothing was written"
    assert [path.name for path in tmp_path.iterdir()] == ["messages.html"]


MEASURED = """
import sys
from emoji_pred.prepare_command import main
from emoji_pred.provenance import peak_memory_mb
main(["telegram", "--quiet", "--min-count", "1", *sys.argv[1:]])
print(peak_memory_mb())
"""


@pytest.mark.parametrize("kind", ["html", "json"])
def test_a_message_of_60_mb_takes_little_memory(tmp_path: Path, kind: str) -> None:
    # The process alone takes some 45 MB; a parser of whole messages would hold 60 MB several times over.
    texts = ["всё было хорошо 😂", "HUGE", "всё было хорошо 😂"]
    if kind == "html":
        export = write_page(tmp_path / "messages.html", *texts)
    else:
        export = write_result(tmp_path / "result.json", result(*texts))
    before, _, after = export.read_bytes().partition(b"HUGE")
    with export.open("wb") as stream:
        stream.writelines([before, *["слово 😂 ".encode() * 1000] * 4000, after])
    assert export.stat().st_size > 60_000_000
    command = [sys.executable, "-c", MEASURED, str(export), "--out", str(tmp_path / "rows.csv")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 120, "MB"
    assert "left out: too long" in done.stdout
    assert list(read_rows(tmp_path / "rows.csv")) == [("всё было хорошо", "😂")]


def test_the_command_is_one_of_the_package(tmp_path: Path) -> None:
    done = subprocess.run(process("--help"), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "--min-count" in done.stdout and "messages.html" in done.stdout
