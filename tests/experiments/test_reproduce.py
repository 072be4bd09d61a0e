"""`python -m experiments.reproduce`: mistakes in one line, a dry plan, runs that are killed, the report."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import stand_in_train
from conftest import REPOSITORY

from emoji_pred import lease, runs
from experiments import reproduce
from experiments.measured import Shelf
from experiments.planning import experiments_of
from experiments.profiles import NOTE_OF_SMOKE, SMOKE, planned
from experiments.table import chosen, papers

FEW_RUNS = 3
Main = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path) -> Main:
    """The command in this process: `main("--dry") -> (code, out, err)`."""
    monkeypatch.setenv("EMOJI_PRED_CACHE", str(cache))

    def ended(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            reproduce.main(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return ended


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stands in for the report: notes what is to be rendered, writes a page and an HTML file."""
    calls: list[tuple[Any, ...]] = []

    def render(papers: Any, shelf: Any, out: Path, formats: Any) -> list[Path]:
        calls.append((papers, shelf, out, tuple(formats)))
        out.mkdir(parents=True, exist_ok=True)
        (out / "README.md").write_text("# Results\n")
        (out / "report.html").write_text("<html><body class='x'><h1>Results</h1></body></html>")
        return [out / "README.md", out / "report.html"]

    module = types.ModuleType("experiments.rendering")
    module.render = render  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "experiments.rendering", module)
    return calls


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tables", "tweeteval.99"], ("'tweeteval.99'", "did you mean tweeteval.1")),
        (["--tables", "all,foo"], ("'foo'",)),
        (["--profile", "gpu"], ("PROFILE=gpu", "smoke, cpu, full")),
        (["--format", "latx"], ("FORMAT=latx", "did you mean latex?")),
        (["--format", "markdown,pdf"], ("FORMAT=pdf", "html", "all")),
        (["--seeds", "0"], ("SEEDS=0 ", "from 1 to 1000")),
        (["--seeds", "1001"], ("SEEDS=1001 ", "from 1 to 1000")),
        (["--seeds", "9" * 5000], ("SEEDS=999", "from 1 to 1000")),
        (["--jobs", "two"], ("JOBS=two ", "from 1 to 1000")),
        (["--launcher", "slurm"], ("LAUNCHER=slurm", "submitit_slurm")),
        (["--launcher", "ray seed=3"], ("seed=3", "hydra.launcher.KEY=VALUE")),
        (["--launcher", "ray trainer.max_steps=9"], ("trainer.max_steps=9", "would change what is trained")),
        (["--no-such"], ("--no-such", "--help")),
    ],
)
def test_a_mistake_is_one_line_that_says_what_there_is(
    main: Main, tmp_path: Path, arguments: list[str], words: tuple[str, ...]
) -> None:
    typed = ["--tables", "tweeteval.4", "--profile", "smoke", "--runs-dir", str(tmp_path), *arguments]
    code, _, err = main(*typed)
    assert code == 2 and len(err.splitlines()) == 1 and err.startswith("error: ")
    assert all(word in err for word in words)


def test_as_many_seeds_as_there_may_be_are_read() -> None:
    wish = reproduce.wish_of(["--seeds", " 1000 ", "--jobs", "1"])
    assert (wish.seeds, wish.hardware.jobs) == (1000, 1)


