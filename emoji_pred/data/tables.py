"""Reading of user files: CSV, TSV, JSON lines, Parquet, xlsx and plain lines, each mistake one clear line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emoji_pred.data.spreadsheets import Sheet
from emoji_pred.errors import UserError, nearest

Format = Literal["csv", "tsv", "jsonl", "parquet", "xlsx"]

SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
_PARQUET_MAGIC = b"PAR1"
# What may divide the cells of a file taken for CSV or TSV by mistake, and what to set then.
DELIMITERS = {
    "\t": "tabs? set data.format=tsv",
    ";": "semicolons? set \"data.delimiter=';'\"",
    "|": "bars? set \"data.delimiter='|'\"",
    ",": "commas? set data.format=csv",
}
PARQUET_ROWS = 4096  # read at a time
_SIGNATURES = (
    (_PARQUET_MAGIC, "a Parquet file: set data.format=parquet"),
    (
        b"PK\x03\x04",
        "an Excel workbook (set data.format=xlsx) or a zip archive (unpack it, and name what was in it)",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save it as .xlsx or CSV (UTF-8), and name that"),
    (b"\x1f\x8b", "gzip-compressed: unpack it"),
    (b"BZh", "bzip2-compressed: unpack it"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data: run `git lfs pull`"),
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Table:
    """The wanted columns of one file, and where each of its rows stands in it.

    Attributes:
        path: the file.
        names: all column names of the file, in its order.
        columns: name -> N values; strings from CSV and TSV, typed values from JSON lines and Parquet.
        lines: N line numbers from 1 (rows of a spreadsheet), or None where the format has no lines.
        note: what may explain that a column is missing; begins with "; ", or empty.
    """

    path: Path
    names: tuple[str, ...]
    columns: dict[str, list[Any]]
    lines: list[int] | None = None
    note: str = ""

    def where(self, row: int) -> str:
        """Name the file and the row (counted from 1, the header not counted), for an error."""
        line = f" (line {self.lines[row]})" if self.lines is not None else ""
        return f"{self.path}, row {row + 1}{line}"

    def column(self, name: str, option: str) -> list[Any]:
        """Return a column's values.

        Raises:
            UserError: there is no such column; the message names the nearest ones and all found.
        """
        if name in self.columns:
            return self.columns[name]
        marks = [mark for mark in DELIMITERS if len(self.names) == 1 and mark in self.names[0]]
        if marks:
            raise UserError(
                f"{self.path}: no column {name!r} ({option}); its one column is {self.names[0][:200]!r}: "
                f"are the columns divided by {DELIMITERS[marks[0]]}"
            )
        near = nearest(name, self.names, most=2)
        guess = f"; did you mean {' or '.join(near)}?" if near else ""
        found = ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")
        raise UserError(
            f"{self.path}: no column {name!r} ({option}){guess}; the columns are: {found[:500]}{self.note}"
        )


@dataclass(frozen=True)
class Reading:
    """How files are to be read: the options of `data=text_files` that concern reading.

    Attributes:
        format: None: by the file's suffix.
        encoding: of text formats; a byte order mark is allowed.
        delimiter: None: a comma for CSV, a tab for TSV.
        quoting: False: quotation marks are plain characters.
        max_bytes: larger files are refused.
        sheet: of a workbook; None: the first.
    """

    format: Format | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: bool = True
    max_bytes: int = 1 << 30
    sheet: str | None = None

    def table(self, path: Path, wanted: Sequence[str] | None) -> Table:
        """Read one file; only the wanted columns are kept, or all where None are named.

        Raises:
            UserError: the file cannot be read, is of another format, or a row of it is malformed.
        """
        content = self._bytes(path)
        kind = self.format or self._format_by_suffix(path, content)
        if kind == "parquet":
            return _parquet(path, content, wanted, self.max_bytes)
        if kind == "xlsx":
            sheet = Sheet.read(path, content, self.sheet)
            return replace(_gather(path, sheet.rows(), wanted), note=sheet.note)
        text = self._text(path, content)
        rows = _json_rows(path, text) if kind == "jsonl" else self._cells(path, text, kind)
        return _gather(path, rows, wanted)

    def lines(self, path: Path) -> list[str]:
        r"""Read a file of one text a line, split at "\n" only: tweets hold U+2028, U+0085 and the like.

        Raises:
            UserError: the file cannot be read or is not of the encoding.
        """
        text = self._text(path, self._bytes(path)).removesuffix("\n")
        lines = text.split("\n")
        if all(line.endswith("\r") for line in lines[:-1]) and len(lines) > 1:
            return [line.removesuffix("\r") for line in lines]
        return lines

    def _format_by_suffix(self, path: Path, content: bytes) -> Format:
        kind = SUFFIXES.get(path.suffix.lower())
        if kind is None:
            refuse_other_formats(path, content, self.encoding)
            raise UserError(
                f"{path}: its format is not known by its name; "
                "set data.format=csv, tsv, jsonl, parquet or xlsx"
            )
        return kind

    def _bytes(self, path: Path) -> bytes:
        try:
            size = path.stat().st_size
            if size > self.max_bytes:
                raise UserError(
                    f"{path} has {size >> 20} MB, more than data.max_file_mb={self.max_bytes >> 20}"
                )
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
        if not content.strip():
            raise UserError(f"{path} is empty")
        return content

    def _text(self, path: Path, content: bytes) -> str:
        refuse_other_formats(path, content, self.encoding)
        try:
            encoding = "utf-8-sig" if self.encoding.lower() in ("utf-8", "utf8") else self.encoding
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise UserError(
                f"{path}, line {line}: byte {error.start} (0x{content[error.start]:02x}) "
                f"is not {self.encoding}; "
                "set data.encoding to the one the file was written in (cp1252 and cp1251 are common)"
            ) from None
        except LookupError:
            raise UserError(f"data.encoding={self.encoding} is not an encoding Python knows") from None
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            raise UserError(f"{path}, line {line}: a NUL character; the file is binary, damaged or UTF-16")
        return text

    def _cells(self, path: Path, text: str, kind: Format) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (line number, cells by column name) of CSV or TSV."""
        delimiter = self.delimiter or ("\t" if kind == "tsv" else ",")
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE
        # The module's own limit (131,072) would raise before the check of data.max_text_chars names the row.
        limit = csv.field_size_limit(2**31 - 1)
        try:
            reader = csv.reader(
                io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
            )
            header = next((row for row in reader if row), None)
            if header is None:
                raise UserError(f"{path} is empty: it has no header")
            repeated = sorted({name for name in header if header.count(name) > 1})
            if repeated:
                raise UserError(f"{path}: column {repeated[0]!r} stands twice in the header")
            rows = ((reader.line_num, row) for row in reader if row)
            for number, (line, row) in enumerate(rows, start=1):
                if len(row) != len(header):
                    raise UserError(
                        f"{path}, row {number} (line {line}): {len(row)} cells, "
                        f"but the header has {len(header)}"
                    )
                yield line, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise UserError(
                f"{path}, line {reader.line_num}: {error}; a quotation mark is not closed or not doubled "
                "(data.quoting=false takes them as plain characters)"
            ) from None
        finally:
            csv.field_size_limit(limit)


