"""`make verify-results` passes on what is committed, and names what was tampered with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import checked_pages, checked_training, verify
from experiments.checked_pages import csv_differences, file_differences, markdown_differences
from experiments.checked_places import strangers
from experiments.checked_runs import NO_PROBABILITIES, run_differences
from experiments.checked_training import BUNDLED, cheapest, metric_differences, retrain
from experiments.keeping import ANSWERS, RESULTS, ROOT, kept
from experiments.table import papers

(SAMPLE,) = (path.name for path in BUNDLED.iterdir())  # data=sample model=tfidf_nb
ONE_LABEL = next(path.parent.name for path in sorted(RESULTS.glob(f"*/{ANSWERS}")))
SEVERAL = next(path.parent.name for path in sorted(RESULTS.glob(f"*/{runs.PREDICTIONS}")))


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


def test_what_cannot_be_computed_again_is_counted_with_the_reason(copied: Callable[[str], Path]) -> None:
    """A split has one loss and one ece; without ranks, three top-k; without its answers, nothing."""
    own = copied(SAMPLE)
    left = run_differences(own.parent)[1].left
    splits = [run_differences(own.parent)[1].left[name, NO_PROBABILITIES] for name in ("loss", "ece")]
    assert splits == [sum("loss" in split for split in splits_of(own)), 2]
    whole = pq.read_table(own / ANSWERS)
    pq.write_table(whole.filter(pc.equal(whole["split"], "test")).drop_columns("rank"), own / ANSWERS)
    covered = run_differences(own.parent)[1]
    assert {name: count for (name, why), count in covered.left.items() if "ranks of these runs" in why} == {
        name: 1
        for name in splits_of(own)[1]
        if name.startswith("top_") and name[4:].isdigit() and name != "top_1"
    }
    (gone,) = (count for (name, _), count in covered.left.items() if name == "all of validation")
    plain = [value for value in splits_of(own)[0].values() if isinstance(value, int | float)]
    classes = splits_of(own)[0]["per_class"]
    assert gone == len(plain) + sum(len(entry) - 1 for entry in classes)
    assert covered.left.total() > left.total()


def splits_of(directory: Path) -> list[dict[str, Any]]:
    result = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
    return [result[split] for split in ("validation", "test")]


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


# --- what was tampered with


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    def copy(name: str) -> Path:
        kept_at = BUNDLED if name == SAMPLE else RESULTS
        return Path(shutil.copytree(kept_at / name, tmp_path / "runs" / name))

    return copy


def rewrite(directory: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    path = directory / runs.RESULT
    result = json.loads(path.read_text(encoding="utf-8"))
    change(result)
    runs.write_json(path, result)
    return run_differences(directory.parent)[0]


@pytest.mark.parametrize("name", [ONE_LABEL, SEVERAL])
def test_a_number_that_was_changed_is_named(copied: Callable[[str], Path], name: str) -> None:
    own = copied(name)
    assert run_differences(own.parent)[0] == []
    (line,) = rewrite(own, lambda result: result["test"].update(macro_f1=result["test"]["macro_f1"] + 1e-6))
    assert f"{name}: test/macro_f1 is" in line


def test_a_number_of_a_class_that_was_changed_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    (line,) = rewrite(own, lambda result: result["test"]["per_class"][0].update(f1=0.99))
    assert "test/per_class/❤/f1 is 0.99" in line
    (_, line) = rewrite(own, lambda result: result["test"]["confusion_matrix"][0].reverse())
    assert "confusion_matrix" in line


def test_a_configuration_that_was_changed_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(ONE_LABEL)
    (line,) = rewrite(own, lambda result: result["config"].update(seed=99))
    assert "config is not what provenance.identity says" in line


def test_an_identity_that_was_changed_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(ONE_LABEL)
    (line,) = rewrite(own, lambda result: result["provenance"]["identity"].update(seed=99))
    assert "not the hash of provenance.identity" in line
    (line,) = rewrite(own, lambda result: result["provenance"].clear())
    assert "not the hash of provenance.identity" in line


def test_a_run_below_another_name_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    moved = own.rename(own.with_name("0" * 12))
    (line,) = run_differences(moved.parent)[0]
    assert line == f"runs/{'0' * 12}: the result says that it is of run {SAMPLE}"
    (line,) = rewrite(moved, lambda result: result.update(run="0" * 12))
    assert "not the hash" in line


def test_answers_of_another_run_are_named(copied: Callable[[str], Path]) -> None:
    own = copied(SEVERAL)
    other = next(path for path in RESULTS.glob(f"*/{runs.PREDICTIONS}") if path.parent.name != SEVERAL)
    shutil.copy2(other, own / runs.PREDICTIONS)
    lines = run_differences(own.parent)[0]
    assert f"{SEVERAL}/{runs.PREDICTIONS}: the content is not that of the run" in lines[0]
    assert len(lines) > 1  # and its numbers


def test_half_a_run_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    (own / ANSWERS).unlink()
    assert run_differences(own.parent)[0] == [f"runs/{SAMPLE}: the result or the answers are not there"]
    (own / runs.RESULT).write_text("{", encoding="utf-8")
    (line,) = run_differences(own.parent)[0]
    assert "is no result of a run" in line


def test_a_damaged_run_is_named_and_the_others_are_checked(copied: Callable[[str], Path]) -> None:
    own, other, third = copied(ONE_LABEL), copied(SAMPLE), copied(SEVERAL)
    for directory in (own, third):
        path = next(directory.glob("*.parquet"))
        path.write_bytes(path.read_bytes()[:100] + b"PAR1")
    rewrite(other, lambda result: result["test"].update(accuracy=1.5))
    lines, covered = run_differences(own.parent)
    assert covered.computed > 100
    assert sum(f"{ONE_LABEL}/{ANSWERS} does not hold" in line for line in lines) == 1
    assert sum(f"{SEVERAL}/{runs.PREDICTIONS} does not hold" in line for line in lines) == 1
    assert sum("test/accuracy is 1.5" in line for line in lines) == 1
    assert SAMPLE in {
        run.name for run in cheapest(own.parent)
    }  # damaged answers are found when they are read
    (other / ANSWERS).write_bytes(b"")
    assert SAMPLE not in {run.name for run in cheapest(own.parent)}
    rewrite(third, lambda result: result.update(config=7))
    rewrite(own, lambda result: result.update(config=7))
    assert cheapest(own.parent) == []


@pytest.mark.parametrize("key", ["run", "config", "label_names", "test", "files"])
@pytest.mark.parametrize("name", [ONE_LABEL, SEVERAL])
def test_a_result_of_another_form_is_named(copied: Callable[[str], Path], name: str, key: str) -> None:
    lines = rewrite(copied(name), lambda result: result.update({key: 7}))
    assert lines and all(name in line for line in lines)


@pytest.mark.parametrize("place", ["/mnt/someone/data.csv", "~/data/a.csv", "C:\\Users\\someone\\a.csv"])
def test_a_path_of_a_machine_is_named(copied: Callable[[str], Path], place: str) -> None:
    own = copied(SAMPLE)
    (line,) = rewrite(own, lambda result: result["provenance"].update(warnings=[f"cannot read {place}"]))
    assert "provenance.warnings[0] holds a path" in line


def test_a_stale_run_has_a_name_of_its_own(copied: Callable[[str], Path], monkeypatch: Any) -> None:
    """A run of before a change is whole, though its configuration is called otherwise today."""
    from emoji_pred import changes

    own = copied(SAMPLE)
    change = changes.Change("x", 2, "x", "2027-01-01", lambda _: True)
    monkeypatch.setattr(changes, "CHANGES", (*changes.CHANGES, change))
    assert run_differences(own.parent)[0] == []


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
        if path.stem not in ("__init__", "tweeteval"):
            path.unlink()
    shutil.copytree(RESULTS / ONE_LABEL, root / "results" / "runs" / ONE_LABEL)
    (root / "results" / "tables").mkdir()
    (root / "results" / "tables" / "old.csv").touch()
    written = checked_pages._render(root, ["markdown", "csv"])
    page = root / "results" / "tweeteval.md"
    assert page in written
    page.write_text(page.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    lines, count = checked_pages.page_differences(root)
    assert count == len(written)
    assert any(line.startswith("results/tweeteval.md: ") and "more" in line for line in lines)
    assert "results/tables/old.csv: nothing writes it now; remove it" in lines
    assert len(lines) == 2


# --- the command


def test_the_command_says_what_differs_and_fails(
    copied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own = copied(SAMPLE)
    verify.main(["--results", str(own.parent), "--no-pages"])
    said = capsys.readouterr().out
    assert "1 runs:" in said and f"ece: {NO_PROBABILITIES}" in said and "learning curves" in said
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
