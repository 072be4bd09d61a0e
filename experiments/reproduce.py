"""`make reproduce-tables`: train what the tables of the papers lack, then show every cell beside the paper's.

    python -m experiments.reproduce --tables tweeteval.4 --profile cpu --jobs 2 --dry

Started again, it does only what is missing. Profiles: `smoke`, a few steps on bundled data, whose numbers
mean nothing; `cpu`, all that can be measured on a processor with the data at hand; `full`, as published.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from emoji_pred import runs
from emoji_pred.errors import FAILED, UserError, did_you_mean, mistakes_told
from emoji_pred.process import output_may_be_cut
from experiments import keeping
from experiments.command_line import Parser
from experiments.commands import (
    Command,
    Hardware,
    check_names,
    hardware,
    seed_commands,
    shared_commands,
    single_commands,
)
from experiments.history import History
from experiments.planning import Places, Plan, check_disk, described, history_of, plan, words_of
from experiments.profiles import CPU, NOTE_OF_SMOKE, PROFILES, SMOKE
from experiments.table import EVERYTHING, Paper, chosen

PAGES, OF_TABLES = ("markdown", "html"), ("latex", "csv")
FEW_CHARS = 100  # of an error that was told before
FORMATS = (*PAGES, *OF_TABLES)
MOST = 1000  # seeds, or jobs: a slip of the hand would be planned for hours


@dataclass(frozen=True)
class Wish:
    """What a user asks for.

    Attributes:
        tables: names parted by commas; "": all.
        profile: `smoke`, `cpu` or `full`.
        seeds: of each experiment; None: its own number.
        hardware: where the runs train.
        dry: only say what is missing.
        train: whether what is missing is trained before the report is written.
        formats: of the report.
        places: of the runs.
        out: of the report.
    """

    tables: str
    profile: str
    seeds: int | None
    hardware: Hardware
    dry: bool
    train: bool
    formats: tuple[str, ...]
    places: Places
    out: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends with 0, 1 where a run failed, 2 for a mistake, 130 for Ctrl-C."""
    try:
        with output_may_be_cut(), mistakes_told():
            code = reproduce(wish_of(arguments))
    except KeyboardInterrupt:  # outside the training
        print("\nstopped by SIGINT; the same command continues", file=sys.stderr)
        code = 128 + signal.SIGINT
    if code:
        sys.exit(code)


def wish_of(arguments: Sequence[str] | None) -> Wish:
    """Read the command line; an empty value is the default, as `make` hands on what was not set.

    Raises:
        UserError: a value that cannot be used.
    """
    typed = _parser().parse_args(arguments)
    profile = typed.profile or CPU
    if profile not in PROFILES:
        raise UserError(f"PROFILE={profile} is no profile; there are {', '.join(PROFILES)}")
    seeds, jobs = _count("SEEDS", typed.seeds), _count("JOBS", typed.jobs)
    runs_dir = Path(typed.runs_dir or os.environ.get("EMOJI_PRED_RUNS") or "runs").expanduser().absolute()
    out = Path(typed.out).expanduser().absolute() if typed.out else None
    if profile == SMOKE:
        runs_dir = runs_dir / SMOKE
        jobs = jobs or os.cpu_count()
    out = out or (runs_dir / "report" if profile == SMOKE else keeping.RESULTS.parent)
    return Wish(
        typed.tables,
        profile,
        seeds,
        hardware(profile, jobs, typed.launcher),
        typed.dry,
        not typed.no_train,
        _formats(typed.format),
        Places(runs_dir, out / keeping.RESULTS.name),
        out,
    )


