"""Runs on disk: what a run is called, where it lies, and how its files are written and read."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from emoji_pred import changes
from emoji_pred.changes import Change
from emoji_pred.errors import Pruned, UserError

# Raised, it names every run anew; a change that alters some numbers is declared in `changes.CHANGES` instead.
IDENTITY_VERSION = 1
RESULT_SCHEMA = 1
# Row ids, targets (N,) or (N, C), probabilities (N, C) float32.
SplitPredictions = tuple[list[str], np.ndarray, np.ndarray]
NOT_NUMBERS = ("files", "max_text_chars", "max_file_mb")  # where a file lies, and when it is refused
# Options of data that came later, with the values that change nothing: they name no run anew.
LATER_OPTIONS = {"split": "by_row", "clusters": None, "normalise": "none", "max_words": None, "sheet": None}
# What is decided where nothing else is asked for: it names no run anew.
PLAIN_DECISION = {"name": "fixed", "threshold": 0.5, "tuned_f1": None, "at_least_one": False}
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
RESULT, PREDICTIONS, CHECKPOINT, CURVES = "result.json", "predictions.parquet", "best.ckpt", "metrics.csv"
# Groups and settings that have no effect on a linear model; of the trainer, `OF_ALL_MODELS` have.
OF_NETWORKS = ("vectors", "encoder", "loss", "alpha", "bucket_batches", "trainer")
OF_ALL_MODELS = ("trainer.threads", "trainer.progress")
NO_VECTORS = "emoji_pred.vectors.none"
LINEAR = "model.safetensors"  # of a linear model, in the place of a checkpoint
FAILURE, TRACE = "failure.json", "trace.txt"  # of a run that ended by an error
PRUNED = "pruned.json"  # of a run that a search ended early
# The folders of an absolute path, which may hold blanks; no part of an address, of "0/1" or of "owner/name".
_PLACE = re.compile(r"(?<![\w:/.~)\]}-])~?/(?:[^/\n,;:()'\"]*[^/\s,;:()'\"]/)+")
VERIFIED = ".verified.json"  # sizes and times of files whose digests were found right
SETTLED_SECONDS = 2  # a file changed within them may change again without its time telling


def identity(config: Mapping[str, Any], file_blob_ids: Mapping[str, str]) -> dict[str, Any]:
    """Everything that determines a run's numbers, as plain values.

    Hardware, directories and loggers are left out: they do not change the result. The encoder counts only
    for models that read its tokens, vectors only where there are any, a decision only where it is not to give
    labels above 0.5, and nothing that is of networks alone for a linear model. Changes of the code that alter
    the numbers count too: `changes.CHANGES`.

    Args:
        config: the resolved configuration.
        file_blob_ids: what identifies a user's own data files by part; pinned files carry their blob ids in
            `config["data"]`.
    """
    return {**_of_config(config, file_blob_ids), **changes.parts(changes.applying(config))}


def earlier_identities(
    config: Mapping[str, Any], file_blob_ids: Mapping[str, str]
) -> list[tuple[dict[str, Any], tuple[Change, ...]]]:
    """What `identity` was before each change of the code that alters this configuration, the latest first.

    Returns:
        Identities, whose `run_hash` named a run then, each with the changes since. A run of such a name is
        stale: it is not what the configuration gives today, and no one takes it for that.
    """
    found = changes.applying(config)
    own = _of_config(config, file_blob_ids) if found else {}
    return [({**own, **changes.parts(found[:count])}, found[count:]) for count in reversed(range(len(found)))]


def _of_config(config: Mapping[str, Any], file_blob_ids: Mapping[str, str]) -> dict[str, Any]:
    model = config["model"]
    parts = {
        "version": IDENTITY_VERSION,
        "data": {key: value for key, value in config["data"].items() if not _changes_nothing(key, value)},
        "files": dict(file_blob_ids),
        "model": model,
        "seed": config["seed"],
        **({} if is_linear(config) else _of_network(config)),
    }
    if config.get("decision", PLAIN_DECISION) != PLAIN_DECISION:
        parts["decision"] = config["decision"]
    if file_blob_ids:  # a user's file is known by its content, not by where it lies
        parts["data"] = {key: value for key, value in parts["data"].items() if key not in NOT_NUMBERS}
    return parts


def is_linear(config: Mapping[str, Any]) -> bool:
    """Whether the model is a linear one of n-grams, and no network."""
    return "estimator" in (config.get("model") or {})


def _of_network(config: Mapping[str, Any]) -> dict[str, Any]:
    model = config["model"]
    parts = {
        "encoder": config["encoder"] if model["tokenizer"]["kind"] != "words" else None,
        "loss": config["loss"],
        "alpha": config["alpha"],
        "bucket_batches": config["bucket_batches"],
        "precision": config["trainer"]["precision"],
        "max_steps": config["trainer"]["max_steps"],
    }
    if config["vectors"]["_target_"] != NO_VECTORS:
        parts["vectors"] = config["vectors"]
    return parts


def _changes_nothing(option: str, value: Any) -> bool:
    return option in LATER_OPTIONS and value == LATER_OPTIONS[option]


def public(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without the places of this machine: what results and trackers may hold.

    What has no effect on a linear model is left out, so that no one takes it for a cause.
    """
    unused = OF_NETWORKS if is_linear(config) else ()
    shown = {key: value for key, value in config.items() if not key.endswith("_dir") and key not in unused}
    if "files" in shown["data"]:
        shown["data"] = {**shown["data"], "files": _file_names(shown["data"]["files"])}
    return shown


