"""`python -m emoji_pred prepare telegram EXPORT... --out FILE`: exports of Telegram Desktop to rows."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emoji_pred.emoji_pairs import Rules
from emoji_pred.errors import Stopped, mistakes_told
from emoji_pred.signals import stop_request
from emoji_pred.telegram.messages import MAX_CHARS
from emoji_pred.telegram.prepare import TABLE, NothingLeft, beside, prepare
from emoji_pred.telegram.report import Report
from emoji_pred.telegram.steps import MIN_COUNT, Steps

PROGRAM = "python -m emoji_pred prepare"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    options = _parser().parse_args(arguments)
    handlers = stop_request.take_over()
    try:
        with mistakes_told(), _table_first():
            _run(options)
    except Stopped as stopped:
        name = signal.Signals(stopped.signal_number).name
        print(f"\nstopped by {name}; nothing was written", file=sys.stderr)
        sys.exit(128 + stopped.signal_number)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _table_first() -> Iterator[None]:
    """Show where the rows were lost before it is said that none is left."""
    try:
        yield
    except NothingLeft as error:
        _print_table(error.report)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    sources = parser.add_subparsers(dest="source", required=True)
    command = sources.add_parser(
        "telegram", help="exports of Telegram Desktop", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.add_argument(
        "exports",
        nargs="+",
        type=Path,
        metavar="EXPORT",
        help="a folder with messages.html, messages2.html, ... or result.json, a folder of such, or a file",
    )
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help=f".csv, .tsv, .jsonl or .parquet, with columns text and emoji; FILE{TABLE} is written beside it",
    )
    command.add_argument("--overwrite", action="store_true", help="replace FILE")
    command.add_argument("--quiet", action="store_true", help="show no progress")
    _add_emoji_options(command.add_argument_group("what counts as an emoji"))
    _add_text_options(command.add_argument_group("the text before it"))
    _add_row_options(command.add_argument_group("which rows are left"))
    return parser


def _add_emoji_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--units",
        choices=("grapheme", "codepoint"),
        default="grapheme",
        help="an emoji as people see it, or each code point by itself, as the paper's authors had it",
    )
    group.add_argument("--keep-skin-tones", action="store_true", help="👍🏽 and 👍 are two classes")
    group.add_argument(
        "--text-style",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="signs such as ❤ and ☺ count without U+FE0F too, as Telegram draws them as emoji",
    )
    group.add_argument(
        "--custom-emoji",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a custom emoji counts as the plain one that stands for it; else it is left out",
    )
    group.add_argument(
        "--longest-run",
        type=_at_least(1),
        metavar="N",
        help="drop runs of more code points (the paper's code: 3)",
    )


def _add_text_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sentence",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="only the last sentence, divided at full stops",
    )
    group.add_argument(
        "--max-words", type=_at_least(0), default=15, metavar="N", help="only the last words; 0: all"
    )
    group.add_argument(
        "--min-words", type=_at_least(1), default=3, metavar="N", help="drop texts with fewer words"
    )
    group.add_argument(
        "--mask",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write @user, https, phone, email and card where those stand",
    )
    group.add_argument(
        "--max-chars", type=_at_least(1), default=MAX_CHARS, metavar="N", help="leave out longer messages"
    )


def _add_row_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--keep-duplicates", action="store_true", help="equal pairs of text and emoji stay")
    group.add_argument(
        "--min-count", type=_at_least(1), default=MIN_COUNT, metavar="N", help="drop emoji with fewer pairs"
    )
    group.add_argument("--max-classes", type=_at_least(1), metavar="N", help="only the most frequent emoji")
    group.add_argument(
        "--language",
        default="any",
        metavar="CODE",
        help="only this language, such as ru (py3langid); any: all",
    )
    group.add_argument(
        "--language-by",
        choices=("chat", "message"),
        default="chat",
        help="judge the language of a whole chat by its first messages, or of each message",
    )


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(written: str) -> int:
        value = int(written)
        if value < lowest:
            raise argparse.ArgumentTypeError(f"{value} is less than {lowest}")
        return value

    number.__name__ = "whole number"  # what argparse calls it in an error
    return number


def _steps(options: argparse.Namespace) -> Steps:
    rules = Rules(
        units=options.units,
        fold_skin_tones=not options.keep_skin_tones,
        text_style=options.text_style,
        last_words=options.max_words,
        more_than_words=options.min_words - 1,
        longest_run=options.longest_run,
    )
    return Steps(
        rules=rules,
        sentence=options.sentence,
        mask=options.mask,
        custom_emoji=options.custom_emoji,
        keep_duplicates=options.keep_duplicates,
        min_count=options.min_count,
        max_classes=options.max_classes,
        language=options.language,
        language_by=options.language_by,
        max_chars=options.max_chars,
    )


def _run(options: argparse.Namespace) -> None:
    started = time.monotonic()
    report = prepare(
        options.exports, options.out, _steps(options), overwrite=options.overwrite, progress=not options.quiet
    )
    _print_table(report)
    seconds = time.monotonic() - started
    print(
        f"written in {seconds:.0f} s: {options.out}, {beside(options.out, TABLE).name} and the same as JSON"
    )
    if len(report.classes) == 1:
        print("warning: one class is left; training needs two: set --min-count lower", file=sys.stderr)
    print(
        f"train with: python train.py data=text_files data.files.train={options.out} data.label_column=emoji"
    )


def _print_table(report: Report) -> None:
    for warning in report.tally.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    rows = report.table()
    width = max(len(words) for words, _ in rows)
    for words, count in rows:
        print(f"{words:<{width}}  {count:>13}")
