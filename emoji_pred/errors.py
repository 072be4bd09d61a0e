"""Exceptions that are no fault of the code, and what to say where a name is misspelt."""

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import SequenceMatcher

FAILED, MISTAKE = 1, 2  # exit codes: a run failed; a mistake that the user can mend
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
LISTED = 20  # names shown where none is near


class UserError(Exception):
    """A mistake in the configuration, the data or the surroundings of a run.

    The message is one line that names the file, row or option and says how to mend it. The command line
    shows it without a stack trace and ends with exit code 2.
    """


@contextmanager
def mistakes_told() -> Iterator[None]:
    """End a command with code 2 and one line where a user's mistake comes out of it."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(MISTAKE)


class Diverged(UserError):
    """The loss of a run is no number any more."""


class RunFailed(Exception):
    """A run ended by an error that is no mistake of the user; the message is one line with its place."""


class Pruned(Exception):
    """A search ended a run early, as it lags behind others.

    Attributes:
        epochs: trained so far.
        macro_f1: the best on validation so far, a fraction.
    """

    def __init__(self, epochs: int, macro_f1: float) -> None:
        super().__init__(f"pruned after {epochs} epoch(s) at validation macro-F1 {macro_f1:.4f}")
        self.epochs, self.macro_f1 = epochs, macro_f1


class Stopped(BaseException):
    """A signal asked the process to end; what the run had reached is saved.

    Attributes:
        signal_number: the exit code is 128 more.
        continues: the same command continues; False where it begins anew, as nothing was saved.
    """

    continues = True

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def stopped_with(code: int) -> Stopped | None:
    """The signal that a process' exit code tells of; negative: it ended before it listened."""
    number = code - 128 if code > 0 else -code
    return Stopped(number) if number in STOP_SIGNALS else None


def one_line(message: object) -> str:
    """A message as people read it in a log."""
    return " ".join(str(message).split())


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that `name` may have been meant for, best first; none where none is near.

    A name that ends in the same part after a dot counts too: `model.lr` for `model.optimizer.lr`. Names that
    are clearly less alike than the best one are left out.
    """
    last = name.rpartition(".")[2].casefold()
    scored = []
    for candidate in known:
        alike = SequenceMatcher(None, name.casefold(), candidate.casefold()).ratio()
        same_end = "." in candidate and candidate.rpartition(".")[2].casefold() == last
        scored.append((max(alike, 0.95 if same_end else 0.0), alike, candidate))
    scored.sort(key=lambda item: (-item[0], -item[1], item[2]))
    best = scored[0][0] if scored else 0.0
    return [candidate for score, _, candidate in scored if score >= max(0.6, best - 0.1)][:most]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: `; did you mean ...?`, or which names there are."""
    known = list(known)
    near = nearest(name, known)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    more = ", ..." if len(known) > LISTED else ""
    return f"; there are {', '.join(sorted(known)[:LISTED])}{more}"
