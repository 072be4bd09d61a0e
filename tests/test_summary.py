"""The tables at the end of a run and of a sweep."""

from __future__ import annotations

import io
from typing import Any

import pytest

from emoji_pred.summary import print_runs, print_summary

LABELS = ["❤️", "😂", "👩‍👩‍👧", "🇺🇸", "خوشی", "[bold]brackets[/bold]", ":heart:"]


def metrics(macro_f1: float) -> dict[str, Any]:
    per_class = [
        {"label": label, "precision": 0.1, "recall": 0.2, "f1": 0.125, "support": 10798, "predicted": i}
        for i, label in enumerate(LABELS)
    ]
    return {
        "accuracy": 0.3261,
        "macro_f1": macro_f1,
        "weighted_f1": 0.3456,
        "top_3": 0.5,
        "ece": 0.04,
        "per_class": per_class,
        "confusion_matrix": [[0] * 7] * 7,
    }


def result(**changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "status": "finished",
        "run": "0123456789ab",
        "overrides": ["model=cnn", "seed=1"],
        "config": {
            "data": {"name": "tweeteval"},
            "model": {"name": "cnn", "tokenizer": {"kind": "words"}},
            "encoder": {"name": "bertweet"},
            "loss": {"name": "focal"},
        },
        "task": "multiclass",
        "label_names": LABELS,
        "parameters": {"total": 8123456, "trainable": 8123456},
        "wall_seconds": 83.4,
        "peak_memory_mb": 1203.6,
        "best_epoch": 2,
        "curves": [{"epoch": 0}] * 5,
        "validation": metrics(0.2345),
        "test": metrics(0.2456),
    } | changes


def printed(function: Any, *arguments: Any) -> str:
    stream = io.StringIO()
    function(*arguments, stream=stream)
    return stream.getvalue()


def test_summary_says_what_where_and_how_good() -> None:
    text = printed(print_summary, result(), "runs/0123456789ab")
    for words in (
        "run 0123456789ab: data=tweeteval model=cnn loss=focal\n",
        "directory: runs/0123456789ab\n",
        "1 min 23 s",
        "1,204 MB",
        "8,123,456",
        "best epoch 3 of 5",
        "0.2345",
        "0.2456",
        "0.3261",
        "10,798",
    ):
        assert words in text


def test_labels_are_printed_as_they_are() -> None:
    text = printed(print_summary, result())
    for label in LABELS:
        assert any(line.rstrip().endswith(label) for line in text.splitlines()), label


def test_a_pipe_gets_no_escape_codes() -> None:
    assert "\x1b" not in printed(print_summary, result())
    assert "\x1b" not in printed(print_runs, [result(directory="runs/a")])


def test_the_encoder_is_named_where_the_model_reads_it() -> None:
    assert "encoder" not in printed(print_summary, result())
    config = {"model": {"name": "bert", "tokenizer": {"kind": "encoder"}}, "encoder": {"name": "minilm"}}
    assert "model=bert encoder=minilm" in printed(print_summary, result(config=config))


def test_without_a_test_split_the_classes_of_validation_are_shown() -> None:
    text = printed(print_summary, result(test=None))
    assert "validation class" in text
    assert "0.2345" in text and "0.2456" not in text


def test_multilabel_metrics_are_shown() -> None:
    split = {"accuracy": 0.25, "macro_f1": 0.5, "hamming_loss": 0.0625, "per_class": []}
    assert "0.0625" in printed(print_summary, result(task="multilabel", validation=split, test=split))


def test_several_labels_are_shown_beside_constant_answers() -> None:
    figures = {"macro_f1": 0.5, "example_f1": 0.625, "paper_smoothed_precision": 0.75, "given_per_row": 1.5}
    nothing = {"macro_f1": 0.0, "example_f1": 0.0, "paper_smoothed_precision": 1.0, "given_per_row": 0.0}
    decision = {"name": "tuned", "thresholds": [0.3125] * 7, "tuned_f1": "micro", "at_least_one": True}
    split = {**figures, "per_class": [], "decision": decision, "yardsticks": {"answers nothing": nothing}}
    several = result(task="multilabel", validation=split, test=split)
    text = printed(print_summary, several)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "macro F1 0.5000 0.5000 0.0000",
        "F1 by rows (eq. 10) 0.6250 0.6250 0.0000",
        "precision, +1 0.7500 0.7500 1.0000",
        "labels given a row 1.5000 1.5000 0.0000",
        "the last columns: what answers that never change reach on the test rows",
        "a label is given where its probability is above 0.3125, the best micro F1 on validation; a text "
        "without any gets the most probable",
    ):
        assert line in lines
    plain = {
        **split,
        "decision": {**decision, "name": "fixed", "thresholds": [0.5] * 7, "at_least_one": False},
    }
    assert "above" not in printed(print_summary, result(task="multilabel", validation=plain, test=plain))


def test_thresholds_by_class_are_told_as_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = {"name": "tuned_per_class", "thresholds": [0.25, 0.75], "tuned_f1": "each class"}
    split = {**metrics(0.5), "decision": {**decision, "at_least_one": False}}
    split["per_class"] = split["per_class"][:2]
    several = result(task="multilabel", validation=split, test=split)
    lines = [" ".join(line.split()) for line in printed(print_summary, several).splitlines()]
    assert "0.1000 0.2000 0.1250 10,798 1 0.7500 😂" in lines
    assert "above 0.25 to 0.75, by class, each with the best F1 of its class" in printed(
        print_summary, several
    )
    monkeypatch.setattr("emoji_pred.summary.PLAIN_WIDTH", 60)
    yardstick = {"answers nothing": {"macro_f1": 0.125}}
    narrow = result(task="multilabel", validation=split, test={**split, "yardsticks": yardstick})
    text = printed(print_summary, narrow)
    assert "answers" not in text and "threshold" not in text  # no room for the columns


