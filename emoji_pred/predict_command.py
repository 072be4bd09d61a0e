"""`python -m emoji_pred predict RUN TEXT ...`: what a finished run answers to new texts.

Texts are typed, read from a file (--file), or from standard input, one a line (-). A text that begins with a
dash stands after --.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emoji_pred import runs
from emoji_pred.data import new_texts
from emoji_pred.data.tables import Reading
from emoji_pred.errors import MISTAKE, UserError
from emoji_pred.examples import EXAMPLES
from emoji_pred.finished import add_runs_dir, find_run

if TYPE_CHECKING:
    from emoji_pred.answers import Answer
    from emoji_pred.decision import Decision
    from emoji_pred.trained import AnyPredictor

TOP = 5
BATCH = 256  # texts computed together; what is read, computed and written at a time
INTERRUPTED = 130  # exit code of a command that Ctrl-C ended
LONGEST = 1 << 30  # characters of a text, whatever a run's own limit says
Asked = tuple[str | new_texts.Refused, str | None]  # a text, and what a paper answers


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    options = _parser().parse_intermixed_args(arguments)
    try:
        _run(options)
        sys.stdout.flush()
    except UserError as error:
        sys.stdout.flush()  # what was answered before stands before
        print(f"error: {_as_options(str(error))}", file=sys.stderr)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emoji_pred predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run's directory, its name, or the first digits of it")
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="a text; - reads standard input")
    parser.add_argument(
        "--file", metavar="PATH", help="one text a line, or a .csv, .tsv, .jsonl, .parquet, .xlsx"
    )
    parser.add_argument("--examples", choices=sorted(EXAMPLES), help="phrases of a paper, with its answers")
    parser.add_argument("--top", type=int, metavar="K", help=f"labels shown (default {TOP}; of several: all)")
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="of several labels a text (default: as the run)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--batch", type=int, default=BATCH, metavar="N", help="texts answered together")
    parser.add_argument("--device", default="cpu", help="as torch names it (default cpu)")
    add_runs_dir(parser)
    tables = parser.add_argument_group("reading of --file")
    tables.add_argument("--text-column", metavar="NAME", help="of a table (default text)")
    tables.add_argument(
        "--format", choices=("lines", "csv", "tsv", "jsonl", "parquet", "xlsx"), help="not by its name"
    )
    tables.add_argument("--encoding", default="utf-8")
    tables.add_argument("--delimiter", metavar="C", help="of a table (default: a comma, or a tab in .tsv)")
    tables.add_argument("--quoting", choices=("true", "false"), default="true", help="of CSV and TSV")
    tables.add_argument("--max-file-mb", type=int, default=1024, metavar="MB", help="of a table")
    return parser


def _run(options: argparse.Namespace) -> None:
    directory = find_run(options.runs_dir, options.run)
    asked = _asked(options, _longest(directory))
    if options.top is not None and options.top < 1:
        raise UserError(f"--top {options.top}: at least one label is shown")
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise UserError(f"--threshold {options.threshold}: a probability lies between 0 and 1")
    if options.batch < 1:
        raise UserError(f"--batch {options.batch}: at least one text is answered at a time")
    # The first text is read before anything heavy: a file that is not there is said at once.
    first = list(itertools.islice(asked, 1))
    if not first:
        raise UserError("there is no text")

    from emoji_pred.trained import load_predictor

    predictor = load_predictor(directory, options.device)
    several = predictor.task == "multilabel"
    if options.threshold is not None and not several:
        raise UserError(f"--threshold is for several labels a text; {directory} gives each text one")
    top = options.top or (len(predictor.label_names) if several else TOP)
    decision = predictor.decision
    if decision is not None and options.threshold is not None:
        decision = decision.with_threshold(options.threshold)
    answers = _answers(predictor, itertools.chain(first, asked), options.batch, top, decision)
    (_write_json if options.json else _write_table)(_counted(answers))


def _longest(directory: Path) -> int:
    """Characters that a text may have: as many as those of the run might, if that is more than usual.

    Only that is read here, as it is wanted before anything heavy; what is wrong with a result is said later.
    """
    try:
        result = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
        own = result["config"]["data"].get("max_text_chars")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        own = None
    return (
        min(max(own, new_texts.MAX_CHARACTERS), LONGEST) if isinstance(own, int) else new_texts.MAX_CHARACTERS
    )


def _asked(options: argparse.Namespace, longest: int) -> Iterator[Asked]:
    """The texts in their order; those of a file or a stream are read as they are wanted.

    Args:
        options: of the command.
        longest: characters that a text may have.

    Raises:
        UserError: there is not exactly one source of texts.
    """
    from_stdin = options.texts == ["-"] or options.file == "-"
    sources = [bool(options.texts), options.file is not None, options.examples is not None]
    if sum(sources) != 1:
        raise UserError("give texts, or --file PATH, or - for standard input, or --examples; one of them")
    if options.examples:
        return iter(EXAMPLES[options.examples])
    if from_stdin:
        if options.format not in (None, "lines") or options.text_column:
            raise UserError("standard input is read as one text a line; name tables with --file")
        if sys.stdin.isatty():  # someone types, and waits for the answer to each line
            options.batch = 1
        stream = new_texts.read_stream(sys.stdin.buffer, "standard input", options.encoding, longest)
        return ((text, None) for text in stream)
    if options.file is not None:
        texts = _of_file(Path(options.file).expanduser(), options, longest)
    else:
        texts = new_texts.typed(options.texts, longest)
    return ((text, None) for text in texts)


def _of_file(path: Path, options: argparse.Namespace, longest: int) -> Iterator[str]:
    kind = None if options.format in (None, "lines") else options.format
    delimiter = "\t" if options.delimiter == r"\t" else options.delimiter
    if delimiter is not None and len(delimiter) != 1:
        raise UserError(f"--delimiter={delimiter}: one character divides the cells")
    reading = Reading(kind, options.encoding, delimiter, options.quoting == "true", options.max_file_mb << 20)
    as_lines = True if options.format == "lines" else None
    if options.text_column and as_lines:
        raise UserError("--text-column is for tables; --format=lines has one text a line")
    return new_texts.read_file(path, reading, as_lines, options.text_column or "text", longest)


def _answers(
    predictor: AnyPredictor, asked: Iterable[Asked], size: int, top: int, decision: Decision | None
) -> Iterator[list[Answer]]:
    """Answers in the order of the texts, some at a time."""
    from emoji_pred.answers import answer

    names, asked = predictor.label_names, iter(asked)
    while some := list(itertools.islice(asked, size)):
        texts = ["" if isinstance(text, new_texts.Refused) else text for text, _ in some]
        answers = [
            answer(text, row, names, top=top, decision=decision, printed=printed)
            for text, row, (_, printed) in zip(texts, predictor.predict(texts), some, strict=True)
        ]
        yield [
            replace(one, refused=text.why) if isinstance(text, new_texts.Refused) else one
            for one, (text, _) in zip(answers, some, strict=True)
        ]


def _counted(answers: Iterable[list[Answer]]) -> Iterator[list[Answer]]:
    """Show on a terminal how far it is, unless the answers are shown there; say what has no answer.

    Raises:
        UserError: at the end, where texts could not be used; each was said before.
    """
    from tqdm import tqdm

    hidden = sys.stdout.isatty() or not sys.stderr.isatty()
    empty = refused = 0
    with tqdm(unit=" texts", desc="predicting", delay=2, leave=False, disable=hidden) as bar:
        for some in answers:
            yield some
            bar.update(len(some))
            reasons = [one.refused for one in some if one.refused is not None]
            for why in reasons:
                bar.write(f"error: {_as_options(why)}", file=sys.stderr)
            refused += len(reasons)
            empty += sum(not one.ranked for one in some) - len(reasons)
    if empty:
        print(f"{empty} text(s) are empty and have no answer", file=sys.stderr)
    if refused:
        raise UserError(f"{refused} text(s) could not be used and have no answer")


def _write_json(answers: Iterable[list[Answer]]) -> None:
    # An output that cannot hold emoji gets escapes, which mean the same to a reader of JSON.
    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    for some in answers:
        lines = [json.dumps(one.plain(), ensure_ascii=escaped) for one in some]
        print(*lines, sep="\n", flush=True)


def _write_table(answers: Iterable[list[Answer]]) -> None:
    from emoji_pred.answers import print_answers
    from emoji_pred.summary import console

    screen = console()
    for number, some in enumerate(answers):
        print_answers(some, screen, header=number == 0)


def _as_options(message: str) -> str:
    """Name the settings of `data=text_files`, whose readers are used here, as options of this command."""

    def option(found: re.Match[str]) -> str:
        return "--" + found[1].replace("_", "-")

    unquoted = re.sub(r"\"data\.delimiter=('.')\"", r"--delimiter=\1", message)
    return re.sub(r"\bdata\.(format|encoding|delimiter|quoting|max_file_mb|text_column)\b", option, unquoted)
