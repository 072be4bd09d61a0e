"""Pinned public files: fetched once, verified by git blob id, shared safely by parallel processes."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from emoji_pred.errors import UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock

PUBLIC_ADDRESS = "https://raw.githubusercontent.com"
TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 1800.0
MAX_BYTES = 1 << 30
_CHUNK = 1 << 20

Report = Callable[[int], None]


@dataclass(frozen=True)
class PinnedFile:
    """One file of a public GitHub repository at one commit.

    Attributes:
        repository: `owner/name`.
        commit: 40 hex digits.
        path: path inside the repository, with forward slashes.
        blob_id: git's own id of the content, 40 hex digits.

    Raises:
        UserError: a part is malformed, or the path would leave the data directory.
    """

    repository: str
    commit: str
    path: str
    blob_id: str

    def __post_init__(self) -> None:
        for option, value in (("commit", self.commit), ("blob id", self.blob_id)):
            if not re.fullmatch(r"[0-9a-f]{40}", str(value)):
                raise UserError(f"source of {self.path}: {option} {value!r} is not 40 lower-case hex digits")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repository):
            raise UserError(f"source of {self.path}: repository {self.repository!r} is not owner/name")
        parts = PurePosixPath(f"{self.repository}/{self.path}").parts
        if ".." in parts or self.path.startswith("/") or "\\" in self.path:
            raise UserError(f"source {self.repository}: path {self.path!r} must stay inside the repository")

    def local_path(self, data_dir: Path) -> Path:
        """Where the file lies in the cache: data_dir/owner/repository/path."""
        return data_dir / self.repository / self.path

    def address(self, base_address: str) -> str:
        """Where the file is downloaded from."""
        return f"{base_address}/{self.repository}/{self.commit}/{urllib.parse.quote(self.path)}"


class Source(BaseModel):
    """The pinned files of a dataset in one repository: its commit and the git blob id of each path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: str
    commit: str
    files: dict[str, str]

    @classmethod
    def of(cls, source: Source | Mapping[str, Any]) -> Source:
        """A source as a configuration writes it."""
        return source if isinstance(source, cls) else cls.model_validate(dict(source))

    def fetch(self, needed: Sequence[str], data_dir: Path) -> dict[str, Path]:
        """Return the local path of each needed file by its name.

        Raises:
            UserError: a file is not among the pinned ones, or cannot be had.
        """
        of = {PurePosixPath(path).name: (path, blob_id) for path, blob_id in self.files.items()}
        missing = [name for name in needed if name not in of]
        if missing:
            raise UserError(f"data.source.files: {missing[0]} is not among the pinned files")
        pinned = [PinnedFile(self.repository, self.commit, *of[name]) for name in needed]
        return dict(zip(needed, fetch(pinned, data_dir), strict=True))

    def as_provenance(self) -> dict[str, Any]:
        """What results hold of it."""
        return {"repository": self.repository, "commit": self.commit, "files": dict(self.files)}


def git_blob_id(content: bytes | Path) -> str:
    """Return git's blob id (40 hex digits) of bytes, or of a file read in chunks.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(content, bytes):
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    digest = hashlib.sha1(b"blob %d\0" % content.stat().st_size, usedforsecurity=False)
    with content.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(
    files: Sequence[PinnedFile],
    data_dir: Path,
    show_progress: bool = True,
    base_address: str | None = None,
) -> list[Path]:
    """Return the local paths of pinned files, downloading only those that are missing or corrupted.

    A cache whose files all verify is only read: it may be read-only.

    Raises:
        UserError: a file is missing or corrupted and cannot be fetched or written.
    """
    wrong = {file: state for file in files if (state := _state(file, data_dir)) is not None}
    if wrong:
        with _progress(show_progress) as progress:
            for file, state in wrong.items():
                _mend(file, state, data_dir, base_address or PUBLIC_ADDRESS, progress)
    return [file.local_path(data_dir) for file in files]


def _state(file: PinnedFile, data_dir: Path) -> str | None:
    """Say what is wrong with the local file: None where it verifies."""
    path = file.local_path(data_dir)
    try:
        found = git_blob_id(path)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"unreadable ({error.strerror or error})"
    return None if found == file.blob_id else f"corrupted (its git blob id is {found})"


def _mend(file: PinnedFile, state: str, data_dir: Path, base_address: str, progress: Any) -> None:
    from filelock import FileLock, Timeout

    path = file.local_path(data_dir)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_TIMEOUT_SECONDS)
        with lock, _removed_at_last(lock):
            # Another process may have fetched it while this one waited for the lock.
            if _state(file, data_dir) is not None:
                _download(file, path, base_address, progress)
    except Timeout:
        raise _cannot_fetch(file, state, path, "another process holds its lock") from None
    except (OSError, http.client.HTTPException, NotImplementedError) as error:
        raise _cannot_fetch(file, state, path, _reason(error)) from None


@contextmanager
def _removed_at_last(lock: BaseFileLock) -> Iterator[None]:
    """Remove the file of a lock as the last thing that is done under it.

    Whoever waits has that file open, or opens a new one: filelock takes no lock on a file that has lost its
    name (`st_nlink` 0) and tries again, so two processes never hold what they take for the same lock. Were
    that to fail, as on NFS, which renames an open file instead, one of two downloads would end with an error;
    what is kept was verified in any case. Where the file system knows no locks, filelock takes another kind,
    whose file is its own to remove.
    """
    from filelock import UnixFileLock

    try:
        yield
    finally:
        if isinstance(lock, UnixFileLock):
            with suppress(OSError):  # it holds as well with the file left behind
                os.unlink(lock.lock_file)


def _download(file: PinnedFile, path: Path, base_address: str, progress: Any) -> None:
    """Fetch into a temporary file beside the target, verify, and only then replace the target."""
    for left_over in path.parent.glob(f".{path.name}.*.part"):
        left_over.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as sink:
            _stream(file, sink, base_address, progress)
            sink.flush()
            os.fsync(sink.fileno())
        found = git_blob_id(temporary)
        if found != file.blob_id:
            raise OSError(f"the download was cut or changed on its way: its git blob id is {found}")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _stream(file: PinnedFile, sink: Any, base_address: str, progress: Any) -> None:
    request = urllib.request.Request(file.address(base_address), headers={"User-Agent": "emoji_pred"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        length = response.headers.get("Content-Length")
        report = _reporter(progress, file, int(length) if length and length.isdigit() else None)
        received = 0
        while chunk := response.read(_CHUNK):
            received += len(chunk)
            if received > MAX_BYTES:
                raise OSError(f"the download is larger than {MAX_BYTES} bytes")
            sink.write(chunk)
            report(len(chunk))


def _progress(show: bool) -> Any:
    if not show:
        return nullcontext()
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _reporter(progress: Any, file: PinnedFile, total: int | None) -> Report:
    if progress is None:
        return lambda _count: None
    task = progress.add_task(f"Downloading {PurePosixPath(file.path).name}", total=total)
    return lambda count: progress.advance(task, count)


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection: {error.reason}"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _cannot_fetch(file: PinnedFile, state: str, path: Path, reason: str) -> UserError:
    name = PurePosixPath(file.path).name
    return UserError(
        f"{file.repository}: {name} is {state} and could not be fetched ({reason}); "
        f"put the file with git blob id {file.blob_id} at {path}, "
        "or point EMOJI_PRED_DATA or data_dir to a directory that has it"
    )
