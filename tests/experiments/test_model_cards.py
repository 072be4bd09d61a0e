"""Model cards: the run that is chosen, its numbers against scikit-learn, what a user may get wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from kept_runs import finish, keep_run, right_on
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from emoji_pred.errors import UserError
from experiments import model_cards
from experiments.cards import facts
from experiments.cards.best import all_kept, experiments_of, on_dataset
from experiments.cards.card import TEMPLATE
from experiments.keeping import KeptRun
from experiments.tables import tweeteval

LABELS = ["❤", "a|b", "☀"]
TRUTH = np.array([0, 0, 1, 2, 1, 0, 2, 1, 0, 2, 1, 1])
LEAK_FREE, DISTRIBUTED = "data.clean=leak_free", "data.clean=as_distributed"


def run_of(results: Path, *overrides: str, validation: list[int], test: list[int], data: str) -> KeptRun:
    """A run that is wrong on these rows."""
    splits = {
        name: (TRUTH, right_on(TRUTH, wrong, len(LABELS)))
        for name, wrong in (("validation", validation), ("test", test))
    }
    corpus = {"repository": "owner/data", "commit": "abc", "files": {"rows.txt": "b10b"}}
    return keep_run(results, (f"data={data}", *overrides), splits, LABELS, corpus=corpus)


def section(card: str, title: str) -> str:
    """What stands below a heading."""
    return card.partition(f"# {title}\n")[2].partition("\n#")[0]


def lines_of(text: str, start: str) -> list[list[str]]:
    """The cells of the lines of a table that begin with a text."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of kept runs that takes that of the project's own."""
    place = tmp_path / "kept"
    place.mkdir()
    monkeypatch.setattr(model_cards, "RESULTS", place)
    monkeypatch.setattr(model_cards, "all_kept", lambda _=None: all_kept(place))
    monkeypatch.setattr(model_cards.write_cards, "__defaults__", (place,))
    return place


def cards(tmp_path: Path) -> dict[str, str]:
    model_cards.main(["--out", str(tmp_path / "cards")])
    return {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "cards").glob("*.md")}


def test_the_best_on_validation_is_chosen_and_its_best_seed_shown(results: Path, tmp_path: Path) -> None:
    data = "telegram_rus_small"
    first = run_of(results, "model=cnn", "seed=0", validation=[0, 1], test=[0, 1, 2, 3], data=data)
    second = run_of(results, "model=cnn", "seed=1", validation=[0], test=[0, 1, 2, 3, 4], data=data)
    run_of(results, "model=ffn", "seed=0", validation=[0, 1, 2], test=[], data=data)  # best on test alone
    other_rows = ("model=transformer", "data.split=by_row")
    run_of(results, *other_rows, "seed=0", validation=[], test=[], data=data)
    card = cards(tmp_path)[data]

    assert f"run `{second.name}`" in card.partition("## ")[0]
    assert "Chosen among 2 experiments (3 runs)" in card and "Of its 2 seeds, 1 is the best" in card
    given = [run.answers()["test"].given for run in (first, second)]
    scores = [f1_score(TRUTH, answer, average="macro") for answer in given]
    reach = stats.t.ppf(0.975, 1) * np.std(scores, ddof=1) / np.sqrt(2)
    mean = np.mean(scores)
    ((_, own, of_seeds),) = lines_of(section(card, "Measured on the test split"), "macro F1")
    assert own.startswith(f"{scores[1]:.3f} [")
    assert of_seeds == f"{mean:.3f} [{mean - reach:.3f},\u00a0{min(mean + reach, 1):.3f}]"
    low, high = map(float, own.partition("[")[2].rstrip("]").split(","))
    assert low < scores[1] < high


def test_the_hub_reads_the_same_numbers_from_its_head(results: Path, tmp_path: Path) -> None:
    run = run_of(results, "model=cnn", validation=[0], test=[1, 2], data="telegram_rus_small")
    head = ModelCard(cards(tmp_path)["telegram_rus_small"]).data
    assert (head.language, head.library_name, head.pipeline_tag) == (
        "ru",
        "emoji_pred",
        "text-classification",
    )
    found = {(entry.metric_type, entry.metric_name.partition(" (")[0]): entry for entry in head.eval_results}
    given = run.answers()["test"].given
    assert found["accuracy", "accuracy"].metric_value == round(accuracy_score(TRUTH, given), 4)
    expected = f1_score(TRUTH, given, average="weighted")
    assert found["f1", "weighted F1"].metric_value == round(expected, 4)
    assert found["accuracy", "accuracy"].dataset_revision == "abc"


