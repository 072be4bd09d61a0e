"""`python -m experiments.model_cards`: a card of the best kept run of each dataset, or of your own run."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from emoji_pred.errors import UserError, mistakes_told
from emoji_pred.finished import add_runs_dir, find_run, read_result, run_directories
from emoji_pred.runs import RESULT, RESULT_SCHEMA, replace_file
from experiments.cards.best import Trained, all_kept, experiments_of, identity, on_dataset, same_experiment
from experiments.cards.card import model_card
from experiments.cards.content import need_split, number
from experiments.cards.facts import facts_of
from experiments.command_line import Parser
from experiments.keeping import RESULTS, ROOT, KeptRun, is_seed, keep, kept

DATASETS = ("tweeteval", "telegram_rus_small", "emothreat_public")
CARDS = ROOT / "results" / "model_cards"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    parser = Parser(prog="python -m experiments.model_cards", description=__doc__)
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run's directory, its name or the first digits"
    )
    add_runs_dir(parser)
    parser.add_argument(
        "--out", type=Path, help="with RUN: the file (default: shown); else the directory of the three cards"
    )
    with mistakes_told():
        options = parser.parse_args(arguments)
        if options.run is None:
            for path in write_cards(options.out or CARDS):
                print(f"written: {path}")
        else:
            _of_run(options.run, options.runs_dir, options.out)


def write_cards(out: Path, results: Path = RESULTS) -> list[Path]:
    """Write a card of the best kept run of each dataset; the files.

    Args:
        out: their directory.
        results: the kept runs.

    Raises:
        UserError: there is no run of any, or a file cannot be written.
    """
    trained = experiments_of(all_kept(results))
    written = []
    for name in DATASETS:
        fitting = on_dataset(name, trained)
        if not fitting:
            print(f"{name}: no kept run in {results.name}, no card", file=sys.stderr)
            continue
        best = to_ship(name, fitting)
        path = out / f"{name}.md"
        _write(path, model_card(best.best, best, trained, why=reason(name, best, fitting)))
        written.append(path)
    if not written:
        raise UserError(
            f"{results} holds no run of {', '.join(DATASETS)}; there is nothing to make a card of"
        )
    return written


def to_ship(name: str, fitting: Sequence[Trained]) -> Trained:
    """The best on validation of those that may be handed on.

    Args:
        name: of the dataset.
        fitting: its experiments, best first; at least one.
    """
    ship = facts_of(name).ship
    if ship is None:
        return fitting[0]
    return next((group for group in fitting if group.data.get(ship[0]) == ship[1]), fitting[0])


def reason(name: str, best: Trained, fitting: Sequence[Trained]) -> str:
    """How the run was chosen, in sentences."""
    run, count = best.best, sum(len(group.runs) for group in fitting)
    text = (
        f"Chosen among {len(fitting)} experiments ({count} runs) on these rows by macro F1 on validation, "
        f"mean over the seeds: {number(best.validation)}. The test split took no part in the choice."
    )
    if len(best.runs) > 1:
        text += f" Of its {len(best.runs)} seeds, {run.seed} is the best on validation."
    text += _next(best, fitting)
    ship = facts_of(name).ship
    if ship is None:
        return text
    if best.data.get(ship[0]) != ship[1]:
        return (
            f"{text} **Not to be handed on**: no run was trained with `data.{ship[0]}={ship[1]}`; {ship[2]}."
        )
    rest = [group for group in fitting if group.data.get(ship[0]) != ship[1]]
    how = f"`data.{ship[0]}={ship[1]}`"
    text += f" **It was trained with {how}, and only such a model should be handed on**: {ship[2]}."
    if rest:
        text += f" Of the others the best on validation is {_called(rest[0])}."
    return text


def _next(best: Trained, fitting: Sequence[Trained]) -> str:
    ship = facts_of(str(best.data["name"])).ship
    alike = [
        group
        for group in fitting
        if group is not best and (ship is None or group.data.get(ship[0]) == best.data.get(ship[0]))
    ]
    return f" The next is {_called(alike[0])}." if alike else ""


def _called(group: Trained) -> str:
    model = identity(group.best)["model"]["name"]
    return f"`{group.best.name}` (`{model}`, {number(group.validation)})"


def _of_run(named: str, runs_dir: Path, out: Path | None) -> None:
    directory = _find(named, runs_dir)
    with tempfile.TemporaryDirectory() as scratch:
        run, weights_at = _read(directory, Path(scratch))
        need_split(run.result, directory)
        trained = same_experiment(run, _beside(directory))
        text = model_card(run, trained, experiments_of(all_kept()), weights_at=weights_at)
    if out is None:
        print(text, end="")
    else:
        _write(out, text)
        print(f"written: {out}")


def _find(named: str, runs_dir: Path) -> Path:
    """The directory of a run of the user's, or of one that the project keeps.

    Raises:
        UserError: there is none, or more than one.
    """
    try:
        return find_run(runs_dir, named)
    except UserError:
        if RESULTS.is_dir() and any(run.name.startswith(named) for run in run_directories(RESULTS)):
            return find_run(RESULTS, named)
        raise


def _read(directory: Path, scratch: Path) -> tuple[KeptRun, str]:
    """A finished run with its answers, and where its weights are; one of the project's has none."""
    if directory.resolve().parent == RESULTS.resolve():
        found = kept(directory.name, directory.parent)
        if found is not None:
            return found, ""
    read_result(directory)  # says what is wrong
    keep(directory, scratch)
    found = kept(scratch.name, scratch.parent)
    assert found is not None
    return found, "They lie in the directory of the run."


def _beside(directory: Path) -> Iterator[KeptRun]:
    """The finished runs in the directory that holds a run, by their results alone."""
    for path in sorted(directory.resolve().parent.glob(f"*/{RESULT}")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            whole = result["provenance"]["identity"] and is_seed(result["config"]["seed"])
            if result["schema"] == RESULT_SCHEMA and whole:
                yield KeptRun(result, path.parent)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # one that is being written, or of another version


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another --out") from None


if __name__ == "__main__":
    main()
