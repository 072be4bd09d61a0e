"""Means, intervals and verdicts of cells, by hand and against scipy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept_answers import kept_run
from scipy import stats

from emoji_pred import changes, runs
from emoji_pred.changes import Change
from experiments import measured
from experiments.measured import RULE, Measured, Shelf, Verdict, over_seeds
from experiments.profiles import CPU, FULL, Planned, overrides_of, seeds_of
from experiments.resampling import replicates
from experiments.table import Cell, Experiment, Metric

EXPERIMENT = Experiment(("model=ffn",), seeds=3)
ACCURACY = Metric("accuracy", "accuracy")
COUNT = Metric("rows", "per_class/❤/support", decimals=0, higher_is_better=None)


def cell(published: float | None, metric: Metric = ACCURACY) -> Cell:
    return Cell(EXPERIMENT, metric, published)


def verdict(
    published: float | None,
    mean: float,
    one_more: tuple[float, float] | None = None,
    metric: Metric = ACCURACY,
    stand_in: str = "",
) -> Verdict:
    return Measured(cell(published, metric), (), (mean,), (), one_more=one_more, stand_in=stand_in).verdict


def test_students_intervals_by_hand() -> None:
    # Mean 2, deviation 1, n = 3; Student's 97.5 % point with 2 degrees of freedom is 4.302653 (any table).
    of_mean, of_one = over_seeds([1.0, 2.0, 3.0])
    reach = 4.302653 / 3**0.5
    assert of_mean == pytest.approx((2 - reach, 2 + reach), abs=1e-5)
    reach = 4.302653 * (1 + 1 / 3) ** 0.5
    assert of_one == pytest.approx((2 - reach, 2 + reach), abs=1e-5)


def test_the_interval_of_the_mean_is_scipys() -> None:
    values = [0.31, 0.35, 0.3, 0.33, 0.36]
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert over_seeds(values)[0] == pytest.approx((theirs.low, theirs.high))


def test_one_more_run_falls_inside_in_95_of_100() -> None:
    generator = np.random.default_rng(0)
    inside = 0
    for values in generator.normal(size=(4000, 6)):
        low, high = over_seeds(values[:5])[1]
        inside += low <= values[5] <= high
    assert abs(inside / 4000 - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5


@pytest.mark.parametrize(
    ("published", "mean", "one_more", "wanted"),
    [
        (0.35, 0.35, (0.33, 0.37), Verdict.REPRODUCED),
        (0.37, 0.35, (0.33, 0.37), Verdict.REPRODUCED),  # at the end
        (0.37, 0.35, (0.33, 0.3651), Verdict.REPRODUCED),  # 0.3651 rounds to 0.37
        (0.37, 0.35, (0.33, 0.3649), Verdict.WORSE),
        (0.33, 0.35, (0.3349, 0.37), Verdict.REPRODUCED),
        (0.33, 0.35, (0.3351, 0.37), Verdict.BETTER),
        (0.30, 0.35, (0.24, 0.46), Verdict.INCONCLUSIVE),  # 11 points to one side
        (0.35, 0.354, (0.24, 0.46), Verdict.REPRODUCED),  # as wide, but 0.354 rounds to the very number
        (0.34, 0.354, (0.24, 0.46), Verdict.INCONCLUSIVE),
        (0.04, 0.02, (0.0, 0.08), Verdict.INCONCLUSIVE),  # 6 points above, cut at 0 below
        (0.30, 0.35, (0.30, 0.40), Verdict.REPRODUCED),  # 5 points are not wider than 5 points
        (0.60, 0.35, (0.24, 0.46), Verdict.WORSE),  # wide, yet far outside
        (0.35, 0.3549, None, Verdict.REPRODUCED),
        (0.35, 0.3551, None, Verdict.BETTER),
        (None, 0.35, (0.33, 0.37), Verdict.NOT_PUBLISHED),
    ],
)
def test_each_verdict(
    published: float | None, mean: float, one_more: tuple[float, float] | None, wanted: Verdict
) -> None:
    assert verdict(published, mean, one_more) is wanted


@pytest.mark.parametrize(
    ("published", "interval", "holds"),
    [
        (0.37, (0.33, 0.3651), True),  # 0.3651 rounds to 0.37
        (0.37, (0.33, 0.3649), False),
        (0.33, (0.3351, 0.37), False),
        (0.37, None, False),
        (None, (0.33, 0.37), False),
    ],
)
def test_whether_the_interval_of_the_mean_holds_what_was_published(
    published: float | None, interval: tuple[float, float] | None, holds: bool
) -> None:
    assert Measured(cell(published), (), (0.35,), (), interval).holds_published is holds


def test_lower_can_be_better() -> None:
    loss = Metric("Hamming loss", "hamming_loss", higher_is_better=False)
    assert verdict(0.20, 0.15, (0.14, 0.16), metric=loss) is Verdict.BETTER
    assert verdict(0.20, 0.25, (0.24, 0.26), metric=loss) is Verdict.WORSE


def test_points_are_of_the_scale() -> None:
    percent = Metric("accuracy", "accuracy", scale=100, decimals=1)
    assert verdict(35.0, 36.0, (30.9, 41.1), metric=percent) is Verdict.INCONCLUSIVE
    assert verdict(35.0, 36.0, (31.1, 40.9), metric=percent) is Verdict.REPRODUCED
    assert verdict(35.0, 35.06, None, metric=percent) is Verdict.BETTER


def test_a_count_is_the_same_or_different() -> None:
    assert verdict(10_798, 10_798, metric=COUNT) is Verdict.SAME
    assert verdict(10_798, 10_799, metric=COUNT) is Verdict.DIFFERENT
    assert verdict(10_798, 10_797, metric=COUNT) is Verdict.DIFFERENT


def test_a_number_that_is_no_better_for_being_higher_is_reproduced_or_different() -> None:
    trained = Metric("accuracy", "curves/4/train_accuracy", split="", scale=100, higher_is_better=None)
    assert verdict(31.35, 31.0, (30.5, 31.5), metric=trained) is Verdict.REPRODUCED
    assert verdict(31.35, 33.0, (32.5, 33.5), metric=trained) is Verdict.DIFFERENT
    assert verdict(31.35, 29.0, (28.5, 29.5), metric=trained) is Verdict.DIFFERENT
    assert verdict(31.35, 33.0, (23.0, 43.0), metric=trained) is Verdict.INCONCLUSIVE
    assert not trained.is_count and COUNT.is_count and not ACCURACY.is_count
    never = Metric("classes never predicted", "zeroed_classes", decimals=0, higher_is_better=False)
    assert not never.is_count  # a model with fewer is better


def test_a_stand_in_is_not_compared() -> None:
    assert verdict(0.35, 0.35, (0.3, 0.4), stand_in="another encoder") is Verdict.NOT_COMPARABLE


def test_nothing_measured_is_not_run() -> None:
    empty = Measured(cell(0.35), (), (), (0, 1, 2))
    assert (empty.mean, empty.difference, empty.verdict) == (None, None, Verdict.NOT_RUN)


def test_the_difference_is_measured_less_published() -> None:
    assert Measured(cell(0.35), (), (0.30, 0.34), ()).difference == pytest.approx(-0.03)
    assert Measured(cell(None), (), (0.30, 0.34), ()).difference is None


def test_the_rule_names_its_numbers() -> None:
    assert f"{measured.WIDEST * 100:.0f} points" in RULE
    assert f"{measured.CONFIDENCE * 100:.0f} %" in RULE


TRUTH = np.arange(90) % 3


def shelf_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *right: int, wanted: int = 3, **figures: Any
) -> Shelf:
    """A shelf of runs, one a seed, of which each has so many of 90 rows right."""
    for seed, rows in enumerate(right):
        given = np.where(np.arange(90) < rows, TRUTH, (TRUTH + 1) % 3)
        kept_run(tmp_path, f"run{seed}", TRUTH, given, seed=seed, **figures)
    names = [Planned(f"run{seed}", (), {}) for seed in range(wanted)]
    monkeypatch.setattr(measured, "planned", lambda *_: names)
    return Shelf(tmp_path / "kept")


def test_several_seeds_have_students_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shelf_of(tmp_path, monkeypatch, 45, 54, 63).measured(cell(0.6))
    assert found.values == pytest.approx((0.5, 0.6, 0.7))
    of_mean, of_one = over_seeds([0.5, 0.6, 0.7])
    assert found.interval == pytest.approx(of_mean)
    assert of_one[1] > 1
    assert found.one_more == (pytest.approx(of_one[0]), 1.0)  # no accuracy lies above 1
    assert (found.interval_of, found.missing) == ("seeds", ())
    assert [run.seed for run in found.runs] == [0, 1, 2]


def test_one_seed_has_the_bootstrap_of_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shelf_of(tmp_path, monkeypatch, 60).measured(cell(0.6))
    drawn = replicates(found.runs[0], ACCURACY)
    assert drawn is not None
    assert found.interval == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    assert found.one_more == found.interval
    assert (found.interval_of, found.missing) == ("rows", (1, 2))
    # 90 rows at 2/3: the normal law has 1.96 standard errors of 0.0497 to each side.
    assert found.interval[1] - found.interval[0] == pytest.approx(2 * 1.96 * 0.0497, rel=0.15)


def test_what_no_answer_tells_has_no_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = shelf_of(tmp_path, monkeypatch, 60, loss=1.25, per_class=[{"label": "❤", "support": 30}])
    loss = shelf.measured(cell(1.25, Metric("loss", "loss", higher_is_better=False)))
    assert (loss.mean, loss.interval, loss.interval_of) == (1.25, None, "")
    assert loss.verdict is Verdict.REPRODUCED
    count = shelf.measured(cell(30, COUNT))
    assert (count.mean, count.interval, count.verdict) == (30, None, Verdict.SAME)
    absent = shelf.measured(cell(0.3, Metric("", "macro_f9")))
    assert (absent.mean, absent.missing) == (None, (1, 2))


def test_a_number_that_is_neither_good_nor_bad_has_its_interval_over_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_of(tmp_path, monkeypatch, 45, 54, 63)
    found = shelf.measured(cell(0.6, replace(ACCURACY, higher_is_better=None)))
    assert found.interval == pytest.approx(over_seeds([0.5, 0.6, 0.7])[0])
    assert found.interval_of == "seeds"


def test_a_loss_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, loss in enumerate((0.1, 2.0, 1.0)):
        kept_run(tmp_path, f"run{seed}", TRUTH, TRUTH, seed=seed, loss=loss)
    found = shelf_of(tmp_path, monkeypatch).measured(cell(None, Metric("loss", "loss")))
    assert found.interval is not None and found.interval[0] < 0 and found.interval[1] > 1


def test_no_runs_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shelf_of(tmp_path, monkeypatch).measured(cell(0.6))
    assert (found.runs, found.verdict, found.missing) == ((), Verdict.NOT_RUN, (0, 1, 2))


# --- stale runs


OURS, PAPERS = ("model=bert", "encoder=minilm"), ("model=bert", "encoder=bertweet")
STOOD_IN = Experiment(OURS, PAPERS, seeds=3, stand_in="another encoder")
ALONE = Experiment((), PAPERS, seeds=3, lacking="no weights")


def shelf_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **kept_seeds: tuple[int, ...]) -> Shelf:
    """Of `ours` 45 of 90 rows are right, of `papers` 54, of `ffn` 45 and one more a seed."""
    typed = {EXPERIMENT.measured: "ffn", OURS: "ours", PAPERS: "papers"}

    def planned(experiment: Experiment, profile: str = CPU, seeds: int | None = None) -> list[Planned]:
        overrides = overrides_of(experiment, profile)
        wanted = seeds_of(experiment, profile, seeds) if overrides else ()
        return [Planned(f"{typed[overrides]}{seed}", (*overrides, f"seed={seed}"), {}) for seed in wanted]

    monkeypatch.setattr(measured, "planned", planned)
    for name, seeds in kept_seeds.items():
        for seed in seeds:
            right = {"ffn": 45 + seed, "ours": 45, "papers": 54}[name]
            given = np.where(np.arange(90) < right, TRUTH, (TRUTH + 1) % 3)
            kept_run(tmp_path, f"{name}{seed}", TRUTH, given, seed=seed)
    return Shelf(tmp_path / "kept")


@pytest.mark.parametrize(
    ("kept_seeds", "counted", "missing"),
    [
        ((0, 2), (0, 2), (1,)),
        ((0, 1, 2), (0, 1, 2), ()),
        ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4), ()),  # of SEEDS=5
        ((0, 1, 2, 3, 5), (0, 1, 2, 3), ()),  # seed 4 failed: none is chosen from beyond it
        ((0, 3), (0, 3), (1, 2)),
    ],
)
def test_every_kept_seed_counts_whatever_was_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept_seeds: tuple[int, ...],
    counted: tuple[int, ...],
    missing: tuple[int, ...],
) -> None:
    shelf = shelf_with(tmp_path, monkeypatch, ffn=kept_seeds)
    found = shelf.measured(cell(0.5))
    assert tuple(run.seed for run in shelf.runs(EXPERIMENT)) == counted
    assert found.values == pytest.approx([(45 + seed) / 90 for seed in counted])
    assert found.missing == missing


def test_a_part_of_the_papers_runs_does_not_hide_a_whole_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_with(tmp_path, monkeypatch, ours=(0, 1, 2), papers=(0, 1))
    found = shelf.measured(Cell(STOOD_IN, ACCURACY, 0.6))
    assert found.values == pytest.approx([0.5] * 3) and found.verdict is Verdict.NOT_COMPARABLE
    assert shelf.overrides(STOOD_IN) == OURS
    assert found.stand_in == (
        "another encoder; of the paper's own 2 of 3 runs are kept, and shown once all are"
    )


def test_the_papers_runs_are_shown_and_compared_once_they_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_with(tmp_path, monkeypatch, ours=(0, 1, 2), papers=(0, 1, 2))
    found = shelf.measured(Cell(STOOD_IN, ACCURACY, 0.6))
    assert found.values == pytest.approx([0.6] * 3)
    assert (found.stand_in, found.verdict) == ("", Verdict.REPRODUCED)
    assert shelf.overrides(STOOD_IN) == PAPERS


def test_a_part_of_the_papers_runs_is_shown_where_there_is_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_with(tmp_path, monkeypatch, papers=(1,))
    for experiment in (STOOD_IN, ALONE):
        found = shelf.measured(Cell(experiment, ACCURACY, 0.6))
        assert (found.values, found.missing) == (pytest.approx((0.6,)), (0, 2))
        assert found.stand_in == ""
    nothing = shelf_with(tmp_path / "other", monkeypatch)
    assert nothing.overrides(STOOD_IN) == OURS and nothing.overrides(ALONE) == ()
    assert nothing.measured(Cell(STOOD_IN, ACCURACY, 0.6)).stand_in == "another encoder"


def test_the_profiles_of_whole_runs_show_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make verify-results` knows nothing of the profile that the pages were written with."""
    shelf_with(tmp_path, monkeypatch, ours=(0, 1, 2), papers=(0,))
    shelves = [Shelf(tmp_path / "kept", profile) for profile in (CPU, FULL)]
    found = [shelf.measured(Cell(STOOD_IN, ACCURACY, 0.6)) for shelf in shelves]
    assert [[run.name for run in one.runs] for one in found] == [["ours0", "ours1", "ours2"]] * 2
    assert found[0].stand_in == found[1].stand_in


