"""Runs of linear models: the same command, directory, result and answers as those of networks."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from emoji_pred import cli, runs
from emoji_pred.data.prepare import load_corpus
from emoji_pred.errors import RunFailed, Stopped, UserError
from emoji_pred.linear_predictor import LinearPredictor
from emoji_pred.linear_training import fit_and_evaluate, processes
from emoji_pred.loggers import EpochCSVLogger
from emoji_pred.predictor import Predictor
from emoji_pred.run import RunResult, find_finished, identify, run
from emoji_pred.trained import load_predictor

REPOSITORY = Path(__file__).resolve().parents[1]
MODELS = ["tfidf_nb", "tfidf_svc", "tfidf_logreg", "ngram_svc"]
SAMPLE = ("data=sample", "data.rows=300", "logger=none")
Train = Callable[..., RunResult]
Compose = Callable[..., dict[str, Any]]


def name_of(compose: Compose, *overrides: str) -> str:
    return identify({**compose(*overrides), "runs_dir": "runs"}).name


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("model", MODELS)
def test_a_run_is_as_that_of_a_network(train: Train, model: str, task: str) -> None:
    done = train(f"model={model}", *SAMPLE, f"data.task={task}")
    assert sorted(path.name for path in done.directory.iterdir() if not path.name.startswith(".")) == [
        *("model.safetensors", "predictions.parquet", "result.json"),
    ]
    result = json.loads((done.directory / runs.RESULT).read_text(encoding="utf-8"))
    assert result["status"] == "finished" and result["files"].keys() == {runs.PREDICTIONS, runs.LINEAR}
    assert result["curves"] == [] and result["best_epoch"] is None and result["parameters"]["total"] > 300
    assert result["provenance"]["vocabulary"] == sum(result["fit"]["features"].values())
    assert not result["config"].keys() & {"loss", "alpha", "encoder", "vectors", "trainer", "bucket_batches"}
    corpus = load_corpus(result["config"]["data"], Path("unused"))
    stored = runs.read_predictions(done.directory / runs.PREDICTIONS)
    predictor = load_predictor(done.directory)
    assert isinstance(predictor, LinearPredictor) and predictor.task == task
    for split in ("validation", "test"):
        ids, targets, probabilities = stored[split]
        assert ids == corpus.splits[split].row_ids
        np.testing.assert_array_equal(targets, corpus.splits[split].labels)
        np.testing.assert_array_equal(predictor.predict(corpus.splits[split].texts), probabilities)


@pytest.mark.parametrize(("model", "reference"), [("tfidf_nb", MultinomialNB()), ("tfidf_svc", LinearSVC())])
def test_figures_are_scikit_learns(train: Train, model: str, reference: Any) -> None:
    result = train(f"model={model}", *SAMPLE).result
    corpus = load_corpus(result["config"]["data"], Path("unused"))
    fitted = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(reference))
    fitted.fit(corpus.splits["train"].texts, corpus.splits["train"].labels)
    for split in ("validation", "test"):
        answers, labels = fitted.predict(corpus.splits[split].texts), corpus.splits[split].labels
        macro = f1_score(labels, answers, average="macro", labels=range(corpus.num_classes), zero_division=0)
        assert result[split]["macro_f1"] == pytest.approx(macro)
        assert result[split]["accuracy"] == pytest.approx((answers == labels).mean())


def test_a_new_text_is_cleaned_as_those_of_the_run(train: Train) -> None:
    hidden = ["we love\u200b the\ufe0f sun\ufe0f"]
    clean = load_predictor(train("model=ngram_svc", *SAMPLE, "data.clean=leak_free").directory)
    np.testing.assert_array_equal(clean.predict(["we love the sun"]), clean.predict(hidden))
    as_it_is = load_predictor(train("model=ngram_svc", *SAMPLE).directory)
    assert not np.array_equal(as_it_is.predict(["we love the sun"]), as_it_is.predict(hidden))


def test_texts_without_a_known_ngram(train: Train) -> None:
    predictor = load_predictor(train("model=tfidf_nb", *SAMPLE).directory)
    empty, unknown = predictor.predict(["", "qqq zzz"])
    np.testing.assert_array_equal(empty, unknown)
    counts = np.array(predictor.result["provenance"]["class_counts"])
    assert counts[empty.argmax()] == counts.max()
    assert predictor.predict([]).shape == (0, 12)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("tfidf_svc", "softmax of an SVM's margins; not calibrated"),
        ("tfidf_nb", "of each label against the rest, normalised; not calibrated"),
        ("tfidf_svc model.calibration=sigmoid", "calibrated on validation by sigmoid, then normalised"),
        ("tfidf_logreg model.calibration=temperature", "the temperature best on validation"),
        ("tfidf_svc data.task=multilabel", "logistic function of an SVM's margins; not calibrated"),
    ],
)
def test_the_result_says_what_its_probabilities_are(train: Train, model: str, words: str) -> None:
    assert words in train(*f"model={model}".split(), *SAMPLE).result["probabilities"]


def test_a_decision_is_tuned_for_linear_models_too(train: Train, compose: Compose) -> None:
    several = ("model=tfidf_logreg", *SAMPLE, "data.task=multilabel")
    tuned, fixed = train(*several, "decision=tuned_per_class"), train(*several)
    assert tuned.directory != fixed.directory
    predictor = load_predictor(tuned.directory)
    assert predictor.decision is not None and len(set(predictor.decision.thresholds)) > 1
    assert tuned.result["validation"]["macro_f1"] > fixed.result["validation"]["macro_f1"]
    with pytest.raises(UserError, match="decision=tuned is for several labels a text"):
        train("model=tfidf_nb", *SAMPLE, "decision=tuned")


# --- identity


def test_what_changes_nothing_names_no_run_anew(compose: Compose) -> None:
    name = name_of(compose, "model=tfidf_svc", *SAMPLE)
    idle = ["loss=cross_entropy", "alpha=uniform", "encoder=tiny", "trainer.max_steps=5", "bucket_batches=1"]
    for override in (
        *idle,
        "trainer.threads=1",
        "trainer.precision=bf16-mixed",
        "vectors=word2vec",
        "trainer=ddp",
    ):
        assert name_of(compose, "model=tfidf_svc", *SAMPLE, override) == name, override
    others = ["seed=1", "data.rows=301", "model.estimator.C=2", "model.calibration=sigmoid"]
    others += [
        "model.features.words.ngrams=[1,2]",
        "model.features.characters.ngrams=[2,5]",
        "model=tfidf_nb",
    ]
    names = {name_of(compose, "model=tfidf_svc", *SAMPLE, override) for override in others}
    assert len(names) == len(others) and name not in names


def test_the_same_command_finds_its_run(train: Train, compose: Compose, workspace: Path) -> None:
    done = train("model=tfidf_nb", *SAMPLE)
    config = {**compose("model=tfidf_nb", *SAMPLE, "loss=focal"), "runs_dir": str(workspace / "runs")}
    found = find_finished(identify(config))
    assert found is not None and found.result == done.result
    model = done.directory / runs.LINEAR
    kept = model.read_bytes()
    try:
        model.write_bytes(kept[:-1])
        assert find_finished(identify(config)) is None
    finally:
        model.write_bytes(kept)


# --- the command


def test_a_sweep_over_networks_and_linear_models(command: Callable[..., Any]) -> None:
    small = ("model.max_epochs=1", "trainer.threads=1", "trainer.progress=none")
    with pytest.warns(UserWarning, match="^loss=focal: no effect on model=tfidf_nb, a linear model"):
        ended = command("-m", "model=tfidf_svc,tfidf_nb", *SAMPLE, "loss=focal", "trainer.threads=1")
    assert ended.code == 0 and "2 runs: 0 finished before, 2 to train" in ended.out
    assert "model.max_epochs is not a setting" in command("model=tfidf_svc", *SAMPLE, *small).err
    ended = command("-m", "model=ffn,tfidf_svc", *SAMPLE, "loss=focal,cross_entropy", "trainer.max_steps=1")
    assert ended.code == 0 and "4 runs: 2 finished before, 2 to train" in ended.out, ended.err
    assert ended.out.count("model=tfidf_svc loss=") == 2  # in the table


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("model.optimizer.lr=1", "model.optimizer.lr is not a setting of what is chosen here"),
        ("+model.optimizer.lr=1", "model.optimizer: unknown option"),
        ("model.estimator.C=0", "model.estimator.C: input should be greater than 0, found 0"),
        ("+model.estimator.gamma=1", "model.estimator.gamma: unknown option"),
        ("model.estimator._target_=os.system", "model.estimator._target_=os.system is not allowed"),
        ("model.features.words.ngrams=[3,1]", "model.features.words.ngrams: the shortest comes first"),
        (
            "model.features.words.ngrams=null",
            "model.features: words.ngrams and characters.ngrams are both null",
        ),
        ("model.features.words.min_df=1000", "no n-gram of [1, 1] stands in min_df=1000 training texts"),
        ("model.calibration=platt", "model.calibration: input should be 'none', 'sigmoid', 'isotonic'"),
        ("data.clusters=[['❤','😊']]", "data.clusters are for networks"),
        ("hparams_search=cnn", "hparams_search"),
    ],
)
def test_a_mistake_is_one_line(command: Callable[..., Any], overrides: str, message: str) -> None:
    ended = command("model=tfidf_svc", *SAMPLE, overrides)
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ended.code == 2 and message in line and "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("model", "sweeping", "then"),
    [
        ("tfidf_svc", False, "begins anew"),
        ("tfidf_svc", True, "continues"),  # its other runs are found
        ("ffn", False, "continues"),
    ],
)
def test_a_fit_that_is_stopped_begins_anew(
    compose: Compose,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    sweeping: bool,
    then: str,
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise Stopped(signal.SIGINT)

    monkeypatch.setattr("emoji_pred.run.run", stopped)
    monkeypatch.setattr(cli.stop_request, "begin_command", lambda: None)
    monkeypatch.setattr(cli.stop_request, "ending", False)
    config = OmegaConf.create(compose(f"model={model}", *SAMPLE))
    with pytest.raises(SystemExit) as end, cli._ended_by_signals():
        cli._run(config, [], sweeping)
    assert end.value.code == 130
    assert capsys.readouterr().err == f"\nstopped by SIGINT; the same command {then}\n"


def test_several_processes_of_torchrun_are_refused(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UserError, match="torchrun started 2 processes, but model=tfidf_svc is fitted by one"):
        identify(compose("model=tfidf_svc", *SAMPLE))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_a_class_without_training_rows(compose: Compose, model: str, task: str, tmp_path: Path) -> None:
    config = compose(f"model={model}", *SAMPLE, f"data.task={task}")
    whole = load_corpus(config["data"], tmp_path)
    train = whole.splits["train"]
    lacks = train.labels != 2 if task == "multiclass" else train.labels[:, 2] == 0
    corpus = replace(whole, splits={**whole.splits, "train": train.take(np.flatnonzero(lacks))})
    name = re.escape(corpus.label_names[2])
    with pytest.warns(
        UserWarning, match=rf"^1 label\(s\) without a training row are never predicted: {name}$"
    ):
        outcome = fit_and_evaluate(config, corpus, tmp_path, [])
    entry = outcome.figures["validation"]["per_class"][2]
    assert entry["support"] > 0 and entry["predicted"] == 0 and entry["f1"] == 0
    assert outcome.figures["validation"]["zeroed_classes"] > 0
    assert (outcome.predictions["validation"][2][:, 2] == 0).all()


# --- what loads a model


def test_a_linear_model_answers_without_torch(train: Train) -> None:
    directory = train("model=ngram_svc", *SAMPLE).directory
    code = (
        "import sys; from pathlib import Path; from emoji_pred.trained import load_predictor; "
        f"load_predictor(Path({str(directory)!r})).predict(['hello']); "
        "print([n for n in ('torch', 'lightning', 'transformers', 'hydra', 'joblib.x') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


def test_a_run_loads_no_lightning(compose: Compose, tmp_path: Path) -> None:
    config = {**compose("model=tfidf_nb", *SAMPLE, "logger=csv"), "runs_dir": str(tmp_path)}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code = (
        "import json, sys; from emoji_pred.run import run; "
        f"run(json.load(open({str(tmp_path / 'config.json')!r}))); "
        "print([n for n in ('lightning', 'transformers', 'peft', 'wandb') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


def rewrite(directory: Path, change: Callable[[Mapping[str, Any]], Any]) -> None:
    result = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
    change(result)
    (directory / runs.RESULT).write_text(json.dumps(result), encoding="utf-8")


def test_a_damaged_file_is_refused(train: Train, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(train("model=tfidf_nb", *SAMPLE).directory, tmp_path / "copied"))
    model = directory / runs.LINEAR
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    with pytest.raises(
        UserError, match=r"is damaged: model.safetensors is not the file that result.json names"
    ):
        load_predictor(directory)
    model.write_bytes(b"\x80\x05cos\nsystem\n.")  # and a result that names it
    rewrite(directory, lambda result: result["files"].update({runs.LINEAR: runs.file_digest(model)}))
    with pytest.raises(UserError, match="is no linear model of this suite"):
        load_predictor(directory)


def test_each_kind_of_run_has_its_own_reader(train: Train, quick: Callable[..., list[str]]) -> None:
    linear, network = train("model=tfidf_nb", *SAMPLE).directory, train(*quick("ffn")).directory
    assert isinstance(load_predictor(network), Predictor)
    with pytest.raises(UserError, match="holds a linear model of n-grams; this needs the run of a network"):
        Predictor.load(linear)
    with pytest.raises(UserError, match=r"--device cuda: .* holds a linear model"):
        load_predictor(linear, "cuda")


def test_trackers_get_the_figures(compose: Compose, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    config = compose("model=tfidf_nb", "data=sample", "data.rows=300", "logger=tensorboard")
    done = run({**config, "runs_dir": str(tmp_path)})
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = {path.parent for path in done.directory.rglob("events.out*")}
    read = EventAccumulator(str(events))
    read.Reload()
    found = {tag: read.Scalars(tag)[-1].value for tag in read.Tags()["scalars"]}
    assert found["test/macro_f1"] == pytest.approx(done.result["test"]["macro_f1"])


class Recording(EpochCSVLogger):
    """A logger that notes how it was closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.ends: list[BaseException] = []

    def end_early(self, error: BaseException) -> None:
        self.ends.append(error)


