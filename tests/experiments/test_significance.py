"""Comparisons of rows: their error rates on simulated models, Holm by hand, letters by their definition."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kept_answers import kept_run
from scipy import stats

from experiments import measured
from experiments.comparing import comparisons
from experiments.html_report import comparisons as comparisons_in_html
from experiments.measured import Measured, Shelf
from experiments.profiles import Planned
from experiments.ranking import LeftOut, _groups, left_out, letter, summary
from experiments.resampling import resamples
from experiments.selections import always_top_class
from experiments.significance import (
    NO_ANSWERS,
    OTHER_ROWS,
    SAME,
    Comparison,
    compare,
    holm,
    p_of_rows,
    p_of_seeds,
)
from experiments.table import Cell, Experiment, Metric, Row, Table, experiment_row

ACCURACY = Metric("accuracy", "accuracy")
TRUTH = np.random.default_rng(0).integers(0, 3, 600)


def answers(accuracy: float, seed: int) -> np.ndarray:
    """Answers of a model that is right on so many rows, by chance."""
    generator = np.random.default_rng(seed)
    return np.where(generator.random(len(TRUTH)) < accuracy, TRUTH, (TRUTH + 1) % 3)


class Runs:
    """A shelf of invented runs."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tmp_path, self.names = tmp_path, dict[str, list[str]]()
        self.shelf = Shelf(tmp_path / "kept")
        monkeypatch.setattr(
            measured,
            "planned",
            lambda experiment, *_: [
                Planned(name, (), {}) for name in self.names[experiment.measured[0].partition("=")[2]]
            ],
        )

    def row(
        self, label: str, accuracies: list[float], *, random: bool = True, rows: str = "row", seed: int = 0
    ) -> Row:
        self.names[label] = [f"{label}{index}" for index in range(len(accuracies))]
        for index, accuracy in enumerate(accuracies):
            given = answers(accuracy, 100 * seed + 10 * len(self.names) + index)
            kept_run(self.tmp_path, f"{label}{index}", TRUTH, given, seed=index, rows=rows)
        experiment = Experiment((f"model={label}",), seeds=len(accuracies), random=random)
        return experiment_row(label, experiment, (ACCURACY,))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(tmp_path, monkeypatch)


def table(*rows: Row) -> Table:
    return Table("t.1", "", ("accuracy",), rows)


def test_equal_models_are_told_apart_in_one_of_twenty() -> None:
    """p values of 600 pairs of models that are right equally often, drawn again each time."""
    generator, weights = np.random.default_rng(1), resamples(300)
    p_values = []
    for _ in range(600):
        right = generator.random((2, 300)) < 0.6
        gain = right[0].astype(float) - right[1]
        p_values.append(p_of_rows(float(gain.mean()), (weights @ gain) / 300))
    rate = np.mean(np.array(p_values) < 0.05)
    assert abs(rate - 0.05) < 4 * (0.05 * 0.95 / 600) ** 0.5
    assert abs(np.mean(np.array(p_values) < 0.5) - 0.5) < 4 * (0.25 / 600) ** 0.5


def test_small_p_values_are_those_of_the_normal_law() -> None:
    """McNemar's z on the same rows has no resamples to run out of."""
    gain = np.zeros(2000)
    gain[:70], gain[70:110] = 1, -1
    drawn = (resamples(2000) @ gain) / 2000
    found = p_of_rows(float(gain.mean()), drawn)
    spread = gain.std() / 2000**0.5
    assert 1e-6 < found == pytest.approx(2 * stats.norm.sf(gain.mean() / spread), rel=0.9)
    assert p_of_rows(float(10 * gain.mean()), 9 * gain.mean() + drawn) == 1e-6
    assert p_of_rows(0.0, np.zeros(1000)) == 1
    assert p_of_rows(0.1, np.full(1000, 0.1)) == pytest.approx(2 / 1001)


def test_the_p_value_and_the_interval_agree() -> None:
    generator = np.random.default_rng(2)
    for centre in np.linspace(-3, 3, 25):
        drawn = centre + generator.normal(size=1000)
        low, high = np.percentile(drawn, [2.5, 97.5])
        p = p_of_rows(centre, drawn)
        if not 0.045 < p < 0.055:
            assert (p < 0.05) == (low > 0 or high < 0)


