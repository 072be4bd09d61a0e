"""All messages of all exports, one after the other, with the progress shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from emoji_pred.errors import UserError
from emoji_pred.telegram.exports import ExportFile
from emoji_pred.telegram.html_pages import read_page
from emoji_pred.telegram.json_result import read_result
from emoji_pred.telegram.messages import MAX_CHARS, Message, Tally

SILENCE_SECONDS = 60  # after which a log gets a line
MEGABYTE = 1_000_000


def read_exports(
    files: Sequence[ExportFile], tally: Tally, max_chars: int = MAX_CHARS, progress: bool = True
) -> Iterator[Message]:
    """Yield every message with a text, file after file.

    Args:
        files: as `find_files` gives them.
        tally: counted up.
        max_chars: longer texts are left out.
        progress: show it on standard error: a bar on a terminal, else a line a minute.

    Raises:
        UserError: a file cannot be read, or is no part of an export.
    """
    folder = None
    with _progress(sum(file.size for file in files), progress) as bar:
        for file in files:
            try:
                with file.path.open("rb") as raw:
                    stream = _Watched(raw, bar)
                    if file.kind == "json":
                        yield from read_result(stream, file.path, tally.chats + 1, tally, max_chars)
                        folder = None
                    else:
                        tally.chats += file.folder != folder
                        folder = file.folder
                        yield from read_page(stream, file.path, tally.chats, tally, max_chars)
            except OSError as error:
                raise UserError(f"{file.path} cannot be read: {error.strerror or error}") from None
            tally.files += 1


class _Progress:
    """Bytes read so far: a bar, or a line a minute."""

    def __init__(self, total: int, bar: bool) -> None:
        self._total, self._done = total, 0
        self._started = self._spoke = time.monotonic()
        self._bar = None
        if bar:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="B", unit_scale=True, desc="reading", leave=False)

    def add(self, count: int) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._spoke > SILENCE_SECONDS:
            self._spoke = now
            speed = self._done / (now - self._started)
            print(
                f"reading  {self._done / max(self._total, 1):.0%}  {speed / MEGABYTE:.0f} MB/s  "
                f"about {(self._total - self._done) / speed:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Silent(_Progress):
    def __init__(self) -> None:
        super().__init__(0, False)

    def add(self, count: int) -> None:
        pass


@contextmanager
def _progress(total: int, shown: bool) -> Iterator[_Progress]:
    bar = _Progress(total, sys.stderr.isatty()) if shown else _Silent()
    try:
        yield bar
    finally:
        bar.close()


class _Watched:
    """A binary file whose reading is counted."""

    def __init__(self, stream: BinaryIO, progress: _Progress) -> None:
        self._stream, self._progress = stream, progress

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._progress.add(len(chunk))
        return chunk
