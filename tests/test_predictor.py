"""A finished run that answers new texts: the numbers of the run itself, from its files alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, SMALL_NETWORKS

from emoji_pred import runs
from emoji_pred.data.prepare import load_corpus
from emoji_pred.errors import UserError
from emoji_pred.finished import find_run
from emoji_pred.predictor import Predictor

Train = Callable[..., Any]
Quick = Callable[..., list[str]]
CASES: dict[str, tuple[str, ...]] = {
    **{model: (model,) for model in SMALL_NETWORKS},
    "several labels": ("cnn", "data.task=multilabel", "loss=bce", "alpha=uniform"),
    "leak free": ("cnn", "data.clean=leak_free"),
    "first words": ("cnn", "data.max_words=3"),
    "clusters of labels": ("cnn", "data.clusters=[['❤','😊'],['😭','😡','🤢']]"),
    "encoder and words": ("lora_word2vec",),
    "frozen encoder": (
        "lora",
        "model.network.encoder_training=frozen",
        "encoder.config.intermediate_size=20",
    ),
    "encoder in full": ("lora", "model.network.encoder_training=full", "model.network.pooling=mean"),
}


@pytest.fixture(scope="module")
def ffn(train: Train, quick: Quick) -> Path:
    place: Path = train(*quick("ffn")).directory
    return place


@pytest.fixture
def copied(ffn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ffn, tmp_path / ffn.name))


@pytest.mark.parametrize("case", CASES)
def test_new_texts_get_the_numbers_that_the_run_stored(train: Train, quick: Quick, case: str) -> None:
    model, *overrides = CASES[case]
    trained = train(*quick(model, *overrides))
    corpus = load_corpus(trained.result["config"]["data"], Path("unused"))
    predictor = Predictor.load(trained.directory)
    assert predictor.label_names == tuple(corpus.label_names) and predictor.task == corpus.task
    stored = runs.read_predictions(trained.directory / runs.PREDICTIONS)
    for split in ("validation", "test"):
        row_ids, _, expected = stored[split]
        assert row_ids == corpus.splits[split].row_ids
        given = predictor.predict(corpus.splits[split].texts)
        assert given.dtype == np.float32 and given.shape == expected.shape
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-6)
        assert np.unique(given.round(6), axis=0).shape[0] > 5  # it does look at the texts


def test_a_new_text_is_cleaned_as_those_of_the_run(train: Train, quick: Quick, ffn: Path) -> None:
    text, hidden = "we love the sun", "we love\u200b the\ufe0f sun\ufe0f"
    clean = Predictor.load(train(*quick("cnn", "data.clean=leak_free")).directory)
    np.testing.assert_array_equal(clean.predict([text]), clean.predict([hidden]))
    short = Predictor.load(train(*quick("cnn", "data.max_words=3")).directory)
    np.testing.assert_array_equal(short.predict(["we love the"]), short.predict([text]))
    as_it_is = Predictor.load(ffn)
    assert not np.array_equal(as_it_is.predict([text]), as_it_is.predict([hidden]))


def test_a_run_of_before_joiners_were_left_answers_as_it_did(
    train: Train, quick: Quick, tmp_path: Path
) -> None:
    words = ["می\u200cشود", "ہے\u200cہیں"]
    file = tmp_path / "own.csv"
    rows = [f"{words[n % 2]} text {n},{'ab'[n % 2]}" for n in range(80)]
    file.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    own = ("data=text_files", f"data.files.train={file}", "data.clean=leak_free", "model.max_epochs=1")
    options = [one for one in quick("cnn") if not one.startswith("data")]
    directory = train(*options, *own).directory
    now = Predictor.load(directory)
    result = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
    assert result["provenance"]["identity"].pop("cleaning") == 2
    (directory / runs.RESULT).write_text(json.dumps(result), encoding="utf-8")
    then = Predictor.load(directory)
    joined, run_together = f"{words[0]} text 4", f"{words[0]} text 4".replace("\u200c", "")
    np.testing.assert_array_equal(then.predict([joined]), now.predict([run_together]))
    assert not np.array_equal(now.predict([joined]), now.predict([run_together]))


def test_batches_do_not_change_the_answers_or_their_order(ffn: Path) -> None:
    predictor = Predictor.load(ffn)
    texts = ["one", "a much longer text about the sun and the sea " * 3, "", "two words"] * 3
    together = predictor.predict(texts)
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-6)
    alone = np.concatenate([predictor.predict([text]) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
    assert predictor.predict([]).shape == (0, len(predictor.label_names))


def test_a_long_text_is_cut_as_in_training(ffn: Path) -> None:
    predictor = Predictor.load(ffn)
    words = ["sun", "sea"] * 32
    cut, long = predictor.predict([" ".join(words), " ".join([*words, "love", "hate"])])
    np.testing.assert_allclose(cut, long, atol=1e-6)
    assert predictor.predict(["a" * 100_000]).shape == (1, len(predictor.label_names))


def test_a_text_longer_than_the_positions_is_cut_to_them(train: Train, quick: Quick) -> None:
    # The tokenizer of this run would give 64 tokens, more than its network has positions; no text of it did.
    predictor = Predictor.load(train(*quick("transformer", "model.network.max_positions=40")).directory)
    words = ["sun", "sea"] * 20
    np.testing.assert_allclose(
        *predictor.predict([" ".join(words), " ".join([*words, "love", "hate"])]), atol=1e-6
    )


def test_only_light_libraries_are_loaded_for_a_word_model(ffn: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from emoji_pred.predictor import Predictor; "
        f"Predictor.load(Path({str(ffn)!r})).predict(['hello']); "
        "print([n for n in ('lightning', 'transformers', 'sklearn', 'scipy', 'hydra') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


# --- what cannot be used


def rewrite(directory: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a checkpoint, and have the result name it: damage that digests do not show."""
    path = directory / runs.CHECKPOINT
    checkpoint = torch.load(path, weights_only=True)
    changed = change(checkpoint)
    torch.save(checkpoint if changed is None else changed, path)
    name_checkpoint(directory)


