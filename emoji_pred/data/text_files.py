"""Anyone's data: CSV, TSV, JSON lines, Parquet, xlsx, or the paired text and label files of TweetEval."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from emoji_pred.data.corpus import SPLIT_NAMES, Corpus, Split, Task
from emoji_pred.data.labels import (
    Label,
    check_mapped,
    encode,
    find_classes,
    joined_warnings,
)
from emoji_pred.data.rows import Columns, RawRows, Row, read_pair, read_table, usable_rows
from emoji_pred.data.sources import git_blob_id
from emoji_pred.data.splits import AsRead, DrawBy, assign_rows, check_classes
from emoji_pred.data.tables import Reading, read_mapping
from emoji_pred.errors import UserError, nearest


class PairedFiles(BaseModel):
    """One file of texts and one of labels, line by line (the TweetEval layout)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    texts: str
    labels: str


class Files(BaseModel):
    """Which file holds which split; `mapping` names the classes that label numbers stand for."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    train: str | PairedFiles | None = None
    validation: str | PairedFiles | None = None
    test: str | PairedFiles | None = None
    mapping: str | None = None


def _tab(written: Any) -> Any:
    """A tab as people write it on a command line."""
    return "\t" if written == r"\t" else written


def local_files(
    options: Mapping[str, Any], data_dir: Path | None = None, needed: bool = True
) -> dict[str, Path]:
    """Return every file that the options name by part (`train`, `test.labels`), for a run's identity.

    Args:
        options: the `data` config group of any dataset that takes files of the user.
        data_dir: where files are looked for beside the current directory.
        needed: whether a training file must be named.

    Raises:
        UserError: no training file is named, or a named file does not exist.
    """
    try:
        files = Files.model_validate(options.get("files") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:
            raise UserError(f"data.files={first['input']!r}: set data.files.train=PATH") from None
        raise UserError(f"data.files.{first['loc'][0]}={first['input']!r}: {first['msg']}") from None
    return {
        option.removeprefix("data.files."): find_file(path, data_dir, option)
        for option, path in _named_files(files, needed)
    }


def load_text_files(
    *,
    data_dir: Path,
    as_read: AsRead | None = None,
    files: Files,
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "xlsx", "paired"] = "auto",
    text_column: str = "text",
    label_column: str | None = None,
    label_columns: Annotated[list[str], Field(min_length=1)] | None = None,
    label_separator: Annotated[str, Field(min_length=1)] | None = None,
    sheet: str | None = None,
    id_column: str | None = None,
    split_column: str | None = None,
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    split_seed: Annotated[int, Field(ge=0)] = 0,
    split: DrawBy = "by_row",
    on_missing_label: Literal["error", "drop"] = "error",
    encoding: str = "utf-8",
    delimiter: Annotated[str, Field(min_length=1, max_length=1), BeforeValidator(_tab)] | None = None,
    quoting: bool = True,
    max_text_chars: Annotated[int, Field(ge=1)] = 100_000,
    max_file_mb: Annotated[int, Field(ge=1)] = 1024,
) -> Corpus:
    """Load a corpus from the user's own files; conf/data/text_files.yaml explains every option.

    `as_read` is no option: it is what a model reads of a text, where `split` keeps equal texts together.

    Raises:
        UserError: a file, a row or an option cannot be used; the message names it.
    """
    files = files if isinstance(files, Files) else Files.model_validate(files)
    if label_column is not None and label_columns is not None:
        raise UserError("data.label_column and data.label_columns are both set; give one of them")
    if text_column == label_column or text_column in (label_columns or ()):
        raise UserError(f"data.text_column={text_column} is a label column too")
    single = None if label_columns is not None else label_column or "label"
    multi_hot = tuple(label_columns) if label_columns is not None else None
    columns = Columns(text_column, single, multi_hot, label_separator, id_column, split_column)
    kind = None if format in ("auto", "paired") else format
    reading = Reading(kind, encoding, delimiter, quoting, max_file_mb << 20, sheet)  # type: ignore[arg-type]

    sources = _read_sources(files, data_dir, format, columns, reading)
    rows, warnings = usable_rows(sources, columns, on_missing_label, max_text_chars)
    task: Task = _task(columns, sources)
    classes, names = _classes(rows, columns, _mapping(files, data_dir, reading))
    if task == "multiclass" and len(classes) < 2:
        raise UserError(f"{sources[0].path}: all rows have one label, {names[0]!r}; two or more are needed")
    labels = encode([row.labels for row in rows], classes, task)
    fractions = {"validation": validation_fraction, "test": test_fraction}
    given = _given(files, rows, split_column)
    members, drawn = assign_rows(rows, labels, given, fractions, split_seed, split, as_read)
    warnings += check_classes(labels, members, names)
    if multi_hot is None and files.mapping is None:  # else names do not come from cells
        warnings += joined_warnings(names)
    return Corpus(
        name="text_files",
        task=task,
        label_names=names,
        splits={
            name: Split([rows[i].text for i in chosen], labels[chosen], [rows[i].row_id for i in chosen])
            for name, chosen in members.items()
        },
        provenance={
            "files": _blob_ids(files, data_dir),
            "rows": {name: len(chosen) for name, chosen in members.items()},
            **_without_label(labels, members),
            "rows_dropped": sum(len(source.texts) for source in sources) - len(rows),
            "drawn": {"splits": drawn, "fractions": fractions, "seed": split_seed, "by": split}
            if drawn
            else None,
        },
        warnings=tuple(warnings),
    )


def _given(files: Files, rows: Sequence[Row], split_column: str | None) -> set[str]:
    if split_column is not None:
        return {row.split for row in rows}
    return {name for name in SPLIT_NAMES if getattr(files, name) is not None}


def _without_label(labels: np.ndarray, members: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Of several labels a text: how many rows of each split have none, for the provenance."""
    if labels.ndim == 1:
        return {}
    none = labels.sum(axis=1) == 0
    return {"rows_without_label": {name: int(none[chosen].sum()) for name, chosen in members.items()}}