def test_a_long_directory_is_never_broken() -> None:
    directory = "/" + "/".join(["a long directory"] * 20)
    assert f"directory: {directory}\n" in printed(print_summary, result(), directory)


@pytest.mark.parametrize("columns", [20, 40, 200])
def test_a_narrow_terminal_still_shows_the_numbers(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emoji_pred.summary.PLAIN_WIDTH", columns)
    text = printed(print_summary, result(), "runs/x")
    if columns >= 40:
        assert all(label in text for label in LABELS[:4])
    rows = [result(overrides=[f"model={name}"], directory=f"runs/{name}") for name in ("cnn", "ffn")]
    runs = printed(print_runs, rows)
    if columns >= 40:
        assert "0.2456" in text and "0.2456" in runs


def test_a_stream_that_cannot_show_emoji_does_not_stop_the_program() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_summary(result(), stream=stream)
    stream.flush()
    assert b"0.2456" in raw.getvalue()


def test_runs_are_named_by_the_overrides_in_which_they_differ() -> None:
    rows = [
        result(overrides=["loss=focal", "model=cnn"], directory="runs/aaa"),
        result(overrides=["loss=focal", "model=bert"], directory="runs/bbb", test=metrics(0.3579)),
    ]
    text = printed(print_runs, rows)
    lines = {name: next(line for line in text.splitlines() if name in line) for name in ("cnn", "bert")}
    assert lines["cnn"].startswith("model=cnn ") and "0.2456" in lines["cnn"] and "aaa" in lines["cnn"]
    assert lines["bert"].startswith("model=bert ") and "0.3579" in lines["bert"] and "bbb" in lines["bert"]
    assert "loss=focal" not in text
    assert "The runs lie in runs\n" in text


def test_runs_in_several_places_are_shown_with_their_paths() -> None:
    text = printed(print_runs, [result(directory="one/aaa"), result(directory="two/bbb")])
    assert "one/aaa" in text and "two/bbb" in text


def test_a_failed_run_has_its_error_below_the_table() -> None:
    failed = {"status": "failed", "error": "model.optimizer.lr=-1 must be positive", "overrides": ["seed=2"]}
    text = printed(print_runs, [result(overrides=["seed=1"], directory="runs/aaa"), failed])
    assert "seed=2: model.optimizer.lr=-1 must be positive\n" in text
    assert next(line for line in text.splitlines() if line.startswith("seed=2 ")).split()[1] == "failed"


def test_one_error_of_several_runs_is_said_once() -> None:
    failed = {"status": "failed", "error": "no network", "overrides": ["seed=2"]}
    rows = [result(overrides=["seed=1"], directory="runs/aaa"), failed, {**failed, "overrides": ["seed=3"]}]
    assert "seed=2; seed=3: no network\n" in printed(print_runs, rows)


def test_random_weights_are_named_where_they_count() -> None:
    tiny = {"name": "tiny", "source": "random"}
    read = {"model": {"name": "bert", "tokenizer": {"kind": "encoder"}}, "encoder": tiny}
    unread = {"model": {"name": "cnn", "tokenizer": {"kind": "words"}}, "encoder": tiny}
    words = "encoder=tiny starts from random weights"
    assert words in printed(print_summary, result(config=read))
    assert words not in printed(print_summary, result(config=unread))
    rows = [
        result(config=unread, overrides=["model=cnn"], directory="runs/a"),
        result(config=read, overrides=["model=bert"], directory="runs/b"),
    ]
    assert f"model=bert: {words}" in printed(print_runs, rows)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.26, "4.3 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (3600 * 2 + 61, "2 h 01 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert words in printed(print_summary, result(wall_seconds=seconds))


def test_the_top_class_and_zeroed_classes_are_shown_where_they_were_measured() -> None:
    measured = {
        "top_class": "😂",
        "top_class_recall": 0.61,
        "top_class_precision": 0.24,
        "zeroed_classes": 12,
    }
    text = printed(print_summary, result(test=metrics(0.2) | measured, validation=None))
    assert "top class, the largest in training: 😂\n" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "recall of the top class 0.6100",
        "precision of the top class 0.2400",
        "classes with rows, never predicted 12",
    ):
        assert line in lines
    assert "top class" not in printed(print_summary, result())  # of a result of an earlier version


def test_a_ceiling_below_all_is_one_line() -> None:
    def shown(**ceiling: dict[str, float]) -> str:
        return printed(print_summary, result(provenance={"corpus": {"ceiling": ceiling}}))

    validation, whole = {"top_1": 0.99996, "top_10": 1.0}, {"top_1": 1.0, "top_10": 1.0}
    assert (
        "some texts have several labels; the best any model could reach: "
        "validation top 1 99.9 %, top 10 100.0 %; test top 1 93.1 %, top 10 99.9 %\n"
    ) in shown(validation=validation, test={"top_1": 0.9314, "top_10": 0.9999})
    assert "could reach: validation top 1 99.9 %, top 10 100.0 %\n" in shown(
        validation=validation, test=whole
    )
    for text in (shown(validation=whole, test=whole), shown(), printed(print_summary, result())):
        assert "could reach" not in text
    multilabel = result(provenance={"corpus": {"ceiling": None}})
    assert "could reach" not in printed(print_summary, multilabel)
