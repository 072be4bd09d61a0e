"""Plans: what is missing, in which order, how long and how large; configurations that are kept."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import compositions, keeping
from experiments.history import Estimate, History
from experiments.joining import joined
from experiments.planning import (
    Places,
    Plan,
    Wanted,
    check_disk,
    described,
    history_of,
    plan,
    time_of,
)
from experiments.profiles import CPU, FULL, SMOKE, Planned, planned
from experiments.table import Experiment, Figure, Metric, Paper, Table, experiment_row

SAMPLE = ("data=sample", "encoder=tiny")
CNN = Experiment((*SAMPLE, "model=cnn"), seeds=3)
FFN = Experiment((*SAMPLE, "model=ffn"))
LINEAR = Experiment(("data=sample", "model=tfidf_nb"), random=False)
FAR = Experiment((), ("data=tweeteval", "model=bert", "encoder=bertweet"), seeds=2, lacking="no network")
FAR_TOO = Experiment((), ("data=tweeteval", "model=lora", "encoder=bertweet"), lacking="no network")


def paper(*experiments: Experiment) -> Paper:
    metric = Metric("macro F1", "macro_f1")
    rows = tuple(experiment_row(str(number), one, (metric,)) for number, one in enumerate(experiments))
    return Paper("one", "One", "nobody", (Table("one.1", "Table 1", (metric.name,), rows),))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for all tests of this file."""
    monkeypatch.setenv("EMOJI_PRED_CACHE", str(tmp_path_factory.getbasetemp() / "cache_of_plans"))


def result_of(
    run: Planned, seconds: float, rows: int = 100, device: str = "cpu", trainable: int = 1000
) -> dict[str, Any]:
    """What a run leaves, as far as plans look at it: 2 labels, `rows` training rows, 10 + 10 others."""
    return {
        **{"schema": runs.RESULT_SCHEMA, "status": "finished", "run": run.name},
        "task": "multiclass",
        **{"config": runs.public(run.config), "wall_seconds": seconds, "label_names": ["a", "b"]},
        **{"parameters": {"total": trainable, "trainable": trainable}, "files": {"best.ckpt": ""}},
        "provenance": {
            "identity": runs.identity(run.config, {}),
            "rows": {"train": rows, "validation": 10, "test": 10},
            "machine": {"device": device},
        },
    }


def history(*results: dict[str, Any], gpu: bool = False) -> History:
    found = History(gpu)
    for result in results:
        found.add(result)
    return found


def of(*overrides: str) -> Planned:
    return planned(Experiment(overrides))[0]


# --- estimates


def test_other_seeds_tell_first_and_their_median_counts() -> None:
    first, second, third = planned(CNN)
    more = planned(Experiment(CNN.measured, seeds=5))
    like = of(*SAMPLE, "model=cnn", "loss=cross_entropy")
    known = history(result_of(first, 10), result_of(second, 40), result_of(more[3], 12), result_of(like, 999))
    estimate = known.estimate(third.config)
    assert (estimate.seconds, estimate.like) == (12, "its other seeds")


def test_then_the_same_model_on_the_same_data() -> None:
    known = history(
        result_of(of(*SAMPLE, "model=cnn", "loss=cross_entropy"), 30),
        result_of(of(*SAMPLE, "model=ffn"), 1000),
        result_of(of(*SAMPLE, "model=cnn", "data.language=ru"), 2000),
    )
    estimate = known.estimate(planned(CNN)[0].config)
    assert (estimate.seconds, estimate.like) == (30, "cnn on sample")


def test_then_on_other_data_by_the_rows() -> None:
    known = history(
        result_of(of("data=tweeteval", "model=cnn"), 600, rows=45_000),
        result_of(of("data=telegram_rus_small", "model=ffn"), 1, rows=15_000),
    )
    by_rows = known.estimate(of("data=telegram_rus_small", "model=cnn").config)
    assert (by_rows.seconds, by_rows.like) == (200, "cnn on tweeteval, by rows")
    unknown_rows = known.estimate(of("data=emothreat", "model=cnn").config)
    assert (unknown_rows.seconds, unknown_rows.like) == (600, "cnn on tweeteval")