def read_mapping(path: Path, lines: Sequence[str]) -> tuple[str, ...]:
    """Read TweetEval's mapping lines `index <tab> name [<tab> description]` into the C names.

    Raises:
        UserError: a line is not of that form, or the indices do not run 0, 1, 2, ...
    """
    names: list[str] = []
    for row, line in enumerate(lines):
        cells = line.split("\t")
        if len(cells) < 2 or cells[0] != str(row) or not cells[1]:
            raise UserError(f"{path}, row {row + 1}: expected the number {row}, a tab and the label's name")
        names.append(cells[1])
    return tuple(names)


def refuse_other_formats(path: Path | str, content: bytes, encoding: str) -> None:
    """Refuse what the first bytes of a file show to be no text.

    Raises:
        UserError: it is an archive, a document, a web page or UTF-16.
    """
    for signature, description in _SIGNATURES:
        if content.startswith(signature):
            raise UserError(f"{path} is {description}")
    if content.startswith(_UTF16_MARKS) and not encoding.lower().startswith("utf-16"):
        raise UserError(f"{path} is UTF-16 text: set data.encoding=utf-16")
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower().startswith((b"<!doctype", b"<html")):
        raise UserError(f"{path} is a web page (HTML), perhaps the error page of a download")


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of JSON lines; split at "\\n" only: JSON strings may hold U+2028."""
    if text.lstrip().startswith("["):
        raise UserError(f"{path} is one JSON array; JSON lines have one object on each line")
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            row = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {line}: not JSON ({error}); each line is one object") from None
        if not isinstance(row, dict):
            raise UserError(
                f"{path}, line {line}: not an object, but {type(row).__name__}; each line is one object"
            )
        yield line, row


def _gather(path: Path, rows: Iterator[tuple[int, dict[str, Any]]], wanted: Sequence[str] | None) -> Table:
    """Turn rows into columns; a name that a JSON row lacks is None there."""
    names: dict[str, None] = {}
    cells: dict[str, list[Any]] = {name: [] for name in wanted or ()}
    lines: list[int] = []
    for line, row in rows:
        if row.keys() - names.keys():
            names.update(dict.fromkeys(row))
            if wanted is None:
                cells |= {name: [None] * len(lines) for name in row if name not in cells}
        for name, column in cells.items():
            column.append(row.get(name))
        lines.append(line)
    if not lines:
        raise UserError(f"{path} has no rows")
    columns = {name: column for name, column in cells.items() if name in names}
    return Table(path=path, names=tuple(names), columns=columns, lines=lines)


def _parquet(path: Path, content: bytes, wanted: Sequence[str] | None, max_bytes: int) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not content.startswith(_PARQUET_MAGIC):
        raise UserError(f"{path} is not a Parquet file, though data.format or its name says so")
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        names = tuple(file.schema_arrow.names)
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise UserError(f"{path}: column {repeated[0]!r} stands twice")
        columns: dict[str, list[Any]] = {name: [] for name in wanted or names if name in names}
        decoded = 0
        # In pieces: a file of a few kilobytes can declare gigabytes of repeated text.
        for piece in file.iter_batches(batch_size=PARQUET_ROWS, columns=list(columns)):
            decoded += piece.nbytes
            if decoded > max_bytes:
                raise UserError(f"{path} unpacks to more than data.max_file_mb={max_bytes >> 20} MB of cells")
            for name, cells in piece.to_pydict().items():
                columns[name] += cells
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: damaged Parquet file ({str(error).partition(chr(10))[0]})") from None
    if not file.metadata.num_rows:
        raise UserError(f"{path} has no rows")
    return Table(path=path, names=names, columns=columns)
