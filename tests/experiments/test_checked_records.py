"""The pages of bench and audits that were edited, or whose JSON was, are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from emoji_pred import runs
from experiments.checked_records import record_differences
from experiments.keeping import ROOT

RESULTS = ROOT / "results"
AUDIT = "tweeteval"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the bench and of one audit."""
    copy = tmp_path / "results"
    shutil.copytree(RESULTS / "audit" / AUDIT, copy / "audit" / AUDIT)
    for name in ("bench.json", "bench.md"):
        shutil.copy2(RESULTS / name, copy / name)
    return copy


def test_the_committed_pages_are_what_their_json_gives() -> None:
    lines, count = record_differences(RESULTS)
    assert lines == []
    assert count == 1 + len(list((RESULTS / "audit").glob("*/")))


def test_a_changed_number_of_the_bench_is_named(results: Path) -> None:
    assert record_differences(results) == ([], 2)
    page = results / "bench.md"
    whole = page.read_text(encoding="utf-8")
    page.write_text(whole.replace("0.64 GB", "0.54 GB"), encoding="utf-8")
    (line,) = record_differences(results)[0]
    assert line.startswith("results/bench.md: line ") and "0.54 GB" in line and "0.64 GB" in line
    assert line.endswith("by bench.json")
    page.write_text(whole, encoding="utf-8")
    figures = json.loads((results / "bench.json").read_text(encoding="utf-8"))
    figures["memory"]["rows"][0]["measured"] = 0.25
    runs.write_json(results / "bench.json", figures)
    (line,) = record_differences(results)[0]
    assert "0.64 GB" in line and "0.25 GB" in line


def test_a_changed_number_of_an_audit_is_named(results: Path) -> None:
    path = results / "audit" / AUDIT / "audit.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    runs.write_json(path, {**report, "verdict": {**report["verdict"], "leak": 2}})
    (line,) = record_differences(results)[0]
    assert line.startswith(f"results/audit/{AUDIT}/audit.html: it cannot be written again from audit.json")
    assert "does not count the findings" in line
    report["classes"]["rows"]["train"] = 45_001
    runs.write_json(path, report)
    (line,) = record_differences(results)[0]
    assert "45,000 train" in line and "45,001 train" in line
    assert line.endswith("by audit.json")


@pytest.mark.parametrize("name", ["bench.json", "bench.md", f"audit/{AUDIT}/audit.json"])
def test_one_of_the_two_that_is_not_there_or_damaged_is_named(results: Path, name: str) -> None:
    (results / name).write_text("[7]", encoding="utf-8")
    assert len(record_differences(results)[0]) == 1
    (results / name).unlink()
    (line,) = record_differences(results)[0]
    assert "cannot be written again" in line and "No such file" in line


def test_other_line_ends_are_named(results: Path) -> None:
    page = results / "bench.md"
    page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    assert record_differences(results)[0] == ["results/bench.md: the same text in other bytes"]


def test_results_without_bench_and_audits_have_no_such_pages(tmp_path: Path) -> None:
    assert record_differences(tmp_path) == ([], 0)


def test_the_hand_written_index_of_the_audits_counts_what_they_found() -> None:
    lines = (RESULTS / "audit" / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| [")]
    assert len(rows) == len(list((RESULTS / "audit").glob("*/")))
    for named, typed, leaks, flaws, _ in rows:
        folder = named.partition("](")[2].removesuffix("/)")
        report = json.loads((RESULTS / "audit" / folder / "audit.json").read_text(encoding="utf-8"))
        assert typed.strip("`").split() == report["data"]["overrides"]
        assert (int(leaks), int(flaws)) == (report["verdict"]["leak"], report["verdict"]["flaw"]), folder
