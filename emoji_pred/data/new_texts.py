"""Texts that a trained model is asked about: typed, from a file, or from a stream of lines of any length."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from emoji_pred.data.rows import DAMAGED
from emoji_pred.data.tables import SUFFIXES, Reading, refuse_other_formats
from emoji_pred.errors import UserError

MAX_CHARACTERS = 100_000  # as of `data.max_text_chars`: no short text is longer


@dataclass(frozen=True)
class Refused:
    """What stands in the place of a text of a stream that cannot be used.

    Attributes:
        why: one line that names the line.
    """

    why: str


def typed(texts: Iterable[str], longest: int = MAX_CHARACTERS) -> Iterator[str]:
    """Texts of a command line, of at most `longest` characters.

    Raises:
        UserError: a text is too long or not UTF-8.
    """
    for number, text in enumerate(texts, start=1):
        yield check_text(text, f"text {number}", longest)


def read_file(
    path: Path, reading: Reading, as_lines: bool | None, column: str, longest: int = MAX_CHARACTERS
) -> Iterator[str]:
    """Texts of a file, in its order: of one column of a table, or one a line.

    Lines are read as they are wanted. A table is read whole (`reading.max_bytes` bounds it).

    Args:
        path: the file.
        reading: format, encoding and so on of tables; of lines, the encoding.
        as_lines: None: by the file's suffix.
        column: of a table, where the texts are.
        longest: characters that a text may have.

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
            yield _cell(cell, table.where(row), longest)
        return
    try:
        with path.open("rb") as stream:
            yield from read_lines(stream, str(path), reading.encoding, longest)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def read_lines(
    stream: BinaryIO, name: str, encoding: str = "utf-8", longest: int = MAX_CHARACTERS
) -> Iterator[str]:
    r"""Texts of a stream, one a line; lines end at "\n" only, and are read as they are wanted.

    An empty line is an empty text, so that answers stay beside their lines.

    Args:
        stream: of bytes.
        name: of it, for messages.
        encoding: of its lines.
        longest: characters that a text may have; of a longer line little more than that is read.

    Raises:
        UserError: a line is too long, not of the encoding, or holds a NUL character.
    """
    for where, line, is_cut in _lines(stream, name, encoding, longest):
        yield _text_of(line, is_cut, where, encoding, longest)


def read_stream(
    stream: BinaryIO, name: str, encoding: str = "utf-8", longest: int = MAX_CHARACTERS
) -> Iterator[str | Refused]:
    """As `read_lines`, but a line that cannot be used is passed over, and said in its place.

    Raises:
        UserError: there is no such encoding, or the stream is no text at all.
    """
    for where, line, is_cut in _lines(stream, name, encoding, longest):
        try:
            text: str | Refused = _text_of(line, is_cut, where, encoding, longest)
        except UserError as error:
            text = Refused(str(error))
        yield text


def _lines(stream: BinaryIO, name: str, encoding: str, longest: int) -> Iterator[tuple[str, bytes, bool]]:
    """Where each line stands, its bytes, and whether they are only the beginning of a line without end."""
    _check_encoding(encoding)
    most = 4 * longest + 8  # of UTF-8, with a byte order mark and the end of the line
    for number, line in enumerate(iter(lambda: stream.readline(most), b""), start=1):
        is_cut = len(line) == most and not line.endswith(b"\n")
        if number == 1:
            refuse_other_formats(name, line, encoding)
            line = line.removeprefix(codecs.BOM_UTF8)
        yield f"{name}, line {number}", line, is_cut
        while is_cut and (rest := stream.readline(most)):
            is_cut = not rest.endswith(b"\n")


def _text_of(line: bytes, is_cut: bool, where: str, encoding: str, longest: int) -> str:
    if is_cut:
        raise UserError(f"{where}: the text has more than {longest:,} characters; cut it before")
    try:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: byte {error.start + 1} of it (0x{line[error.start]:02x}) is not {encoding}; "
            "set --encoding to the one it was written in (cp1252 and cp1251 are common)"
        ) from None
    return check_text(text, where, longest)


def check_text(text: str, where: str, longest: int = MAX_CHARACTERS) -> str:
    """Return a text that a model can be asked about; an empty one too.

    Raises:
        UserError: it has more than `longest` characters, a NUL, or half a surrogate pair.
    """
    if len(text) > longest:
        raise UserError(f"{where}: the text has {len(text):,} characters, more than {longest:,}; cut it")
    found = DAMAGED.search(text)
    if found and found[0] == "\0":
        raise UserError(f"{where}: the text holds a NUL character; it is binary, damaged or UTF-16")
    if found:  # as Python reads bytes of a command line that are not of its encoding
        raise UserError(f"{where}: the text is not UTF-8, or holds half a surrogate pair")
    return text


def _cell(cell: Any, where: str, longest: int) -> str:
    if cell is None or cell != cell:  # NaN, as Parquet writes a missing text
        return ""
    if not isinstance(cell, str):
        raise UserError(f"{where}: the text is {type(cell).__name__} {cell!r:.40}, not a string")
    return check_text(cell, where, longest)


def _check_encoding(encoding: str) -> None:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise UserError(f"--encoding={encoding} is not an encoding Python knows") from None
    if name.startswith(("utf-16", "utf-32")):
        raise UserError(
            f"--encoding={encoding}: lines are read as single bytes or UTF-8; convert the file first"
        )
