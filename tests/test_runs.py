"""Runs on disk: names that follow the numbers, files that a kill cannot break, results that are whole."""

from __future__ import annotations

import copy
import errno
import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emoji_pred import runs
from emoji_pred.errors import UserError

Compose = Callable[..., dict[str, Any]]


def name_of(config: dict[str, Any], files: dict[str, str] | None = None) -> str:
    return runs.run_hash(runs.identity(config, files or {}))


# --- names


@pytest.mark.parametrize(
    "override",
    [
        *("data_dir=elsewhere", "cache_dir=elsewhere", "runs_dir=elsewhere", "logger=wandb", "force=true"),
        *("trainer.threads=2", "trainer.progress=none", "trainer.devices=2", "trainer=ddp", "trainer=gpu"),
        *("encoder=tiny", "encoder.max_tokens=64"),
    ],
)
def test_what_does_not_change_the_numbers_does_not_change_the_name(compose: Compose, override: str) -> None:
    assert name_of(compose("model=cnn", override)) == name_of(compose("model=cnn"))


@pytest.mark.parametrize(
    "override",
    [
        *("seed=1", "model.optimizer.lr=1e-4", "model.batch_size=64", "model.max_epochs=4", "loss.gamma=2"),
        *("loss.label_smoothing=0.1", "alpha=uniform", "alpha.exponent=0.9", "data.clean=leak_free"),
        *("data.drop_test_duplicates=true", "model=ffn", "model.network.dropout=0.2", "loss=cross_entropy"),
        *("model.tokenizer.min_count=1", "model.tokenizer.max_tokens=32", "model.accumulate=2"),
        *("trainer.precision=bf16-mixed", "trainer.max_steps=10", "bucket_batches=1", "data=sample"),
        *("model.early_stopping=null", "model.gradient_clip=1.0"),
        "data.source.commit=0000000000000000000000000000000000000000",
    ],
)
def test_what_changes_the_numbers_changes_the_name(compose: Compose, override: str) -> None:
    assert name_of(compose("model=cnn", override)) != name_of(compose("model=cnn"))


def test_an_option_that_came_later_names_no_run_anew_until_it_is_set(compose: Compose) -> None:
    config = compose("data=text_files", "data.files.train=a.csv")
    before = copy.deepcopy(config)
    del before["data"]["split"]  # as configurations were without the option
    assert name_of(config, {"train": "1" * 40}) == name_of(before, {"train": "1" * 40})
    by_text = compose("data=text_files", "data.files.train=a.csv", "data.split=by_text")
    assert name_of(by_text, {"train": "1" * 40}) != name_of(config, {"train": "1" * 40})


@pytest.mark.parametrize("data", ["tweeteval", "telegram_rus_small", "sample"])
def test_cleaning_that_came_later_names_no_run_anew_until_it_is_set(compose: Compose, data: str) -> None:
    config = compose(f"data={data}")
    before = copy.deepcopy(config)
    del before["data"]["normalise"], before["data"]["max_words"]
    assert name_of(config) == name_of(before)
    for override in ("data.normalise=urdu", "data.max_words=20"):
        assert name_of(compose(f"data={data}", override)) != name_of(config)


def test_own_files_that_are_cleaned_anew_have_a_new_name(compose: Compose) -> None:
    def parts(*overrides: str) -> dict[str, Any]:
        config = compose("data=text_files", "data.files.train=a.csv", *overrides)
        return runs.identity(config, {"train": "1" * 40})

    assert parts("data.clean=leak_free")["cleaning"] == 2
    assert "cleaning" not in parts()


@pytest.mark.parametrize(
    ("overrides", "anew"),
    [
        (["data.split=by_text", "data.max_words=5"], True),
        (["data.split=by_text", "data.normalise=urdu"], True),
        (["data.split=by_text"], False),
        (["data.split=by_text", "data.clean=leak_free"], False),
        (["data.max_words=5"], False),
        (["data.max_words=5", "data.normalise=urdu"], False),
    ],
)
@pytest.mark.parametrize("data", ["telegram_rus", "telegram_rus_small", "text_files"])
def test_runs_whose_texts_are_grouped_anew_have_a_new_name(
    compose: Compose, data: str, overrides: list[str], anew: bool
) -> None:
    by_row = [] if "data.split=by_text" in overrides else ["data.split=by_row"]
    config = compose(
        f"data={data}", "data.files.train=a.csv" if data == "text_files" else "seed=0", *overrides, *by_row
    )
    assert ("grouping" in runs.identity(config, {})) is anew


