"""Draw the label embeddings of a paper's figures, and ask its phrases: `python -m experiments.drawing`.

Both need the checkpoint of a run, so they are made once and kept in `results/<paper>/`: `figures/` by
`python -m emoji_pred embeddings`, `examples.jsonl` by `python -m emoji_pred predict`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from emoji_pred import runs
from emoji_pred.errors import UserError, mistakes_told
from experiments.command_line import Parser
from experiments.keeping import RESULTS, ROOT, KeptRun
from experiments.measured import Shelf
from experiments.pages.telegram_rus import FIGURES, PHRASES
from experiments.table import Paper, chosen

EMBEDDINGS = "embeddings"  # the kind of a figure
EXAMPLES = {"telegram_rus": "telegram"}  # what `predict --examples` calls the phrases of a paper
ANSWERS = 3  # of each phrase


def drawn_run(paper: Paper, shelf: Shelf) -> KeptRun | None:
    """The run that is best on validation, of those that a paper's figures draw; None: there is none."""
    found = [
        run
        for figure in paper.figures
        if figure.kind == EMBEDDINGS
        for _, experiment in figure.experiments
        for run in shelf.runs(experiment)
    ]
    return max(found, key=lambda run: float(run.result["validation"]["macro_f1"]), default=None)


def draw(paper: Paper, shelf: Shelf, runs_dir: Path, emoji_font: str | None = None) -> list[Path]:
    """Draw a paper's label embeddings and ask its phrases, by the best run.

    Args:
        paper: whose.
        shelf: the kept runs; the files go beside them, to `<paper>/`.
        runs_dir: where the run lies with its checkpoint.
        emoji_font: a colour font for the picture.

    Returns:
        What was written; nothing for a paper without such figures.

    Raises:
        UserError: there is no such run, it lies elsewhere, or a command failed.
    """
    if not any(figure.kind == EMBEDDINGS for figure in paper.figures):
        return []
    run = drawn_run(paper, shelf)
    if run is None:
        raise UserError(f"no run of {paper.key} is kept whose labels could be drawn: make reproduce-tables")
    if runs.read_finished(runs_dir / run.name) is None:
        raise UserError(
            f"run {run.name} is not in {runs_dir}: only its result is kept. Train it again "
            f"(python train.py {' '.join(run.result['overrides'])}), or name its place with --runs-dir"
        )
    out = shelf.results.parent / paper.key
    place = (run.name, "--runs-dir", str(runs_dir))
    font = ("--emoji-font", emoji_font) if emoji_font else ()
    _command("embeddings", *place, "--out", str(out / FIGURES), *font)
    written = [out / FIGURES]
    if paper.key in EXAMPLES:
        examples = ("--examples", EXAMPLES[paper.key], "--top", str(ANSWERS), "--json")
        _keep_phrases(run.name, _command("predict", *place, *examples), out / PHRASES)
        written.append(out / PHRASES)
    return written


def _command(*words: str) -> str:
    """What a command of the suite prints."""
    done = subprocess.run(
        [sys.executable, "-m", "emoji_pred", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise UserError(f"python -m emoji_pred {words[0]} {words[1]} failed; it says above why")
    return done.stdout


def _keep_phrases(run: str, answers: str, path: Path) -> None:
    lines = [
        json.dumps({"run": run, **json.loads(line)}, ensure_ascii=False) for line in answers.splitlines()
    ]
    with runs.replace_file(path) as stream:
        stream.write(("\n".join(lines) + "\n").encode())


def main(typed: Sequence[str] | None = None) -> None:
    """Draw what papers have, all or those that are named; a user's mistake ends it with code 2."""
    parser = Parser(
        prog="python -m experiments.drawing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("papers", nargs="?", default="", help="names parted by commas; all by default")
    default = Path(os.environ.get("EMOJI_PRED_RUNS", ROOT / "runs"))
    parser.add_argument("--runs-dir", type=Path, default=default, help="where train.py leaves its runs")
    parser.add_argument("--emoji-font", help="a colour font for the picture")
    with mistakes_told():
        arguments = parser.parse_args(typed)
        for paper in chosen(arguments.papers):
            for path in draw(paper, Shelf(RESULTS), arguments.runs_dir, arguments.emoji_font):
                print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
