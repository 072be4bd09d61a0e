"""The command line: one clear line and exit code 2 for a mistake, sweeps that go on, runs found again."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Ended, choices

from emoji_pred import cli, runs

SAMPLE = ("data=sample", "data.rows=300", "encoder=tiny")


def is_one_clear_line(ended: Ended, *words: str) -> None:
    """Exit code 2, one line that begins with `error:` and holds the words, nothing trained or said before."""
    assert ended.code == 2, ended
    assert ended.error.startswith("error: ")
    assert "Traceback" not in ended.out + ended.err
    assert "epoch" not in ended.out
    for word in words:
        assert word in ended.error
    assert len(ended.error) < 500, "a line that nobody reads"


def results(directory: Path) -> list[Path]:
    return list(directory.rglob("result.json"))


# --- a configuration that does not compose


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model=cnnn"], ["model=cnnn is not a choice", "did you mean cnn?"]),
        (["loss=focl"], ["loss=focl is not a choice", "did you mean focal?"]),
        (["data=tweetval"], ["data=tweetval", "did you mean tweeteval?"]),
        (["encoder=zzz"], ["encoder=zzz is not a choice", choices("encoder")]),
        (["model="], ["model= is not a choice", choices("model")]),
        (["modle=cnn"], ["modle is not a setting", "did you mean model"]),
        (["model.optimizr.lr=1"], ["model.optimizr.lr is not a setting", "model.optimizer.lr"]),
        (["sed=1"], ["sed is not a setting", "seed"]),
        (["data=tweeteval", "data.rows=9"], ["data.rows is not a setting", "belongs to data=sample"]),
        (["+new.key=1"], ["new: unknown option"]),
        (["+model.optimizer.momentun=0.9"], ["model.optimizer.momentun: unknown option"]),
        (["+logger.colour=red"], ["logger.colour: unknown option"]),
        (["+encoder.dtype=half"], ["encoder.dtype: unknown option"]),
        (["foo"], ["foo"]),
        (["model=cnn,ffn"], ["model=cnn,ffn"]),
        (["seed=${oc.env:NO_SUCH_VARIABLE}"], ["NO_SUCH_VARIABLE"]),
        (["runs_dir=${nothing}"], ["nothing"]),
        (["~trainer"], ["trainer: field required"]),
        (["-m", "seed=1,", "2"], ["cannot be read", "no spaces (seed=1,2)"]),
        (["-m", "seed=1,,2"], ["seed=1,,2 cannot be read", "KEY=VALUE"]),
        (["-m", "seed=interval(0,1)"], ["seed=1,2,3", "hparams_search"]),
        (["-m", "hydra.launcher.n_jobs=2"], ["hydra.launcher.n_jobs", "hydra/launcher=joblib"]),
        (["-m", "hydra/launcher=jobli"], ["hydra/launcher=jobli is not a choice", "joblib"]),
        (["~loss.name"], ["loss.name"]),
        (["~alpha._target_"], ["alpha._target_"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_configuration_that_does_not_compose(
    command: Callable[..., Ended], arguments: list[str], words: list[str]
) -> None:
    is_one_clear_line(command(*SAMPLE, *arguments), *words)


def test_the_nearest_names_are_those_of_the_settings_that_exist() -> None:
    known = cli._known_keys()
    assert known["model.network.filters"] == ["model=cnn"]
    assert known["seed"] == ["config.yaml"]
    assert "model" in known
    assert not [key for key in known if key.startswith(("hydra", "defaults", "loss.defaults"))]


# --- hyper-parameters


@pytest.mark.parametrize(
    "setting",
    [
        *("model.network.filters=-1", "model.network.dropout=nan", "model.network.kernel_sizes=[3,0]"),
        *("model.optimizer.lr=abc", "model.optimizer.lr=-0.5", "model.optimizer.lr=nan"),
        *(
            "+model.optimizer.betas=[0.9]",
            "model.batch_size=0",
            "model.batch_size='32'",
            "model.max_epochs=ten",
        ),
        *("loss.gamma=-1", "loss.gamma=much", "alpha.exponent=-1", "seed=-1", "seed=x", "seed=null"),
        *("trainer.threads=0", "encoder.max_tokens=-3", "data.rows=abc", "data.rows=-5", "data.language=xx"),
    ],
)  # tests/test_config.py has many more
def test_a_value_that_makes_no_sense(command: Callable[..., Ended], tmp_path: Path, setting: str) -> None:
    key, _, value = setting.lstrip("+").partition("=")
    ended = command(*SAMPLE, "model=cnn", setting)
    is_one_clear_line(ended, key)
    if not value.startswith("[") and value not in ("null", "true"):
        assert value.strip("'") in ended.error, "the line shows what was found"
    assert not (tmp_path / "runs").exists() or not os.listdir(tmp_path / "runs")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.accumulate=5"], ["model.accumulate=5 does not divide model.batch_size=32"]),
        (["model.embedding_updates=rowwise"], ["model.optimizer.weight_decay", "weight_decay=0"]),
        (["model=bert", "model.tokenizer.kind=words"], ["model.tokenizer.kind=encoder"]),
        (["model=transformer", "model.network.heads=3"], ["embedding_dim=128", "heads=3"]),
        (["model=bert", "encoder.config.hidden_size=-8"], ["encoder=tiny", "encoder.config"]),
        (["model.network._target_=os.system"], ["model.network._target_=os.system is not allowed"]),
        (["data._target_=os.system"], ["data._target_=os.system is not allowed"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_values_that_do_not_fit_together(
    command: Callable[..., Ended], tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    is_one_clear_line(command(*SAMPLE, *arguments), *words)
    assert results(tmp_path) == []


# --- loss, alpha and task


def test_a_loss_that_is_not_made_for_the_task(command: Callable[..., Ended]) -> None:
    is_one_clear_line(command(*SAMPLE, "loss=bce"), "loss=bce is for multilabel", "data=sample is multiclass")
    is_one_clear_line(
        command(*SAMPLE, "data.task=multilabel", "loss=focal"), "loss=focal is for multiclass", "loss=bce"
    )


@pytest.mark.usefixtures("no_network")
def test_class_weights_that_a_loss_does_not_take_are_refused_before_data_is_read(
    command: Callable[..., Ended],
) -> None:
    ended = command("data=tweeteval", "loss=cross_entropy", "alpha=balanced")  # whose data is not there
    is_one_clear_line(ended, "loss=cross_entropy takes no class weights", "alpha=uniform")


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_a_loss_without_class_weights_needs_no_further_word(
    compose: Callable[..., dict[str, Any]], loss: str
) -> None:
    assert compose(f"loss={loss}")["alpha"]["name"] == "uniform"
    assert compose(f"loss={loss}", "alpha=balanced")["alpha"]["name"] == "balanced"
    assert compose("loss=focal")["alpha"]["name"] == "balanced"


# --- data


@pytest.mark.usefixtures("no_network")
def test_missing_data_offline_fails_fast_and_says_where_to_put_it(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    started = time.monotonic()
    ended = command("data=tweeteval")
    is_one_clear_line(
        ended, "mapping.txt is missing", "git blob id", str(tmp_path / "data"), "EMOJI_PRED_DATA"
    )
    assert time.monotonic() - started < 30


@pytest.mark.usefixtures("no_network")
def test_a_corrupted_file_is_named(command: Callable[..., Ended], tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cardiffnlp" / "tweeteval" / "datasets" / "emoji"
    folder.mkdir(parents=True)
    for name in (
        "mapping",
        "train_text",
        "train_labels",
        "val_text",
        "val_labels",
        "test_text",
        "test_labels",
    ):
        (folder / f"{name}.txt").write_text("0\n")
    is_one_clear_line(command("data=tweeteval"), "mapping.txt is corrupted", str(folder))


@pytest.mark.usefixtures("no_network")
def test_one_flipped_byte_in_the_real_data_is_found(
    command: Callable[..., Ended], tmp_path: Path, shared_data_dir: Path
) -> None:
    folder = Path("cardiffnlp", "tweeteval", "datasets", "emoji")
    (tmp_path / "data" / folder).mkdir(parents=True)
    for path in (shared_data_dir / folder).glob("*.txt"):
        content = bytearray(path.read_bytes())
        if path.name == "val_text.txt":
            content[1000] ^= 1
        (tmp_path / "data" / folder / path.name).write_bytes(content)
    is_one_clear_line(command("data=tweeteval"), "val_text.txt is corrupted", "git blob id")


@pytest.mark.usefixtures("no_network")
def test_an_encoder_that_needs_a_network_names_those_that_do_not(command: Callable[..., Ended]) -> None:
    ended = command(*SAMPLE, "model=bert", "encoder=bertweet")
    is_one_clear_line(ended, "encoder=bertweet", "encoder=tiny", "minilm")


def rows(number: int, labels: tuple[str, ...] = ("sad", "glad")) -> str:
    return "text,label\n" + "".join(f"row {i} is {labels[i % 2]},{labels[i % 2]}\n" for i in range(number))


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (rows(40).replace("row 7 is glad,glad", "row 7 is glad,"), [], ["row 8", "label is missing"]),
        (rows(40), ["data.text_column=tweet"], ["tweet", "text"]),
        (rows(40), ["data.validation_fraction=0"], ["validation"]),
        (rows(40), ["data.files.validation=empty.csv"], ["empty.csv"]),
        (rows(40), ["data.files.train=nothing.csv"], ["nothing.csv", "does not exist"]),
        (rows(40, ("0", "7")), ["data.files.mapping=mapping.txt"], ["label 7 is outside the 3 classes"]),
        (rows(40) + "x" * 1_000_000 + ",sad\n", [], ["row 41", "1000000 characters"]),
        (rows(40).encode("utf-16"), [], ["tweets.csv", "data.encoding=utf-16"]),
        (rows(40).encode() + b"caf\xe9,sad\n", [], ["tweets.csv", "utf-8"]),
        (b"PAR1\x00\x01half a file", ["data.format=parquet"], ["tweets.csv"]),
        (rows(40, ("0", "sad")), [], ["number"]),
        (b"", [], ["tweets.csv", "empty"]),
    ],
    ids=[
        *("missing label", "unknown column", "no validation rows", "empty split", "missing file"),
        *("label outside the classes", "text of 1 MB", "utf-16", "latin-1", "truncated parquet"),
        *("mixed labels", "empty file"),
    ],
)
def test_files_that_cannot_be_used(
    command: Callable[..., Ended],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | bytes,
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tweets.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    Path("empty.csv").write_text("text,label\n")
    Path("mapping.txt").write_text("0\tsad\n1\tglad\n2\tneither\n")
    ended = command("data=text_files", "data.files.train=tweets.csv", *arguments)
    is_one_clear_line(ended, *words)
    assert results(tmp_path) == []


def test_files_are_found_under_data_dir_too(
    command: Callable[..., Ended], tmp_path: Path, quick: Callable[..., list[str]]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tweets.csv").write_text(rows(60))
    settings = [item for item in quick("ffn") if not item.startswith("data")]
    ended = command(*settings, "data=text_files", "data.files.train=tweets.csv")
    assert ended.code == 0, ended.err
    (result,) = results(tmp_path / "runs")
    assert json.loads(result.read_text())["label_names"] == ["glad", "sad"]


# --- hardware and directories


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trainer.devices=64", "model.batch_size=64"], ["trainer.devices=64", "CPU cores"]),
        (["trainer.devices=64"], ["trainer.devices=64", "CPU cores"]),
        (["trainer=ddp", "trainer.devices=64", "model.batch_size=64"], ["trainer.devices=64"]),
        (["trainer=gpu", "trainer.devices=64", "model.batch_size=64"], ["trainer.devices=64 GPUs"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_more_devices_than_there_are(
    command: Callable[..., Ended], arguments: list[str], words: list[str]
) -> None:
    is_one_clear_line(command(*SAMPLE, *arguments), *words)


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_an_output_directory_that_cannot_be_written(
    command: Callable[..., Ended], tmp_path: Path, sweep: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    ended = command(*sweep, *SAMPLE, f"runs_dir={tmp_path}/file/runs", "seed=1")
    is_one_clear_line(ended, f"{tmp_path}/file/runs", "Not a directory", "runs_dir=DIRECTORY")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc")
def test_an_output_directory_that_the_system_refuses(command: Callable[..., Ended]) -> None:
    is_one_clear_line(command(*SAMPLE, "runs_dir=/proc/runs"), "/proc/runs", "EMOJI_PRED_RUNS")


def test_a_mistake_leaves_no_directory_behind(command: Callable[..., Ended], tmp_path: Path) -> None:
    is_one_clear_line(command(*SAMPLE, "data.clean=leakfree"), "did you mean leak_free?")
    assert os.listdir(tmp_path / "runs") == []


# --- a full disk


@pytest.mark.parametrize("file", ["candidate.ckpt", "candidate.parquet", "candidate.json"])
def test_a_full_disk_is_one_line_and_leaves_the_finished_run(
    command: Callable[..., Ended],
    quick: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
) -> None:
    assert command(*quick("ffn")).code == 0
    (before,) = results(tmp_path)
    content, replace = before.read_bytes(), os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(runs.os, "replace", full)
    ended = command(*quick("ffn", "force=true"))
    is_one_clear_line(ended, f"{file}: No space left on device", "make room")
    assert before.read_bytes() == content
    assert [name for name in os.listdir(before.parent) if name.startswith(".")] == []
    assert runs.read_finished(before.parent) is not None  # no file of the finished run was replaced


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 40 KiB, where one can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(
    command: Callable[..., Ended], quick: Callable[..., list[str]], small_disk: Path
) -> None:
    ended = command(*quick("cnn"), "model.network.embedding_dim=64", f"runs_dir={small_disk}/runs")
    is_one_clear_line(ended, "candidate.ckpt: No space left on device")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    with suppress(OSError), (small_disk / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(1 << 16))
    ended = command("-m", *quick("cnn"), f"runs_dir={small_disk}/runs")
    is_one_clear_line(ended, "cannot write", "No space left on device", "runs_dir=")
    assert "None" not in ended.err
    (small_disk / "filler").unlink()
    # A cache that does not fit is no reason to stop.
    with pytest.warns(UserWarning, match=f"token cache {small_disk}/tokens cannot be written"):
        ended = command(*quick("ffn"), f"cache_dir={small_disk}", "data.rows=3000")
    assert ended.code == 0, ended.err


# --- sweeps


def test_a_bad_run_does_not_stop_the_others(
    command: Callable[..., Ended], quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    ended = command("-m", *quick("ffn"), "loss=bce,focal", "seed=1")
    assert ended.code == 1
    assert ended.error.startswith("error: loss=bce is for multilabel")
    table = ended.out
    assert re.search(r"loss=bce +failed", table)
    assert re.search(r"loss=focal +finished +0\.\d{4} +0\.\d{4}", table)
    assert str(tmp_path / "runs") in table
    assert len(results(tmp_path)) == 1


def test_a_sweep_of_mistakes_alone_is_a_mistake(command: Callable[..., Ended]) -> None:
    ended = command(*SAMPLE, "-m", "loss=bce", "seed=1,2")
    assert ended.code == 2
    assert [line[:15] for line in ended.err.splitlines()] == ["error: loss=bce"] * 2


def test_a_sweep_over_several_devices_trains_each_run_once(
    command: Callable[..., Ended],
    quick: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    overrides = quick("ffn", "model.network.dropout=0", "trainer.progress=lines")
    devices = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.threads=1", "trainer.progress=lines"]
    ended = command("-m", *overrides, *devices, "seed=1,2", "loss=focal,bce")
    assert ended.code == 1
    assert ended.out.count("epoch 1/1") == 2, "each run once, and only its first process speaks"
    assert ended.err.count("error: loss=bce is for multilabel labels") == 2
    assert re.search(r"seed=2 loss=focal +finished +0\.\d{4} +0\.\d{4}", ended.out)
    assert len(results(tmp_path)) == 2
    again = command("-m", *overrides, *devices, "seed=1,2")
    assert (again.code, again.out.count("epoch 1/1")) == (0, 0)
    assert "2 runs: 2 finished before, 0 to train" in again.out
    # One device finds the runs of two: devices do not change the name.
    assert "already finished" in command(*overrides, "seed=1").out


def test_a_crash_is_one_line_with_the_place_of_its_trace(
    command: Callable[..., Ended],
    quick: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr("emoji_pred.run._tokenize", broken)
        ended = command(*quick("ffn"))
        assert ended.code == 1
        (trace,) = (tmp_path / "runs").rglob("trace.txt")
        assert ended.error == f"error: ZeroDivisionError: a bug of ours; the whole trace: {trace}"
        assert "Traceback" in trace.read_text() and "in broken" in trace.read_text()
        # Tried again, unless that is not wanted; and other runs of a sweep go on.
        left = command(*quick("ffn"), "retry_failed=false")
        assert left.code == 2
        assert "failed before (ZeroDivisionError: a bug of ours); retry_failed=true" in left.error
    ended = command("-m", *quick("ffn"), "seed=0,1")
    assert ended.code == 0, ended.err
    assert not list((tmp_path / "runs").rglob("failure.json"))
    assert not trace.exists()


def test_a_sweep_leaves_its_table(
    command: Callable[..., Ended], quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    ended = command("-m", *quick("ffn"), "seed=1,2", "loss=focal,bce")
    assert ended.code == 1
    (markdown,) = (tmp_path / "runs" / "sweeps").glob("*.md")
    assert f"The table: {markdown} (and .csv)" in ended.out
    with markdown.with_suffix(".csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["run"] for row in rows] == [
        f"seed={seed} loss={loss}" for seed in (1, 2) for loss in ("focal", "bce")
    ]
    assert [row["status"] for row in rows] == ["finished", "failed"] * 2
    (stored,) = (
        json.loads(path.read_text())
        for path in results(tmp_path)
        if json.loads(path.read_text())["config"]["seed"] == 1
    )
    assert float(rows[0]["test_macro_f1"]) == stored["test"]["macro_f1"]
    assert rows[1]["error"].startswith("loss=bce is for multilabel")
    assert len(markdown.read_text().splitlines()) == 6


def test_an_override_may_hold_an_interpolation(
    command: Callable[..., Ended], quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert command(*quick("ffn", "seed=${data.seed}")).code == 0
    (result,) = results(tmp_path)
    assert json.loads(result.read_text())["config"]["seed"] == 7


def test_warnings_of_the_suite_are_for_readers() -> None:
    own = cli._format_warning("2 rows\ndropped", UserWarning, cli.__file__, 3)
    assert own == "warning: 2 rows dropped\n"
    assert "elsewhere.py:3" in cli._format_warning("old", UserWarning, "elsewhere.py", 3)


# --- processes: what a user sees


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "train.py", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_mistake_in_a_process_of_its_own() -> None:
    running = process("model=cnnn")
    out, err = running.communicate(timeout=60)
    is_one_clear_line(Ended(running.returncode, out, err), "did you mean cnn?")
    assert out == ""


def test_a_finished_run_is_found_without_torch_and_force_trains_it_anew(
    train: Callable[..., Any], quick: Callable[..., list[str]], workspace: Path
) -> None:
    overrides = quick("ffn", "seed=11")
    first = train(*overrides)
    assert not first.found
    script = (
        "import sys; from emoji_pred.cli import main; main();"
        "print('loaded:', [name for name in ('torch', 'lightning', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *overrides, f"runs_dir={workspace}/runs"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"already finished: {first.directory} (force=true trains again)" in done.stdout
    assert "macro F1" in done.stdout
    assert done.stdout.endswith("loaded: []\n")

    written = (first.directory / "result.json").stat().st_mtime_ns
    assert train(*overrides).found
    assert not train(*overrides, "force=true").found
    assert (first.directory / "result.json").stat().st_mtime_ns > written


def test_ctrl_c_ends_with_130_and_no_trace(quick: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = quick("ffn", "model.max_epochs=100000", "trainer.progress=lines", f"runs_dir={tmp_path}/runs")
    running = process(*overrides, EMOJI_PRED_CACHE=str(tmp_path))
    assert running.stdout is not None
    assert running.stdout.readline().startswith("epoch 1/100000")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.splitlines() == ["", "stopped by SIGINT; the same command continues"]
    assert results(tmp_path) == []