@pytest.mark.parametrize("data", ["tweeteval", "telegram_rus", "telegram_rus_small", "emothreat", "sample"])
def test_pinned_texts_are_cleaned_as_before_and_keep_their_names(compose: Compose, data: str) -> None:
    assert "cleaning" not in runs.identity(compose(f"data={data}", "data.clean=leak_free"), {})


def test_the_encoder_counts_where_its_tokens_are_read(compose: Compose) -> None:
    bert = [name_of(compose("model=bert", f"encoder={name}")) for name in ("tiny", "minilm", "bertweet")]
    assert len(set(bert)) == 3
    assert name_of(compose("model=bert", "encoder=tiny", "encoder.max_tokens=64")) not in bert
    both = [name_of(compose("model=lora_word2vec", f"encoder={name}")) for name in ("tiny", "minilm")]
    assert len(set(both)) == 2


def test_vectors_count_where_there_are_any(compose: Compose) -> None:
    assert "vectors" not in runs.identity(compose("model=cnn", "vectors=none"), {})
    names = [
        name_of(compose("model=cnn", *overrides))
        for overrides in (
            ["vectors=none"],
            ["vectors=navec"],
            ["vectors=navec", "vectors.train=true"],
            ["vectors=word2vec"],
            ["vectors=word2vec", "vectors.window=3"],
        )
    ]
    assert len(set(names)) == len(names)


def test_the_name_does_not_depend_on_the_order_of_keys(compose: Compose) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return value

    config = compose("model=transformer")
    assert list(turned(config)) != list(config)
    assert name_of(turned(config)) == name_of(config)


def test_a_name_is_the_same_on_every_machine_and_in_every_version() -> None:
    # SHA-256 of {"a":[1,2.5,null],"b":"❤"} in UTF-8, as `sha256sum` counts it.
    assert runs.run_hash({"b": "❤", "a": [1, 2.5, None]}) == "a58854fb5584"


def test_a_users_file_is_known_by_its_content_and_its_part(compose: Compose) -> None:
    def config(path: str, part: str = "validation") -> dict[str, Any]:
        return compose("data=text_files", "data.files.train=a.csv", f"data.files.{part}={path}")

    ids = {"train": "1" * 40, "validation": "2" * 40}
    name = name_of(config("here/v.csv"), ids)
    assert name_of(config("there/copy.csv"), ids) == name
    assert name_of(config("here/v.csv"), {**ids, "validation": "3" * 40}) != name
    assert name_of(config("here/v.csv", "test"), {"train": "1" * 40, "test": "2" * 40}) != name
    assert name_of(config("here/v.csv"), {"train": "2" * 40, "validation": "1" * 40}) != name


def test_a_number_is_one_number_however_it_is_written(compose: Compose) -> None:
    assert name_of(compose("loss.gamma=2")) == name_of(compose("loss.gamma=2.0"))
    assert name_of(compose("loss.gamma=2")) != name_of(compose("loss.gamma=2.5"))
    assert runs.run_hash({"a": [1.0, {"b": 0.0}], "c": True}) == runs.run_hash(
        {"a": [1, {"b": 0}], "c": True}
    )
    assert runs.run_hash({"a": True}) != runs.run_hash({"a": 1})


def test_when_a_file_is_refused_is_no_part_of_the_name(compose: Compose) -> None:
    def config(*more: str) -> dict[str, Any]:
        return compose("data=text_files", "data.files.train=a.csv", *more)

    ids = {"train": "1" * 40}
    for limit in ("data.max_file_mb=7", "data.max_text_chars=700"):
        assert name_of(config(limit), ids) == name_of(config(), ids)
    assert name_of(config("data.quoting=false"), ids) != name_of(config(), ids)


# --- writing


