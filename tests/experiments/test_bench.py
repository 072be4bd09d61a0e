"""Each bench runs on a tiny slice of the sample corpus and renders. No timing is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY

from emoji_pred.errors import UserError
from experiments.bench.__main__ import BENCHES, main
from experiments.bench.measure import Finding, Row, ratio_row
from experiments.bench.report import load, met, render, save
from experiments.bench.settings import parse_settings

SLOW_PROCESSES = (
    "startup",
    "memory",
    "sweep_finding",
    "sweep_workers",
    "tfidf",
    "reproduce_tables",
)  # each starts whole Python processes


def run_bench(tmp_path: Path, name: str, *more: str) -> dict:
    words = [
        *("data=sample", f"cache_dir={tmp_path / 'cache'}", f"output={tmp_path / 'out'}", "threads=1"),
        *("rows=64", "bert_rows=32", "repetitions=1", "epochs=1", "seeds=1", "encoder=tiny"),
    ]
    assert main([name, *words, *more]) == 0
    found: dict = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))[name]
    return found


@pytest.mark.parametrize("name", [name for name in BENCHES if name not in SLOW_PROCESSES])
def test_a_bench_measures_and_reports(tmp_path: Path, name: str) -> None:
    found = run_bench(tmp_path, name)
    assert found["rows"]
    for row in found["rows"]:
        assert row["measured"] is not None or row["note"].startswith("not run")
    report = (tmp_path / "out" / "bench.md").read_text(encoding="utf-8")
    assert all(f"| {row['what']} |" in report for row in found["rows"])
    assert "(cut short: a trial)" in report
    assert str(tmp_path) not in report


def test_first_step_is_reached_without_the_heavy_packages(tmp_path: Path) -> None:
    found = run_bench(tmp_path, "startup")
    notes = [row["note"] for row in found["rows"]]
    assert "transformers, peft not imported" in notes


def test_memory_of_a_whole_run_is_plausible(tmp_path: Path) -> None:
    (row,) = run_bench(tmp_path, "memory")["rows"]
    assert 0.1 < row["measured"] < 4  # GB; torch alone takes 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep_finding", "sweep_workers", "tfidf", "reproduce_tables"])
def test_whole_commands_are_measured(tmp_path: Path, name: str) -> None:
    found = run_bench(tmp_path, name, "rows=3")
    assert all(row["measured"] is not None for row in found["rows"])


def test_tfidf_is_timed_on_all_of_emothreat_where_its_files_lie(tmp_path: Path) -> None:
    from experiments.bench.linear import _emotions, _what

    settings = parse_settings([f"data_dir={tmp_path}"])
    source = yaml.safe_load((REPOSITORY / "conf/data/emothreat_public.yaml").read_text("utf-8"))["source"]
    files = [tmp_path / part["repository"] / name for part in source.values() for name in part["files"]]
    for file in files:
        assert "data=sample" in _emotions(settings)  # until the last one is there
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert _emotions(settings) == ["data=emothreat_public"]
    assert _what(_emotions(settings)) == "EmoThreat, several labels"
    assert "data=sample" in _emotions(parse_settings([f"data_dir={tmp_path}", "rows=3"]))


def test_ratio_is_of_medians_and_its_range_of_pairs() -> None:
    row = ratio_row("x", [2.0, 4.0, 9.0], [1.0, 4.0, 3.0], at_least=1.5)
    assert row.measured == pytest.approx(4 / 3)  # medians 4 and 3
    assert (row.low, row.high) == (1.0, 3.0)  # pairs 2, 1, 3
    assert met(vars(row)) == "no"


@pytest.mark.parametrize(
    ("measured", "target", "expected"),
    [
        (2.5, {"at_least": 2.5}, "yes"),
        (2.4, {"at_least": 2.5}, "no"),
        (0.1, {"at_most": 0.1}, "yes"),
        (0.11, {"at_most": 0.1}, "no"),
        (None, {"at_most": 0.1}, "-"),
        (1.0, {}, "-"),
    ],
)
def test_met(measured: float | None, target: dict, expected: str) -> None:
    assert met(vars(Row("x", measured, **target))) == expected


def test_results_of_separate_runs_are_merged(tmp_path: Path) -> None:
    settings = parse_settings(["data=sample"])
    save(tmp_path, "padding", Finding([Row("first", 0.05, "%", at_most=0.1)]), settings, 1.0)
    save(tmp_path, "memory", Finding([Row("second", 0.5, "GB")]), settings, 1.0)
    save(tmp_path, "padding", Finding([Row("third", 0.2, "%", at_most=0.1)]), settings, 1.0)
    found = load(tmp_path)
    assert list(found) == ["memory", "padding"]  # in the order of the report, not of the runs
    report = render(found)
    assert "| third | at most 10.0 % | 20.0 % | no |" in report
    assert "first" not in report


@pytest.mark.parametrize(
    ("word", "told"),
    [("repetition=3", "repetitions"), ("rows=many", "whole number"), ("trainer=tpu", "cpu, gpu")],
)
def test_a_wrong_setting_is_refused(word: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        parse_settings([word])


def test_an_unknown_bench_ends_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paddin"]) == 2
    assert "did you mean padding" in capsys.readouterr().err
