"""The finished runs of the tables, kept in `results/runs/<name>/`: the result, and the answer to each row."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from emoji_pred.decision import Decision
from emoji_pred.errors import UserError, one_line

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "runs"
ANSWERS = "answers.parquet"  # of one label a text
# What reading a file of another form raises.
FORMS = (OSError, ValueError, LookupError, TypeError, AttributeError)
PARQUET = b"PAR1"  # the first and the last bytes of such a file
ROW_IDS = "row_ids/"  # in the file's metadata, before a split: the digest of the names of its rows


@dataclass(frozen=True)
class Answers:
    """What a run answered on a split.

    Attributes:
        truth: (N,) classes, or (N, C) zeros and ones.
        given: likewise, what the model answers.
        ranks: (N,) place of the true class among the answers, from 1; None of several labels, and of runs
            that were kept before ranks were.
        probabilities: (N, C) of several labels; None of one label.
        rows: the digest of the names of the rows: two runs with the same can be compared row by row.
        weights: (N,) how much each row counts; None: all the same.
    """

    truth: np.ndarray
    given: np.ndarray
    ranks: np.ndarray | None
    probabilities: np.ndarray | None
    rows: str
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class KeptRun:
    """A finished run whose result lies in a directory, with its answers."""

    result: dict[str, Any]
    directory: Path

    @property
    def name(self) -> str:
        """What `train.py` called it."""
        return str(self.result["run"])

    @property
    def seed(self) -> int:
        """The seed of its training; `kept` refuses a run without."""
        return int(self.result["config"]["seed"])

    @property
    def labels(self) -> list[str]:
        """C names, in class order."""
        return list(self.result["label_names"])

    def top_class(self, split: str) -> str | None:
        """The largest class of the training rows."""
        return self.result[split].get("top_class")

    def answers(self) -> dict[str, Answers]:
        """The answers by split, of those splits that were kept; read once.

        Raises:
            UserError: they cannot be read.
        """
        return self._answers

    @functools.cached_property
    def _answers(self) -> dict[str, Answers]:
        if self.result["task"] == "multiclass":
            with _told_if_damaged(self.directory / ANSWERS) as path:
                return _read_answers(path)
        return _read_probabilities(self.directory / runs.PREDICTIONS, self.result)


def keep(directory: Path, target: Path) -> bool:
    """Copy what is kept of a finished run to `target`; whether there is one in `directory`.

    Of one label a text the answer to each row and the rank of the truth are kept (2 bytes a row instead of
    80), of several labels the probabilities.
    """
    finished = runs.read_finished(directory)
    if finished is None:
        return False
    target.mkdir(parents=True, exist_ok=True)
    if finished["task"] == "multiclass":
        _write_answers(target / ANSWERS, runs.read_predictions(directory / runs.PREDICTIONS))
    else:
        with (
            runs.replace_file(target / runs.PREDICTIONS) as copy,
            (directory / runs.PREDICTIONS).open("rb") as own,
        ):
            shutil.copyfileobj(own, copy)
    runs.write_json(target / runs.RESULT, finished)  # last: it says that the others are there
    return True


def kept(name: str, results: Path = RESULTS) -> KeptRun | None:
    """A run by its name, or None where it is not kept, or not whole; its answers are not read yet.

    Raises:
        UserError: its result cannot be read, or its answers are cut short or something else.
    """
    path = results / name / runs.RESULT
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        answers = ANSWERS if result["task"] == "multiclass" else runs.PREDICTIONS
        has_seed = is_seed(result["config"]["seed"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "is no result of a run") from error
    if not has_seed:
        raise _damaged(path, "has a config.seed that is no whole number")
    try:
        is_whole = _is_parquet(path.parent / answers)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(path.parent / answers, f"cannot be read ({error.strerror})") from error
    if not is_whole:
        raise _damaged(path.parent / answers, "is no whole Parquet file")
    return KeptRun(result, path.parent)


def is_seed(value: object) -> bool:
    """Whether a value of a result can be a seed."""
    return isinstance(value, int) and not isinstance(value, bool)


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} {what}; remove {path.parent} and run `make reproduce-tables` again")


@contextmanager
def _told_if_damaged(path: Path) -> Iterator[Path]:
    """A file of a kept run that does not hold what it should ends in one line."""
    import pyarrow as pa

    try:
        yield path
    except (pa.ArrowException, *FORMS) as error:
        raise _damaged(path, f"does not hold what a kept run has ({one_line(error)})") from error


def _is_parquet(path: Path) -> bool:
    """Whether a file begins and ends as Parquet does, which a look at all runs can afford."""
    with path.open("rb") as stream:
        head, size = stream.read(len(PARQUET)), stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - len(PARQUET)))
        return size > 2 * len(PARQUET) and head == stream.read() == PARQUET


def _write_answers(path: Path, predictions: Mapping[str, runs.SplitPredictions]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables, digests = [], {}
    for split, (row_ids, truth, probabilities) in predictions.items():
        small = np.min_scalar_type(probabilities.shape[1])
        columns = {
            "split": pa.array([split] * len(truth)).dictionary_encode(),
            "truth": truth.astype(small),
            "answer": probabilities.argmax(axis=1).astype(small),
            "rank": ranks_of(probabilities, truth).astype(small),
        }
        tables.append(pa.table(columns))
        digests[ROW_IDS + split] = _digest(row_ids)
    whole = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata(digests)
    buffer = io.BytesIO()
    pq.write_table(whole, buffer, compression="zstd")
    with runs.replace_file(path) as stream:
        stream.write(buffer.getbuffer())


def ranks_of(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) place of the true class among the answers, from 1; of equal probabilities the first class wins.

    Args:
        probabilities: (N, C).
        truth: (N,) classes.
    """
    own = probabilities[np.arange(len(truth)), truth][:, None]
    before = (probabilities == own) & (np.arange(probabilities.shape[1]) < truth[:, None])
    return 1 + ((probabilities > own) | before).sum(axis=1)


def _digest(row_ids: list[str]) -> str:
    return hashlib.sha256("\n".join(row_ids).encode()).hexdigest()[:16]


def _read_answers(path: Path) -> dict[str, Answers]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    digests = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    splits = table["split"].cast("string").to_numpy()
    columns = {
        name: table[name].to_numpy() for name in ("truth", "answer", "rank") if name in table.column_names
    }
    found = {}
    for split in dict.fromkeys(splits.tolist()):
        here = splits == split
        part = {name: column[here].astype(np.int64) for name, column in columns.items()}
        found[split] = Answers(
            part["truth"], part["answer"], part.get("rank"), None, digests.get(ROW_IDS + split, "")
        )
    return found


def _read_probabilities(path: Path, result: Mapping[str, Any]) -> dict[str, Answers]:
    with _told_if_damaged(path):
        predictions = runs.read_predictions(path)
    found = {}
    for split, (row_ids, truth, probabilities) in predictions.items():
        with _told_if_damaged(path.with_name(runs.RESULT)):
            given = Decision.from_plain(result[split]["decision"]).labels(probabilities)
        found[split] = Answers(truth, given.astype(np.int64), None, probabilities, _digest(row_ids))
    return found
