"""Arrays that take long to compute, kept on disk: computed once, shared by runs and processes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from emoji_pred.errors import UserError
from emoji_pred.runs import replace_file

DIGESTS = "digests.json"  # of the other files of an entry


def cached_array(path: Path, build: Callable[[], np.ndarray], what: str) -> np.ndarray:
    """The array in a file, or the one that `build` computes, which is then kept there.

    Processes that ask at the same time wait for the first of them. A damaged file is computed again: it is a
    zip archive, whose checksums are looked at.

    Args:
        path: the file, named by a digest of all that the array depends on; ends in `.npz`.
        build: computes the array.
        what: the cache is called by it in a warning, where it cannot be written.
    """
    found = _read(path)
    if found is not None:
        return found
    with locked(path, what) as writable:
        found = _read(path)  # another process may have built it while this one waited
        if found is not None:
            return found
        array = build()
        if writable:
            try:
                with replace_file(path) as stream:
                    np.savez(stream, array=array)
            except (OSError, UserError) as error:
                warn_not_cached(path, error, what)
    return array


@contextmanager
def locked(entry: Path, what: str) -> Iterator[bool]:
    """Hold the lock of a cache entry; False, with a warning, where nothing can be written."""
    from filelock import FileLock

    lock = FileLock(entry.with_suffix(".lock"))
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        warn_not_cached(entry, error, what)
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def warn_not_cached(entry: Path, error: Exception, what: str) -> None:
    """Say that a cache cannot be written, and why."""
    behind = error if isinstance(error, OSError) else error.__cause__
    reason = getattr(behind, "strerror", None) or error
    warnings.warn(f"{what} cache {entry.parent} cannot be written ({reason}); not cached", stacklevel=2)


def write_entry(entry: Path, fill: Callable[[Path], None]) -> None:
    """Make a cache entry of several files, a directory that is there only when it is whole.

    Args:
        entry: the directory; a damaged one gives way.
        fill: writes the files into the directory that it is given.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    temporary = Path(tempfile.mkdtemp(dir=entry.parent, prefix=f".{entry.name}."))
    try:
        fill(temporary)
        digests = {path.name: file_digest(path) for path in sorted(temporary.iterdir())}
        (temporary / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
        if entry.exists():  # corrupt, or it would have been read
            shutil.rmtree(entry)
        os.replace(temporary, entry)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def check_entry(entry: Path) -> None:
    """Check that a cache entry's files are those that were written.

    Raises:
        OSError, ValueError, TypeError, AttributeError: there is no such entry, or it is damaged.
    """
    digests = json.loads((entry / DIGESTS).read_text(encoding="utf-8"))
    if any(file_digest(entry / name) != digest for name, digest in digests.items()):
        raise ValueError(f"{entry} is damaged")


def file_digest(path: Path) -> str:
    """The digest by which a file of a cache is known to be whole."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


def _read(path: Path) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            array: np.ndarray = file["array"]
            return array
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None