FIT = "emoji_pred.linear_training.fit_linear"


@pytest.mark.parametrize(
    ("model", "fails", "error"),
    [
        ("tfidf_nb", FIT, Stopped(15)),
        ("tfidf_nb", FIT, ValueError("x")),
        ("tfidf_nb", "emoji_pred.evaluation.evaluate_splits", UserError("a mistake")),
        ("tfidf_nb", "emoji_pred.runs.write_predictions", OSError("no space")),
        ("ffn", "emoji_pred.runs.write_predictions", OSError("no space")),
    ],
)
def test_trackers_are_told_of_an_early_end(
    compose: Compose,
    quick: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    fails: str,
    error: BaseException,
) -> None:
    overrides = quick("ffn") if model == "ffn" else [f"model={model}", *SAMPLE]
    config = {**compose(*overrides, "logger=tensorboard"), "runs_dir": str(tmp_path / "runs")}
    config |= {"cache_dir": str(tmp_path), "data_dir": str(tmp_path)}
    built = [Recording(tmp_path / "curves.csv")]

    def broken(*_: Any) -> None:
        raise error

    for place in ("emoji_pred.loggers", "emoji_pred.training"):
        monkeypatch.setattr(f"{place}.build_logger", lambda *_, **__: built)
    monkeypatch.setattr(fails, broken)
    with pytest.raises((Stopped, RunFailed, UserError)):
        run(config)
    assert built[0].ends == [error]


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        ("tfidf_nb", "model.features.words"),
        ("ngram_svc", "model.features.words and model.features.characters"),
    ],
)
def test_memory_that_does_not_suffice_is_told_with_advice(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, model: str, kinds: str
) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(FIT, full)
    ended = command(f"model={model}", *SAMPLE, "trainer.threads=1")
    advice = f"set max_features or a higher min_df of {kinds}, or lower trainer.threads; the whole trace: "
    assert ended.code == 1 and advice in ended.error and "batch_size" not in ended.error


def test_a_process_that_was_killed_is_told_with_advice(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = os.getpid()

    def killed(*_: Any) -> Any:
        assert os.getpid() != here
        os.kill(os.getpid(), signal.SIGKILL)  # in a process of joblib, as the kernel does it

    monkeypatch.setattr("emoji_pred.models.linear.SEVERAL_PROCESSES", 0)
    monkeypatch.setattr("emoji_pred.models.linear._fit_label", killed)
    ended = command("model=tfidf_nb", *SAMPLE, "trainer.threads=2")
    assert ended.code == 1 and "or lower trainer.threads; the whole trace: " in ended.error


@pytest.mark.parametrize(
    ("threads", "of_openmp", "expected"),
    [
        (3, "1", 3),
        (None, "2", 2),
        (None, "4,2", 4),
        (None, "x", os.cpu_count()),
        (None, None, os.cpu_count()),
    ],
)
def test_as_many_processes_as_torch_would_have_threads(
    monkeypatch: pytest.MonkeyPatch, threads: int | None, of_openmp: str | None, expected: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if of_openmp is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", of_openmp)
    assert processes({"trainer": {"threads": threads}}) == expected
