"""The TF-IDF yardstick: measured as runs are, by scikit-learn's figures, without a look at the test rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.data.sample import load_sample
from emoji_pred.errors import UserError
from experiments import yardsticks
from experiments.yardsticks import Settings, tfidf_logistic_regression

SMALL = Settings(max_features=2000)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load_sample(data_dir=tmp_path_factory.mktemp("data"), rows=600)


def with_split(corpus: Corpus, name: str, split: Split) -> Corpus:
    return replace(corpus, splits={**corpus.splits, name: split})


def test_it_learns_what_the_sample_teaches(corpus: Corpus) -> None:
    figures = tfidf_logistic_regression(corpus, SMALL)
    assert figures["converged"] and figures["iterations"] < SMALL.max_iterations
    assert 0 < figures["features"] <= 2 * SMALL.max_features
    largest = corpus.class_counts("test").max() / len(corpus.splits["test"])
    for split in ("validation", "test"):
        assert figures[split]["accuracy"] > 1.5 * largest
        assert len(figures[split]["per_class"]) == corpus.num_classes


def test_figures_are_scikit_learns(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    build = yardsticks._pipeline
    monkeypatch.setattr(yardsticks, "_pipeline", lambda settings: kept.append(build(settings)) or kept[-1])
    figures = tfidf_logistic_regression(corpus, SMALL)
    rows = corpus.splits["test"]
    answers = kept[0].predict(rows.texts)
    assert figures["test"]["accuracy"] == pytest.approx((answers == rows.labels).mean())
    macro = f1_score(rows.labels, answers, average="macro", labels=range(corpus.num_classes), zero_division=0)
    assert figures["test"]["macro_f1"] == pytest.approx(macro)
    # Words and characters both are features.
    names = kept[0][0].get_feature_names_out()
    assert {name.split("__")[0] for name in names} == {"tfidfvectorizer-1", "tfidfvectorizer-2"}
    assert log_loss(rows.labels, kept[0].predict_proba(rows.texts)) < np.log(corpus.num_classes)


def test_the_test_rows_change_nothing(corpus: Corpus) -> None:
    rows = corpus.splits["test"]
    turned = Split(rows.texts[::-1], rows.labels, rows.row_ids)
    figures = [tfidf_logistic_regression(c, SMALL) for c in (corpus, with_split(corpus, "test", turned))]
    assert figures[0]["validation"] == figures[1]["validation"]
    assert figures[0]["test"] != figures[1]["test"]
    without = replace(corpus, splits={name: corpus.splits[name] for name in ("train", "validation")})
    assert tfidf_logistic_regression(without, SMALL) == {**figures[0], "test": None}


def test_a_class_without_training_rows_is_never_answered(corpus: Corpus) -> None:
    train = corpus.splits["train"]
    lacking = with_split(corpus, "train", train.take(np.flatnonzero(train.labels != 3)))
    figures = tfidf_logistic_regression(lacking, SMALL)
    entry = figures["validation"]["per_class"][3]
    assert entry["support"] > 0 and entry["predicted"] == 0
    assert figures["validation"]["accuracy"] > 0.2  # the columns of the others are theirs


def test_what_cannot_be_learned_from(corpus: Corpus, tmp_path: Path) -> None:
    several = load_sample(data_dir=tmp_path, rows=300, task="multilabel")
    with pytest.raises(
        UserError, match="data=sample is multilabel; this yardstick is for one label per text"
    ):
        tfidf_logistic_regression(several, SMALL)
    train = corpus.splits["train"]
    one = with_split(corpus, "train", train.take(np.flatnonzero(train.labels == 0)))
    with pytest.raises(UserError, match=r"scikit-learn cannot learn from it \(.*classes"):
        tfidf_logistic_regression(one, SMALL)
    blank = with_split(corpus, "train", Split([""] * len(train), train.labels, train.row_ids))
    with pytest.raises(UserError, match="scikit-learn cannot learn from it"):
        tfidf_logistic_regression(blank, SMALL)


def test_the_command_writes_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yardsticks.main(["data=sample", "data.rows=300", "--out", str(tmp_path / "results")])
    (path,) = (tmp_path / "results").iterdir()
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == str(path)
    result = json.loads(path.read_text(encoding="utf-8"))
    assert f"test: accuracy {result['test']['accuracy']:.4f}, top_10" in shown[1]
    assert result["settings"]["inverse_regularisation"] == 1.0
    assert result["data"]["rows"] == 300
    assert result["provenance"]["rows"] == {"train": 210, "validation": 30, "test": 60}
    assert {"corpus", "code", "packages", "scikit-learn"} <= result["provenance"].keys()
    yardsticks.main(["data=sample", "data.rows=300", "--out", str(tmp_path / "results"), "-C", "10"])
    assert len(list((tmp_path / "results").iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=nothing"], "nothing"),
        (["data=sample", "data.rows=5"], "rows"),
        (["data=sample", "-C", "0"], "-C 0.0 must be above 0"),
        (["data=sample", "data.task=multilabel"], "multilabel"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        yardsticks.main([*words, "--out", str(tmp_path)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
    assert list(tmp_path.iterdir()) == []