def test_clearly_other_models_are_told_apart(runs: Runs) -> None:
    rows = [
        runs.row("good", [0.90, 0.91, 0.92]),
        runs.row("bad", [0.50, 0.51, 0.52]),
        runs.row("fixed", [0.70], random=False),
        runs.row("also", [0.51, 0.50, 0.52]),
    ]
    found = {(pair.first, pair.second): pair for pair in compare(table(*rows), runs.shelf)}
    assert len(found) == 6
    assert {pair for pair, what in found.items() if not what.differs} == {("bad", "also")}
    pair = found["good", "bad"]
    assert pair.difference == pytest.approx(0.4, abs=0.06)
    assert pair.interval is not None and pair.interval[0] < pair.difference < pair.interval[1]
    assert not any(what.one_seed for what in found.values())
    (ranked,) = summary(table(*rows), runs.shelf)
    assert [row.label for row in ranked.rows][:2] == ["good", "fixed"]
    assert {row.label: row.letters for row in ranked.rows} == {
        "good": "a",
        "fixed": "b",
        "bad": "c",
        "also": "c",
    }
    assert set(ranked.groups[2]) == {"bad", "also"}


def test_the_order_of_the_rows_does_not_matter(runs: Runs) -> None:
    first, second = runs.row("a", [0.6, 0.7]), runs.row("b", [0.65, 0.5])
    (there,) = compare(table(first, second), runs.shelf)
    (back,) = compare(table(second, first), runs.shelf)
    assert there.difference == pytest.approx(-(back.difference or 0))
    assert there.interval == pytest.approx((-(back.interval or (0, 0))[1], -(back.interval or (0, 0))[0]))
    assert (there.p_rows, there.p_seeds) == pytest.approx((back.p_rows, back.p_seeds))


def test_seeds_that_scatter_take_a_difference_back(runs: Runs) -> None:
    """The rows alone tell the means apart; two seeds that differ as much do not."""
    rows = runs.row("a", [0.85, 0.55]), runs.row("b", [0.60, 0.60])
    (pair,) = compare(table(*rows), runs.shelf)
    assert pair.p_rows is not None and pair.p_seeds is not None
    assert pair.p_rows < 0.01 < 0.05 < pair.p_seeds
    assert pair.p == pair.p_seeds == pair.corrected
    assert not pair.differs


def test_a_single_seed_is_said(runs: Runs) -> None:
    rows = runs.row("a", [0.9]), runs.row("b", [0.5, 0.52])
    (pair,) = compare(table(*rows), runs.shelf)
    assert (pair.p_seeds, pair.one_seed, pair.differs) == (None, True, True)
    (ranked,) = summary(table(*rows), runs.shelf)
    assert [row.one_seed for row in ranked.rows] == [True, False]


def test_other_rows_are_not_compared(runs: Runs) -> None:
    rows = (
        runs.row("a", [0.9]),
        runs.row("b", [0.5], rows="other"),
        runs.row("c", [0.4]),
        runs.row("d", [0.8], rows="other"),
    )
    pairs = {(pair.first, pair.second): pair for pair in compare(table(*rows), runs.shelf)}
    assert pairs["a", "b"].reason == OTHER_ROWS
    assert pairs["a", "b"].difference is pairs["a", "b"].corrected is None
    assert pairs["a", "c"].reason == "" and pairs["a", "c"].difference is not None
    first, second = summary(table(*rows), runs.shelf)
    assert [row.label for row in first.rows] == ["a", "c"]
    assert [row.label for row in second.rows] == ["d", "b"]