def _blob_ids(files: Files, data_dir: Path) -> dict[str, dict[str, str]]:
    """Name each file and its git blob id; not its folder, which differs between machines."""
    ids = {}
    for option, written in _named_files(files):
        path = find_file(written, data_dir, option)
        ids[option.removeprefix("data.files.")] = {"file": path.name, "git_blob_id": git_blob_id(path)}
    return ids


def _named_files(files: Files, needed: bool = True) -> Iterator[tuple[str, str]]:
    """Yield (option, path as written) of every file named."""
    if files.train is None and needed:
        raise UserError("data=text_files needs a file: set data.files.train=PATH")
    for name in (*SPLIT_NAMES, "mapping"):
        entry = getattr(files, name)
        if isinstance(entry, PairedFiles):
            yield f"data.files.{name}.texts", entry.texts
            yield f"data.files.{name}.labels", entry.labels
        elif entry is not None:
            yield f"data.files.{name}", entry


def find_file(written: str, data_dir: Path | None, option: str) -> Path:
    """Find a path in the current directory or, if it is not there, under the data directory.

    Raises:
        UserError: there is no such file; `option` is what named it.
    """
    path = Path(written).expanduser()
    places = [path] if path.is_absolute() or data_dir is None else [path, Path(data_dir) / path]
    try:
        for place in places:
            if place.is_file():
                return place
        if any(place.is_dir() for place in places):
            raise UserError(f"{option}={written} is a directory; name a file")
    except OSError as error:  # a folder on the way that may not be entered
        raise UserError(f"{option}={written} cannot be read: {error.strerror}") from None
    folder = next((place.parent for place in places if place.parent.is_dir()), None)
    stems = {Path(name).stem: name for name in os.listdir(folder)} if folder else {}
    near = [stems[stem] for stem in nearest(path.stem, stems)]
    guess = f"; did you mean {' or '.join(near)}?" if near else ""
    looked = "" if len(places) == 1 else f", neither here nor under data_dir ({data_dir})"
    raise UserError(f"{option}={written} does not exist{looked}{guess}")


def _read_sources(
    files: Files, data_dir: Path, format: str, columns: Columns, reading: Reading
) -> list[RawRows]:
    found = {option: find_file(path, data_dir, option) for option, path in _named_files(files)}
    if columns.split is not None and (files.validation is not None or files.test is not None):
        raise UserError("data.split_column is for one file: leave data.files.validation and .test null")
    sources = []
    for name in SPLIT_NAMES:
        entry = getattr(files, name)
        option = f"data.files.{name}"
        if entry is None:
            continue
        if isinstance(entry, PairedFiles):
            _refuse_columns_of_pairs(columns)
            sources.append(read_pair(name, found[f"{option}.texts"], found[f"{option}.labels"], reading))
        elif format == "paired":
            raise UserError(f"data.format=paired needs {option}={{texts: PATH, labels: PATH}}, not one path")
        else:
            sources.append(read_table(name, found[option], columns, reading))
    return sources


def _refuse_columns_of_pairs(columns: Columns) -> None:
    for option, value in (("split_column", columns.split), ("id_column", columns.row_id)):
        if value is not None:
            raise UserError(f"data.{option}={value}: paired text and label files have no columns")
    if columns.multi_hot is not None:
        raise UserError("data.label_columns: paired text and label files have no columns")


def _task(columns: Columns, sources: Sequence[RawRows]) -> Task:
    lists = any(isinstance(cell, (list, tuple)) for source in sources for cell in source.labels)
    return "multilabel" if columns.multi_hot or columns.separator or lists else "multiclass"


def _mapping(files: Files, data_dir: Path, reading: Reading) -> tuple[str, ...] | None:
    if files.mapping is None:
        return None
    path = find_file(files.mapping, data_dir, "data.files.mapping")
    return read_mapping(path, reading.lines(path))


def _classes(
    rows: Sequence[Row], columns: Columns, mapping: tuple[str, ...] | None
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """Return the classes as they stand in the rows, and their names."""
    if columns.multi_hot is not None:
        return columns.multi_hot, columns.multi_hot
    cells = [row.labels for row in rows]
    if mapping is not None:
        check_mapped(cells, mapping, lambda row: rows[row].where())
        return tuple(range(len(mapping))), mapping
    classes = find_classes(cells, lambda row: rows[row].where())
    return classes, tuple(str(label) for label in classes)