def name_checkpoint(directory: Path) -> None:
    result = json.loads((directory / runs.RESULT).read_text())
    result["files"][runs.CHECKPOINT] = runs.file_digest(directory / runs.CHECKPOINT)
    (directory / runs.RESULT).write_text(json.dumps(result))
    (directory / runs.VERIFIED).unlink(missing_ok=True)


def refused(directory: Path) -> str:
    with pytest.raises(UserError) as caught:
        Predictor.load(directory)
    message = str(caught.value)
    assert str(directory) in message and "\n" not in message
    return message


def test_damaged_files_are_named(copied: Path) -> None:
    path = copied / runs.CHECKPOINT
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "best.ckpt is not the file that result.json names" in refused(copied)
    path.unlink()
    assert "best.ckpt is missing" in refused(copied)
    (copied / runs.RESULT).write_text("{")
    assert "result.json is no result" in refused(copied)


def test_runs_without_a_result_say_why(tmp_path: Path) -> None:
    assert "there is no result.json" in refused(tmp_path)
    (tmp_path / "state-000000003-0123456789abcdef.ckpt").touch()
    assert "interrupted" in refused(tmp_path)
    runs.write_json(tmp_path / runs.PRUNED, {"status": "pruned"})
    assert "a search ended early" in refused(tmp_path)
    runs.write_failure(tmp_path, ZeroDivisionError("a bug"), "trace", ["seed=7"])
    assert "failed (ZeroDivisionError: a bug)" in refused(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no checkpoint of this suite"), (b"PK\x03\x04 not really", "no checkpoint of this suite")],
)
def test_a_file_that_is_no_checkpoint(copied: Path, content: bytes, message: str) -> None:
    (copied / runs.CHECKPOINT).write_bytes(content)
    name_checkpoint(copied)
    assert message in refused(copied)


def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(copied: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "run",))

    rewrite(copied, lambda checkpoint: {**checkpoint, "emoji_pred": Hostile()})
    assert "no checkpoint of this suite" in refused(copied)
    assert not (tmp_path / "run").exists()