def test_rows_that_cannot_be_compared_are_named_with_the_reason(runs: Runs) -> None:
    rows = [runs.row(name, [0.9 - place / 10]) for place, name in enumerate("abc")]
    rows.append(runs.row("alone", [0.5], rows="other"))
    rows.append(runs.row("unkept", [0.4, 0.4]))
    kept_run(runs.tmp_path, "unkept1", TRUTH, TRUTH, seed=1, rows="odd")  # not the rows of its other seed
    whole = table(*rows)
    unkept, alone = LeftOut("accuracy", ("unkept",), NO_ANSWERS), LeftOut("accuracy", ("alone",), OTHER_ROWS)
    assert left_out(whole, runs.shelf) == [unkept, alone]
    assert left_out(table(*rows[:3]), runs.shelf) == []
    assert left_out(table(rows[0], rows[4]), runs.shelf) == []  # there are no letters to miss it in
    pair = runs.row("other", [0.6], rows="other")
    assert left_out(table(*rows, pair), runs.shelf) == [unkept]
    few = left_out(table(*rows, pair), runs.shelf, fewest=3)  # as of a report that ranks no two rows
    assert few == [unkept, LeftOut("accuracy", ("alone", "other"), OTHER_ROWS)]

    assert "Not compared in `accuracy`: unkept: the answers to each row were not kept" in comparisons(
        whole, runs.shelf
    )
    made = comparisons_in_html.section(whole, runs.shelf)
    assert "Not compared: <bdi>unkept</bdi>: the answers to each row were not kept" in made
    assert "Not compared: <bdi>alone</bdi>: they answer other rows." in made
    made = comparisons_in_html.section(table(*rows, pair), runs.shelf)
    assert "Not compared: <bdi>alone</bdi>; <bdi>other</bdi>: they answer other rows." in made


def test_the_same_names_of_rows_with_other_truth_are_not_compared(runs: Runs) -> None:
    row = runs.row("a", [0.9])
    runs.names["b"] = ["b0"]
    kept_run(runs.tmp_path, "b0", (TRUTH + 1) % 3, TRUTH)
    other = experiment_row("b", Experiment(("model=b",)), (ACCURACY,))
    (pair,) = compare(table(row, other), runs.shelf)
    assert pair.reason == OTHER_ROWS


def test_what_is_not_asked(runs: Runs) -> None:
    row = runs.row("a", [0.9])
    again = Row("again", row.cells)
    runs.names["none"] = []
    absent = experiment_row("none", Experiment(("model=none",)), (ACCURACY,))
    (pair,) = compare(table(row, again, absent), runs.shelf)
    assert pair.reason == SAME
    loss = Metric("loss", "loss", higher_is_better=False)
    kept_run(runs.tmp_path, "l0", TRUTH, TRUTH, loss=1.0)
    kept_run(runs.tmp_path, "m0", TRUTH, TRUTH, loss=2.0)
    runs.names |= {"l": ["l0"], "m": ["m0"]}
    lines = [experiment_row(name, Experiment((f"model={name}",)), (loss,)) for name in "lm"]
    (pair,) = compare(table(*lines), runs.shelf)
    assert pair.reason == NO_ANSWERS
    assert summary(table(*lines), runs.shelf) == []


def test_two_metrics_and_counts_are_not_compared(runs: Runs) -> None:
    rows = runs.row("a", [0.9]), runs.row("b", [0.5])
    (first,), (second,) = rows[0].cells, rows[1].cells
    assert first is not None and second is not None
    macro = Cell(second.experiment, Metric("accuracy", "macro_f1"))
    assert compare(table(rows[0], Row("b", (macro,))), runs.shelf) == []
    finer = Cell(second.experiment, replace(ACCURACY, decimals=ACCURACY.decimals + 2))
    assert compare(table(rows[0], Row("b", (finer,))), runs.shelf) == compare(table(*rows), runs.shelf)
    constant = replace(ACCURACY, select=always_top_class)
    yardstick = Row("constant", (Cell(first.experiment, constant),))
    (pair,) = compare(table(*rows, replace(yardstick, yardstick=True)), runs.shelf)
    assert (pair.first, pair.second) == ("a", "b")  # the others as if it were not there
    count = Metric("rows", "per_class/❤/support", higher_is_better=None)
    lines = [Row(name, (Cell(cell.experiment, count),)) for name, cell in (("a", first), ("b", second))]
    assert compare(table(*lines), runs.shelf) == []