def test_else_nothing_is_said() -> None:
    assert history().estimate(planned(CNN)[0].config) == Estimate(None, None, 0, "no such run yet")


@pytest.mark.parametrize("other", ["model.network.encoder_training=full", "encoder=minilm"])
def test_encoders_trained_otherwise_tell_nothing(other: str) -> None:
    frozen = of(*SAMPLE, "model=lora", "model.network.encoder_training=frozen")
    known = history(result_of(frozen, 5))
    typed = (*SAMPLE, "model=lora", "model.network.encoder_training=frozen", other)
    key = other.partition("=")[0]
    others = [text for text in typed if not text.startswith(f"{key}=")]
    assert known.estimate(of(*others, other).config).seconds is None
    again = of(*SAMPLE, "model=lora", "model.network.encoder_training=frozen", "loss=cross_entropy")
    assert known.estimate(again.config).seconds == 5


def test_a_gpu_tells_nothing_of_a_processor_but_a_linear_model_has_no_use_for_it() -> None:
    first, second, _ = planned(CNN)
    results = (result_of(first, 5, device="NVIDIA H100"), result_of(of("data=sample", "model=tfidf_nb"), 2))
    assert history(*results).estimate(second.config).seconds is None
    assert history(*results, gpu=True).estimate(second.config).seconds == 5
    linear = of("data=sample", "model=tfidf_nb", "data.clean=leak_free")
    assert history(*results, gpu=True).estimate(linear.config).seconds == 2


def test_disk_by_parameters_and_rows_or_by_the_files(tmp_path: Path) -> None:
    first, second, _ = planned(CNN)
    known = history(result_of(first, 1, trainable=1000))
    # 1000 float32; 20 answered rows of 2 float32 and 8 bytes; 3 states of 3 float32, 2 copies.
    estimate = known.estimate(second.config)
    assert estimate.disk == 4000 + 20 * 16
    assert estimate.disk_while == 1000 * 4 * (3 * 3 + 2)
    (tmp_path / "best.ckpt").write_bytes(b"x" * 77)
    seen = History()
    seen.add(result_of(first, 1), tmp_path)
    assert seen.estimate(second.config).disk == 77


def test_results_that_lack_something_are_passed_over() -> None:
    known = History()
    known.add({"run": "0"})
    known.add({**result_of(planned(CNN)[0], 1), "parameters": None})
    assert known.estimate(planned(CNN)[1].config).seconds is None


def test_time_of_runs_at_once() -> None:
    all_runs = [Estimate(seconds) for seconds in (1.0, 2.0, 3.0, 10.0)]
    assert time_of(all_runs, 1) == 16
    assert time_of(all_runs, 2) == 12  # 1 and 3; 2 and 10
    assert time_of(all_runs, 9) == 10
    assert time_of([Estimate(), Estimate(5.0)], 1) == 5
    assert time_of([], 2) == 0


# --- the plan


def places(folder: Path) -> Places:
    return Places(folder / "runs", folder / "results" / "runs")


def keep(run: Planned, where: Places, **more: Any) -> None:
    target = where.kept / run.name
    target.mkdir(parents=True)
    (target / keeping.ANSWERS).write_bytes(b"PAR1 what is answered PAR1")
    (target / runs.RESULT).write_text(json.dumps(result_of(run, **more)))


def planned_for(where: Places, *experiments: Experiment, profile: str = CPU, **options: Any) -> Plan:
    settings = {"seeds": None, "jobs": 1, **options}
    return plan([paper(*experiments)], profile, places=where, history=history_of(where), **settings)


