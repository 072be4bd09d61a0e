"""`python -m emoji_pred audit`: the page, the JSON and the terminal; what a user does wrong; real data."""

from __future__ import annotations

import csv
import html.parser
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended

from emoji_pred import audit_command
from emoji_pred.audit.examples import shown
from emoji_pred.audit.report import printable

URDU = "یہ بہت اچھا ہے"


@pytest.fixture
def audit(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Run the command in this process, runs and data of its own: `audit("data=sample") -> Ended`."""
    for name in ("RUNS", "CACHE", "DATA"):
        monkeypatch.setenv(f"EMOJI_PRED_{name}", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)

    def ended(*arguments: str) -> Ended:
        capfd.readouterr()
        code = 0
        try:
            audit_command.main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capfd.readouterr())

    return ended


def write(path: Path, rows: Sequence[Sequence[Any]], head: Sequence[str] = ("text", "label")) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])
    return f"data.files.train={path}"


def rows(number: int = 300, mark: str = "") -> list[tuple[str, str]]:
    """Texts of two labels; the mark stands in those of one."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    return [
        (f"{words[n % 10]} {words[n * 7 % 9]} {words[n * 3 % 8]} {n}{mark * (n % 3 == 0)}", "xy"[n % 3 == 0])
        for n in range(number)
    ]


