"""From exports to a file of rows: every step of the paper's section 4, each counted.

Only classes and digests are held in memory; the pairs lie on the disk until it is known which are duplicates
and which emoji are frequent enough.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from emoji_pred import runs
from emoji_pred.emoji_pairs import Counts
from emoji_pred.errors import UserError
from emoji_pred.telegram.exports import find_files
from emoji_pred.telegram.language import ANY, Languages, in_language
from emoji_pred.telegram.messages import Tally
from emoji_pred.telegram.pair_store import PairStore
from emoji_pred.telegram.reading import read_exports
from emoji_pred.telegram.report import Report, as_json, as_markdown
from emoji_pred.telegram.row_files import Rows, Writer, writer_for
from emoji_pred.telegram.steps import Steps, pairs_of_message

TABLE, TABLE_JSON = ".table.md", ".table.json"  # behind the name of the rows' file


class NothingLeft(UserError):
    """No row is left; the report says where they were lost.

    Attributes:
        report: of all steps.
    """

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


def prepare(
    exports: Sequence[Path],
    out: Path,
    steps: Steps | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
) -> Report:
    """Write the rows of exports, and the table of what each step left, `FILE.table.md` and `FILE.table.json`.

    The three files appear when everything is done, the rows last; whatever ends it before leaves none.

    Args:
        exports: folders and files of Telegram Desktop.
        out: the file; its name tells the format.
        steps: None: those of the paper.
        overwrite: replace what is there.
        progress: show it on standard error.

    Raises:
        NothingLeft: no pair, or no emoji that is frequent enough.
        UserError: an export cannot be read, or the file not be written.
    """
    steps = steps or Steps()
    writer = writer_for(out)
    _check_place(out, overwrite)
    _check_packages()
    languages = None if steps.language == ANY else Languages(steps.language)
    files, remarks = find_files(exports)
    tally, counts = Tally(warnings=remarks), Counts()
    messages = read_exports(files, tally, steps.max_chars, progress)
    if languages is not None:
        messages = in_language(messages, languages, steps.language_by, tally)
    try:
        with PairStore(out.parent) as store:
            for message in messages:
                for text, emoji in pairs_of_message(message, steps, counts):
                    store.add(text, emoji)
            kept = None if steps.keep_duplicates else store.first_of_each()
            of_emoji = store.counts(kept)
            report = Report.of(steps, tally, counts, of_emoji)
            if not report.classes:
                raise NothingLeft(_why_nothing(steps, tally, counts, of_emoji), report)
            rows = ((text, emoji) for text, emoji in store.pairs(kept) if emoji in report.classes)
            _write(out, writer, rows, report)
    except OSError as error:
        if error.errno not in runs.DISK_ERRORS:
            raise
        raise UserError(
            f"cannot keep the pairs in {out.parent}: {error.strerror}; make room, or choose another --out"
        ) from None
    return report


def _write(out: Path, writer: Writer, rows: Rows, report: Report) -> None:
    with ExitStack() as files:
        stream = files.enter_context(runs.replace_file(out))  # entered first, so it takes its name last
        table = files.enter_context(runs.replace_file(beside(out, TABLE)))
        plain = files.enter_context(runs.replace_file(beside(out, TABLE_JSON)))
        writer(stream, rows)
        table.write(as_markdown(report).encode())
        plain.write(as_json(report).encode())


def beside(out: Path, ending: str) -> Path:
    """The name of a file that belongs to the rows."""
    return out.with_name(out.name + ending)


def _check_place(out: Path, overwrite: bool) -> None:
    """Refuse what could not be written, before anything is read."""
    try:
        if out.is_dir():
            raise UserError(f"--out {out} is a directory; name a file in it, such as {out / 'rows.csv'}")
        if not out.parent.is_dir():
            raise UserError(f"--out {out}: there is no directory {out.parent}; make it first")
        there = [path for path in (out, beside(out, TABLE), beside(out, TABLE_JSON)) if path.exists()]
    except OSError as error:
        raise UserError(f"--out {out} cannot be written: {error.strerror}") from None
    if there and not overwrite:
        raise UserError(f"{there[0]} exists; choose another --out, or replace it with --overwrite")
    if any(path.is_dir() for path in there):
        raise UserError(f"{there[0]} is a directory; choose another --out")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise UserError(f"--out {out}: {out.parent} may not be written to; choose another directory")


def _check_packages() -> None:
    missing = [name for name in ("lxml", "ijson") if find_spec(name) is None]
    if missing:
        raise UserError(f"exports need packages ({', '.join(missing)}): pip install 'emoji_pred[telegram]'")


def _why_nothing(steps: Steps, tally: Tally, counts: Counts, of_emoji: Mapping[str, int]) -> str:
    if of_emoji:
        most = max(of_emoji, key=lambda emoji: of_emoji[emoji])
        return (
            f"nothing is left: no emoji comes {steps.min_count:,} times (--min-count); the most frequent, "
            f"{most}, comes {of_emoji[most]:,} times; set --min-count {max(of_emoji[most] // 10, 1)} or so, "
            "or name more exports"
        )
    if not counts.messages:
        reason = "in another language" if tally.other_language else "without a text, or cannot be read"
        return f"nothing is left: all {tally.messages:,} message(s) are {reason}"
    if not counts.with_emoji:
        return f"nothing is left: none of {counts.messages:,} message(s) holds an emoji"
    return (
        f"nothing is left: no emoji of {counts.with_emoji:,} message(s) has a text of enough words before "
        "it; set --min-words lower"
    )
