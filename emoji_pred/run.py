"""The whole life of a run, from a configuration to a directory of results."""

from __future__ import annotations

import contextlib
import functools
import os
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from emoji_pred import config as configuration
from emoji_pred import rank, runs
from emoji_pred.errors import Diverged, Pruned, RunFailed, UserError, one_line
from emoji_pred.lease import check_not_lost, held
from emoji_pred.peers import Peers
from emoji_pred.provenance import code_revision, environment, peak_memory_mb, reset_peak_memory
from emoji_pred.signals import stop_request

if TYPE_CHECKING:
    from emoji_pred.data.corpus import Corpus
    from emoji_pred.outcome import Outcome
    from emoji_pred.schema import Config
    from emoji_pred.token_cache import Tokenized
    from emoji_pred.trainer import Watch

Options = Mapping[str, Any]
FEW_KNOWN = 0.5  # share of the words with vectors, below which a user is warned
TEXT_FILES = "emoji_pred.data.text_files.load_text_files"


@dataclass(frozen=True)
class RunResult:
    """What a run left: its result file's content, where it lies, and whether it was there before."""

    result: dict[str, Any]
    directory: Path
    found: bool


@dataclass(frozen=True)
class Identity:
    """What a configuration is called, and where its run lies.

    Attributes:
        settings: the checked configuration.
        parts: what determines the numbers.
        name: the hash of the parts.
        directory: of the run; it need not exist.
    """

    settings: Config
    parts: dict[str, Any]
    name: str
    directory: Path


def run(
    config: Options, overrides: list[str] | None = None, wait: bool = False, watch: Watch | None = None
) -> RunResult:
    """Train and evaluate one configuration, or find it finished.

    Args:
        config: the resolved configuration as plain values.
        overrides: what the user typed, kept in the result.
        wait: for another process that trains this very configuration.
        watch: called after each epoch with its number (from 0) and its figures.

    Raises:
        UserError: for anything the user can mend, before training wherever it can be known.
        Busy: another process trains this configuration, and `wait` is False.
        Pruned: `watch` ended the run.
        RunFailed: an error that is no mistake of the user.
    """
    started = time.monotonic()
    with Peers() as peers:
        settings = configuration.check(config)
        if not runs.is_linear(config):
            configuration.check_processes(settings.trainer)
        if not rank.is_first():
            _help(config, peers)
        return _lead(config, overrides or [], wait, started, peers, watch)


def _help(config: Options, peers: Peers) -> NoReturn:
    """In the helper processes of a distributed run: train with the first, which decides and writes."""
    identity = identify(config)
    peers.wait_for_start()
    check_before_training(config)
    configuration.check_hardware(identity.settings.trainer)
    corpus, tokenized = _read(config, identity, peers)

    from emoji_pred.training import train_and_evaluate

    train_and_evaluate(config, corpus, tokenized, identity.directory, [], peers, check_ours=lambda: None)
    raise SystemExit(0)


def _lead(
    config: Options, overrides: list[str], wait: bool, started: float, peers: Peers, watch: Watch | None
) -> RunResult:
    """In the first process, or the only one."""
    identity = identify(config)
    finished = find_finished(identity)
    if finished is not None:
        return finished

    check_before_training(config)
    devices = 1 if runs.is_linear(config) else identity.settings.trainer.devices
    if not runs.is_linear(config):
        configuration.check_hardware(identity.settings.trainer)
    directory = runs.prepare_directory(identity.directory)
    try:
        with held(directory, wait) as lease:
            finished = find_finished(identity)  # by the process that held it before
            if finished is not None:
                return finished
            check_retry(identity)
            runs.forget_failure(directory)
            check_ours = functools.partial(check_not_lost, lease, directory)
            peers.start(devices)
            train = functools.partial(_train, config, identity, overrides, started, check_ours, peers, watch)
            result = _train_or_tell(train, config, directory, overrides, peers)
    except BaseException:
        with contextlib.suppress(OSError):  # nothing was written: no trace of it
            directory.rmdir()
        raise
    return RunResult(result, directory, found=False)


def identify(config: Options) -> Identity:
    """Check a configuration, and name its run.

    Raises:
        UserError: the configuration or a file that it names cannot be used.
    """
    settings = configuration.check(config)
    parts = runs.identity(config, _file_blob_ids(config["data"], settings.data_dir))
    name = runs.run_hash(parts)
    return Identity(settings, parts, name, configuration.expand(settings.runs_dir) / name)


def find_finished(identity: Identity) -> RunResult | None:
    """The run of a configuration if it is finished, and not to be trained anew."""
    result = None if identity.settings.force else runs.read_finished(identity.directory)
    return None if result is None else RunResult(result, identity.directory, found=True)


