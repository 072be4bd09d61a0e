"""Which files an export consists of, in which order, and what is no export at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from emoji_pred.errors import UserError

RESULT = "result.json"
_PAGE = re.compile(r"messages(\d*)\.html?", re.IGNORECASE)
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive: unpack it and name the folder"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"Rar!", "a RAR archive: unpack it and name the folder"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it and name the folder"),
    (b"\x1f\x8b", "gzip-compressed: unpack it"),
    (b"\xff\xfe", "UTF-16 text; an export is UTF-8: export it again, or convert it"),
    (b"\xfe\xff", "UTF-16 text; an export is UTF-8: export it again, or convert it"),
)
_WANTED = "a folder with messages.html (and messages2.html, ...), or result.json"


@dataclass(frozen=True)
class ExportFile:
    """One file of an export.

    Attributes:
        path: of the file.
        kind: `html`: a page of a chat; `json`: a result.json of one chat or of many.
        folder: pages of one folder are one chat.
        size: bytes.
    """

    path: Path
    kind: Literal["html", "json"]
    folder: Path
    size: int


def find_files(exports: Sequence[Path]) -> tuple[list[ExportFile], list[str]]:
    """Every file of the named folders and files, pages in their natural order, none twice.

    A folder that holds a result.json is read from it, also where pages of the same chats lie beside or below
    (an export as HTML and JSON).

    Returns:
        The files, and a remark for each folder whose pages were passed over.

    Raises:
        UserError: a path does not exist, cannot be read, or holds no export.
    """
    found: dict[Path, ExportFile] = {}
    remarks: list[str] = []
    for export in exports:
        for path, kind in _files_of(export, remarks):
            found.setdefault(path.resolve(), _checked(path, kind))
    return list(found.values()), remarks


def _files_of(export: Path, remarks: list[str]) -> Iterator[tuple[Path, Literal["html", "json"]]]:
    if export.is_dir():
        yielded = False
        for item in _walk(export, remarks):
            yielded = True
            yield item
        if not yielded:
            _no_export(export)
        return
    if not _exists(export):
        raise UserError(f"{export} does not exist; name {_WANTED}")
    suffix = export.suffix.lower()
    if suffix in (".html", ".htm"):
        yield export, "html"
    elif suffix == ".json":
        yield export, "json"
    else:
        _refuse_other_formats(export)
        raise UserError(f"{export} is no export of Telegram Desktop; name {_WANTED}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a folder on the way that may not be entered
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _walk(folder: Path, remarks: list[str]) -> Iterator[tuple[Path, Literal["html", "json"]]]:
    """The files below a folder, folders in natural order; links to other folders are not followed."""
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        folders.sort(key=_natural)
        if RESULT in names:
            pages = any(_PAGE.fullmatch(name) for name in names) or _pages_below(Path(place), folders)
            if pages:
                remarks.append(f"{Path(place) / RESULT} is read, and not the pages (HTML) beside or below it")
            folders.clear()
            yield Path(place) / RESULT, "json"
            continue
        for name in sorted((name for name in names if _PAGE.fullmatch(name)), key=_natural):
            yield Path(place) / name, "html"


def _pages_below(place: Path, folders: Sequence[str]) -> bool:
    return "chats" in folders and any(place.glob("chats/chat_*/messages.html"))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts messages2.html before messages10.html, and messages.html before both."""
    return [(int(digits or 0), words) for words, digits in re.findall(r"(\D*)(\d*)", name)]


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}")


def _no_export(folder: Path) -> NoReturn:
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        raise UserError(f"{folder} is empty; name {_WANTED}")
    archives = [name for name in names if name.lower().endswith((".zip", ".rar", ".7z", ".gz"))]
    hint = f"; unpack {archives[0]} first" if archives else f"; name {_WANTED}"
    raise UserError(f"{folder} holds no export of Telegram Desktop{hint}")


def _checked(path: Path, kind: Literal["html", "json"]) -> ExportFile:
    _refuse_other_formats(path)
    return ExportFile(path, kind, path.parent.resolve(), path.stat().st_size)


def _refuse_other_formats(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(1024)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    for signature, description in _SIGNATURES:
        if start.startswith(signature):
            raise UserError(f"{path} is {description}")
    if not start:
        raise UserError(f"{path} is empty; export the chat again, or take the file out")
    if b"\0" in start:
        raise UserError(f"{path} is binary, damaged or UTF-16; an export is UTF-8 text")