def test_what_is_missing_cheapest_first_and_the_unknown_last(tmp_path: Path) -> None:
    where = places(tmp_path)
    cnn, ffn = planned(CNN), planned(FFN)
    keep(cnn[1], where, seconds=50)
    other = of(*SAMPLE, "model=ffn", "loss=cross_entropy")
    keep(other, where, seconds=7)
    found = planned_for(where, LINEAR, CNN, FFN, CNN)
    assert [run.name for run in found.finished] == [cnn[1].name]
    names = [one.run.name for one in found.missing]
    assert names == [ffn[0].name, cnn[0].name, cnn[2].name, planned(LINEAR)[0].name]
    assert found.seconds == 7 + 50 + 50
    text = described(found, ["one"])
    assert "one, profile cpu: 5 runs, 1 finished, 4 missing" in text
    assert "data=sample encoder=tiny model=cnn seed=0,2  (its other seeds)" in text
    assert "about 1 min 47 s, one after the other, and 1 run of unknown time" in text


def test_seeds_asked_for_and_runs_finished_in_the_directory_of_runs(tmp_path: Path) -> None:
    where = places(tmp_path)
    found = planned_for(where, CNN, LINEAR, seeds=5)
    assert len(found.missing) == 5 + 1  # nothing is random in the linear one
    name = found.missing[0].run.name
    directory = where.runs_dir / name
    directory.mkdir(parents=True)
    result = {"schema": runs.RESULT_SCHEMA, "status": "finished", "files": {}}
    (directory / runs.RESULT).write_text(json.dumps(result))
    found = planned_for(places(tmp_path), CNN, LINEAR, seeds=5)
    assert [run.name for run in found.finished] == [name] and len(found.missing) == 5


def test_a_kept_run_without_its_answers_is_trained_again(tmp_path: Path) -> None:
    where = places(tmp_path)
    first, second, _ = planned(CNN)
    keep(first, where, seconds=10)
    keep(second, where, seconds=10)
    (where.kept / first.name / keeping.ANSWERS).unlink()
    found = planned_for(where, CNN)
    assert [run.name for run in found.finished] == [second.name]
    assert first.name in [one.run.name for one in found.missing]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (runs.RESULT, b'{"task": "multi', "is no result of a run"),
        (keeping.ANSWERS, b"PAR1 what is answ", "is no whole Parquet file"),
        (keeping.ANSWERS, b"PAR1", "is no whole Parquet file"),
        (keeping.ANSWERS, b"", "is no whole Parquet file"),
    ],
)
def test_a_damaged_kept_run_is_told_before_anything_is_trained(
    tmp_path: Path, file: str, content: bytes, words: str
) -> None:
    where = places(tmp_path)
    (run, *_) = planned(CNN)
    keep(run, where, seconds=10)
    (where.kept / run.name / file).write_bytes(content)
    with pytest.raises(UserError, match=f"{run.name}/{file} {words}; remove "):
        planned_for(where, CNN)


def test_interrupted_and_failed_runs_are_told(tmp_path: Path) -> None:
    where = places(tmp_path)
    first, second, _ = planned(CNN)
    (where.runs_dir / first.name).mkdir(parents=True)
    (where.runs_dir / first.name / "state-000000001-0123456789ab.ckpt").touch()
    runs.write_failure(runs.prepare_directory(where.runs_dir / second.name), ValueError("no"), "", [])
    text = described(planned_for(where, CNN), ["one"])
    assert "1 failed before; 1 interrupted before" in text


def test_what_cannot_be_run_is_told_once_with_the_commands_of_the_full_profile(tmp_path: Path) -> None:
    found = planned_for(places(tmp_path), FAR, CNN, FAR_TOO)
    assert len(found.missing) == 3
    text = described(found, ["one"])
    assert text.count("no network") == 1
    assert "  python train.py -m data=tweeteval model=bert encoder=bertweet seed=0,1\n" in text
    assert text.endswith("  python train.py data=tweeteval model=lora encoder=bertweet seed=0")
    assert not planned_for(places(tmp_path), FAR, CNN, profile=FULL).lacking


