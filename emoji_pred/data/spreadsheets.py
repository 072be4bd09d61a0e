"""Reading of one sheet of an .xlsx workbook, bounded before and while it is unpacked, nothing computed.

openpyxl reads the cells, with defusedxml for the XML, after `workbook_archive` has found the file harmless.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoji_pred.data.workbook_archive import check_archive
from emoji_pred.errors import UserError, did_you_mean

MAX_ROWS = 1_048_576  # Excel's own limit; with the header and empty ones
MAX_COLUMNS = 1_000
MAX_CELLS = 50_000_000  # of all rows up to their last cell, empty ones too: a few seconds
MAX_CELL_CHARS = 32_767  # Excel's own limit


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook: its first row that is not empty names the columns.

    Attributes:
        path: the file.
        content: its bytes.
        name: of the sheet.
        header: (row of the sheet, name of each column or None).
        has_formulas: a sheet of the workbook holds a formula.
    """

    path: Path
    content: bytes
    name: str
    header: tuple[int, tuple[str | None, ...]]
    has_formulas: bool

    @classmethod
    def read(cls, path: Path, content: bytes, sheet: str | None = None) -> Sheet:
        """Check a workbook and read the header of a sheet; None is the first.

        Raises:
            UserError: it is no workbook, is protected, damaged or too large, or has no such sheet.
        """
        has_formulas = check_archive(path, content)
        with _told(path), closing(_open(content, data_only=True)) as book:
            names = [one.title for one in book.worksheets]
            if not names:
                raise UserError(f"{path} has no sheet with cells")
            if sheet is not None and sheet not in names:
                raise UserError(
                    f"{path}: data.sheet={sheet} is not in the workbook{did_you_mean(sheet, names)}"
                )
            name = sheet or names[0]
            found = next(_filled(path, book[name]), None)
            if found is None:
                others = f"; other sheets: {', '.join(names)[:200]} (data.sheet)" if len(names) > 1 else ""
                raise UserError(f"{path}: sheet {name!r} is empty{others}")
            row, cells = found
        header = tuple(
            str(value).strip() or None if (value := cell.value) is not None else None for cell in cells
        )
        repeated = sorted({one for one in header if one is not None and header.count(one) > 1})
        if repeated:
            raise UserError(f"{path}, row {row}: column {repeated[0]!r} stands twice in the header")
        return cls(path, content, name, (row, header), has_formulas)

    @property
    def note(self) -> str:
        """What may explain that a column is missing: cells of the header without a name."""
        row, names = self.header
        last = max((place for place, name in enumerate(names) if name is not None), default=-1)
        unnamed = [_letters(place) for place in range(1, last) if names[place] is None]
        found = f"; the header was taken from row {row} of sheet {self.name!r}"
        if unnamed or last == 0:
            return f"{found}, which has cells without a name: unmerge merged cells and remove titles above it"
        return found

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (row of the sheet from 1, cells by column name) below the header; empty rows are passed over.

        Cells under no name are passed over too. Of a formula the value is taken that the program which wrote
        the file stored beside it.

        Raises:
            UserError: the sheet is damaged or too large; a cell has a formula without a value, or an error.
        """
        first, names = self.header
        with _told(self.path), closing(_open(self.content, data_only=True)) as book:
            formulas = self._formulas()
            for row, cells in _filled(self.path, book[self.name]):
                if row <= first:
                    continue
                found: dict[str, Any] = {name: None for name in names if name is not None}
                for place, (name, cell) in enumerate(zip(names, cells, strict=False)):
                    if name is not None:
                        found[name] = self._value(cell, f"{_letters(place)}{row}", formulas)
                if any(value is not None for value in found.values()):
                    yield row, found
            for cell_name in formulas:  # of rows that are otherwise empty
                self._refuse_formula(cell_name)

    def _formulas(self) -> dict[str, None]:
        """The cells of named columns that hold a formula, in order; each goes when its value was seen."""
        if not self.has_formulas:
            return {}
        first, names = self.header
        with closing(_open(self.content, data_only=False)) as book:
            return {
                f"{_letters(place)}{row}": None
                for row, cells in _filled(self.path, book[self.name])
                if row > first
                for place, (name, cell) in enumerate(zip(names, cells, strict=False))
                if name is not None and cell.data_type == "f"
            }

    def _value(self, cell: Any, cell_name: str, formulas: dict[str, None]) -> Any:
        value = cell.value
        if cell_name in formulas:
            if value is None:
                self._refuse_formula(cell_name)
            del formulas[cell_name]
        if value is not None and cell.data_type == "e":
            raise UserError(f"{self.path}, cell {cell_name}: holds the error {value}; put a value there")
        if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
            raise UserError(
                f"{self.path}, cell {cell_name}: {len(value)} characters, more than a cell of Excel can hold "
                f"({MAX_CELL_CHARS})"
            )
        return value

    def _refuse_formula(self, cell_name: str) -> None:
        raise UserError(
            f"{self.path}, cell {cell_name}: a formula without a stored value, and formulas are not "
            "computed; open and save the file in a spreadsheet program, or put the value there"
        )


def _letters(place: int) -> str:
    """The letters of a column from 0: A, B, ..., Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _open(content: bytes, *, data_only: bool) -> Any:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that are not read
        return openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False, keep_vba=False
        )


def _filled(path: Path, sheet: Any) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield (row from 1, cells) of rows that hold something; what a sheet says of its size is ignored."""
    sheet.reset_dimensions()
    seen = 0
    for row, cells in enumerate(sheet.iter_rows(), start=1):
        if row > MAX_ROWS:
            raise UserError(f"{path}, sheet {sheet.title!r}: more than {MAX_ROWS:,} rows")
        seen += len(cells)
        if seen > MAX_CELLS:
            raise UserError(
                f"{path}, row {row}: more than {MAX_CELLS:,} cells, empty ones counted; delete the columns "
                "to the right of the table, or save it as CSV"
            )
        used = _used(cells)
        if used > MAX_COLUMNS:
            raise UserError(f"{path}, row {row}: {used:,} columns, more than {MAX_COLUMNS:,}")
        if used:
            yield row, cells[:used]


def _used(cells: Sequence[Any]) -> int:
    """How many cells a row has up to the last one that holds something; one with a style alone does not."""
    for place in range(len(cells), 0, -1):
        cell = cells[place - 1]
        if cell.value is not None or cell.data_type == "f":
            return place
    return 0


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn whatever openpyxl raises on a damaged workbook into one line."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}".partition("\n")[0][:150]
        raise UserError(f"{path}: damaged workbook ({what}); open and save it again") from None
