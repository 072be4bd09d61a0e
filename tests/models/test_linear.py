"""Linear models decide as scikit-learn's one-vs-rest does, and come out of their files as they went in."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, load_file, save_file
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from emoji_pred.data.corpus import Split
from emoji_pred.data.sample import load_sample
from emoji_pred.errors import UserError
from emoji_pred.models import linear
from emoji_pred.models.calibration import Calibration, margin_probabilities
from emoji_pred.models.estimators import linear_svc, logistic_regression, naive_bayes
from emoji_pred.models.linear import FITTED, NEVER, LinearClassifier, fit_linear
from emoji_pred.models.linear_file import content_of, read_linear

OFF = {"ngrams": None, "min_df": 1, "max_features": None, "sublinear_tf": False, "lowercase": True}
FEATURES = {"words": {**OFF, "ngrams": [1, 1]}, "characters": {**OFF, "within_words": False}}
OURS = {"nb": naive_bayes, "svc": linear_svc, "logreg": logistic_regression}
THEIRS = {
    "nb": MultinomialNB(),
    "svc": LinearSVC(random_state=0),
    "logreg": LogisticRegression(solver="sag", random_state=0),
}


@pytest.fixture(scope="module", params=["multiclass", "multilabel"])
def splits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Split]:
    corpus = load_sample(data_dir=tmp_path_factory.mktemp("data"), rows=900, task=request.param)
    return corpus.splits


@pytest.fixture(scope="module")
def one_label(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Split]:
    return load_sample(data_dir=tmp_path_factory.mktemp("data"), rows=900).splits


def count(split: Split) -> int:
    """Labels of the sample: 12 of which a text has one, or 7 of which it has any number."""
    return 12 if split.labels.ndim == 1 else split.labels.shape[1]


def fitted(split: Split, estimator: Any, **more: Any) -> LinearClassifier:
    return fit_linear(split.texts, split.labels, count(split), FEATURES, estimator, **more)[0]


def decisions(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """As `metrics.evaluate` takes them."""
    return probabilities.argmax(1) if labels.ndim == 1 else (probabilities > 0.5).astype(int)


@pytest.mark.parametrize("name", OURS)
def test_decisions_and_probabilities_are_scikit_learns(splits: dict[str, Split], name: str) -> None:
    train, test = splits["train"], splits["test"]
    reference = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(THEIRS[name])).fit(
        train.texts, train.labels
    )
    model = fitted(train, OURS[name]())
    probabilities = model.predict(test.texts)
    assert probabilities.dtype == np.float32 and probabilities.shape == (len(test), count(test))
    expected = reference.predict(test.texts)
    np.testing.assert_array_equal(decisions(probabilities, test.labels), expected)
    assert len(np.unique(expected, axis=0)) > 3
    if name != "svc":
        np.testing.assert_allclose(probabilities, reference.predict_proba(test.texts), atol=1e-6)
        return
    margins = reference.decision_function(test.texts)
    np.testing.assert_allclose(model.margins(test.texts), margins, atol=1e-9)
    softmax = np.exp(margins) / np.exp(margins).sum(1, keepdims=True)
    wanted = softmax if test.labels.ndim == 1 else 1 / (1 + np.exp(-margins))
    np.testing.assert_allclose(probabilities, wanted, atol=1e-6)


def test_balanced_one_label_is_linear_svcs_own(one_label: dict[str, Split]) -> None:
    train, test = one_label["train"], one_label["test"]
    vectorizer = TfidfVectorizer().fit(train.texts)
    reference = LinearSVC(class_weight="balanced", tol=1e-8, max_iter=10_000)
    reference.fit(vectorizer.transform(train.texts), train.labels)
    model = fitted(train, linear_svc(balanced=True, tolerance=1e-8, max_iterations=10_000))
    margins = reference.decision_function(vectorizer.transform(test.texts))
    np.testing.assert_allclose(model.margins(test.texts), margins, atol=1e-4)
    assert np.abs(margins - fitted(train, linear_svc()).margins(test.texts)).max() > 0.1


@pytest.mark.parametrize("num_labels", [2, 3])  # one of three has no row
def test_two_balanced_classes_are_linear_svcs_own(num_labels: int) -> None:
    random = np.random.default_rng(0)
    labels = (np.arange(300) % 10 == 0).astype(np.int64)
    odds = np.where(labels[:, None] == 1, [0.3, 0.3, 0.2, 0.2], [0.2, 0.2, 0.3, 0.3])
    texts = [" ".join(random.choice(["aa", "bb", "cc", "dd"], 5, p=row)) for row in odds]
    vectorizer = TfidfVectorizer().fit(texts)
    options = {"tol": 1e-8, "max_iter": 10_000}
    reference = LinearSVC(class_weight="balanced", **options).fit(vectorizer.transform(texts), labels)
    expected = reference.decision_function(vectorizer.transform(texts))
    estimator = linear_svc(balanced=True, tolerance=1e-8, max_iterations=10_000)
    model = fit_linear(texts, labels, num_labels, FEATURES, estimator)[0]
    margins = model.margins(texts)
    np.testing.assert_allclose(margins[:, 1], expected, atol=1e-4)
    np.testing.assert_allclose(margins[:, 0], -expected, atol=1e-4)
    assert 0.2 < (expected > 0).mean() < 0.8 and model.predict(texts)[:, 1].max() > 0.5


def test_processes_change_nothing(splits: dict[str, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    alone = fitted(splits["train"], linear_svc(seed=3))
    monkeypatch.setattr(linear, "SEVERAL_PROCESSES", 0)
    together = fitted(splits["train"], linear_svc(seed=3), processes=2)
    np.testing.assert_array_equal(alone.weights, together.weights)


@pytest.mark.parametrize("name", OURS)
def test_two_classes_are_one_question(one_label: dict[str, Split], name: str) -> None:
    split = one_label["train"].take(np.flatnonzero(one_label["train"].labels < 2))
    reference = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(THEIRS[name])).fit(
        split.texts, split.labels
    )
    model = fit_linear(split.texts, split.labels, 2, FEATURES, OURS[name]())[0]
    probabilities = model.predict(one_label["test"].texts)
    np.testing.assert_array_equal(probabilities.argmax(1), reference.predict(one_label["test"].texts))
    if name != "svc":
        np.testing.assert_allclose(probabilities, reference.predict_proba(one_label["test"].texts), atol=1e-6)


@pytest.mark.parametrize("name", OURS)
def test_labels_that_no_row_or_every_row_has(name: str) -> None:
    texts, rows = ["good day", "bad day", "good sun", "bad rain"] * 5, np.array([0, 2, 0, 2] * 5)
    one = fit_linear(texts, rows, 4, FEATURES, OURS[name]())[0]
    given = one.predict(["good day", "bad rain", "unknown", ""])
    assert (given[:, [1, 3]] == 0).all() and one.known.tolist() == [FITTED, NEVER, FITTED, NEVER]
    np.testing.assert_allclose(given.sum(1), 1, atol=1e-6)
    assert given.argmax(1)[:2].tolist() == [0, 2]
    hot = np.stack([rows == 0, rows >= 0, rows < 0], axis=1).astype(np.uint8)
    reference = OneVsRestClassifier(THEIRS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that labels stand in none and in all rows
        vectorizer = TfidfVectorizer().fit(texts)
        reference.fit(vectorizer.transform(texts), hot)
    several = fit_linear(texts, hot, 3, FEATURES, OURS[name]())[0].predict(["good day", "bad rain"])
    expected = reference.predict(vectorizer.transform(["good day", "bad rain"]))
    np.testing.assert_array_equal(several > 0.5, expected.astype(bool))
    assert several[:, 1:].tolist() == [[1, 0], [1, 0]]
    lonely = fit_linear(texts, np.zeros(20, dtype=np.int64), 3, FEATURES, OURS[name]())[0]
    assert lonely.predict(["good", ""]).tolist() == [[1, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("temperature", [None, 0.001, 0.7, 1000.0])
def test_rounding_changes_no_decision(temperature: float | None) -> None:
    kind = replace(  # margins that float32 cannot tell apart
        fit_linear(["a b", "c d"] * 3, np.array([0, 1] * 3), 3, FEATURES_OF_LETTERS, naive_bayes())[0],
        known=np.zeros(3, dtype=np.int8),
        calibration=temperature and Calibration("temperature", {}, temperature),
    )
    close = np.array([[1.0, 1.0 + 1e-12, 0.5], [1e-12, -1e-12, 3.0]])
    for link in ("softmax", "logistic"):
        assert replace(kind, link=link).probabilities(close).argmax(1).tolist() == [1, 2]
    several = replace(kind, task="multilabel").probabilities(close)
    assert (several > 0.5).tolist() == (close > 0).tolist()


FEATURES_OF_LETTERS = {"words": OFF, "characters": {**OFF, "ngrams": [1, 1], "within_words": False}}


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("name", ["svc", "logreg"])
def test_calibration_is_scikit_learns(splits: dict[str, Split], method: str, name: str) -> None:
    train, validation, test = splits["train"], splits["validation"], splits["test"]
    model = fitted(train, OURS[name]())
    calibration = Calibration.fit(
        method, model.margins(validation.texts), validation.labels, model.known, model.task, model.link
    )
    found = replace(model, calibration=calibration).predict(test.texts)
    vectorizer = TfidfVectorizer().fit(train.texts)
    hot = train.labels if train.labels.ndim == 2 else np.eye(12, dtype=int)[train.labels]
    wanted_hot = validation.labels if train.labels.ndim == 2 else np.eye(12, dtype=int)[validation.labels]
    columns = []
    for label in range(count(train)):
        binary = OURS[name]().fit(vectorizer.transform(train.texts), hot[:, label])
        if wanted_hot[:, label].sum() < 5:  # it refuses
            columns.append(1 / (1 + np.exp(-binary.decision_function(vectorizer.transform(test.texts)))))
            continue
        reference = CalibratedClassifierCV(FrozenEstimator(binary), method=method)
        reference.fit(vectorizer.transform(validation.texts), wanted_hot[:, label])
        columns.append(reference.predict_proba(vectorizer.transform(test.texts))[:, 1])
    expected = np.stack(columns, axis=1)
    compared = wanted_hot.sum(0) >= 5
    assert compared.sum() > 4
    if train.labels.ndim == 2:
        np.testing.assert_allclose(found[:, compared], expected[:, compared], atol=1e-3)
    else:  # normalised: ratios of the compared ones are as they were
        ours, theirs = found[:, compared], expected[:, compared]
        rows = theirs.sum(1) > 0.05
        np.testing.assert_allclose(
            ours[rows] / ours[rows].sum(1, keepdims=True),
            theirs[rows] / theirs[rows].sum(1, keepdims=True),
            atol=5e-3,
        )


def drawn(rows: int, classes: int, seen: int) -> tuple[np.ndarray, np.ndarray]:
    """Margins (N, C) and class indices, of which only the first `seen` occur."""
    random = np.random.default_rng(0)
    truth, margins = random.integers(0, seen, rows), random.normal(-0.5, 0.4, (rows, classes))
    margins[np.arange(rows), truth] += 0.6
    return margins, truth


@pytest.mark.parametrize("link", ["logistic", "softmax"])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_class_without_validation_rows_has_platts_share(method: str, link: str) -> None:
    margins, truth = drawn(2000, 20, seen=19)
    known = np.zeros(20, dtype=np.int8)
    found = Calibration.fit(method, margins, truth, known, "multiclass", link).probabilities(
        margins, known, "multiclass", link
    )
    # With several labels a text, each is calibrated by itself, and not normalised.
    several = Calibration.fit(method, margins, np.eye(20)[truth], known, "multilabel", link)
    each = several.probabilities(margins, known, "multilabel", link).astype(float)
    told = each[:, :19].sum(1) > 0
    each[:, 19] = 1 / 2002
    np.testing.assert_allclose(found[told], each[told] / each[told].sum(1, keepdims=True), atol=1e-6)
    assert told.mean() > 0.9 and (found.argmax(1) == 19).mean() < 0.02


@pytest.mark.parametrize("link", ["logistic", "softmax"])
def test_where_isotonic_regression_says_nothing_the_margins_do(link: str) -> None:
    known = np.array([FITTED, FITTED, FITTED, FITTED, NEVER], dtype=np.int8)
    truth = np.array([0, 0, 1, 1, 2, 2] * 3)  # none of class 3, which has training rows
    margins = np.where(truth[:, None] == np.arange(5), 1.0, -1.0)
    calibration = Calibration.fit("isotonic", margins, truth, known, "multiclass", link)
    asked = np.array([[-2.0, -1.5, -3.0, -4.0, 9.0]])
    found = calibration.probabilities(asked, known, "multiclass", link)
    exact = np.exp(asked[:, :4]) if link == "softmax" else 1 / (1 + np.exp(-asked[:, :4]))
    np.testing.assert_allclose(found[:, :4], exact / exact.sum(), atol=1e-6)
    assert found[0, 4] == 0


def test_probabilities_of_vanishing_margins_name_no_class_without_rows() -> None:
    known = np.array([FITTED, NEVER, FITTED], dtype=np.int8)
    found = margin_probabilities(np.full((1, 3), -1e4), known, "multiclass", "logistic")
    assert found.tolist() == [[0.5, 0, 0.5]]


@pytest.mark.parametrize("name", OURS)
def test_a_temperature_calibrates_and_decides_nothing(splits: dict[str, Split], name: str) -> None:
    validation, test = splits["validation"], splits["test"]
    model = fitted(splits["train"], OURS[name]())
    margins = model.margins(validation.texts)
    calibration = Calibration.fit(
        "temperature", margins, validation.labels, model.known, model.task, model.link
    )
    cooled = replace(model, calibration=calibration)

    def cross_entropy(given: np.ndarray) -> float:
        truth = validation.labels
        if truth.ndim == 1:
            return float(-np.log(given[np.arange(len(truth)), truth]).sum())
        return float(-np.log(np.where(truth, given, 1 - given)).sum())

    best = cross_entropy(cooled.probabilities(margins).astype(float))
    assert best < cross_entropy(model.probabilities(margins).astype(float))
    for factor in (0.9, 1.1):  # a minimum
        other = replace(calibration, temperature=calibration.temperature * factor)
        assert best < cross_entropy(replace(model, calibration=other).probabilities(margins).astype(float))
    np.testing.assert_array_equal(
        decisions(cooled.predict(test.texts), test.labels), decisions(model.predict(test.texts), test.labels)
    )


# --- files


def written(directory: Path, model: LinearClassifier) -> Path:
    path = directory / "model.safetensors"
    path.write_bytes(content_of(model, [f"label {number}" for number in range(len(model.known))]))
    return path


@pytest.mark.parametrize("method", [None, "sigmoid", "isotonic", "temperature"])
def test_a_file_gives_the_same_answers(splits: dict[str, Split], method: str | None, tmp_path: Path) -> None:
    features = {"words": FEATURES["words"], "characters": {**FEATURES["characters"], "ngrams": [1, 3]}}
    train, validation = splits["train"], splits["validation"]
    texts = [*train.texts, "lone \ud800 and \x00 and\nnew line"]
    labels = np.concatenate([train.labels, train.labels[:1]])
    model = fit_linear(texts, labels, count(train), features, linear_svc())[0]
    if method:
        margins = model.margins(validation.texts)
        calibration = Calibration.fit(method, margins, validation.labels, model.known, model.task, model.link)
        model = replace(model, calibration=calibration)
    again, described = read_linear(written(tmp_path, model))
    asked = [*splits["test"].texts, "", "zzz \ud800\n"]
    np.testing.assert_array_equal(again.predict(asked), model.predict(asked))
    assert described.label_names[3] == "label 3" and again.ngrams[1].terms == model.ngrams[1].terms


def damaged(arrays: dict[str, np.ndarray], about: dict[str, Any], what: str) -> None:
    match what:
        case "objects":
            about["ngrams"] = {"words": {"__reduce__": "os.system"}}
        case "link":
            about["link"] = "builtins.eval"
        case "shape":
            arrays["weights"] = arrays["weights"][:-1]
        case "nan":
            arrays["intercepts"][0] = np.nan
        case "lengths":
            arrays["words.lengths"][0] += 1
        case "negative":
            arrays["words.lengths"][:2] += np.array([-1000, 1000], dtype=np.int32)
        case "missing":
            del arrays["known"]
        case "bytes":
            arrays["words.terms"] = arrays["words.terms"] | 0x80
        case "kind":
            arrays["weights"] = arrays["weights"].astype(np.float32)
        case "calibration":
            about["calibration"] = {"method": "sigmoid", "labels": [40], "temperature": 1.0}
        case "scalar" | "empty":
            about["calibration"] = {"method": "isotonic", "labels": [0], "temperature": 1.0}
            arrays["calibration.0"] = np.array(0.0) if what == "scalar" else np.zeros((2, 0))
        case "twice":
            assert arrays["words.lengths"][:2].tolist() == [3, 3]
            arrays["words.terms"][3:6] = arrays["words.terms"][:3]
        case "falling":
            about["ngrams"]["words"]["ngrams"] = [3, 1]
        case "nothing":
            about["ngrams"]["words"]["ngrams"] = [0, 1]
        case "rare":
            about["ngrams"]["words"]["min_df"] = 0
        case "format":
            about["format"] = "emoji_pred.linear.9"


@pytest.mark.parametrize(
    "what",
    [
        *(
            "objects",
            "link",
            "shape",
            "nan",
            "lengths",
            "negative",
            "missing",
            "bytes",
            "kind",
            "calibration",
        ),
        *("scalar", "empty", "twice", "falling", "nothing", "rare", "format"),
    ],
)
def test_a_file_of_other_content_is_refused(one_label: dict[str, Split], what: str, tmp_path: Path) -> None:
    path = written(tmp_path, fitted(one_label["train"], naive_bayes()))
    arrays = {name: array.copy() for name, array in load_file(path).items()}
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    about = json.loads(header["__metadata__"]["emoji_pred"])
    damaged(arrays, about, what)
    save_file(arrays, path, {"emoji_pred": json.dumps(about)})
    with pytest.raises(UserError, match=r"is no linear model of this suite .*; train the run again"):
        read_linear(path)


def test_labels_that_are_no_unicode_come_back(one_label: dict[str, Split], tmp_path: Path) -> None:
    names = ["\ud83d", "\ude00 x", "😀", *(str(number) for number in range(9))]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content_of(fitted(one_label["train"], naive_bayes()), names))
    assert read_linear(path)[1].label_names == names


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"format": "\\ud800"}', '{"\\ud800": 1}', "[NaN", "1" * 5000, ""]
)
def test_a_description_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weights": np.zeros(3)}, path, {"emoji_pred": text})
    with pytest.raises(UserError, match="is no linear model") as raised:
        read_linear(path)
    assert "\n" not in str(raised.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for content in (b"", b"PK\x03\x04 a zip", b"\x80\x05cos\nsystem\n", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is no linear model"):
            read_linear(path)
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(UserError, match="is no linear model"):
        read_linear(path)


def test_the_file_holds_plain_arrays(one_label: dict[str, Split]) -> None:
    content = content_of(fitted(one_label["train"], naive_bayes()), ["x"] * 12)
    kinds = {array.dtype.name for array in load(content).values()}
    assert kinds == {"float64", "int8", "int32", "uint8"}