@pytest.fixture
def residue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that held U+FE0F."""
    rows = [0, 1, 3, 5]
    file = tmp_path / "residue_rows.json"
    file.write_text(json.dumps({"rows": len(TRUTH), "with_residue": rows}), encoding="utf-8")
    monkeypatch.setattr(tweeteval, "RESIDUE_ROWS", file)
    return rows


def test_of_tweeteval_the_best_leak_free_run_is_handed_on_with_all_readings(
    results: Path, tmp_path: Path, residue: list[int]
) -> None:
    best = run_of(results, DISTRIBUTED, "model=cnn", validation=[], test=[2], data="tweeteval")
    own = run_of(results, LEAK_FREE, "model=cnn", validation=[0, 1], test=[0, 1, 4], data="tweeteval")
    card = cards(tmp_path)["tweeteval"]
    assert f"run `{own.name}`" in card.partition("## ")[0]
    assert "only such a model should be handed on" in card
    assert f"Of the others the best on validation is `{best.name}` (`cnn`, 1.000)" in card

    table = section(card, "The readings beside it")
    for run, label, wrong in ((best, "as distributed", {2}), (own, "leak-free", {0, 1, 4})):
        for part, rows in (
            ("", range(12)),
            (", rows with U+FE0F as distributed", residue),
            (", rows without", sorted({*range(12)} - {*residue})),
        ):
            ((_, name, accuracy, macro, _),) = lines_of(table, label + part)
            assert name.startswith(f"`{run.name}`")
            assert accuracy.startswith(f"{1 - len(wrong & set(rows)) / len(rows):.3f} [")
            assert (macro == "–") == part.startswith(", rows with U")


def test_a_reading_that_was_not_measured_says_so(results: Path, tmp_path: Path, residue: list[int]) -> None:
    run_of(results, DISTRIBUTED, "model=cnn", validation=[], test=[2], data="tweeteval")
    card = cards(tmp_path)["tweeteval"]
    assert "**Not to be handed on**: no run was trained with `data.clean=leak_free`" in card
    ((_, name, *values),) = lines_of(section(card, "The readings beside it"), "leak-free")
    assert name == "not run" and values == ["not measured"] * 3
    ((_, _, of_seeds),) = lines_of(section(card, "Measured on the test split"), "accuracy")
    assert of_seeds == "not measured" and "how much another seed would change is not measured" in card


def test_rows_of_another_number_are_not_taken_apart(
    results: Path, tmp_path: Path, residue: list[int]
) -> None:
    more = ("data.drop_test_duplicates=true", "model=cnn")
    run = run_of(results, LEAK_FREE, *more, validation=[], test=[2], data="tweeteval")
    model_cards.main([run.name[:6], "--out", str(tmp_path / "own.md")])
    assert "rows without" not in (tmp_path / "own.md").read_text(encoding="utf-8")


def test_a_card_tells_classes_files_and_limits(results: Path, tmp_path: Path) -> None:
    truth = np.array([0, 0, 0, 1, 2, 2])
    splits = dict.fromkeys(("validation", "test"), (truth, right_on(truth, [3], 3)))
    corpus = {
        "ceiling": {"test": {"top_1": 0.875}},
        "commit": "abc",
        "repository": "o/r",
        "files": {"f": "b10b"},
    }
    typed = ("data=telegram_rus_small", "model=cnn", "seed=4", "trainer.threads=1")
    run = keep_run(results, typed, splits, LABELS, corpus=corpus)
    card = cards(tmp_path)["telegram_rus_small"]
    assert "1 of 3 classes have rows and are given to none (a|b)" in card
    assert "no model can be right on more than 0.875 of the test rows" in card
    assert (
        "always the largest class of training (❤️) is right on 0.500 of the test rows, this model on 0.833"
        in card
    )
    assert "| o/r `f` | `abc` | `b10b` |" in card and "not stated by its source" in card
    assert "python train.py data=telegram_rus_small model=cnn seed=4\n" in card
    assert f"(the run is called `{run.name}` again, by what determines its numbers)" in card
    ((_, rows, given, *figures),) = lines_of(section(card, "By class"), "❤️")
    assert (rows, given, figures) == ("3", "3", ["1.000"] * 3)
    ((*_, precision, recall, f1),) = lines_of(section(card, "By class"), "☀️")
    assert (precision, recall, f1) == ("0.667", "1.000", "0.800")


def test_options_that_mean_another_run_today_are_not_passed_off_as_the_command(
    results: Path, tmp_path: Path
) -> None:
    run = run_of(results, "model=cnn", validation=[0], test=[1], data="telegram_rus_small")
    file = results / run.name / "result.json"
    result = json.loads(file.read_text(encoding="utf-8"))
    result["overrides"] = ["data=telegram_rus_small", "model=cnn", "seed=77"]
    file.write_text(json.dumps(result), encoding="utf-8")
    assert "with today's defaults these options give another run" in cards(tmp_path)["telegram_rus_small"]


def test_your_own_run_by_its_name(
    train: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = train("data=sample", "data.rows=300", "model=tfidf_logreg", "logger=none", "trainer.progress=none")
    arguments = [done.directory.name[:7], "--runs-dir", str(done.directory.parent)]
    capsys.readouterr()
    model_cards.main(arguments)
    card = capsys.readouterr().out
    result = json.loads((done.directory / "result.json").read_text(encoding="utf-8"))
    assert f"run `{result['run']}`" in card and "They lie in the directory of the run" in card
    ((_, value, of_seeds),) = lines_of(card, "macro F1")
    assert value.startswith(f"{result['test']['macro_f1']:.3f} [")
    assert of_seeds == "the same: nothing is random"
    assert f"split: {result['test']['ece']:.3f}" in card
    assert ModelCard(card).data.language == "en"
    model_cards.main([str(done.directory), "--out", str(tmp_path / "new" / "card.md")])
    assert (tmp_path / "new" / "card.md").read_text(encoding="utf-8") == card


def test_the_seeds_beside_your_run_are_its_mean_but_the_card_is_of_yours(
    results: Path, tmp_path: Path, residue: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    accuracies = []
    for seed, wrong in enumerate(([0], [0, 1, 2, 4], [0, 2])):
        splits = dict.fromkeys(("validation", "test"), (TRUTH, right_on(TRUTH, wrong, 3)))
        typed = ("data=tweeteval", LEAK_FREE, "model=cnn", f"seed={seed}")
        finish(tmp_path / "runs" / f"run{seed}", typed, splits, LABELS)
        accuracies.append(1 - len(wrong) / len(TRUTH))
    (tmp_path / "runs" / "torn").mkdir()
    (tmp_path / "runs" / "torn" / "result.json").write_text("{")
    model_cards.main([str(tmp_path / "runs" / "run1")])  # not the best seed
    card = capsys.readouterr().out
    ((_, own, of_seeds),) = lines_of(section(card, "Measured on the test split"), "accuracy")
    assert own.startswith(f"{accuracies[1]:.3f} [") and of_seeds.startswith(f"{np.mean(accuracies):.3f} [")
    assert "mean of 3 seeds" in card
    ((_, name, accuracy, *_),) = lines_of(section(card, "The readings beside it"), "leak-free")
    assert name.endswith(", this one") and accuracy.startswith(f"{accuracies[1]:.3f} [")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["abc123"], "abc123 is the beginning of 0 runs"),
        (["no/such/run"], "no/such/run is neither a directory nor the name of a run"),
        (["unfinished"], "holds no finished run: there is no result.json"),
        ([], "there is nothing to make a card of"),
    ],
)
def test_a_mistake_is_one_line(
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit) as ended:
        model_cards.main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_place_that_cannot_be_written_is_one_line(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(
        tmp_path / "own",
        ("data=sample", "model=cnn"),
        {"test": (TRUTH, right_on(TRUTH, [1], 3))} | {"validation": (TRUTH, right_on(TRUTH, [1], 3))},
        LABELS,
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        model_cards.main([str(tmp_path / "own"), "--out", str(tmp_path / "file" / "card.md")])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: cannot write ") and "choose another --out" in line


def test_no_number_is_typed_by_hand() -> None:
    known = [*facts.FACTS.values(), facts.UNKNOWN]
    texts = [repr(one) for one in known]
    template = TEMPLATE.read_text(encoding="utf-8").replace("95 % interval", "")
    for text in [*texts, template]:
        assert not re.findall(r"(?<![\w+])\d[\d.,]*", text.replace("U+FE0F", ""))


def test_a_run_without_metrics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no metrics"):
        model_cards.need_split({"test": None, "validation": None}, tmp_path)


def test_every_dataset_with_a_card_is_kept_and_its_card_is_there() -> None:
    trained = experiments_of(all_kept())
    for name in model_cards.DATASETS:
        fitting = on_dataset(name, trained)
        card = (model_cards.CARDS / f"{name}.md").read_text(encoding="utf-8")
        assert f"run `{model_cards.to_ship(name, fitting).best.name}`" in card


@pytest.mark.slow
def test_the_cards_of_the_project_are_what_the_command_writes(tmp_path: Path) -> None:
    model_cards.main(["--out", str(tmp_path)])
    for name in model_cards.DATASETS:
        written = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
        assert written == (model_cards.CARDS / f"{name}.md").read_text(encoding="utf-8"), (
            f"python -m experiments.model_cards: {name} has changed"
        )