def test_figures_count_too(tmp_path: Path) -> None:
    drawn = Figure("one.figure1", "Figure 1", "curves", (("CNN", CNN),))
    where = places(tmp_path)
    shown = Paper("one", "One", "nobody", (), (drawn,))
    assert len(plan([shown], CPU, None, 1, where, history_of(where)).missing) == 3


def test_smoke_runs_every_experiment_once_on_bundled_data(tmp_path: Path) -> None:
    near = Experiment(("data=tweeteval", "data.clean=leak_free", "model=cnn"), seeds=3)
    found = planned_for(places(tmp_path), near, FAR, profile=SMOKE)
    assert found.missing[0].run.config["data"]["clean"] == "leak_free"
    assert [one.run.config["data"]["name"] for one in found.missing] == ["sample", "sample"]
    assert all(one.run.config["trainer"]["max_steps"] == 3 for one in found.missing)
    assert not found.lacking
    nothing = Experiment((), None, lacking="nobody has it")
    assert planned_for(places(tmp_path), nothing, profile=SMOKE).missing == ()


def test_a_mistake_in_overrides_names_its_table_and_row(tmp_path: Path) -> None:
    wrong = Experiment(("data=sample", "model=cnnn"))
    with pytest.raises(UserError, match=r"^one\.1, row 1: model=cnnn is not a choice"):
        planned_for(places(tmp_path), FFN, wrong)
    where, drawn = places(tmp_path), Figure("one.figure1", "Figure 1", "curves", (("", wrong),))
    with pytest.raises(UserError, match=r"^one\.figure1: model=cnnn"):
        plan([Paper("one", "One", "nobody", (), (drawn,))], CPU, None, 1, where, history_of(where))


def test_a_disk_that_is_too_small_is_told_before_anything_starts(tmp_path: Path) -> None:
    gigabyte = 1 << 30
    estimates = [Estimate(1.0, 2 * gigabyte, 3 * gigabyte), Estimate(2.0, gigabyte, gigabyte), Estimate()]
    missing = tuple(Wanted(run, estimate) for run, estimate in zip(planned(CNN), estimates, strict=True))
    found = Plan(CPU, (), missing, (), 2, tmp_path / "runs" / "deep")
    # What is left: 2 + 1 + the largest, 2; while they train: the two largest, 3 + 1.
    assert found.disk == 9 * gigabyte
    check_disk(found, 10 * gigabyte)
    with pytest.raises(UserError, match=r"need about 9\.0 GB.* has 9\.0 GB free"):
        check_disk(found, 9 * gigabyte)
    check_disk(Plan(CPU, (), (), (), 2, tmp_path), 0)


def test_runs_kept_elsewhere_tell_too_and_each_counts_once(tmp_path: Path) -> None:
    here, elsewhere = places(tmp_path / "here"), places(tmp_path / "elsewhere")
    first, second, third = planned(CNN)
    keep(first, here, seconds=10)
    keep(first, elsewhere, seconds=1000)  # the same run
    keep(second, elsewhere, seconds=30)
    known = history_of(here, more=elsewhere.kept)
    assert known.estimate(third.config).seconds == 20


# --- sweeps


def _expanded(typed: tuple[str, ...]) -> set[frozenset[str]]:
    parts = [
        [f"{key}={one}" for one in value.split(",")] for key, _, value in (t.partition("=") for t in typed)
    ]
    return {frozenset(combination) for combination in itertools.product(*parts)}


def test_sweeps_are_exactly_the_runs() -> None:
    grid = [(f"a={a}", f"b={b}", "c=0") for a in "xyz" for b in "12"]
    odd = [("a=x", "b=3", "c=0"), ("a=x", "d=1"), ("a=y", "d=1"), ("b=1",)]
    wanted = [*grid, *odd]
    sweeps = joined(wanted)
    covered = [combination for typed, _ in sweeps for combination in _expanded(typed)]
    assert sorted(map(sorted, covered)) == sorted(map(sorted, map(frozenset, wanted)))
    for typed, found in sweeps:
        assert _expanded(typed) == {frozenset(wanted[place]) for place in found}
    assert len(sweeps) == 4 and (("a=x,y,z", "b=1,2", "c=0"), (0, 1, 2, 3, 4, 5)) in sweeps


