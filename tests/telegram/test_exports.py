"""Which files an export consists of, and what is said of what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from telegram_files import result, write_page, write_result

from emoji_pred.errors import UserError
from emoji_pred.telegram.exports import find_files


def names(*exports: Path, root: Path) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in find_files(exports)[0]]


def test_pages_come_in_natural_order_from_folders_below_too(tmp_path: Path) -> None:
    for name in ("messages10", "messages2", "messages", "messages1000"):
        write_page(tmp_path / "chat" / f"{name}.html", "текст")
    write_page(tmp_path / "account" / "chats" / "chat_2" / "messages.html", "текст")
    write_page(tmp_path / "account" / "chats" / "chat_10" / "messages.html", "текст")
    write_page(tmp_path / "account" / "export_results.html", "текст")
    (tmp_path / "chat" / "photos").mkdir()
    (tmp_path / "chat" / "photos" / "x.jpg").write_bytes(b"\xff\xd8")
    assert names(tmp_path / "chat", tmp_path / "account", root=tmp_path) == [
        *(f"chat/messages{number}.html" for number in ("", 2, 10, 1000)),
        *(f"account/chats/chat_{number}/messages.html" for number in (2, 10)),
    ]


def test_result_json_is_read_and_not_the_pages_beside_it(tmp_path: Path) -> None:
    write_result(tmp_path / "both" / "result.json", result("текст"))
    write_page(tmp_path / "both" / "messages.html", "текст")
    write_result(tmp_path / "account" / "result.json", result("текст"))
    write_page(tmp_path / "account" / "chats" / "chat_1" / "messages.html", "текст")
    files, remarks = find_files([tmp_path])
    assert [file.path.parent.name for file in files] == ["account", "both"]
    assert {file.kind for file in files} == {"json"}
    assert len(remarks) == 2


def test_a_file_is_read_once_however_it_is_named(tmp_path: Path) -> None:
    file = write_result(tmp_path / "chat" / "result.json", result("текст"))
    (tmp_path / "again").symlink_to(tmp_path / "chat")
    paths = [file, tmp_path / "chat", file, tmp_path / "again"]
    assert names(*paths, root=tmp_path) == ["chat/result.json"]
    other = write_result(tmp_path / "renamed.json", result("текст"))
    assert find_files([other])[0][0].kind == "json"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("export.zip", b"PK\x03\x04rest", "is a zip archive: unpack it"),
        ("messages.html", b"PK\x03\x04rest", "is a zip archive: unpack it"),
        ("result.json", b"\xff\xfe{\0", "is UTF-16 text"),
        ("result.json", b'{\0"\0', "is binary, damaged or UTF-16"),
        ("result.json", b"", "is empty"),
        ("result.json", b"\x1f\x8b\x08", "is gzip-compressed: unpack it"),
        ("notes.txt", b"hello", "is no export of Telegram Desktop"),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        find_files([path])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_folders_without_an_export_and_missing_paths_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty"):
        find_files([tmp_path])
    with pytest.raises(UserError, match=r"nowhere does not exist; name a folder with messages\.html"):
        find_files([tmp_path / "nowhere"])
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="holds no export"):
        find_files([tmp_path])
    (tmp_path / "ChatExport.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"unpack ChatExport\.zip first"):
        find_files([tmp_path])


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    file = write_result(tmp_path / "result.json", result("текст"))
    monkeypatch.setattr(Path, "open", refused)  # as root, a test may read everything
    with pytest.raises(UserError, match=r"result\.json cannot be read: Permission denied"):
        find_files([file])
