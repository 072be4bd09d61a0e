"""What is set for a process: in the environment before torch is loaded, and for its end."""

from __future__ import annotations

import atexit
import gc
import os
import select
import signal
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import NoReturn, TextIO

UNREAD = 128 + signal.SIGPIPE  # the code that a shell gives a command whose output nobody reads on
LABEL = "EMOJI_PRED_LABEL"  # stands before the lines of a run that others run beside


def prepare_process(environment: MutableMapping[str, str] | None = None) -> None:
    """Make torch fast and a good neighbour; what the user set himself stays.

    - OpenMP threads (GNU's, as in torch for Linux) that wait give up their core after some microseconds. By
      default they spin for milliseconds, and three runs at once on two cores take more than twice as long;
      without any spinning a single run takes a third longer.
    - Tensors of 2 MB and more ask Linux for huge pages. The gradient of an embedding is allocated anew at
      every step, and mapping it in pages of 4 kB takes a tenth of a step of `model=bert` and more.
    - At its end Python looks for cycles among half a million objects of the libraries, which takes a second;
      they are left to the system.
    """
    atexit.register(gc.freeze)
    environment = os.environ if environment is None else environment
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "10000")
    environment.setdefault("THP_MEM_ALLOC_ENABLE", "1")


@contextmanager
def output_may_be_cut() -> Iterator[None]:
    """End a command without a word where the reader of its output has seen enough, as `head` has.

    The exit code is that of other commands in a pipe, 141. A pipe that broke elsewhere, such as one to
    another process, is still an error.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # None: the command was started without (`>&-`)
                sys.stdout.flush()  # here, and not at the end of Python, which tells of it
    except BrokenPipeError:
        if not any(map(_is_unread, (sys.stdout, sys.stderr))):
            raise
        end_unread()


def end_unread() -> NoReturn:
    """End the process: nobody reads what it writes, and what is left to be written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if _is_unread(stream):
            os.dup2(nowhere, stream.fileno())
    sys.exit(UNREAD)


def _is_unread(stream: TextIO | None) -> bool:
    """Whether the other end of a stream is closed."""
    if stream is None:
        return False
    try:
        asked = select.poll()
        asked.register(stream.fileno(), select.POLLOUT)
        return any(state & (select.POLLERR | select.POLLHUP) for _, state in asked.poll(0))
    except (OSError, ValueError):  # closed here, or no file at all
        return False