def check_retry(identity: Identity) -> None:
    """Refuse a run that failed before, where that is wanted.

    Raises:
        UserError: `retry_failed` is false, and it failed.
    """
    failed_before = runs.read_failure(identity.directory)
    if failed_before is not None and not identity.settings.retry_failed:
        raise UserError(
            f"{identity.directory} failed before ({failed_before}); retry_failed=true tries it again"
        )


def check_before_training(config: Options) -> None:
    """Check what needs the code of networks and losses, but no data.

    Raises:
        UserError: an argument that does not fit, or class weights that the loss does not take.
    """
    configuration.check_arguments(config)
    configuration.check_alpha(config)


def _train_or_tell(
    train: Callable[[], dict[str, Any]],
    config: Options,
    directory: Path,
    overrides: list[str],
    peers: Peers,
) -> dict[str, Any]:
    """Train; an error is kept beside the run and told in one line.

    Raises:
        RunFailed: an error that is no mistake of the user.
        UserError: a mistake, or training that diverged; the latter is kept too.
        Pruned: a search ended the run, which is marked.
    """
    try:
        return train()
    except Pruned as pruned:
        runs.write_pruned(directory, pruned, overrides)
        raise
    except UserError as error:
        if isinstance(error, Diverged):
            runs.write_failure(directory, error, traceback.format_exc(), overrides)
        raise
    except Exception as error:
        if not directory.is_dir():
            raise UserError(
                f"{directory} was removed while the run trained; the same command trains it again"
            ) from error
        behind = peers.explained(error)
        with contextlib.suppress(OSError, UserError):  # a full disk must not hide the error
            runs.write_failure(directory, behind, traceback.format_exc(), overrides)
        if isinstance(behind, UserError | RunFailed):
            raise behind from error
        line = one_line(f"{type(error).__name__}: {error}")[:300]
        advice = f"; {_needs_less_memory(config)}" if _out_of_memory(error) else ""
        raise RunFailed(f"{line}{advice}; the whole trace: {directory / runs.TRACE}") from error