def public_overrides(overrides: Sequence[str]) -> list[str]:
    """What the user typed, without the places of this machine."""
    shown = []
    for item in overrides:
        key, equals, value = item.partition("=")
        if not key.endswith("_dir"):
            of_files = key.lstrip("+").startswith("data.files")
            shown.append(f"{key}{equals}{Path(value).name}" if of_files else item)
    return shown


def without_places(line: str, *known: Path) -> str:
    """A line for the user as a file may keep it: of each absolute path only its last name.

    Args:
        line: such as "the files in /place/of/me/cache/model cannot be read".
        known: paths that may stand in it, relative ones and those with any character too.
    """
    for path in sorted(known, key=lambda path: -len(str(path))):
        line = line.replace(str(path), path.name)
    return _PLACE.sub("", line)


def without_effect(overrides: Sequence[str]) -> list[str]:
    """Of what a user typed, the settings that have no effect on a linear model."""
    found = []
    for item in overrides:
        key = item.lstrip("+~").partition("=")[0].partition("@")[0]
        if key.partition(".")[0] in OF_NETWORKS and key not in OF_ALL_MODELS:
            found.append(item)
    return found


def _file_names(files: Any) -> Any:
    if isinstance(files, Mapping):
        return {key: _file_names(value) for key, value in files.items()}
    return Path(files).name if isinstance(files, str) else files


def run_hash(parts: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a run: the SHA-256 of its identity in canonical JSON.

    As in RFC 8785, a number is written in one way: `loss.gamma=2` and `loss.gamma=2.0` are one run.
    """
    canonical = json.dumps(_one_way_numbers(parts), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _one_way_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _one_way_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_one_way_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def prepare_directory(directory: Path) -> Path:
    """Create a run's directory, or raise `UserError` where nothing can be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as stream:
            stream.write(b"there is room")
    except OSError as error:
        raise cannot_write(directory, error) from error
    return directory


def cannot_write(directory: Path, error: OSError) -> UserError:
    """What to say where nothing can be written."""
    return UserError(
        f"cannot write to {directory}: {error.strerror}; set runs_dir=DIRECTORY or EMOJI_PRED_RUNS "
        "to a directory you can write to"
    )


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file so that a kill at any moment leaves either the old one or the new one.

    The bytes go to a temporary file beside it, are synced to disk, and take its name at the end.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        sync_directory(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        refused = _refused_by_disk(error)
        if refused is not None:
            raise UserError(
                f"cannot write {path}: {refused.strerror}; make room or set another directory and start the "
                "same command again (what was there before is untouched)"
            ) from error
        raise


def _refused_by_disk(error: BaseException | None) -> OSError | None:
    """The error of a full or read-only disk behind another: torch reports one of its own on top."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return error
        error = error.__cause__ or error.__context__
    return None


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk: a file that was renamed keeps its new name."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Replace a file by `value` as readable JSON (emoji as themselves)."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    with replace_file(path) as stream:
        # Half a surrogate pair, as in a file name that is not UTF-8, becomes a JSON escape.
        stream.write(text.encode("utf-8", "backslashreplace"))


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_predictions(path: Path, predictions: Mapping[str, SplitPredictions]) -> None:
    """Store predictions in one Parquet file.

    Args:
        path: the file.
        predictions: for each split: row ids (N,), targets (N,) or (N, C), probabilities (N, C) float32.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for split, (row_ids, targets, probabilities) in predictions.items():
        target_column = (
            pa.array(targets.astype(np.int16))
            if targets.ndim == 1
            else pa.FixedSizeListArray.from_arrays(
                pa.array(targets.astype(np.uint8).ravel()), targets.shape[1]
            )
        )
        flat = pa.array(np.ascontiguousarray(probabilities, dtype=np.float32).ravel())
        columns = {
            "split": pa.array([split] * len(row_ids)).dictionary_encode(),
            "row_id": pa.array(row_ids),
            "target": target_column,
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1]),
        }
        tables.append(pa.table(columns))
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables).unify_dictionaries(), buffer, compression="zstd")
    with replace_file(path) as stream:
        stream.write(buffer.getbuffer())