def test_a_file_is_replaced_with_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"old")
    with runs.replace_file(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["result.json"]
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


@pytest.mark.parametrize(
    "moment", ["opened", "half written", "written", "synced", "before the rename", "renamed"]
)
def test_a_kill_leaves_the_old_or_the_new_file(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"old" * 1000)
    child = os.fork()
    if child == 0:  # dies as by SIGKILL: nothing is cleaned up
        die = lambda *_, **__: os._exit(9)  # noqa: E731
        sync = os.fsync
        if moment == "synced":
            runs.os.fsync = lambda descriptor: (sync(descriptor), die())
        elif moment == "before the rename":
            runs.os.replace = die
        elif moment == "renamed":
            runs.sync_directory = die
        with runs.replace_file(path) as stream:
            if moment == "opened":
                die()
            stream.write(b"new" * 500)
            if moment == "half written":
                stream.flush()
                die()
            stream.write(b"new" * 500)
            if moment == "written":
                die()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert path.read_bytes() == (b"new" if moment == "renamed" else b"old") * 1000
    # The next writer is not disturbed by what was left.
    with runs.replace_file(path) as stream:
        stream.write(b"next")
    assert path.read_bytes() == b"next"


def test_a_writer_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), runs.replace_file(path) as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["result.json"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_a_matter_for_the_user(tmp_path: Path, code: int) -> None:
    with (
        pytest.raises(UserError, match=r"result\.json: .*; make room"),
        runs.replace_file(tmp_path / "result.json"),
    ):
        raise OSError(code, os.strerror(code))
    assert os.listdir(tmp_path) == []


def test_torchs_own_error_on_a_full_disk_is_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from emoji_pred.trainer import SafeCheckpointIO

    class Full(io.FileIO):
        """A file on a disk with 3,000 bytes left."""

        def write(self, content: Any) -> int:
            if self.tell() + len(content) > 3000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    path = tmp_path / "best.ckpt"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "open", lambda self, *_: Full(self, "xb"))
    with pytest.raises(UserError, match=r"best\.ckpt: No space left on device"):
        SafeCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(5000)}}, path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["best.ckpt"]


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="broken pipe"), runs.replace_file(tmp_path / "x"):
        raise OSError(errno.EPIPE, "broken pipe")
    with pytest.raises(FileNotFoundError), runs.replace_file(tmp_path / "nowhere" / "x"):
        pass


