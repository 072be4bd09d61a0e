"""Files of rows (text, emoji), in the formats that `data=text_files` reads; written row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from emoji_pred.errors import UserError

COLUMNS = ("text", "emoji")
PARQUET_ROWS = 1 << 16  # of a group

Rows = Iterable[tuple[str, str]]
Writer = Callable[[BinaryIO, Rows], None]


def writer_for(path: Path) -> Writer:
    """The function that writes rows in the format that the file's name tells.

    Raises:
        UserError: it tells none.
    """
    writers: dict[str, Writer] = {
        ".csv": lambda stream, rows: _write_cells(stream, rows, ","),
        ".tsv": lambda stream, rows: _write_cells(stream, rows, "\t"),
        ".jsonl": _write_json_lines,
        ".parquet": _write_parquet,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise UserError(f"--out {path}: its name must end in {', '.join(writers)}, which is its format")
    return writer


def _write_cells(stream: BinaryIO, rows: Rows, delimiter: str) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    text.flush()
    text.detach()


def _write_json_lines(stream: BinaryIO, rows: Rows) -> None:
    for row in rows:
        line = json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False)
        stream.write(line.encode() + b"\n")


def _write_parquet(stream: BinaryIO, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for group in _groups(rows):
            columns = [list(column) for column in zip(*group, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))


def _groups(rows: Rows) -> Iterator[list[tuple[str, str]]]:
    iterator = iter(rows)
    while group := list(islice(iterator, PARQUET_ROWS)):
        yield group