def read_predictions(path: Path) -> dict[str, SplitPredictions]:
    """Read what `write_predictions` wrote: for each split row ids, targets and probabilities."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    splits = np.asarray(table["split"].cast("string").to_pylist())
    row_ids = table["row_id"].to_pylist()
    targets, probabilities = (_column(table[name]) for name in ("target", "probabilities"))
    result = {}
    for split in dict.fromkeys(splits.tolist()):
        rows = np.flatnonzero(splits == split)
        result[split] = ([row_ids[row] for row in rows], targets[rows], probabilities[rows])
    return result


def _column(column: Any) -> np.ndarray:
    array = column.combine_chunks()
    if not hasattr(array, "flatten") or not hasattr(array.type, "list_size"):
        return array.to_numpy(zero_copy_only=False).astype(np.int64)
    return array.flatten().to_numpy(zero_copy_only=False).reshape(-1, array.type.list_size)


def read_finished(directory: Path) -> dict[str, Any] | None:
    """The result of a finished run, or None where there is none or its files are not those it names.

    A file is read in full the first time only: while its size and times stay, so does its content.
    """
    try:
        result = json.loads((directory / RESULT).read_text(encoding="utf-8"))
        intact = result["schema"] == RESULT_SCHEMA and result["status"] == "finished"
        return result if intact and _are_intact(directory, result["files"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _are_intact(directory: Path, digests: Mapping[str, str]) -> bool:
    """Whether the files of a run have their digests; remembers those that do."""
    known = _read_verified(directory)
    stamps = {name: _stamp(directory / name) for name in digests}
    found = {name: [digest, *stamps[name]] for name, digest in digests.items()}
    unknown = [name for name in found if found[name] != known.get(name)]
    if any(file_digest(directory / name) != digests[name] for name in unknown):
        return False
    settled = time.time_ns() - SETTLED_SECONDS * 1_000_000_000
    if unknown and all(max(times) < settled for _, *times in stamps.values()):
        with suppress(OSError):  # a directory that is read only
            # Not synced, as it costs nothing to lose it.
            temporary = directory / f"{VERIFIED}.{secrets.token_hex(8)}"
            temporary.write_text(json.dumps(found), encoding="utf-8")
            os.replace(temporary, directory / VERIFIED)
    return True


def _read_verified(directory: Path) -> dict[str, list[Any]]:
    with suppress(OSError, ValueError):
        known = json.loads((directory / VERIFIED).read_text(encoding="utf-8"))
        return known if isinstance(known, dict) else {}
    return {}


def _stamp(path: Path) -> tuple[int, int, int]:
    """Size, and the times at which content and entry of a file changed, in nanoseconds."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def write_failure(directory: Path, error: BaseException, trace: str, overrides: Sequence[str]) -> None:
    """Mark a run as failed: the first line of its error, and the whole trace in a file of its own."""
    with replace_file(directory / TRACE) as stream:
        stream.write(trace.encode("utf-8", "backslashreplace"))
    first_line = f"{type(error).__name__}: {error}".splitlines()[0]
    failure = {"status": "failed", "error": first_line, "overrides": public_overrides(overrides)}
    write_json(directory / FAILURE, failure)


def read_failure(directory: Path) -> str | None:
    """The first line of the error by which a run ended, or None where it did not fail."""
    try:
        return str(json.loads((directory / FAILURE).read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_pruned(directory: Path, pruned: Pruned, overrides: Sequence[str]) -> None:
    """Mark a run as one that a search ended early."""
    figures = {"status": "pruned", "epochs": pruned.epochs, "validation_macro_f1": pruned.macro_f1}
    write_json(directory / PRUNED, {**figures, "overrides": public_overrides(overrides)})


def forget_failure(directory: Path) -> None:
    """Remove the mark of an earlier failure, or of a search that pruned the run."""
    for name in (FAILURE, TRACE, PRUNED):
        with suppress(OSError):
            (directory / name).unlink()