def test_what_needs_quotes_or_comes_twice_stays_alone() -> None:
    lists = [("data.clusters=[['a'],['b']]", "seed=0"), ("data.clusters=null", "seed=0")]
    assert len(joined(lists)) == 2
    assert joined([(*typed, "x=1") for typed in lists[:1]] + [(*lists[0], "x=2")])[0][0][-1] == "x=1,2"
    assert joined([("a=1", "a=2")]) == [(("a=1", "a=2"), (0,))]


# --- configurations that are kept


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOJI_PRED_CACHE", str(tmp_path))
    compositions._folder.cache_clear()
    return tmp_path


def _files(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.json"))


def test_a_kept_configuration_is_the_composed_one(own_cache: Path, compose: Any) -> None:
    overrides = ("data=sample", "model=lora", "encoder=tiny", "seed=3")
    first = compositions.composed(overrides)
    (kept,) = _files(own_cache)
    assert compositions.composed(overrides) == first == compose(*overrides)
    kept.write_text(kept.read_text()[:100])  # cut
    assert compositions.composed(overrides) == first
    other = json.loads(kept.read_text()) | {"overrides": ["seed=4"]}  # of something else
    kept.write_text(json.dumps(other | {"config": {}}))
    assert compositions.composed(overrides) == first


def test_it_is_made_anew_where_anything_changes_that_it_is_made_of(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "model").mkdir(parents=True)
    (conf / "config.yaml").write_text("a: ${oc.env:EMOJI_PRED_OF_THIS_TEST,1}\n")
    for name in compositions.MADE_BY:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one")
    seen = [compositions.sources_digest(conf, tmp_path)]

    def changed(path: str, text: str) -> None:
        (tmp_path / path).write_text(text)
        seen.append(compositions.sources_digest(conf, tmp_path))

    assert compositions.sources_digest(conf, tmp_path) == seen[0]
    changed("conf/config.yaml", "a: ${oc.env:EMOJI_PRED_OF_THIS_TEST,2}\n")
    changed("conf/model/new.yaml", "")
    changed("emoji_pred/composer.py", "two")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EMOJI_PRED_OF_THIS_TEST", "3")
        seen.append(compositions.sources_digest(conf, tmp_path))
    assert len(set(seen)) == len(seen)


def test_where_nothing_can_be_written_it_is_composed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EMOJI_PRED_CACHE", str(tmp_path / "file"))
    assert compositions.composed(("data=sample", "seed=8"))["seed"] == 8


def test_old_generations_are_removed(own_cache: Path) -> None:
    for number in range(8):
        (own_cache / "compositions" / str(number)).mkdir(parents=True)
    compositions.composed(("data=sample",))
    assert len(list((own_cache / "compositions").iterdir())) == compositions.GENERATIONS


def test_names_are_those_of_train_py_whatever_is_kept(compose: Any) -> None:
    for overrides in (("data=sample", "model=cnn", "seed=2"), ("data=sample", "model=tfidf_nb", "seed=0")):
        for _ in range(2):
            config = compositions.composed(overrides)
            assert runs.identity(config, {}) == runs.identity(compose(*overrides), {})


def test_a_plan_loads_neither_hydra_nor_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from experiments import reproduce; "
        f"reproduce.main(['--dry', '--tables', 'tweeteval.4', '--runs-dir', {str(tmp_path)!r}]); "
        "print(sorted({'torch', 'hydra', 'lightning'} & set(sys.modules)))"
    )
    typed = [sys.executable, "-c", program]
    first, second = (subprocess.check_output(typed, text=True, cwd=REPOSITORY) for _ in range(2))
    assert "profile cpu" in first and "torch" not in first.splitlines()[-1]  # it may have composed
    assert second.splitlines()[-1] == "[]"
