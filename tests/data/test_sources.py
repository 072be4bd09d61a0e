from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emoji_pred.data import sources
from emoji_pred.data.sources import PinnedFile, fetch, git_blob_id
from emoji_pred.errors import UserError

COMMIT = "4fbd22cd78421f05b1ecdb4fc5725bc7a7bd8f66"
CONTENT = b"hello\n"
BLOB_ID = "ce013625030ba8dba906f756967f9e9ca394464a"  # what `git hash-object` prints for "hello\n"
PINNED = PinnedFile("owner/repo", COMMIT, "folder/a file.txt", BLOB_ID)
NO_SERVER = "http://127.0.0.1:9"


class Server:
    """A local stand-in for the public address: one file, and how often it was asked for."""

    def __init__(self, root: Path) -> None:
        self.served = root / "owner/repo" / COMMIT / "folder/a file.txt"
        self.served.parent.mkdir(parents=True)
        self.served.write_bytes(CONTENT)
        self.requests: list[str] = []
        requests = self.requests

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                if "GET" in str(args[0]):
                    requests.append(str(args[0]))

        handler = functools.partial(Handler, directory=str(root))
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "public")
    thread = threading.Thread(target=running.http.serve_forever, daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    thread.join()
    running.http.server_close()


def get(data_dir: Path, address: str) -> Path:
    return fetch([PINNED], data_dir, show_progress=False, base_address=address)[0]


def left_overs(data_dir: Path) -> list[Path]:
    return [path for path in data_dir.rglob("*") if path.suffix in (".part", ".lock")]


def test_git_blob_id_of_bytes_and_files_is_what_git_prints(tmp_path: Path) -> None:
    assert git_blob_id(CONTENT) == BLOB_ID
    assert git_blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    large = os.urandom(sources._CHUNK + 17)
    (tmp_path / "large").write_bytes(large)
    assert git_blob_id(tmp_path / "large") == git_blob_id(large)


def test_a_file_is_fetched_once_and_then_only_read(tmp_path: Path, server: Server) -> None:
    path = get(tmp_path / "cache", server.address)
    assert path == tmp_path / "cache/owner/repo/folder/a file.txt"
    assert path.read_bytes() == CONTENT
    assert get(tmp_path / "cache", NO_SERVER) == path
    assert len(server.requests) == 1
    assert not left_overs(tmp_path / "cache")


def test_a_new_file_is_as_readable_as_any_other(tmp_path: Path, server: Server) -> None:
    (tmp_path / "plain").write_bytes(b"")
    assert get(tmp_path, server.address).stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("damaged", [b"hellp\n", b"hel", b""])
def test_a_corrupted_file_is_fetched_again(tmp_path: Path, server: Server, damaged: bytes) -> None:
    path = PINNED.local_path(tmp_path / "cache")
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged)
    assert get(tmp_path / "cache", server.address).read_bytes() == CONTENT


def test_offline_the_error_says_what_to_put_where_and_the_users_file_stays(tmp_path: Path) -> None:
    path = PINNED.local_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(UserError) as error:
        get(tmp_path, NO_SERVER)
    for word in ("a file.txt", "corrupted", BLOB_ID, str(path), "EMOJI_PRED_DATA", "data_dir"):
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"mine"
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        get(tmp_path, NO_SERVER)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("served", [b"<html>error</html>", b"hell", None])
def test_a_wrong_download_never_replaces_the_users_file(
    tmp_path: Path, server: Server, served: bytes | None
) -> None:
    if served is None:
        server.served.unlink()
    else:
        server.served.write_bytes(served)
    path = PINNED.local_path(tmp_path / "cache")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(UserError, match="404" if served is None else "cut or changed"):
        get(tmp_path / "cache", server.address)
    assert path.read_bytes() == b"mine"
    assert not left_overs(tmp_path)


def test_a_download_without_end_is_stopped(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 3)
    with pytest.raises(UserError, match="larger than 3 bytes"):
        get(tmp_path / "cache", server.address)