def test_rows_of_one_metric_are_compared_where_a_column_has_several(runs: Runs) -> None:
    rows = [runs.row(name, [accuracy]) for name, accuracy in zip("abcd", (0.9, 0.5, 0.9, 0.5), strict=True)]
    other = replace(ACCURACY, select=lambda _, answers: answers)  # on a part of the rows, say
    for place in (2, 3):
        (cell,) = rows[place].cells
        assert cell is not None
        rows[place] = Row(rows[place].label, (Cell(cell.experiment, other),))
    pairs = compare(table(*rows), runs.shelf)
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("c", "d")]
    assert [pair.corrected for pair in pairs] == holm([pair.p or 0.0 for pair in pairs])
    found = summary(table(*rows), runs.shelf)
    assert [[(row.label, row.letters) for row in one.rows] for one in found] == [
        [("a", "a"), ("b", "b")],
        [("c", "a"), ("d", "b")],
    ]


def of_seeds(*values: float, random: bool = True) -> Measured:
    return Measured(Cell(Experiment(("x=1",), random=random), ACCURACY), (), values, ())


def test_the_test_of_seeds_is_welchs_by_hand() -> None:
    """Means 2 and 5, variances 1 and 4, n = 3 each: t = -3 / sqrt(5/3), by Welch 2.94 degrees of freedom."""
    found = p_of_seeds(of_seeds(1, 2, 3), of_seeds(3, 5, 7))
    t, degrees = -3 / (5 / 3) ** 0.5, (5 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2)
    assert found == pytest.approx(2 * stats.t.sf(-t, degrees))
    fixed = p_of_seeds(of_seeds(4, random=False), of_seeds(1, 2, 3))
    assert fixed == pytest.approx(2 * stats.t.sf(2 / (1 / 3) ** 0.5, 2))
    assert p_of_seeds(of_seeds(1), of_seeds(1, 2)) is None
    assert p_of_seeds(of_seeds(1, random=False), of_seeds(2, random=False)) is None
    assert p_of_seeds(of_seeds(1, 1), of_seeds(1, 1)) == 1
    assert p_of_seeds(of_seeds(1, 1), of_seeds(2, 2)) == 0
    with warnings.catch_warnings(action="error"):
        found = p_of_seeds(of_seeds(0.1, 0.1, 0.1 + 1e-17), of_seeds(0.1, 0.2, 0.3))
    assert found == pytest.approx(2 * stats.t.sf(0.1 / (0.01 / 3) ** 0.5, 2))


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 are 0.04, 0.06, 0.06, 0.04; none may fall.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_correction_is_over_all_pairs_of_a_metric(runs: Runs) -> None:
    rows = [runs.row(name, [0.6, 0.63]) for name in "abcd"]
    pairs = compare(table(*rows), runs.shelf)
    raw = [pair.p for pair in pairs if pair.p is not None]
    assert len(raw) == 6
    order = np.argsort(raw)
    by_hand = np.maximum.accumulate(np.minimum(1, np.array(raw)[order] * np.arange(6, 0, -1)))
    assert [pairs[place].corrected for place in order] == pytest.approx(by_hand.tolist())


def test_letters_say_what_the_pairs_say() -> None:
    generator = np.random.default_rng(3)
    for _ in range(200):
        rows = int(generator.integers(1, 9))
        every = list(itertools.combinations(range(rows), 2))
        apart = [pair for pair in every if generator.random() < 0.4]
        groups = _groups(list(range(rows)), apart)
        for pair in every:
            assert (pair in apart) == (not any(set(pair) <= group for group in groups))
        assert all(any(row in group for group in groups) for row in range(rows))
        assert not any(one < other for one in groups for other in groups)


def test_there_are_letters_enough() -> None:
    assert [letter(index) for index in (0, 25, 26, 53)] == ["a", "z", "a1", "b2"]


def test_nothing_compared_differs_in_nothing() -> None:
    empty = Comparison("c", (0, 1), "a", "b", reason="x")
    assert (empty.p, empty.differs) == (None, False)
