"""SIGINT, SIGTERM and SIGUSR1 end a command at once, or where the code that runs says that it may be ended.

Signals belong to the whole process, so there is one request: `stop_request`. The command line takes the
signals over when it starts; training and the writing of results put the end off.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from emoji_pred.errors import STOP_SIGNALS, Stopped

# A terminal sends a signal to every process of a command, and a parent may pass it on: it comes twice.
TWICE_SECONDS = 0.5


class StopRequest:
    """What signals asked of this process.

    Attributes:
        signal_number: of the signal that asked; 0 while none did.
        ending: the command has told that it ends; another signal ends the process without a word.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self.ending = False
        self._asked_at = 0.0  # seconds, monotonic
        self._put_off = False

    def ask(self, number: int, _: Any = None) -> None:
        """Handle a signal.

        Raises:
            Stopped: the end is not put off, or this is the second signal.
        """
        again, now = self.signal_number != 0, time.monotonic()
        if again and now - self._asked_at < TWICE_SECONDS:
            return
        if self.ending:
            os._exit(128 + number)
        self.signal_number, self._asked_at = number, now
        if again or not self._put_off:
            raise Stopped(number)

    def begin_command(self) -> None:
        """Handle the signals until the process ends; what it does after its last line cannot be stopped."""
        self.take_over()
        sys.unraisablehook = self._ask_again
        atexit.register(_ignore_signals)  # first registered, last called

    def _ask_again(self, unraisable: Any) -> None:
        """Python swallows what is raised in a finalizer, with a trace: ask once more, a moment later."""
        if not isinstance(unraisable.exc_value, Stopped):
            sys.__unraisablehook__(unraisable)
            return
        self.signal_number = 0
        main, number = threading.main_thread().ident, unraisable.exc_value.signal_number
        threading.Timer(0.01, signal.pthread_kill, [main, number]).start()

    def take_over(self) -> dict[int, Any]:
        """Handle the signals from here on; returns the handlers before. Only a main thread can."""
        before: dict[int, Any] = {}
        for number in STOP_SIGNALS:
            with suppress(ValueError):
                before[number] = signal.signal(number, self.ask)
        if before and self.ask not in before.values():  # what an earlier command was asked is done with
            self.signal_number, self.ending = 0, False
        return before

    @contextmanager
    def for_a_while(self) -> Iterator[None]:
        """In a worker that is handed one run after the other: signals end the run, and the next ones too.

        Between two runs a signal is only noted.

        Raises:
            Stopped: a signal came before.
        """
        self.take_over()
        if self.signal_number:
            raise Stopped(self.signal_number)
        self._put_off = False
        try:
            yield
        finally:
            self._put_off = True

    @contextmanager
    def put_off(self) -> Iterator[StopRequest]:
        """Note a signal, for the code inside to look at; the end of this context is the latest it acts.

        A second signal ends at once here too.

        Raises:
            Stopped: a signal came, and the code inside has not acted on it.
        """
        outer, self._put_off = self._put_off, True
        handlers = self.take_over()
        try:
            yield self
        finally:
            self._put_off = outer
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if self.signal_number and not outer:
            raise Stopped(self.signal_number)


@contextmanager
def handled_by(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Let a function handle the signals meanwhile; outside the main thread, nothing changes."""
    before = {}
    try:
        for number in STOP_SIGNALS:
            with suppress(ValueError):
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _ignore_signals() -> None:
    for number in STOP_SIGNALS:
        with suppress(ValueError):
            signal.signal(number, signal.SIG_IGN)


stop_request = StopRequest()
