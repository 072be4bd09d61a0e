"""A process beside the run that is told things, and can neither hold the run up nor take it down with it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PIECE = 65536  # bytes handed to the pipe, or taken from it, at once


class SideProcess:
    """Runs a module in a process of its own; messages are JSON objects, one a line, in both directions.

    Nothing here waits for the other side but `close`, and that for a bounded time. What the pipe does not
    take stays here until the next message. When the process is gone, what is sent is dropped.

    Args:
        module: name of the module, run as `python -m module`.

    Attributes:
        gone: it could not be started, or has ended.
    """

    def __init__(self, module: str) -> None:
        self.gone = False
        self._unsent, self._unread = bytearray(), bytearray()
        self._process: subprocess.Popen[bytes] | None = None
        # The suite may lie beside the script that was started, and not be installed.
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        try:
            self._process = subprocess.Popen(
                # -P: no module of the directory where the user stands takes the place of a library's.
                [sys.executable, "-P", "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C in a terminal is not for it
            )
        except OSError:
            self.gone = True
            return
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand a message over, or keep it until the pipe takes it."""
        if not self.gone:
            self._unsent += json.dumps(message).encode() + b"\n"
            self._push()

    def heard(self) -> list[dict[str, Any]]:
        """The messages that have come since the last call."""
        if not self.gone:
            self._pull()
        *lines, rest = self._unread.split(b"\n")
        self._unread = rest
        return [json.loads(line) for line in lines]

    def close(self, patience: Callable[[list[dict[str, Any]]], float]) -> list[dict[str, Any]]:
        """Say that nothing more comes, and hear the process out until it ends or patience does.

        Args:
            patience: called with what was heard so far; for how many seconds after the call to wait in all.

        Returns:
            What was heard since the last call of `heard`. `gone` says whether the process has ended.
        """
        started, heard = time.monotonic(), self.heard()
        while not self.gone:
            left = started + patience(heard) - time.monotonic()
            if left <= 0:
                break
            self._wait(left)
            heard += self.heard()
        self._close_pipes()
        return heard

    def _wait(self, seconds: float) -> None:
        """Until a pipe has something for us or takes something; closes the one that needs nothing more."""
        assert self._process is not None
        assert self._process.stdin is not None and self._process.stdout is not None
        self._push()
        if not self._unsent and not self._process.stdin.closed:
            self._process.stdin.close()
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            if self._unsent:
                ready.register(self._process.stdin, selectors.EVENT_WRITE)
            ready.select(min(seconds, 1))

    def _push(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            while self._unsent and not self._process.stdin.closed:
                sent = os.write(self._process.stdin.fileno(), self._unsent[:PIECE])
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:  # it has ended: its last words may still be in the other pipe
            self._unsent.clear()

    def _pull(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        try:
            while piece := os.read(self._process.stdout.fileno(), PIECE):
                self._unread += piece
        except BlockingIOError:
            return
        except OSError:
            pass
        self.gone = True

    def _close_pipes(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._process is not None and self.gone:  # it has closed its end, which is its last act
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
