"""Workbooks: what people put into them, and files that are not what their names say."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from emoji_pred.data import spreadsheets, workbook_archive
from emoji_pred.data.tables import Reading, Table
from emoji_pred.errors import UserError

HEADER = ["text", "joy", "anger"]
ROWS: list[list[Any]] = [["ایک", 1, 0], ["دو", True, False], ["three", 0.0, 1.0]]


def save(path: Path, rows: list[list[Any]], **more: list[list[Any]]) -> Path:
    """Write a workbook; further sheets by name."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for row in rows:
        sheet.append(row)
    for name, cells in more.items():
        other = book.create_sheet(name)
        for row in cells:
            other.append(row)
    book.save(path)
    return path


def repack(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Write the parts of a workbook anew, each changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(name, content))
    return path


def sheet_xml(change: Callable[[bytes], bytes]) -> Callable[[str, bytes], bytes]:
    return lambda name, content: change(content) if name == "xl/worksheets/sheet1.xml" else content


def read(path: Path, wanted: list[str] | None = None, **options: Any) -> Table:
    return Reading(**options).table(path, wanted)


def error_of(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        read(path, **options).column("joy", "data.label_column")
    message = str(error.value)
    assert "\n" not in message and path.name in message
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(tmp_path / "data.xlsx", [HEADER, *ROWS])


# --- what is read


def test_cells_keep_their_values_and_rows_their_numbers(path: Path) -> None:
    table = read(path)
    assert table.names == tuple(HEADER)
    assert table.columns == {"text": ["ایک", "دو", "three"], "joy": [1, True, 0], "anger": [0, False, 1]}
    assert table.where(2).endswith("data.xlsx, row 3 (line 4)")
    assert read(path, ["joy", "nowhere"]).columns == {"joy": [1, True, 0]}


def test_empty_rows_and_columns_without_a_name_are_passed_over(tmp_path: Path) -> None:
    # As pandas writes its index: a first column without a name; blank rows above, between and below.
    indexed = [[None, *HEADER], *([place, *row, None, "a note"] for place, row in enumerate(ROWS))]
    rows = [[], *indexed[:2], [], [None, None], *indexed[2:], [None] * 4, []]
    table = read(save(tmp_path / "data.xlsx", rows))
    assert table.names == tuple(HEADER)
    assert table.columns["text"] == ["ایک", "دو", "three"]
    assert table.lines == [3, 6, 7]


def test_the_first_sheet_or_the_named_one(tmp_path: Path) -> None:
    path = save(tmp_path / "data.xlsx", [HEADER, *ROWS], other=[HEADER, ["only", 1, 1]])
    assert read(path).columns["text"][0] == "ایک"
    assert read(path, sheet="other").columns["text"] == ["only"]
    assert "data.sheet=othre is not in the workbook; did you mean other?" in error_of(path, sheet="othre")
    empty = save(tmp_path / "empty.xlsx", [], other=[HEADER, ["only", 1, 1]])
    assert "sheet 'Sheet1' is empty; other sheets: Sheet1, other" in error_of(empty)


def test_a_formula_gives_its_stored_value(path: Path) -> None:
    plain, computed = b'<c r="B2" t="n"><v>1</v></c>', b'<c r="B2"><f>1+1</f><v>7</v></c>'
    formula = sheet_xml(lambda xml: xml.replace(plain, computed))
    assert read(repack(path, formula)).columns["joy"] == [7, True, 0]


def test_strings_may_stand_in_a_table_of_their_own(path: Path) -> None:
    """As Excel writes them, here in two runs of one cell."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            "xl/sharedStrings.xml",
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="1">'
            "<si><r><t>چا</t></r><r><t>ر</t></r></si></sst>",
        )
    declared = b"""<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>"""  # noqa: E501

    def change(name: str, content: bytes) -> bytes:
        if name == "[Content_Types].xml":
            return content.replace(b"</Types>", declared)
        return content.replace(b't="inlineStr"><is><t>three</t></is>', b't="s"><v>0</v>')

    assert read(repack(path, change)).columns["text"] == ["ایک", "دو", "چار"]


def test_the_size_that_a_sheet_gives_itself_is_not_believed(path: Path) -> None:
    claims = sheet_xml(lambda xml: xml.replace(b'ref="A1:C4"', b'ref="A1:A2"'))
    assert len(read(repack(path, claims)).columns["joy"]) == 3


def test_a_format_is_known_by_its_option_too(path: Path) -> None:
    renamed = path.rename(path.with_suffix(".data"))
    assert read(renamed, format="xlsx").columns["joy"] == [1, True, 0]
    assert "data.format=xlsx" in error_of(renamed, format="csv")


# --- cells that cannot be used


def test_a_formula_without_a_value_names_its_cell(tmp_path: Path) -> None:
    for cell, rows in {"B3": [ROWS[0], ["b", "=1+1", 0]], "C2": [["b", 1, "=SUM(A1:B1)"]]}.items():
        message = error_of(save(tmp_path / f"{cell}.xlsx", [HEADER, *rows]))
        assert f"cell {cell}: a formula without a stored value" in message


def test_an_error_value_names_its_cell(tmp_path: Path) -> None:
    assert "cell B2: holds the error #N/A" in error_of(
        save(tmp_path / "data.xlsx", [HEADER, ["a", "#N/A", 0]])
    )


def test_a_cell_longer_than_excel_can_hold_is_refused(path: Path) -> None:
    long = repack(path, lambda name, xml: xml.replace(b"three", b"x" * 40_000))
    assert "cell A4: 40000 characters" in error_of(long)


def test_a_merged_title_above_the_header_is_explained(tmp_path: Path) -> None:
    message = error_of(save(tmp_path / "data.xlsx", [["EmoThreat 2022", None, None], HEADER, *ROWS]))
    assert "the columns are: EmoThreat 2022" in message
    assert "taken from row 1 of sheet 'Sheet1', which has cells without a name: unmerge" in message
    message = error_of(
        save(tmp_path / "two.xlsx", [["text", "emotions", None, "id"], [None, *HEADER[1:]], *ROWS])
    )
    assert "unmerge" in message
    assert "unmerge" not in error_of(save(tmp_path / "plain.xlsx", [["text", "sad"], ["a", 1]]))


def test_a_column_twice(tmp_path: Path) -> None:
    assert "row 1: column 'joy' stands twice" in error_of(
        save(tmp_path / "data.xlsx", [["joy", "joy"], [1, 0]])
    )


# --- limits


def test_rows_and_columns_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = save(tmp_path / "wide.xlsx", [[f"c{n}" for n in range(spreadsheets.MAX_COLUMNS + 1)]])
    assert "row 1: 1,001 columns, more than 1,000" in error_of(wide)
    monkeypatch.setattr(spreadsheets, "MAX_ROWS", 3)
    assert "more than 3 rows" in error_of(save(tmp_path / "data.xlsx", [HEADER, *ROWS]))


def test_a_row_number_beyond_all_limits_ends_at_once(path: Path) -> None:
    def far(xml: bytes) -> bytes:
        for cell in (b"A4", b"B4", b"C4"):
            xml = xml.replace(b' r="%s"' % cell, b"")
        return xml.replace(b'<row r="4">', b'<row r="99999999999">')

    start = time.process_time()
    assert "more than 1,048,576 rows" in error_of(repack(path, sheet_xml(far)))
    assert time.process_time() - start < 5


def styled_far_right(path: Path, rows: int) -> Path:
    """A sheet whose rows each have an empty cell with a style in the last column of Excel."""
    cells = b"".join(
        b'<row r="%d"><c r="A%d"><v>1</v></c><c r="XFD%d" s="0"/></row>' % (n, n, n)
        for n in range(5, rows + 5)
    )
    return repack(path, sheet_xml(lambda xml: xml.replace(b"</sheetData>", cells + b"</sheetData>")))


def test_empty_cells_far_to_the_right_take_a_time_that_grows_with_their_number(path: Path) -> None:
    wide = styled_far_right(path, rows=30)
    start = time.process_time()
    assert read(wide).columns["text"] == ["ایک", "دو", "three", *[1] * 30]
    assert time.process_time() - start < 1.5  # half a million cells; some 5 s by copies of a row


def test_all_cells_together_are_limited(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_CELLS", 10 * 16_384)
    assert len(read(styled_far_right(path, rows=9)).columns["text"]) == 12
    message = error_of(styled_far_right(save(path, [HEADER, *ROWS]), rows=11))
    assert "row 14: more than 163,840 cells, empty ones counted; delete the columns" in message


def test_a_zip_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    bomb = repack(path, lambda name, xml: xml + b" " * (60 << 20) if name == "xl/styles.xml" else xml)
    assert bomb.stat().st_size < 100_000
    start = time.process_time()
    assert "times its size, more than 200" in error_of(bomb)
    assert time.process_time() - start < 1


def test_a_directory_that_lies_about_a_size_does_not_help(path: Path) -> None:
    size = 60 << 20
    repack(path, lambda name, xml: xml + b" " * size if name == "xl/styles.xml" else xml)
    with zipfile.ZipFile(path) as archive:
        part = archive.getinfo("xl/styles.xml")
    content = path.read_bytes()
    true, lie = part.file_size.to_bytes(4, "little"), (5_000).to_bytes(4, "little")
    assert content.count(true) == 2  # in the part's own header and in the directory
    path.write_bytes(content.replace(true, lie))
    start = time.process_time()
    assert "damaged workbook" in error_of(path)
    assert time.process_time() - start < 1


def test_what_is_unpacked_is_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_archive, "_check_directory", lambda *_: None)
    monkeypatch.setattr(workbook_archive, "MAX_UNZIPPED", 4_000)
    assert "unpacks to more than" in error_of(path)


def test_many_parts_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(workbook_archive.MAX_PARTS):
            archive.writestr(f"xl/media/{number}", b"")
    assert "parts, more than 1,000" in error_of(path)


def test_entities_are_refused(path: Path) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    for part in ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"):
        content = path.read_bytes()
        repack(path, lambda name, xml, part=part: bomb + xml.partition(b"?>")[2] if name == part else xml)
        assert f"{part} has a document type" in error_of(path)
        path.write_bytes(content)


# --- files that are something else


def test_damaged_and_foreign_files_are_one_line(tmp_path: Path, path: Path) -> None:
    whole = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "hello")
    compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    cases = {
        "damaged workbook, perhaps cut short": whole[: len(whole) // 2],
        "a zip archive, but not an Excel workbook": buffer.getvalue(),
        "an old Excel workbook (.xls), whatever its name": compound,
        "protected by a password": compound + "EncryptedPackage".encode("utf-16-le"),
        "is not an Excel workbook": b"text,joy\na,1\n",
        "is empty": b"",
    }
    for words, content in cases.items():
        path.write_bytes(content)
        assert words in error_of(path), words
    old = tmp_path / "old.xls"
    old.write_bytes(compound)
    assert "an old Excel workbook: save it as .xlsx" in error_of(old)


def test_every_byte_may_be_wrong(path: Path) -> None:
    """Whatever is damaged, the answer is a table or one line, never another exception."""
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read(path)
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml[: len(xml) // 2],
        lambda xml: xml.replace(b't="n"><v>0</v>', b't="s"><v>999</v>', 1),  # lacks such a string
        lambda xml: xml.replace(b't="n"', b't="s"').replace(b"<v>1</v>", b"<v>x</v>"),
        lambda xml: b"<worksheet/>",
    ],
)
def test_a_sheet_of_wrong_xml_is_one_line(path: Path, change: Callable[[bytes], bytes]) -> None:
    assert error_of(repack(path, sheet_xml(change)))


def test_without_the_extra_the_line_says_how_to_install_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "pip install -e '.[spreadsheets]'" in error_of(path)
