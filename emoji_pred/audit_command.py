"""`python -m emoji_pred audit data=...`: what is wrong with a dataset, before anything is trained on it.

Overrides are those of train.py. Leaks, duplicates, conflicting labels, class shift, lengths and characters:
a summary here, `audit.html` and `audit.json` in --out DIR. A leak comes with the command that tries its
remedy.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoji_pred import runs
from emoji_pred.errors import FAILED, UserError, mistakes_told

if TYPE_CHECKING:
    from emoji_pred.data.corpus import Corpus

PAGE, FIGURES = "audit.html", "audit.json"
MOST_EXAMPLES = 50
LONGEST_NAME = 80  # characters of the default directory's name
INTERRUPTED = 130  # exit code of a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    options = _parser().parse_intermixed_args(arguments)
    try:
        with mistakes_told():
            leaks = _run(options)
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if leaks and options.fail_on_leak:
        sys.exit(FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emoji_pred audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="the data, as for train.py")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the files are written (default: audits/ in runs_dir)"
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=0,
        metavar="N",
        help="show so many texts of each finding on the page, shortened and masked (default 0)",
    )
    parser.add_argument("--fail-on-leak", action="store_true", help="end with code 1 where there is a leak")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _run(options: argparse.Namespace) -> int:
    """Audit, write and print; returns the number of leaks."""
    started = time.monotonic()
    if not 0 <= options.examples <= MOST_EXAMPLES:
        raise UserError(f"--examples {options.examples}: 0 to {MOST_EXAMPLES}")
    from emoji_pred import config as configuration

    config = _compose(options.overrides)
    configuration.check(config)
    out = _directory(options, config)
    corpus = _load(config)
    from emoji_pred.audit.page import render
    from emoji_pred.audit.report import audit
    from emoji_pred.audit.terminal import print_report
    from emoji_pred.summary import console

    said = _Steps(options.quiet)
    report, examples = audit(
        corpus, config, options.overrides, examples=options.examples, progress=said.items, step=said.step
    )
    said.end()
    _write(out, render(report, examples), report)
    print_report(report, console(), options.overrides)
    print(f"{PAGE} and {FIGURES} in {out}; {time.monotonic() - started:.0f} s")
    return int(report["verdict"]["leak"])


def _compose(overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration that train.py would run, as plain values.

    Raises:
        UserError: it does not compose.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from emoji_pred.cli import CONF, explain

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config: Any = OmegaConf.to_container(
                compose("config", list(overrides)), resolve=True, throw_on_missing=True
            )
    except (HydraException, OmegaConfBaseException) as error:
        if "Ambiguous value" in str(error):
            raise UserError("one dataset is audited at a time; give one value of each option") from None
        raise UserError(explain(error)) from None
    return config


def _directory(options: argparse.Namespace, config: Mapping[str, Any]) -> Path:
    """Where the files go; said before anything is read if nothing can be written there."""
    from emoji_pred.config import expand

    if options.out is not None:
        out, option = options.out.expanduser(), "--out"
    else:
        out, option = (
            expand(config["runs_dir"]) / "audits" / _name(config["data"], options.overrides),
            "runs_dir",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {out} cannot be made: {error.strerror}") from None
    return out


def _name(data: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """A name that says what was audited: `tweeteval`, `tweeteval-clean-leak_free`, `mine` for mine.csv."""
    files = data.get("files")
    train = files.get("train") if isinstance(files, Mapping) else None
    own = train.get("texts") if isinstance(train, Mapping) else train
    parts = [Path(str(own)).stem if own else str(data["name"])]
    for word in sorted(overrides):
        if word.startswith("data.") and not word.startswith(
            ("data.files", "data.name", "data.label", "data.text_column")
        ):
            parts.append(word.removeprefix("data."))
    return re.sub(r"[^\w]+", "-", "-".join(parts)).strip("-")[:LONGEST_NAME] or "data"


def _load(config: Mapping[str, Any]) -> Corpus:
    from emoji_pred.config import expand
    from emoji_pred.data.prepare import load_corpus

    corpus = load_corpus(config["data"], expand(config["data_dir"]))
    for message in corpus.warnings:
        print(f"warning: {message}", file=sys.stderr)
    return corpus


def _write(out: Path, page: str, report: Mapping[str, Any]) -> None:
    try:
        with runs.replace_file(out / PAGE) as stream:
            stream.write(page.encode("utf-8", "replace"))
        runs.write_json(out / FIGURES, report)
    except OSError as error:
        raise UserError(f"cannot write in {out}: {error.strerror or error}") from None


class _Steps:
    """What is looked at, one line each on standard error with its time, and bars where they can be seen."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._name, self._began = "", time.monotonic()

    def step(self, name: str) -> None:
        """Say what is done, and begin the next."""
        self.end()
        self._name, self._began = name, time.monotonic()

    def end(self) -> None:
        """Say that the last one is done."""
        if self._name and not self._quiet:
            print(f"{self._name}: {time.monotonic() - self._began:.1f} s", file=sys.stderr, flush=True)
        self._name = ""

    def items(self, items: Sequence[Any], description: str) -> Iterable[Any]:
        """Under a bar, gone when it is done."""
        if self._quiet or not sys.stderr.isatty():
            return items
        from tqdm import tqdm

        return tqdm(items, desc=description, leave=False)