def _parser() -> Parser:
    parser = Parser(
        prog="python -m experiments.reproduce",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--tables", default="", metavar="NAMES", help="such as tweeteval.4,emothreat; all by default")
    add("--profile", default="", help=f"{', '.join(PROFILES)} (default: {CPU})")
    add("--seeds", default="", metavar="N", help="runs of each experiment, instead of its own number")
    add("--jobs", default="", metavar="N", help="runs at once, which share the cores (default: 1)")
    add("--dry", action="store_true", help="only say what is missing, and what it takes")
    add("--no-train", action="store_true", help="only write the report, of the runs that are finished")
    add("--format", default="", help=f"{', '.join(FORMATS)} or all (default: {','.join(PAGES)})")
    add("--runs-dir", default="", metavar="DIR", help="of the runs (default: EMOJI_PRED_RUNS, or runs)")
    add("--out", default="", metavar="DIR", help="of the report and the kept runs (default: results)")
    add(
        "--launcher",
        default="",
        help="of a cluster: submitit_slurm, ray, ... and its settings, as in "
        "'submitit_slurm hydra.launcher.partition=gpu trainer=gpu'",
    )
    return parser


def _count(name: str, typed: str) -> int | None:
    digits = typed.strip()
    if not digits:
        return None
    few = digits.isascii() and digits.isdigit() and len(digits) <= len(str(MOST))
    if not few or not 1 <= int(digits) <= MOST:
        raise UserError(f"{name}={digits[:FEW_CHARS]} is no number from 1 to {MOST}")
    return int(digits)


def _formats(typed: str) -> tuple[str, ...]:
    names = [name.strip() for name in typed.split(",") if name.strip()]
    if "all" in names:
        return FORMATS
    for name in names:
        if name not in FORMATS:
            raise UserError(f"FORMAT={name} is no format{did_you_mean(name, (*FORMATS, 'all'))}")
    return tuple(names) or PAGES


def reproduce(wish: Wish) -> int:
    """Plan, train, render; returns the exit code.

    Raises:
        UserError: something that can be mended before anything is trained.
    """
    wanted = chosen(wish.tables)
    if not wish.dry:
        check_places(wish)
    more = None if wish.profile == SMOKE else keeping.RESULTS  # whole runs tell nothing of three steps
    history = history_of(wish.places, wish.hardware.gpus > 0, more)
    launcher = wish.hardware.launcher[0].partition("=")[2] if wish.hardware.launcher else ""
    found = plan(wanted, wish.profile, wish.seeds, wish.hardware.jobs, wish.places, history, launcher)
    print(described(found, _names(wish, wanted)), flush=True)
    if wish.dry:
        return 0
    keep_finished(found, wish.places)
    code = 0
    if found.missing and wish.train:
        check_disk(found)
        code = _train(found, wish, history)
        if code > FAILED:
            return code
    _render(wish, wanted)
    return code


def check_places(wish: Wish) -> None:
    """Refuse directories that cannot be written, before anything is trained.

    Raises:
        UserError: one cannot.
    """
    for directory, option in ((wish.places.runs_dir, "RUNS_DIR"), (wish.places.kept, "OUT")):
        try:
            runs.prepare_directory(directory)
        except UserError as error:
            raise UserError(
                f"cannot write to {directory}: {_reason(error)}; set {option}=DIRECTORY to another one"
            ) from error


def _reason(error: UserError) -> str:
    cause = error.__cause__
    return (cause.strerror or str(cause)) if isinstance(cause, OSError) else str(error)


def keep_finished(found: Plan, places: Places) -> None:
    """Keep what an earlier command finished and had no time to keep."""
    for run in found.finished:
        if not places.is_kept(run.name):
            keeping.keep(places.runs_dir / run.name, places.kept / run.name)


def _train(found: Plan, wish: Wish, history: History) -> int:
    """Run what is missing, say how it ended; returns the exit code."""
    from experiments.launching import Launch  # which loads what trains

    commands = commands_of(found, wish.hardware)
    if wish.hardware.launcher:
        for command in commands:
            check_names(command, wish.hardware.launcher)
    print(flush=True)
    started = time.monotonic()
    try:
        ends = Launch(commands, wish.hardware, wish.places, history).run()
    except BrokenPipeError:
        raise
    except OSError as error:
        place = error.filename or wish.places.runs_dir
        raise UserError(f"cannot write {place}: {error.strerror}; the same command continues") from error
    left = len(found.missing) - len(ends.finished) - len(ends.failed) - len(ends.skipped)
    parts = [f"{len(ends.finished)} finished", f"{len(ends.failed)} failed", f"{len(ends.skipped)} skipped"]
    shown = [part for part in parts if not part.startswith("0 ")] + [f"{left} left"] * bool(left)
    print(f"\n{', '.join(shown)}, in {words_of(time.monotonic() - started)}", flush=True)
    for name, (said, log) in ends.failed.items():
        print(f"  failed {name}: {shorten(said, FEW_CHARS)}; its output: {log}")
    for reason in dict.fromkeys(ends.skipped.values()):
        count = list(ends.skipped.values()).count(reason)
        print(f"  skipped {count}: {shorten(reason, FEW_CHARS)}")
    if ends.signal_number:
        print("stopped; the same command continues", file=sys.stderr)
        return 128 + ends.signal_number
    return FAILED if ends.failed or ends.skipped else 0


def commands_of(found: Plan, where: Hardware) -> list[Command]:
    """What is typed for what is missing: as few commands as can be, of which none holds up the others."""
    if found.profile == SMOKE or where.launcher:
        return shared_commands(found.missing)
    if where.gpus > 1:  # there each run of a sweep is a process of its own
        return single_commands(found.missing)
    return seed_commands(found.missing, where.jobs)


def _render(wish: Wish, wanted: Iterable[Paper]) -> None:
    from experiments.measured import Shelf
    from experiments.rendering import render

    shelf = Shelf(wish.places.kept, wish.profile)
    written = render(tuple(wanted), shelf, wish.out, wish.formats)
    if wish.profile == SMOKE:
        for path in written:
            mark_as_smoke(path)
    for path in written:
        print(f"wrote {path}")


def mark_as_smoke(page: Path) -> None:
    """Say on top of a page, unless it says so itself, that its numbers mean nothing."""
    if page.suffix not in (".md", ".html"):
        return
    text = page.read_text(encoding="utf-8")
    if NOTE_OF_SMOKE in text:
        return
    if page.suffix == ".md":
        marked = f"> **{NOTE_OF_SMOKE}**\n\n{text}"
    else:
        note = (
            f'<p role="note"><strong>{NOTE_OF_SMOKE}</strong></p>'  # no style: the page allows its own alone
        )
        marked = re.sub(r"<body[^>]*>", lambda body: body[0] + note, text, count=1)
    with runs.replace_file(page) as stream:
        stream.write(marked.encode("utf-8"))


def _names(wish: Wish, wanted: Iterable[Paper]) -> list[str]:
    typed = [name.strip() for name in wish.tables.split(",") if name.strip()]
    return typed if typed and EVERYTHING not in typed else [paper.key for paper in wanted]


if __name__ == "__main__":
    main()