def _out_of_memory(error: BaseException) -> bool:
    """Python's, a GPU's, torch's on a CPU (a RuntimeError), or joblib's of a process that was killed."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "excessive memory usage")
    return isinstance(error, MemoryError) or any(part in str(error) for part in words)


def _needs_less_memory(config: Options) -> str:
    if not runs.is_linear(config):
        return "lower model.batch_size, or raise model.accumulate"
    features = config["model"]["features"]
    kinds = [f"model.features.{kind}" for kind, options in features.items() if options["ngrams"] is not None]
    return f"set max_features or a higher min_df of {' and '.join(kinds)}, or lower trainer.threads"


def _train(
    config: Options,
    identity: Identity,
    overrides: list[str],
    started: float,
    check_ours: Callable[[], None],
    peers: Peers,
    watch: Watch | None,
) -> dict[str, Any]:
    directory = identity.directory
    reset_peak_memory()
    code = code_revision()  # before training: the checkout may change meanwhile
    if runs.is_linear(config):
        corpus, outcome, inputs = _fit_linear(config, directory, overrides)
    else:
        corpus, outcome, inputs = _fit_network(config, identity, overrides, check_ours, peers, watch)
    result: dict[str, Any] = {
        "schema": runs.RESULT_SCHEMA,
        "status": "finished",
        "run": identity.name,
        "overrides": runs.public_overrides(overrides),
        "config": runs.public(config),
        "task": corpus.task,
        "label_names": list(corpus.label_names),
        **outcome.figures,
        "wall_seconds": round(outcome.seconds_before + time.monotonic() - started, 2),
        "interruptions": outcome.interruptions,
        "peak_memory_mb": peak_memory_mb(),
        "provenance": {
            "identity": identity.parts,
            "corpus": corpus.provenance,
            "rows": {split: len(rows.texts) for split, rows in corpus.splits.items()},
            "class_counts": corpus.class_counts("train").tolist(),
            **inputs,
            "warnings": list(corpus.warnings),
            "code": code,
            **environment(outcome.on_gpu),
        },
    }
    with outcome.told_of_the_end():
        check_ours()
        with stop_request.put_off():  # a signal waits until the result is whole
            _write(directory, outcome, result)
    outcome.log_evaluation(result)
    return result


def _fit_network(
    config: Options,
    identity: Identity,
    overrides: list[str],
    check_ours: Callable[[], None],
    peers: Peers,
    watch: Watch | None,
) -> tuple[Corpus, Outcome, dict[str, Any]]:
    """The corpus, what training left, and how the texts came into the network."""
    corpus, tokenized = _read(config, identity, peers)

    from emoji_pred.training import train_and_evaluate

    outcome = train_and_evaluate(
        config, corpus, tokenized, identity.directory, overrides, peers, check_ours, watch
    )
    assert outcome is not None  # in the first process
    return corpus, outcome, {"vocabulary": tokenized.vocab_size, **_vector_figures(tokenized)}


def _fit_linear(
    config: Options, directory: Path, overrides: list[str]
) -> tuple[Corpus, Outcome, dict[str, Any]]:
    idle = runs.without_effect(overrides)
    if idle:
        warnings.warn(
            f"{' '.join(runs.public_overrides(idle))}: no effect on model={config['model']['name']}, a "
            "linear model that scikit-learn fits on the CPU",
            stacklevel=2,
        )
    corpus = _load_corpus(config)
    configuration.check_decision(config, corpus.task)

    from emoji_pred.linear_training import fit_and_evaluate

    outcome = fit_and_evaluate(config, corpus, directory, overrides)
    return corpus, outcome, {"vocabulary": sum(outcome.figures["fit"]["features"].values())}


def _write(directory: Path, outcome: Outcome, result: dict[str, Any]) -> None:
    """Store what a run is known by; the states from which it could continue are no longer needed."""
    # All bytes are on the disk before the first of them takes the place of an older run's.
    staged = {
        outcome.name: outcome.checkpoint,
        runs.PREDICTIONS: directory / "candidate.parquet",
        runs.RESULT: directory / "candidate.json",
    }
    runs.write_predictions(staged[runs.PREDICTIONS], outcome.predictions)
    # A result names the digests of the files beside it, and does not count without them.
    files = (runs.PREDICTIONS, outcome.name)
    result["files"] = {file: runs.file_digest(staged[file]) for file in files}
    runs.write_json(staged[runs.RESULT], result)
    for file, candidate in staged.items():
        os.replace(candidate, directory / file)
    runs.sync_directory(directory)
    outcome.forget_states()


def _file_blob_ids(data: Options, data_dir: str) -> dict[str, str]:
    needed = data["_target_"] == TEXT_FILES  # the name is the user's to choose
    if not needed and not any((data.get("files") or {}).values()):
        return {}
    from emoji_pred.data.text_files import local_files

    files = local_files(data, configuration.expand(data_dir), needed)
    by_name = data.get("format", "auto") == "auto"  # the ending of a name then decides how the bytes are read
    blob_ids = {}
    try:
        for part, path in files.items():
            status = path.stat()
            blob_id = _blob_id(path, status.st_size, status.st_mtime_ns)
            blob_ids[part] = blob_id + (path.suffix.lower() if by_name else "")
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from None
    return blob_ids


@functools.cache
def _blob_id(path: Path, size: int, changed: int) -> str:
    """Read once for all the runs of a sweep, while size and time stay."""
    from emoji_pred.data.sources import git_blob_id

    return git_blob_id(path)


def _read(config: Options, identity: Identity, peers: Peers) -> tuple[Corpus, Tokenized]:
    """Texts and tokens, in every process of the run, which all must train the same."""
    peers.check_same(identity.name, identity.directory)
    corpus = _load_corpus(config)
    configuration.check_loss(config, corpus.task)
    configuration.check_decision(config, corpus.task)
    return corpus, _with_vectors(config, _tokenize(config, corpus))


def _load_corpus(config: Options) -> Corpus:
    from emoji_pred.data.prepare import load_corpus

    corpus = load_corpus(config["data"], configuration.expand(config["data_dir"]))
    for message in corpus.warnings:
        warnings.warn(message, stacklevel=2)
    return corpus


def _tokenize(config: Options, corpus: Corpus) -> Tokenized:
    from emoji_pred.progress import chunks
    from emoji_pred.token_cache import tokenize

    return tokenize(
        {split: rows.texts for split, rows in corpus.splits.items()},
        config["model"]["tokenizer"],
        config["encoder"],
        configuration.expand(config["cache_dir"]),
        functools.partial(chunks, config["trainer"]["progress"]),
    )


def _with_vectors(config: Options, tokenized: Tokenized) -> Tokenized:
    """Add the vectors that the words start from, where there are any; few known words are warned of."""
    from emoji_pred.tokenizers import word_ids, word_state

    vectors = configuration.instantiate(
        config["vectors"],
        words=word_state(tokenized.state).get("words"),
        tokens=word_ids(tokenized.splits["train"], tokenized.state),
        seed=config["seed"],
        cache_dir=configuration.expand(config["cache_dir"]),
    )
    if vectors is None:
        return tokenized
    tokenized = replace(tokenized, vectors=vectors)
    share = _vector_figures(tokenized)["vectors"]["known_token_share"]["train"]
    if share < FEW_KNOWN:
        warnings.warn(
            f"vectors={config['vectors']['name']} have {share:.0%} of the words of the training texts (each "
            "counted as often as it occurs): are they of the texts' language?",
            stacklevel=2,
        )
    return tokenized


def _vector_figures(tokenized: Tokenized) -> dict[str, Any]:
    if tokenized.vectors is None:
        return {}
    from emoji_pred.tokenizers import word_ids

    splits = {split: word_ids(rows, tokenized.state) for split, rows in tokenized.splits.items()}
    return {"vectors": tokenized.vectors.figures(splits)}