class Page(html.parser.HTMLParser):
    """The tags and the visible text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open += [] if tag in ("meta", "rect", "line", "polyline") else [tag]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line", "polyline"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_sample_gets_a_page_a_json_and_a_summary(audit: Callable[..., Ended], tmp_path: Path) -> None:
    ended = audit("data=sample", "data.rows=600", "--out", "there")
    assert ended.code == 0, ended.err
    assert "0 leaks" in ended.out and "no leak was found" in ended.out and "without words, test" in ended.out
    assert "duplicates: " in ended.err  # progress
    report = json.loads((tmp_path / "there" / "audit.json").read_text(encoding="utf-8"))
    assert report["verdict"]["leak"] == report["verdict"]["flaw"] == 0
    assert report["classes"]["rows"] == {"train": 420, "validation": 60, "test": 120}
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["audit.html", "audit.json"]
    page = Page(tmp_path / "there" / "audit.html")
    assert page.open == [] and "❤" in page.text


def test_the_page_needs_no_network_no_script_and_follows_the_screen(
    audit: Callable[..., Ended], tmp_path: Path
) -> None:
    audit("data=sample", "data.rows=300", "data.language=ur", "--out", "there", "--quiet", "--examples", "2")
    source = (tmp_path / "there" / "audit.html").read_text(encoding="utf-8")
    page = Page(tmp_path / "there" / "audit.html")
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"}
    assert not [value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href")]
    assert "url(" not in source and "@import" not in source
    assert "prefers-color-scheme: dark" in source and 'name="viewport"' in source
    assert ("html", {"lang": "en"}) in page.tags


def test_a_leak_comes_with_the_command_that_mends_it(audit: Callable[..., Ended], tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", rows(mark="\ufe0f"))
    first = audit("data=text_files", file, "--quiet")
    assert first.code == 0
    assert "leak: U+FE0F VARIATION SELECTOR-16" in first.out
    (line,) = {line.split("#")[0] for line in first.out.splitlines() if "data.clean=leak_free" in line}
    command = shlex.split(line)
    assert command[:4] == ["python", "-m", "emoji_pred", "audit"] and file in command
    again = audit(*command[4:], "--quiet")
    assert again.code == 0 and "0 leaks" in again.out and "U+FE0F" not in again.out
    # Each has a directory of its own, named by what was asked.
    found = sorted(path.parent.name for path in (tmp_path / "runs" / "audits").glob("*/audit.json"))
    assert found == ["mine", "mine-clean-leak_free"]


@pytest.mark.parametrize(("other", "told"), [("joy", True), ("pride", False)])
def test_labels_in_several_spellings_are_told_and_a_clean_control_is_not(
    audit: Callable[..., Ended], tmp_path: Path, other: str, told: bool
) -> None:
    table = [(text, ("Joy", other, "anger")[n % 3]) for n, (text, _) in enumerate(rows(300))]
    ended = audit("data=text_files", write(tmp_path / "mine.csv", table), "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "o" / "audit.json").read_text(encoding="utf-8"))
    found = {one["name"]: one for one in report["findings"]}
    line = "'Joy' (100 rows) and 'joy' (100 rows) differ only by letter case"
    assert ("labels alike" in found) is told is bool(report["labels_alike"])
    assert (line in Page(tmp_path / "o" / "audit.html").text) is told is ("flaw: a label stands" in ended.out)
    assert (line in ended.out) is told
    warned = "2 label names differ only in spelling: 'Joy' and 'joy' (letter case)"
    assert (warned in ended.err) is told


def test_a_leak_can_fail_a_build(audit: Callable[..., Ended], tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", rows(mark="\ufe0f"))
    assert audit("data=text_files", file, "--quiet", "--fail-on-leak").code == 1
    assert audit("data=text_files", file, "data.clean=leak_free", "--quiet", "--fail-on-leak").code == 0


def test_several_labels_and_right_to_left_text(audit: Callable[..., Ended], tmp_path: Path) -> None:
    table = [(f"{URDU} {n}", n % 2, int(n % 3 == 0), int(n % 5 == 0)) for n in range(200)]
    file = write(tmp_path / "urdu.csv", table, ("text", "غصہ", "خوشی", "neutral"))
    ended = audit(
        "data=text_files", file, "data.label_columns=['غصہ','خوشی',neutral]", "--quiet", "--out", "u"
    )
    assert ended.code == 0, ended.err
    assert "several labels a text" in ended.out and "best reachable exact match" in ended.out
    assert "; macro F1 0." in ended.out and "(answers everything 0." in ended.out
    assert "always the most frequent label" in Page(tmp_path / "u" / "audit.html").text
    assert "غصہ" in Page(tmp_path / "u" / "audit.html").text
    report = json.loads((tmp_path / "u" / "audit.json").read_text(encoding="utf-8"))
    assert report["together"]["on"] == "row"
    assert next(iter(report["contents"]["characters"]["scripts"])) == "Arabic"


def test_nothing_of_a_text_or_a_machine_stands_in_the_json(
    audit: Callable[..., Ended], tmp_path: Path
) -> None:
    table = [(f"@jane_doe{n} wrote secretword{n} to jane{n}@example.org", "ab"[n % 2]) for n in range(200)]
    file = write(tmp_path / "mine.csv", table * 2)
    assert audit("data=text_files", file, "--quiet", "--out", "o", "--examples", "3").code == 0
    source = (tmp_path / "o" / "audit.json").read_text(encoding="utf-8")
    assert "jane" not in source and "secretword" not in source and str(tmp_path) not in source
    page = (tmp_path / "o" / "audit.html").read_text(encoding="utf-8")
    assert "jane" not in page and "@user wrote secretword" in page  # an example, masked
    report = json.loads(source)
    assert report["contents"]["marks"]["train"]["handles"] == report["classes"]["rows"]["train"]


def test_warnings_and_errors_are_kept_without_places(audit: Callable[..., Ended], tmp_path: Path) -> None:
    folder = tmp_path / "some folder, of mine"
    folder.mkdir()
    file = write(folder / "mine.csv", [*rows(), (" ", "x")])
    lost = "encoder.package=gt_nowhere/model", "encoder.source=package"
    option, _, path = file.partition("=")
    ended = audit("data=text_files", f"{option}='{path}'", "encoder=minilm", *lost, "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "o" / "audit.json").read_text(encoding="utf-8"))
    expected = "1 row(s) dropped: the text is empty (the first: mine.csv, row 301 (line 302))"
    assert expected in report["data"]["warnings"]
    for name in ("audit.json", "audit.html"):
        source = (tmp_path / "o" / name).read_text(encoding="utf-8")
        assert "mine.csv" in source and "of mine" not in source and str(tmp_path) not in source


def test_an_encoder_that_is_damaged_is_told_without_its_place(
    audit: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "site packages" / "lost" / "model"
    damaged.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (damaged / name).write_text("{", encoding="utf-8")
    monkeypatch.setattr("emoji_pred.pretrained._packaged", lambda _: damaged)
    ended = audit(
        *("data=sample", "data.rows=300", "encoder=minilm", "encoder.sha256=null"), "--quiet", "--out", "o"
    )
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "o" / "audit.json").read_text(encoding="utf-8"))
    missing = report["contents"]["tokens"][1]["missing"]
    assert missing.startswith("encoder=minilm: the files in model cannot be read")
    for name in ("audit.json", "audit.html"):
        source = (tmp_path / "o" / name).read_text(encoding="utf-8")
        assert "cannot be read" in source and str(tmp_path) not in source and "site packages" not in source


def test_examples_are_shown_only_where_asked_for(audit: Callable[..., Ended], tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", [(f"{text} plainword", label) for text, label in rows(mark="\ufe0f")])
    audit("data=text_files", file, "--quiet", "--out", "o")
    assert "seven" not in (tmp_path / "o" / "audit.html").read_text(encoding="utf-8").split("Words</h3>")[0]
    assert "Examples" not in (tmp_path / "o" / "audit.html").read_text(encoding="utf-8")


def test_a_text_that_is_shown_is_short_masked_and_its_invisible_characters_are_named() -> None:
    text = "Hi @jane_doe, see https://example.org/me \ufe0f or +44 20 7946 0958\u200b " + "word " * 50
    example = shown(text)
    assert example.startswith("Hi @user, see https ⟨U+FE0F⟩ or phone⟨U+200B⟩ word") and example.endswith("…")
    assert len(example) < 120
    assert shown(f"{URDU}\nx") == f"{URDU} ⏎ x"


def test_html_in_texts_labels_and_names_is_text(audit: Callable[..., Ended], tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    table = [(f"{evil} {n} \ufe0f" if n % 2 else f"well {n}", evil if n % 2 else "b&<i>") for n in range(300)]
    file = write(tmp_path / "mine.csv", table)
    ended = audit("data=text_files", file, f"data.name='{evil}'", "--quiet", "--out", "o", "--examples", "3")
    assert ended.code == 0, ended.err
    page = Page(tmp_path / "o" / "audit.html")
    assert "script" not in {tag for tag, _ in page.tags} and "i" not in {tag for tag, _ in page.tags}
    assert evil in page.text and "b&<i>" in page.text and page.open == []


def test_long_labels_and_control_characters_are_shown_short_and_plain() -> None:
    names = ("a" * 500, "a" * 501, "red\x1b[31m\n", "❤\ufe0f")
    found = printable(names)
    assert found[2:] == ("red⟨U+001B⟩[31m⟨U+000A⟩", "❤\ufe0f")
    assert len(set(found)) == 4 and max(map(len, found)) < 70


# --- lengths in tokens


def test_tokens_are_those_of_the_model_that_is_chosen(audit: Callable[..., Ended], tmp_path: Path) -> None:
    file = write(
        tmp_path / "mine.csv", [("word " * (100 if n % 4 == 0 else 3), "ab"[n % 2]) for n in range(200)]
    )
    ended = audit("data=text_files", file, "encoder=tiny", "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    words, encoder = json.loads((tmp_path / "o" / "audit.json").read_text(encoding="utf-8"))["contents"][
        "tokens"
    ]
    assert (words["tokenizer"], words["limit"]) == ("words", 64)
    assert words["splits"]["train"]["max"] == 100 and words["splits"]["train"]["median"] == 3
    assert sum(words["splits"]["train"]["histogram"]["texts"]) == words["splits"]["train"]["texts"] == 160
    long = words["splits"]["train"]["histogram"]["texts"][-1]
    assert words["splits"]["train"]["truncated"] == round(long / 160, 5) > 0.2
    assert encoder["tokenizer"] == "encoder tiny" and encoder["splits"]["train"]["min"] >= 3


def test_a_model_that_reads_whole_texts_has_no_tokens(audit: Callable[..., Ended], tmp_path: Path) -> None:
    ended = audit("data=sample", "data.rows=300", "model=tfidf_nb", "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    assert "words, median and most" in ended.out and "tokens of" not in ended.out
    report = json.loads((tmp_path / "o" / "audit.json").read_text(encoding="utf-8"))
    assert report["contents"]["tokens"] == [] and report["contents"]["lengths"]["train"]["words"]["min"] >= 1


def test_an_encoder_that_cannot_be_had_is_left_out_and_said(
    audit: Callable[..., Ended], tmp_path: Path, no_network: None
) -> None:
    ended = audit("data=sample", "data.rows=300", "model=bert", "encoder=bertweet", "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    reason = json.loads((tmp_path / "o" / "audit.json").read_text(encoding="utf-8"))["contents"]["tokens"][0]
    assert reason["missing"].startswith("encoder=bertweet") and "\n" not in reason["missing"]
    assert f"tokens of encoder bertweet: left out: {reason['missing']}" in ended.out.splitlines()
    assert f"left out: {reason['missing']}" in Page(tmp_path / "o" / "audit.html").text


def test_near_duplicates_that_are_not_looked_for_are_left_out_and_said(
    audit: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rensa", None)
    ended = audit("data=sample", "data.rows=300", "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    (line,) = [line for line in ended.out.splitlines() if "nearly the same texts" in line]
    assert "left out" in line and "pip install 'emoji_pred[audit]'" in line
    assert "nearly same inside" not in ended.out and "same inside the split" in ended.out


# --- what a user does wrong, and what data are like


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data=tweetevil"], "data=tweetevil is not a choice; did you mean tweeteval?"),
        (["data=sample", "data.clear=x"], "data.clear is not a setting"),
        (["data=sample", "data.clean=x"], "data.clean=x is unknown"),
        (["data=sample,tweeteval"], "one dataset is audited at a time"),
        (["data=text_files"], "set data.files.train=PATH"),
        (["data=text_files", "data.files.train=none.csv"], "data.files.train=none.csv does not exist"),
        (["data=sample", "--examples", "-1"], "--examples -1: 0 to 50"),
        (["data=sample", "seed=a"], "seed: "),
    ],
)
def test_a_mistake_is_one_line(audit: Callable[..., Ended], arguments: list[str], said: str) -> None:
    ended = audit(*arguments)
    assert ended.code == 2 and said in ended.error and ended.out == ""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([], "mine.csv"),
        ([("only", "a")], "mine.csv"),
        ([("same", "a")] * 50, "two or more are needed"),
    ],
)
def test_too_little_data_is_one_line(
    audit: Callable[..., Ended], tmp_path: Path, table: list[Any], said: str
) -> None:
    ended = audit("data=text_files", write(tmp_path / "mine.csv", table), "--quiet")
    assert ended.code == 2 and said in ended.error
    assert not list((tmp_path / "runs").rglob("audit.*"))


def test_a_few_rows_give_a_reduced_audit(audit: Callable[..., Ended], tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", [("a b", "x"), ("c d", "y"), ("e f", "x"), ("g h", "y")] * 2)
    ended = audit("data=text_files", file, "data.test_fraction=0", "data.validation_fraction=0.25", "--quiet")
    assert ended.code == 0, ended.err
    assert (
        "too few rows to confirm any leak" in ended.out
        and "test" not in ended.out.split("length")[0].split("texts")[0]
    )


def test_one_class_of_several_labels_is_audited(audit: Callable[..., Ended], tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", [(f"text {n}", 1) for n in range(60)], ("text", "joy"))
    ended = audit("data=text_files", file, "data.label_columns=[joy]", "--quiet")
    assert ended.code == 0, ended.err
    assert "0 leaks" in ended.out


def test_a_text_of_a_hundred_thousand_words_takes_no_time(
    audit: Callable[..., Ended], tmp_path: Path
) -> None:
    import time

    long = " ".join(f"word{n % 1000}" for n in range(100_000))
    file = write(tmp_path / "mine.csv", [*rows(), (long, "x"), ("a" * 600_000, "y"), ("\ufe0f" * 9000, "x")])
    refused = audit("data=text_files", file, "--quiet")
    assert refused.code == 2 and "max_text_chars" in refused.error
    started = time.process_time()
    ended = audit("data=text_files", file, "data.max_text_chars=1000000", "--quiet")
    assert ended.code == 0, ended.err
    assert time.process_time() - started < 15


def test_a_directory_that_cannot_be_made_is_said_at_once(audit: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = audit("data=sample", "--out", "file/there")
    assert ended.code == 2 and "--out" in ended.error and "cannot be made" in ended.error


# --- real data


def test_telegram_by_row_and_code_point(
    audit: Callable[..., Ended], shared_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOJI_PRED_DATA", str(shared_data_dir))
    shown_at = {}
    for options in (("data.split=by_row", "data.units=codepoint"), ()):
        ended = audit("data=telegram_rus_small", *options, "--quiet", "--out", f"o{len(options)}")
        assert ended.code == 0, ended.err
        report = json.loads(Path(f"o{len(options)}/audit.json").read_text(encoding="utf-8"))
        shown_at[bool(options)] = {one["name"]: one for one in report["findings"] if one["status"] != "note"}
    by_row, mended = shown_at[True], shown_at[False]
    assert by_row["shared texts validation"]["status"] == by_row["shared texts test"]["status"] == "leak"
    assert by_row["shared texts test"]["remedies"][0]["option"] == "data.split=by_text"
    assert by_row["label parts skin tone"]["remedies"][0]["option"] == "data.units=grapheme"
    assert set(mended) == {"conflicting labels"}


@pytest.mark.slow
def test_tweeteval_is_audited_in_a_minute(
    audit: Callable[..., Ended], shared_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("EMOJI_PRED_DATA", str(shared_data_dir))
    started = time.process_time()
    ended = audit("data=tweeteval", "--quiet", "--out", "o")
    assert ended.code == 0, ended.err
    assert time.process_time() - started < 60
    report = json.loads(Path("o/audit.json").read_text(encoding="utf-8"))
    doubles = report["duplicates"]["normalised"]
    # Counted independently when the dataset was studied.
    assert doubles["across"] == {"validation": 213, "test": 85} and doubles["inside"]["train"] == 593
    assert Path("o/audit.json").stat().st_size < 200_000
    assert report["findings"][0]["name"] == "invisible U+FE0F"