def test_json_shows_emoji_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    runs.write_json(path, {"label": "❤", "file": "caf\udce9.csv"})
    assert "❤" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"label": "❤", "file": "caf\udce9.csv"}
    with pytest.raises(ValueError, match="JSON"):
        runs.write_json(path, {"loss": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["label"] == "❤"


@pytest.mark.parametrize("place", ["file/runs", "file"])
def test_a_directory_that_cannot_be_made_names_the_setting(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="set runs_dir=DIRECTORY or EMOJI_PRED_RUNS"):
        runs.prepare_directory(tmp_path / place / "0123")
    assert runs.prepare_directory(tmp_path / "new" / "runs" / "0123").is_dir()


# --- predictions


def probabilities(rows: int, classes: int) -> np.ndarray:
    return np.random.default_rng(0).random((rows, classes), dtype=np.float32)


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / runs.PREDICTIONS
    written = {
        "validation": (["a", "ü❤"], np.array([1, 0]), probabilities(2, 3)),
        "test": (["x/1", "x/2", "x/3"], np.array([2, 2, 0]), probabilities(3, 3)),
    }
    runs.write_predictions(path, written)
    read = runs.read_predictions(path)
    assert list(read) == ["validation", "test"]
    for split, (row_ids, targets, scores) in written.items():
        assert read[split][0] == row_ids
        np.testing.assert_array_equal(read[split][1], targets)
        assert read[split][2].dtype == np.float32
        np.testing.assert_array_equal(read[split][2], scores)


def test_predictions_of_several_labels_come_back_too(tmp_path: Path) -> None:
    path = tmp_path / runs.PREDICTIONS
    targets = np.array([[1, 0, 1, 0], [0, 0, 0, 0]], dtype=np.uint8)
    runs.write_predictions(path, {"validation": (["a", "b"], targets, probabilities(2, 4))})
    row_ids, read, scores = runs.read_predictions(path)["validation"]
    assert row_ids == ["a", "b"]
    np.testing.assert_array_equal(read, targets)
    np.testing.assert_array_equal(scores, probabilities(2, 4))


# --- finished or not


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A directory with a finished run of two files."""
    digests = {}
    for name in (runs.PREDICTIONS, runs.CHECKPOINT):
        (tmp_path / name).write_bytes(name.encode() * 100)
        digests[name] = runs.file_digest(tmp_path / name)
    result = {"schema": runs.RESULT_SCHEMA, "status": "finished", "files": digests}
    runs.write_json(tmp_path / runs.RESULT, result)
    assert runs.read_finished(tmp_path) == result
    return tmp_path


def test_a_changed_byte_is_not_a_finished_run(finished: Path) -> None:
    for name in (runs.PREDICTIONS, runs.CHECKPOINT):
        content = bytearray((finished / name).read_bytes())
        content[50] ^= 1
        whole = (finished / name).read_bytes()
        (finished / name).write_bytes(content)
        assert runs.read_finished(finished) is None
        (finished / name).write_bytes(whole)
    assert runs.read_finished(finished) is not None


@pytest.mark.parametrize("name", [runs.PREDICTIONS, runs.CHECKPOINT, runs.RESULT])
def test_a_missing_file_is_not_a_finished_run(finished: Path, name: str) -> None:
    (finished / name).unlink()
    assert runs.read_finished(finished) is None


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": 1, "status": "finished"}'),
        b'{"schema": 1, "status": "running", "files": {}}',
        b'{"schema": 999, "status": "finished", "files": {}}',
        b'{"schema": 1, "status": "finished", "files": []}',
    ],
)
def test_a_damaged_result_is_not_a_finished_run(finished: Path, content: bytes) -> None:
    (finished / runs.RESULT).write_bytes(content)
    assert runs.read_finished(finished) is None


def test_a_file_is_read_once_while_its_size_and_times_stay(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digest = runs.file_digest
    monkeypatch.setattr(runs, "file_digest", lambda path: read.append(path.name) or digest(path))
    runs.read_finished(finished)
    assert len(read) == 2 and not (finished / runs.VERIFIED).exists(), "too new to be trusted by its times"
    monkeypatch.setattr(runs, "SETTLED_SECONDS", -1)  # as if time had passed
    for known, times in (("first", 4), ("then", 4)):
        assert runs.read_finished(finished) is not None
        assert len(read) == times, known
    content = bytearray((finished / runs.CHECKPOINT).read_bytes())
    content[0] ^= 1
    (finished / runs.CHECKPOINT).write_bytes(content)
    os.utime(finished / runs.CHECKPOINT, (1, 1))  # set back: its entry still tells
    assert runs.read_finished(finished) is None


@pytest.mark.parametrize("known", ["", "[]", "{}", '{"best.ckpt": 3}', "null"])
def test_damaged_notes_on_files_are_no_notes(finished: Path, known: str) -> None:
    (finished / runs.VERIFIED).write_text(known)
    assert runs.read_finished(finished) is not None


def test_results_name_no_place_of_the_machine() -> None:
    config = {
        "runs_dir": "/somewhere/of/mine/runs",
        "seed": 1,
        "data": {"files": {"train": "/somewhere/of/mine/a.csv", "test": None}},
    }
    assert runs.public(config) == {"seed": 1, "data": {"files": {"train": "a.csv", "test": None}}}
    typed = [
        "data_dir=/somewhere/of/mine",
        "data.files.train=/somewhere/of/mine/a.csv",
        "++data.files.test=/somewhere/of/mine/b.csv",
        "seed=1",
        "~logger.mode",
    ]
    shown = ["data.files.train=a.csv", "++data.files.test=b.csv", "seed=1", "~logger.mode"]
    assert runs.public_overrides(typed) == shown


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("the first: /place/of/me/a.csv, row 3 (line 4)", "the first: a.csv, row 3 (line 4)"),
        ("weights in /place/of/me and you/.cache/hub/model lack 3", "weights in model lack 3"),
        ("'/a/b c.csv' and ~/mine/d.csv (/e/f.csv)", "'b c.csv' and d.csv (f.csv)"),
        ("see https://example.org/a/b, 0/1 columns of vinai/bertweet-base", None),
        ("5 / 8 of the rows; and/or", None),
    ],
)
def test_a_line_is_kept_without_places(line: str, kept: str | None) -> None:
    assert runs.without_places(line) == (line if kept is None else kept)


def test_known_paths_may_have_any_character() -> None:
    path = Path("over there, mine: (1)/a b.csv")
    assert (
        runs.without_places(f"/x/{path} {path}, row 1", path, Path("/x") / path) == "a b.csv a b.csv, row 1"
    )