def of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *fresh: int) -> Shelf:
    """A shelf of two seeds whose runs were made before two changes (seed 0) and before one (seed 1)."""
    config = {seed: {"seed": seed} for seed in (0, 1)}
    changed = [Change("a", 2, "a is done otherwise", "2027-01-01", lambda _: True)]
    changed.append(Change("b", 2, "b is done otherwise", "2027-01-02", lambda _: True))
    monkeypatch.setattr(changes, "CHANGES", tuple(changed))
    monkeypatch.setattr(runs, "_of_config", lambda config, _: dict(config))
    for seed, parts, right in ((0, {}, 45), (1, {"a": 2}, 54)):
        name = runs.run_hash({**config[seed], **parts})
        given = np.where(np.arange(90) < right, TRUTH, (TRUTH + 1) % 3)
        kept_run(tmp_path, name, TRUTH, given, seed=seed)
    names = {seed: runs.run_hash(runs.identity(config[seed], {})) for seed in (0, 1)}
    for seed in fresh:
        kept_run(tmp_path, names[seed], TRUTH, TRUTH, seed=seed)
    found = [Planned(names[seed], (), config[seed]) for seed in (0, 1)]
    monkeypatch.setattr(measured, "planned", lambda *_: found)
    return Shelf(tmp_path / "kept")


