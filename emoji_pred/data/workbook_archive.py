"""What an .xlsx file is as an archive: every part of it is unpacked once, within limits, before it is read.

The sizes in a zip directory are only what its author says, so they are checked there first and counted again
as the parts are unpacked. Parts with a document type, where entities are declared, are refused.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

from emoji_pred.errors import UserError

MAX_PARTS = 1_000  # files in the archive
MAX_UNZIPPED = 256 << 20  # bytes of all parts together
MAX_RATIO = 200  # unpacked to packed, of archives that unpack to more than SMALL; rows of zeros have 16
SMALL = 8 << 20  # bytes
_CHUNK = 1 << 16
_COMPOUND = b"\xd0\xcf\x11\xe0"  # of old workbooks, and of encrypted new ones
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")


def check_archive(path: Path, content: bytes) -> bool:
    """Unpack every part of a workbook once, within the limits; say whether a sheet of it holds a formula.

    Raises:
        UserError: it is no workbook, is protected or damaged, unpacks to too much, or a package is missing.
    """
    if content.startswith(_COMPOUND):
        if _ENCRYPTED in content:
            raise UserError(f"{path} is protected by a password: save it without one")
        raise UserError(f"{path} is an old Excel workbook (.xls), whatever its name: save it as .xlsx or CSV")
    if not content.startswith(b"PK"):
        raise UserError(f"{path} is not an Excel workbook, though data.format or its name says so")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if "[Content_Types].xml" not in archive.namelist():
                raise UserError(f"{path} is a zip archive, but not an Excel workbook (.xlsx)")
            _check_directory(path, parts, len(content))
            formulas, left = False, MAX_UNZIPPED
            for part in parts:
                size, holds_formula = _unpack(archive, part, left)
                left -= size
                if left < 0:
                    raise UserError(f"{path} unpacks to more than {MAX_UNZIPPED >> 20} MB")
                formulas |= holds_formula
                if part.filename.endswith((".xml", ".rels")):
                    _refuse_document_type(path, archive, part)
            return formulas
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path}: damaged workbook, perhaps cut short ({str(error)[:120]})") from None


def _refuse_document_type(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Read a part up to its first element, before which a document type stands."""
    try:
        import openpyxl  # noqa: F401
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, iterparse
    except ImportError:
        raise UserError(
            f"{path}: workbooks need pip install -e '.[spreadsheets]'; or save it as CSV"
        ) from None
    try:
        with archive.open(part) as stream:
            next(iter(iterparse(stream, events=("start",), forbid_dtd=True)), None)
    except DefusedXmlException:
        raise UserError(f"{path}: {part.filename} has a document type, which no workbook needs") from None
    except ParseError as error:
        raise UserError(f"{path}: damaged workbook ({part.filename}: {str(error)[:120]})") from None


def _check_directory(path: Path, parts: list[zipfile.ZipInfo], packed: int) -> None:
    """Refuse by what the archive's directory says, before anything is unpacked."""
    if len(parts) > MAX_PARTS:
        raise UserError(f"{path} has {len(parts):,} parts, more than {MAX_PARTS:,}")
    if any(part.flag_bits & 1 for part in parts):
        raise UserError(f"{path} is protected by a password: save it without one")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNZIPPED:
        raise UserError(f"{path} unpacks to {unpacked >> 20:,} MB, more than {MAX_UNZIPPED >> 20} MB")
    if unpacked > max(SMALL, MAX_RATIO * packed):
        raise UserError(
            f"{path} unpacks to {unpacked // max(packed, 1):,} times its size, more than {MAX_RATIO}: "
            "is it a zip bomb? save it again, or as CSV"
        )


def _unpack(archive: zipfile.ZipFile, part: zipfile.ZipInfo, left: int) -> tuple[int, bool]:
    """Unpack a part and throw it away: (its bytes, whether it holds a formula); stops past `left` bytes.

    The checksum at its end is compared, so a part that is longer than the directory says counts as damaged.
    """
    size, formula, tail = 0, False, b""
    is_sheet = part.filename.startswith("xl/worksheets/")
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > left:
                break
            if is_sheet and not formula:
                formula = _FORMULA.search(tail + chunk) is not None
                tail = chunk[-64:]
    return size, formula
