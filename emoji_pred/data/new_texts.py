"""Texts that a trained model is asked about: typed, from a file, or from a stream of lines of any length."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from emoji_pred.data.rows import DAMAGED
from emoji_pred.data.tables import SUFFIXES, Reading, refuse_other_formats
from emoji_pred.errors import UserError

MAX_CHARACTERS = 100_000  # as of `data.max_text_chars`: no short text is longer
MAX_LINE_BYTES = 4 * MAX_CHARACTERS + 8  # of UTF-8, with a byte order mark and the end of the line


def typed(texts: Iterable[str]) -> Iterator[str]:
    """Texts of a command line.

    Raises:
        UserError: a text is too long or not UTF-8.
    """
    for number, text in enumerate(texts, start=1):
        yield check_text(text, f"text {number}")


def read_file(path: Path, reading: Reading, as_lines: bool | None, column: str) -> Iterator[str]:
    """Texts of a file, in its order: of one column of a table, or one a line.

    Lines are read as they are wanted. A table is read whole (`reading.max_bytes` bounds it).

    Args:
        path: the file.
        reading: format, encoding and so on of tables; of lines, the encoding.
        as_lines: None: by the file's suffix.
        column: of a table, where the texts are.

    Raises:
        UserError: the file cannot be read, or a text of it cannot be used; the message names the row.
    """
    if not path.exists():
        raise UserError(f"--file {path} does not exist")
    if path.is_dir():
        raise UserError(f"--file {path} is a directory; name a file")
    if as_lines is None:
        as_lines = reading.format is None and path.suffix.lower() not in SUFFIXES
    if not as_lines:
        table = reading.table(path, [column])
        for row, cell in enumerate(table.column(column, "data.text_column")):
            yield _cell(cell, table.where(row))
        return
    try:
        with path.open("rb") as stream:
            yield from read_lines(stream, str(path), reading.encoding)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def read_lines(stream: BinaryIO, name: str, encoding: str = "utf-8") -> Iterator[str]:
    r"""Texts of a stream, one a line; lines end at "\n" only, and are read as they are wanted.

    An empty line is an empty text, so that answers stay beside their lines.

    Raises:
        UserError: a line is too long, not of the encoding, or holds a NUL character.
    """
    _check_encoding(encoding)
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES), b""), start=1):
        where = f"{name}, line {number}"
        if number == 1:
            refuse_other_formats(name, line, encoding)
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise UserError(f"{where}: the text has more than {MAX_CHARACTERS:,} characters; cut it before")
        try:
            text = line.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)
        except UnicodeDecodeError as error:
            raise UserError(
                f"{where}: byte {error.start + 1} of it (0x{line[error.start]:02x}) is not {encoding}; "
                "set --encoding to the one it was written in (cp1252 and cp1251 are common)"
            ) from None
        yield check_text(text, where)


def check_text(text: str, where: str) -> str:
    """Return a text that a model can be asked about; an empty one too.

    Raises:
        UserError: it has too many characters, a NUL, or half a surrogate pair.
    """
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"{where}: the text has {len(text):,} characters, more than {MAX_CHARACTERS:,}; cut it"
        )
    found = DAMAGED.search(text)
    if found and found[0] == "\0":
        raise UserError(f"{where}: the text holds a NUL character; it is binary, damaged or UTF-16")
    if found:  # as Python reads bytes of a command line that are not of its encoding
        raise UserError(f"{where}: the text is not UTF-8, or holds half a surrogate pair")
    return text


def _cell(cell: Any, where: str) -> str:
    if cell is None or cell != cell:  # NaN, as Parquet writes a missing text
        return ""
    if not isinstance(cell, str):
        raise UserError(f"{where}: the text is {type(cell).__name__} {cell!r:.40}, not a string")
    return check_text(cell, where)


def _check_encoding(encoding: str) -> None:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise UserError(f"--encoding={encoding} is not an encoding Python knows") from None
    if name.startswith(("utf-16", "utf-32")):
        raise UserError(
            f"--encoding={encoding}: lines are read as single bytes or UTF-8; convert the file first"
        )
