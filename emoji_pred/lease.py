"""One process at a time trains a run: a lease on its directory, kept alive by a heart-beat.

The lease is a file that its holder touches every twenty seconds (`filelock.SoftFileLease`). It is made with
`O_CREAT | O_EXCL`, which network file systems guarantee, and its age is measured with the clock of whoever
waits, so that clocks that differ or jump do no harm. A holder that died on this machine gives way at once,
one that fell silent on another machine after a minute.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from emoji_pred.errors import UserError
from emoji_pred.runs import cannot_write

if TYPE_CHECKING:
    from filelock import SoftFileLease

LEASE = ".lease"
SILENCE_SECONDS = 60.0  # after which a holder on another machine is taken for dead
HEARTBEAT_SECONDS = 20.0
WRITING_SECONDS = 10.0  # more than a holder takes to write its name, and a network file system to show it
ASKED_EVERY_SECONDS = 1.0  # by a process that waits


class Busy(UserError):
    """Another process trains the run."""


@contextmanager
def held(directory: Path, wait: bool = False) -> Iterator[SoftFileLease]:
    """Hold a run's directory: two processes that train one configuration would mix up their files.

    Args:
        directory: of the run; it exists.
        wait: until the holder is done or dead, having said so once.

    Raises:
        Busy: another process holds it, and `wait` is False.
    """
    lease = _lease(directory)
    _acquire(lease, directory, wait)
    try:
        yield lease
    finally:
        lease.release()


def check_not_lost(lease: SoftFileLease, directory: Path) -> None:
    """Refuse to write states or results of a run that another process took over meanwhile.

    Raises:
        Busy: this process was silent for longer than a minute, say while the machine slept.
    """
    if not directory.is_dir():
        return  # removed: whatever is written next says so
    # The heart-beat notices a loss half a minute late; the file tells at once.
    owner = lease.owner
    if lease.compromise is not None or owner is None or owner.token != lease.token:
        raise Busy(
            f"{directory} was taken over by another process while this one was silent; "
            "start the same command again to find its result"
        )


def wait_until_one_is_free(directories: Sequence[Path]) -> None:
    """Return when one of the runs is not trained by any process any more."""
    leases = [_lease(directory) for directory in directories if directory.is_dir()]
    while len(leases) == len(directories):
        for lease in leases:
            if _is_free(lease):
                return
        time.sleep(ASKED_EVERY_SECONDS)


def was_left(directory: Path) -> bool:
    """Whether a lease lies there of a process that was killed while it trained the run."""
    return (directory / LEASE).exists() and _is_free(_lease(directory))


def is_trained(directory: Path) -> bool:
    """Whether a process that lives trains the run."""
    return (directory / LEASE).exists() and not _is_free(_lease(directory))


def _is_free(lease: SoftFileLease) -> bool:
    from filelock import Timeout

    _remove_empty(Path(lease.lock_file))
    try:
        lease.acquire(timeout=0)
    except Timeout:
        return False
    lease.release()
    return True


def child_that_trains(directory: Path) -> int | None:
    """The process started by this one that trains the run of a directory, if there is one."""
    import psutil

    owner = _lease(directory).owner
    # filelock adds the namespace of processes to a container's name.
    if owner is None or owner.hostname.partition("?pidns-")[0] != socket.gethostname():
        return None
    with suppress(psutil.Error):
        if any(parent.pid == os.getpid() for parent in psutil.Process(owner.pid).parents()):
            return owner.pid
    return None


def _lease(directory: Path) -> SoftFileLease:
    from filelock import SoftFileLease

    return SoftFileLease(
        directory / LEASE, lease_duration=SILENCE_SECONDS, heartbeat_interval=HEARTBEAT_SECONDS
    )


def _acquire(lease: SoftFileLease, directory: Path, wait: bool) -> None:
    from filelock import Timeout

    _remove_empty(directory / LEASE)
    try:
        lease.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise Busy(f"{directory} is being trained by another process") from None
        print(f"{directory} is being trained by another process; waiting for it to end", flush=True)
        lease.acquire(timeout=-1, poll_interval=ASKED_EVERY_SECONDS)
    except OSError as error:
        raise cannot_write(directory, error) from error


def _remove_empty(marker: Path) -> None:
    """Remove a lease that names nobody, as a power cut leaves it: filelock would wait for it forever."""
    with suppress(OSError):
        before = marker.stat()
        if before.st_size:
            return
        time.sleep(WRITING_SECONDS)
        after = marker.stat()
        if (after.st_size, after.st_ino, after.st_mtime_ns) == (0, before.st_ino, before.st_mtime_ns):
            marker.unlink()
