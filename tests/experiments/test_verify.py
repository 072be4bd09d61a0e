"""`make verify-results` passes on what is committed, and names what was tampered with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tampered_runs import ONE_LABEL, SAMPLE, copy_of, rewrite

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import checked_pages, checked_training, verify
from experiments.checked_pages import csv_differences, file_differences, markdown_differences
from experiments.checked_places import strangers
from experiments.checked_runs import NO_PROBABILITIES, run_differences
from experiments.checked_training import BUNDLED, cheapest, command, metric_differences, retrain
from experiments.keeping import RESULTS, ROOT, kept
from experiments.table import papers


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: copy_of(name, tmp_path)


# --- what is committed


def test_every_committed_number_is_what_the_answers_give() -> None:
    lines, covered = run_differences(RESULTS)
    assert lines == run_differences(BUNDLED)[0] == []
    assert covered.computed > 300 * len(list(RESULTS.iterdir()))  # not passed over


@pytest.mark.skipif(
    not (ROOT / "results" / "README.md").is_file(), reason="no page has been rendered: make reproduce-tables"
)
def test_the_committed_pages_are_what_the_runs_give() -> None:
    lines, written = checked_pages.page_differences()
    assert lines == []
    assert written >= 4


def test_a_cheap_cell_comes_out_again() -> None:
    """Of a paper where its data are here, or else the bundled run."""
    here = bool(os.environ.get("EMOJI_PRED_DATA"))
    lines, run = retrain(RESULTS) if here else retrain(BUNDLED)
    assert lines == []
    assert (run.name != SAMPLE) is here


def test_nothing_else_lies_in_the_results(tmp_path: Path) -> None:
    keys = [paper.key for paper in papers()]
    assert strangers(RESULTS.parent, keys) == []
    for name in (
        *("runs/0/result.json", "runs/0/notes.txt", "runs/list.txt", "old/a/b.csv", "tweeteval.md", "new.md"),
        *("tables/t.csv", "tables/t.txt", ".hidden", "tweeteval/figures/page.html", "tweeteval/page.html"),
        *("runs/0/answers.parquet/deeper.txt", "audit/x/audit.html", "audit/x/y/audit.html"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [line.partition(": ")[0].partition("/")[2] for line in strangers(tmp_path, keys)]
    assert found == [
        *("audit/x/y", "new.md", "old", "runs/0/answers.parquet", "runs/0/notes.txt", "runs/list.txt"),
        *("tables/t.txt", "tweeteval/page.html"),
    ]


# --- one run trained again


def test_another_result_of_training_is_named(copied: Callable[[str], Path]) -> None:
    run = kept(SAMPLE, BUNDLED)
    assert run is not None
    result = json.loads(json.dumps(run.result))
    assert list(metric_differences(run, result)) == []
    result["test"]["accuracy"] += 1e-6
    del result["validation"]["per_class"][3]["f1"]
    lines = list(metric_differences(run, result))
    assert len(lines) == 2
    assert "test/accuracy was" in lines[1] and "per_class" in lines[0] and "is None" in lines[0]


def test_a_network_may_differ_by_what_is_stated() -> None:
    run = next(
        run
        for path in sorted(RESULTS.iterdir())
        if (run := kept(path.name)) is not None and not runs.is_linear(run.result["config"])
    )
    result = json.loads(json.dumps(run.result))
    result["test"]["macro_f1"] += 0.9 * checked_training.OF_NETWORKS
    assert list(metric_differences(run, result)) == []
    result["test"]["macro_f1"] += 0.2 * checked_training.OF_NETWORKS
    assert len(list(metric_differences(run, result))) == 1


def test_the_cheapest_is_one_of_each_dataset() -> None:
    found = cheapest(RESULTS)
    times = [run.result["wall_seconds"] for run in found]
    assert len({run.result["config"]["data"]["name"] for run in found}) == len(found) > 1
    assert times == sorted(times)


def test_a_run_is_trained_again_with_its_own_threads() -> None:
    run = kept(SAMPLE, BUNDLED)
    assert run is not None
    for threads, shown in ((2, "trainer.threads=2"), (None, "trainer.threads=null")):
        config = {**run.result["config"], "trainer": {"threads": threads}}
        typed = ["model=ffn", "trainer.threads=7", "seed=3"]
        overrides = command(replace(run, result={**run.result, "config": config, "overrides": typed}))
        assert overrides == [
            *("model=ffn", f"seed={run.seed}", shown, "logger=none", "trainer.progress=none"),
        ]


def test_a_run_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="no kept run nothing"):
        retrain(RESULTS, "nothing")


# --- pages

PAGE = """# A paper

<a id="t-1"></a>

## Table 1

|  | accuracy | macro F1 |
| --- | ---: | ---: |
| ❤ | 0.75 | 0.71 |
| 😂 | 0.50 | 0.44 |