def test_stale_runs_are_shown_as_stale_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = of_before(tmp_path, monkeypatch)
    assert shelf.runs(EXPERIMENT) == []
    assert [(run.seed, since) for run, since in shelf.stale(EXPERIMENT)] == [
        (0, ("a is done otherwise", "b is done otherwise")),
        (1, ("b is done otherwise",)),
    ]
    found = shelf.measured(cell(0.55))
    assert found.stale == ("a is done otherwise", "b is done otherwise")
    assert (found.values, found.runs, found.mean) == ((), (), None)
    assert (found.verdict, found.missing, found.difference) == (Verdict.NOT_RUN, (0, 1, 2), None)
    assert found.before is not None
    assert found.before.values == pytest.approx((0.5, 0.6))
    assert found.before.interval == pytest.approx((0.0, 1.0))


def test_a_run_of_today_takes_the_place_of_a_stale_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = of_before(tmp_path, monkeypatch, 1)
    assert [run.seed for run, _ in shelf.stale(EXPERIMENT)] == [0]
    found = shelf.measured(cell(1.0))
    assert (found.values, found.stale, found.before, found.missing) == ((1.0,), (), None, (0, 2))
    assert found.verdict is Verdict.REPRODUCED


def test_what_no_change_alters_is_not_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = of_before(tmp_path, monkeypatch)
    monkeypatch.setattr(changes, "CHANGES", ())
    assert shelf.stale(EXPERIMENT) == []
    assert shelf.measured(cell(0.55)).stale == ()