def test_foreign_checkpoints_are_one_line(copied: Path, ffn: Path) -> None:
    def reset() -> None:
        shutil.copy(ffn / runs.CHECKPOINT, copied / runs.CHECKPOINT)

    def model(checkpoint: dict[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = checkpoint["emoji_pred"]["model"]["network"]
        return options

    rewrite(copied, lambda checkpoint: checkpoint.pop("emoji_pred") and None)
    assert "no checkpoint of this suite" in refused(copied)
    for target in ("os.system", "emoji_pred.models.ffn.masked_max", "emoji_pred.runs.file_digest"):
        reset()
        rewrite(copied, lambda checkpoint, target=target: model(checkpoint).update(_target_=target))
        assert "is not allowed" in refused(copied)
    reset()
    rewrite(copied, lambda checkpoint: model(checkpoint).update(embedding_dim=9))
    assert "size mismatch" in refused(copied)
    reset()
    rewrite(copied, lambda checkpoint: model(checkpoint).update(unknown=9))
    assert "unknown" in refused(copied)
    reset()
    rewrite(copied, lambda checkpoint: checkpoint["state_dict"].popitem() and None)
    assert "lacks" in refused(copied) or "no checkpoint" in refused(copied)
    reset()
    rewrite(copied, lambda checkpoint: checkpoint["emoji_pred"]["tokenizer"].pop("words") and None)
    assert "no checkpoint of this suite" in refused(copied)


def test_a_checkpoint_without_its_encoder_takes_no_other(train: Train, quick: Quick, tmp_path: Path) -> None:
    trained = train(*quick("lora")).directory
    copied = Path(shutil.copytree(trained, tmp_path / trained.name))
    rewrite(copied, lambda checkpoint: checkpoint["emoji_pred"].update(seed=5))
    assert "belongs to an encoder with other weights" in refused(copied)


def test_a_device_that_is_not_there(ffn: Path) -> None:
    with pytest.raises(UserError, match="--device warp cannot be used"):
        Predictor.load(ffn, device="warp")


def test_what_a_checkpoint_lacks_is_drawn_as_the_run_drew_it(
    compose: Callable[..., dict[str, Any]], quick: Quick, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of a checkpoint without its frozen encoder, whose weights were random: nothing is filled in here.
    from emoji_pred.token_cache import tokenize
    from emoji_pred.training import build_classifier

    config = compose(*quick("bert"))
    corpus = load_corpus(config["data"], Path("unused"))
    texts = {split: rows.texts for split, rows in corpus.splits.items()}
    directory = train(*quick("bert")).directory
    tokens = tokenize(texts, config["model"]["tokenizer"], config["encoder"], directory.parents[1] / "cache")
    torch.manual_seed(config["seed"])
    begun = build_classifier(config, corpus, tokens).network.state_dict()
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda network, weights: None)
    before = torch.get_rng_state()
    again = Predictor.load(directory).network.state_dict()
    assert torch.get_rng_state().equal(before)  # the generator of the process is left alone
    assert begun.keys() == again.keys() and all(again[name].equal(value) for name, value in begun.items())


# --- how runs are named


def test_a_run_is_found_by_path_name_and_beginning(ffn: Path, tmp_path: Path) -> None:
    assert find_run(tmp_path, str(ffn)) == ffn
    assert find_run(ffn.parent, ffn.name) == find_run(ffn.parent, ffn.name[:8]) == ffn
    for name in ("a" * 12, "ab" + "0" * 10):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="beginning of 2 runs"):
        find_run(tmp_path, "a")
    assert find_run(tmp_path, "ab").name == "ab" + "0" * 10
    with pytest.raises(UserError, match="beginning of 0 runs"):
        find_run(tmp_path, "c")
    with pytest.raises(UserError, match="neither a directory nor the name of a run"):
        find_run(tmp_path, "latest?")
    with pytest.raises(UserError, match="name the directory of the run"):
        find_run(tmp_path, str(ffn / runs.CHECKPOINT))


def test_a_class_without_training_rows_is_never_answered(train: Train, quick: Quick, tmp_path: Path) -> None:
    rows = {"train": "ab" * 6, "validation": "ab" * 3, "test": "abc"}
    files = {split: tmp_path / f"{split}.csv" for split in rows}
    for split, labels in rows.items():
        lines = [f"{split} {place} {label},{label}" for place, label in enumerate(labels)]
        files[split].write_text("text,label\n" + "\n".join(lines) + "\n")
    of_files = [f"data.files.{split}={path}" for split, path in files.items()]
    settings = [one for one in quick("cnn") if not one.startswith("data")]
    with pytest.warns(UserWarning, match=r"1 class\(es\) have no training row"):
        trained = train(*settings, "data=text_files", *of_files)
    place = trained.result["label_names"].index("c")
    probabilities = runs.read_predictions(trained.directory / runs.PREDICTIONS)["test"][2]
    assert (probabilities[:, place] == 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert trained.result["test"]["per_class"][place]["predicted"] == 0
    assert (Predictor.load(trained.directory).predict(["c", "a"])[:, place] == 0).all()