@pytest.mark.parametrize("option", ["--runs-dir", "--out"])
def test_a_directory_that_cannot_be_written_is_told_first(main: Main, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").touch()
    typed = {
        "--runs-dir": str(tmp_path / "runs"),
        "--out": str(tmp_path / "out"),
        option: f"{tmp_path}/file/x",
    }
    code, out, err = main("--profile", "smoke", *(word for pair in typed.items() for word in pair))
    assert code == 2 and "cannot write to" in err and f"{option[2:].upper().replace('-', '_')}=DIR" in err
    assert "start" not in out


def test_a_dry_plan_writes_nothing(main: Main, tmp_path: Path) -> None:
    code, out, err = main(
        *("--tables", "tweeteval.4", "--profile", "cpu", "--seeds", "", "--jobs", "", "--format", ""),
        *("--launcher", "", "--runs-dir", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--dry"),
    )
    assert code == 0 and not err and not list(tmp_path.iterdir())
    assert out.startswith("tweeteval.4, profile cpu: 5 runs, 0 finished, 5 missing")
    assert "model=cnn loss=focal seed=0,1,2,3,4" in out and "are free" in out


def test_without_training_the_report_is_written_of_what_is_there(
    main: Main, tmp_path: Path, rendered: list[tuple[Any, ...]]
) -> None:
    typed = ("--tables", "tweeteval.4", "--runs-dir", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    code, out, _ = main(*typed, "--no-train")
    assert code == 0 and "5 missing" in out and "start" not in out
    assert len(rendered) == 1 and (tmp_path / "out" / "README.md").is_file()


def test_too_little_disk_is_told_before_anything_starts(
    main: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.planning.free_disk", lambda _: 1 << 20)
    typed = ("--tables", "tweeteval.4", "--runs-dir", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    code, out, err = main(*typed)
    assert code == 2 and "has 1 MB free; make room" in err and "start" not in out


def _small_tables() -> list[str]:
    """Of each paper the table with the fewest runs, if these are few."""
    found = []
    for paper in papers():
        counts = {
            len({run.name for one in table.experiments for run in planned(one, SMOKE)}): table.name
            for table in reversed(paper.tables)
        }
        fewest = min(count for count in counts if count)
        found += [counts[fewest]] if fewest <= FEW_RUNS else []
    return found


def test_a_part_of_the_smoke_profile_from_end_to_end(main: Main, tmp_path: Path) -> None:
    names = _small_tables()
    assert len(names) >= 3
    typed = ("--tables", ",".join(names), "--profile", "smoke", "--jobs", "2", "--runs-dir", str(tmp_path))
    before = sorted(reproduce.keeping.RESULTS.parent.rglob("*"))
    code, out, err = main(*typed, "--format", "all")
    assert code == 0, out + err
    report = tmp_path / "smoke" / "report"
    shelf = Shelf(report / "runs", SMOKE)
    for experiment in experiments_of(chosen(",".join(names))):  # every cell has its run
        assert len(shelf.runs(experiment)) == len(planned(experiment, SMOKE)) == 1
    for page in ("README.md", "report.html", *(f"{paper.key}.md" for paper in chosen(",".join(names)))):
        assert (report / page).read_text(encoding="utf-8").count(NOTE_OF_SMOKE) == 1
    assert {path.stem for path in (report / "tables").glob("*.tex")} == set(names)
    assert {path.stem for path in (report / "tables").glob("*.csv")} == set(names)
    assert sorted(reproduce.keeping.RESULTS.parent.rglob("*")) == before  # never among the results
    assert [path.name for path in tmp_path.iterdir()] == ["smoke"]
    code, out, _ = main(*typed, "--format", "csv")  # nothing is missing: it is rendered, that is all
    assert code == 0 and " 0 missing" in out and "start" not in out and "wrote" in out


def test_a_page_that_says_itself_that_it_is_a_smoke_run_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<body class='x'><h1>1</h1></body>")
    reproduce.mark_as_smoke(page)
    marked = page.read_text()
    assert marked.startswith("<body class='x'><p role=") and marked.endswith("</p><h1>1</h1></body>")
    reproduce.mark_as_smoke(page)
    assert page.read_text() == marked
    (tmp_path / "figure.svg").write_text("<svg/>")
    reproduce.mark_as_smoke(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text() == "<svg/>"


def test_what_is_finished_is_kept_before_anything_and_only_rendered(
    main: Main, tmp_path: Path, rendered: list[tuple[Any, ...]]
) -> None:
    (run,) = planned(chosen("tweeteval.4")[0].tables[0].experiments[0], SMOKE)
    stand_in_train.finish(tmp_path / "smoke" / run.name)
    code, out, err = main("--tables", "tweeteval.4", "--profile", "smoke", "--runs-dir", str(tmp_path))
    assert code == 0 and "1 finished, 0 missing" in out, err
    ((papers_of, shelf, place, formats),) = rendered
    assert [table.name for table in papers_of[0].tables] == ["tweeteval.4"]
    assert (shelf.profile, formats) == (SMOKE, ("markdown", "html"))
    own = place / "runs" / run.name
    assert (own / runs.RESULT).is_file()
    (own / reproduce.keeping.ANSWERS).unlink()  # and again, where half of it was lost
    code, out, _ = main("--tables", "tweeteval.4", "--profile", "smoke", "--runs-dir", str(tmp_path))
    assert code == 0 and "1 finished, 0 missing" in out and (own / reproduce.keeping.ANSWERS).is_file()


def _started(tmp_path: Path, cache: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command as a process of its own, as far as the report."""
    program = (
        "import sys, types; module = types.ModuleType('experiments.rendering'); "
        "module.render = lambda *_: []; sys.modules['experiments.rendering'] = module; "
        "from experiments import reproduce; reproduce.main(sys.argv[1:])"
    )
    words = (
        "--tables",
        "tweeteval.4,tweeteval.2",
        "--profile",
        "smoke",
        "--jobs",
        "1",
        "--runs-dir",
        tmp_path,
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words), *arguments],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "EMOJI_PRED_CACHE": str(cache)},
    )


def _until(happens: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := happens()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def _lease(smoke: Path) -> list[Path]:
    return [path for path in smoke.glob(f"*/{lease.LEASE}") if path.stat().st_size]


def test_killed_while_it_trains_and_started_twice_every_run_is_trained_once(
    tmp_path: Path, cache: Path
) -> None:
    smoke = tmp_path / "smoke"
    killed = _started(tmp_path, cache)
    _until(lambda: _lease(smoke))
    children = psutil.Process(killed.pid).children(recursive=True)
    assert children
    killed.kill()
    killed.communicate()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive  # no orphans
    both = [_started(tmp_path, cache), _started(tmp_path, cache)]
    ends = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    results = list(smoke.glob(f"*/{runs.RESULT}"))
    assert len(results) == 2 and len(list((smoke / "report" / "runs").iterdir())) == 2
    trained = "\n".join(path.read_text() for path in (smoke / "logs").glob("*.log"))
    # Each was trained once, by whichever process came first: the others say that they waited, or found it.
    assert all(json.loads(path.read_text())["status"] == "finished" for path in results)
    assert trained.count("epoch 1/1") <= 2 + 1  # one may have been cut after its epoch
    third = _started(tmp_path, cache)
    out, _ = third.communicate(timeout=60)
    assert third.returncode == 0 and "2 finished, 0 missing" in out


def test_ctrl_c_says_how_far_it_came_and_ends_with_130(tmp_path: Path, cache: Path) -> None:
    process = _started(tmp_path, cache)
    _until(lambda: _lease(tmp_path / "smoke"))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping: the runs save their states" in out and "left, in" in out
    assert err.splitlines()[-1] == "stopped; the same command continues"
    assert "Traceback" not in out + err
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@pytest.mark.slow
def test_the_whole_smoke_profile(main: Main, tmp_path: Path) -> None:
    begun = _processor_seconds()
    code, out, err = main("--profile", "smoke", "--runs-dir", str(tmp_path), "--format", "all")
    assert code == 0, out + err
    assert _processor_seconds() - begun < 2 * 300  # five minutes of two cores, whatever else they do
    report = tmp_path / "smoke" / "report"
    assert NOTE_OF_SMOKE in (report / "README.md").read_text()
    for experiment in experiments_of(papers()):
        for run in planned(experiment, SMOKE):
            assert (report / "runs" / run.name / runs.RESULT).is_file()