def test_what_a_killed_download_left_is_cleared(tmp_path: Path, server: Server) -> None:
    path = PINNED.local_path(tmp_path / "cache")
    path.parent.mkdir(parents=True)
    (path.parent / f".{path.name}.123.part").write_bytes(b"hal")
    get(tmp_path / "cache", server.address)
    assert not left_overs(tmp_path)


def test_a_read_only_cache_that_verifies_is_never_written_to(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(tmp_path / "cache", server.address)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sources, "_mend", lambda *_: pytest.fail("the cache was touched"))
    get(tmp_path / "cache", NO_SERVER)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path: Path, server: Server) -> None:
    # A file where a folder must be: works for root too, whom no permission stops.
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(UserError) as error:
        get(tmp_path / "cache", server.address)
    assert "a file.txt" in str(error.value) and "EMOJI_PRED_DATA" in str(error.value)


def test_parallel_processes_download_once(tmp_path: Path, server: Server) -> None:
    program = (
        "import sys; from pathlib import Path; from emoji_pred.data.sources import *\n"
        f"file = PinnedFile('owner/repo', {COMMIT!r}, 'folder/a file.txt', {BLOB_ID!r})\n"
        f"print(fetch([file], Path({str(tmp_path / 'cache')!r}), False, {server.address!r})[0].read_text())"
    )
    command = [sys.executable, "-c", program]
    root = str(Path(sources.__file__).parents[2])
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0].strip() for process in running] == ["hello"] * 3
    assert len(server.requests) == 1
    assert not left_overs(tmp_path)


def test_a_lock_whose_file_is_removed_still_keeps_processes_apart(tmp_path: Path) -> None:
    # Whoever holds the lock makes a file that must not be there, and removes it.
    program = (
        "import os, sys; from filelock import FileLock\n"
        "from emoji_pred.data.sources import _removed_at_last\n"
        "inside = sys.argv[1] + '.inside'\n"
        "for _ in range(200):\n"
        "    lock = FileLock(sys.argv[1], poll_interval=0.0002)\n"
        "    with lock, _removed_at_last(lock):\n"
        "        os.close(os.open(inside, os.O_CREAT | os.O_EXCL)); os.unlink(inside)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.lock")]
    root = str(Path(sources.__file__).parents[2])
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, cwd=root, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in running] == [""] * 4
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_waits_while_the_lock_goes_downloads_after_the_other_failed(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = PINNED.local_path(tmp_path / "cache")
    program = (
        "import sys; from pathlib import Path; from emoji_pred.data.sources import *\n"
        f"file = PinnedFile('owner/repo', {COMMIT!r}, 'folder/a file.txt', {BLOB_ID!r})\n"
        "print('waits', flush=True)\n"
        f"print(fetch([file], Path({str(tmp_path / 'cache')!r}), False, {server.address!r})[0].read_text())"
    )
    waiting: list[subprocess.Popen[str]] = []

    def fails(*_: object) -> None:  # while this process holds the lock, another one comes
        root = str(Path(sources.__file__).parents[2])
        waiting.append(
            subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root, text=True)
        )
        assert waiting[0].stdout is not None and waiting[0].stdout.readline() == "waits\n"
        time.sleep(0.3)
        assert waiting[0].poll() is None and not path.exists()
        raise OSError("the network is down")

    monkeypatch.setattr(sources, "_download", fails)
    with pytest.raises(UserError, match="the network is down"):
        get(tmp_path / "cache", server.address)
    assert waiting[0].communicate(timeout=60)[0].strip() == "hello"
    assert not left_overs(tmp_path)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("path", "../outside"),
        ("path", "/etc/passwd"),
        ("path", "a/../../b"),
        ("repository", "owner"),
        ("repository", "../.."),
        ("commit", "main"),
        ("blob_id", "abc"),
    ],
)
def test_a_pin_that_is_no_pin_is_refused(part: str, value: str) -> None:
    parts = {"repository": "owner/repo", "commit": COMMIT, "path": "a", "blob_id": BLOB_ID}
    with pytest.raises(UserError):
        PinnedFile(**(parts | {part: value}))
