"""`make verify-results`: whether committed numbers are what the kept answers give, and pages show it.

    python -m experiments.verify
    python -m experiments.verify --retrain             # trains the cheapest cell again, too

Each metric of each kept run is computed once more from its answers; where answers were not kept, its numbers
are held against each other, and those that nothing gives are counted by name, with the reason. Its name,
files and configuration must fit together; every page and table is rendered again and compared byte by byte,
those of the bench and the audits from their JSON; nothing else may lie in the results. One line a difference,
and exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from emoji_pred.errors import FAILED, UserError, mistakes_told
from experiments.checked_pages import page_differences
from experiments.checked_places import strangers
from experiments.checked_records import record_differences
from experiments.checked_runs import UNREAD, run_differences
from experiments.checked_training import retrain
from experiments.command_line import Parser
from experiments.keeping import RESULTS
from experiments.table import papers

CHEAPEST = "cheapest"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with 0, 1 where anything differs, 2 for a mistake."""
    with mistakes_told():
        options = _parser().parse_args(arguments)
        lines = verify(options.results, pages=not options.no_pages, again=options.retrain)
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        print(f"{len(lines)} differences", file=sys.stderr)
        sys.exit(FAILED)


def _parser() -> Parser:
    parser = Parser(prog="python -m experiments.verify", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="the kept runs (default: results/runs)")
    parser.add_argument("--no-pages", action="store_true", help="the kept runs alone")
    parser.add_argument(
        "--retrain",
        nargs="?",
        const=CHEAPEST,
        metavar="RUN",
        help="train a kept run again and compare: the cheapest linear one, or the one named",
    )
    return parser


def verify(results: Path = RESULTS, *, pages: bool = True, again: str | None = None) -> list[str]:
    """Check the kept runs, the pages, and one run by training it; print what was checked.

    Args:
        results: the kept runs.
        pages: whether the committed pages are rendered again.
        again: which run is trained again; "cheapest": the linear one that took the least time.

    Returns:
        A line for each difference.

    Raises:
        UserError: what was asked for cannot be checked here.
    """
    if not results.is_dir():
        raise UserError(f"{results} is not there; --results names the directory of the kept runs")
    lines, covered = run_differences(results)
    print(f"{_counted(results)} runs: {covered.computed:,} numbers computed from the answers again")
    print(f"{covered.related:,} more held against others: of a confusion matrix, and of the curves")
    if covered.left:
        print(f"{covered.left.total():,} could not be:", *covered.lines(), sep="\n")
    print(UNREAD, flush=True)
    if pages:
        of_records, compared = record_differences(RESULTS.parent)
        lines += [*strangers(RESULTS.parent, [paper.key for paper in papers()]), *of_records, *_of_pages()]
        print(f"{compared} pages of bench and audits written again from their JSON", flush=True)
    if again:
        try:
            wrong, run = retrain(results, "" if again == CHEAPEST else again)
        except UserError as error:
            if not lines:
                raise
            return [*lines, str(error)]
        lines += wrong
        print(f"run {run.name} ({' '.join(run.result['overrides'])}) trained again", flush=True)
    return lines


def _of_pages() -> list[str]:
    """A line for each difference of the pages; one where they cannot be rendered, as of a damaged run."""
    try:
        lines, written = page_differences()
    except UserError as error:
        return [str(error)]
    print(f"{written} files rendered again", flush=True)
    return lines


def _counted(results: Path) -> int:
    return sum(path.is_dir() for path in results.iterdir())


if __name__ == "__main__":
    main()