Words.
"""


def test_a_cell_of_a_page_is_named() -> None:
    assert list(markdown_differences(PAGE, PAGE)) == []
    assert list(markdown_differences(PAGE.replace("0.44", "0.45"), PAGE)) == [
        "t.1, 😂, macro F1: '0.45' there, '0.44' by the runs"
    ]
    assert list(markdown_differences(PAGE.replace("Words.", "Others."), PAGE)) == [
        "t.1: 'Others.' there, 'Words.' by the runs"
    ]
    (line,) = markdown_differences(PAGE.replace("| 😂 | 0.50 | 0.44 |\n", ""), PAGE)
    assert line.startswith("t.1: 0 lines there, 1 by the runs: '| 😂")


TABLE = "table,row,column,split,published,mean\nt.1,❤,F1,test,0.8,0.75\nt.1,😂,F1,test,0.5,0.44\n"


def test_a_cell_of_csv_is_named() -> None:
    assert list(csv_differences(TABLE, TABLE)) == []
    assert list(csv_differences(TABLE.replace("0.44", "0.45"), TABLE)) == [
        "t.1, 😂, F1, test, mean: '0.45' there, '0.44' by the runs"
    ]
    fewer = TABLE.removesuffix("t.1,😂,F1,test,0.5,0.44\n")
    assert list(csv_differences(fewer, TABLE)) == ["t.1, 😂, F1, test: the cell is new"]
    assert list(csv_differences(TABLE, fewer)) == ["t.1, 😂, F1, test: the cell is no more"]


def test_a_file_is_compared_byte_by_byte(tmp_path: Path) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    for folder in (root, copy):
        folder.mkdir()
        (folder / "a.svg").write_text("<svg>\n<g/>\n</svg>\n", encoding="utf-8")
    assert file_differences(copy / "a.svg", root, copy) == []
    (root / "a.svg").write_bytes(b"<svg>\r\n<g/>\r\n</svg>\r\n")
    assert file_differences(copy / "a.svg", root, copy) == [
        "a.svg: the same text in other bytes, as of line ends"
    ]
    (root / "a.svg").write_text("<svg>\n<b/>\n</svg>\n", encoding="utf-8")
    assert file_differences(copy / "a.svg", root, copy) == ["a.svg: line 2: '<b/>' there, '<g/>' by the runs"]
    (root / "a.svg").unlink()
    (line,) = file_differences(copy / "a.svg", root, copy)
    assert line.startswith("a.svg: it is not there")


@pytest.mark.slow
def test_pages_are_rendered_in_a_copy_and_compared(tmp_path: Path) -> None:
    """Of a checkout with one run: what render wrote passes, what was edited since is named."""
    root = tmp_path / "checkout"
    checked_pages.copy_checkout(ROOT, root)
    shutil.rmtree(root / "results" / "runs")
    shutil.rmtree(root / "results" / "figures", ignore_errors=True)
    for path in (root / "experiments" / "tables").glob("*.py"):
        if not path.stem.startswith(("__init__", "tweeteval")):
            path.unlink()
    shutil.copytree(RESULTS / ONE_LABEL, root / "results" / "runs" / ONE_LABEL)
    (root / "results" / "tables").mkdir()
    (root / "results" / "tables" / "old.csv").touch()
    written = checked_pages._render(root, ["markdown", "csv"])
    page, card = root / "results" / "tweeteval.md", root / "results" / "model_cards" / "tweeteval.md"
    for path in (page, card):
        assert path in written
        path.write_text(path.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    lines, count = checked_pages.page_differences(root)
    assert count == len(written)
    for path in (page, card):
        name = path.relative_to(root)
        assert any(line.startswith(f"{name}: ") and "more" in line for line in lines)
    assert "results/tables/old.csv: nothing writes it now; remove it" in lines
    for name in ("emothreat_public", "telegram_rus_small"):  # of which no run is there
        assert f"results/model_cards/{name}.md: nothing writes it now; remove it" in lines
    assert len(lines) == 5


# --- the command


def test_the_command_says_what_differs_and_fails(
    copied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own = copied(SAMPLE)
    verify.main(["--results", str(own.parent), "--no-pages"])
    said = capsys.readouterr().out
    assert "1 runs:" in said and f"ece: {NO_PROBABILITIES}" in said and "learning curves" in said
    assert "0 more held against others" in said and "bench.json" in said and "audit.json" in said
    rewrite(own, lambda result: result["test"].update(accuracy=1.5))
    with pytest.raises(SystemExit) as ended:
        verify.main(["--results", str(own.parent), "--no-pages"])
    assert ended.value.code == 1
    errors = capsys.readouterr().err.splitlines()
    assert "test/accuracy is 1.5" in errors[0]
    assert errors[-1] == "1 differences"


def test_what_cannot_be_rendered_or_trained_hides_no_difference(
    copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Any:
        raise UserError("it cannot be done")

    own = copied(SAMPLE)
    monkeypatch.setattr(verify, "retrain", refused)
    with pytest.raises(UserError, match="it cannot be done"):  # nothing differs: a mistake alone
        verify.verify(own.parent, pages=False, again=SAMPLE)
    monkeypatch.setattr(verify, "page_differences", refused)
    rewrite(own, lambda result: result["test"].update(accuracy=1.5))
    lines = verify.verify(own.parent, again=SAMPLE)
    assert "test/accuracy is 1.5" in lines[0] and lines[1:] == ["it cannot be done"] * 2


def test_a_directory_that_is_not_there_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        verify.main(["--results", str(tmp_path / "none"), "--no-pages"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "none" in line and "results" in line
