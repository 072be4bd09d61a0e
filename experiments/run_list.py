"""Where the numbers of a page come from: each run with its settings, code, machine, packages and data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from experiments import numbers, profiles
from experiments.keeping import KeptRun
from experiments.markup import Links, grid
from experiments.measured import Shelf
from experiments.planning import experiments_of
from experiments.table import Experiment, Paper

SHORT = 9  # digits of a commit
BLOB = 12  # of the id of a file
SHORT_NAME = 60  # characters of a repository's name
HEAD = (
    *("run", "overrides", "seed", "best epoch", "validation macro F1", "test macro F1", "minutes"),
    *("date", "code", "machine", "packages", "data"),
)


def distinct(papers: Iterable[Paper], shelf: Shelf) -> list[Experiment]:
    """Their experiments, each once, in order.

    Two that are told apart by what stands beside them alone (what was published, what is a stand-in) are the
    same runs, and so the same; with other numbers of seeds, the one that has more.
    """
    found: dict[object, Experiment] = {}
    for experiment in experiments_of(papers):
        names = shelf.names(experiment)
        key = names[0] if names else (experiment.measured, experiment.published, experiment.lacking)
        if key not in found or len(names) > len(shelf.names(found[key])):
            found[key] = experiment
    return list(found.values())


def runs_of(papers: Iterable[Paper], shelf: Shelf) -> list[KeptRun]:
    """Their finished runs, each once."""
    found = {run.name: run for experiment in experiments_of(papers) for run in shelf.runs(experiment)}
    return list(found.values())


def seconds(runs: Iterable[KeptRun]) -> float:
    """What some runs took, one after the other."""
    return sum(run.result["wall_seconds"] for run in runs)


class _Numbered:
    """Texts that many runs share, each with a short name."""

    def __init__(self, letter: str) -> None:
        self.letter = letter
        self.texts: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        return self.texts.setdefault(text, f"{self.letter}{len(self.texts) + 1}")

    def lines(self) -> list[str]:
        return [f"- {name}: {text}" for text, name in self.texts.items()]


def provenance(runs: Sequence[KeptRun], links: Links) -> str:
    """A line for each run, and below it what many of them share; "" without runs.

    Args:
        runs: in the order of the page.
        links: from the page.
    """
    if not runs:
        return ""
    machines, packages, data = _Numbered("M"), _Numbered("P"), _Numbered("D")
    rows = [_line(run, links, machines, packages, data) for run in runs]
    parts = ["## Runs", grid(HEAD, rows, left=2)]
    parts.append(
        f"{len(runs)} runs, {numbers.minutes(seconds(runs))} one after the other. Runs shared the machine, "
        "so minutes are no benchmark."
    )
    for title, numbered in (("Machines", machines), ("Packages", packages), ("Data", data)):
        parts.append("\n".join([f"{title}:", "", *numbered.lines()]))
    return "\n\n".join(parts)


def _line(run: KeptRun, links: Links, machines: _Numbered, packages: _Numbered, data: _Numbered) -> list[str]:
    result = run.result
    given = result["provenance"]
    overrides = [word for word in result["overrides"] if not word.startswith(("seed=", "trainer.threads="))]
    return [
        links.to_run(run.name),
        " ".join(f"`{word}`" for word in overrides),
        str(run.seed),
        best_epoch(result),
        _macro_f1(result, "validation"),
        _macro_f1(result, "test"),
        f"{result['wall_seconds'] / 60:.1f}",
        str(given.get("date", numbers.NO_NUMBER)),
        revision(result),
        machines(machine(given.get("machine") or {})),
        packages(_packages(given)),
        data(blobs(given.get("corpus") or {})),
    ]


def _macro_f1(result: Mapping[str, Any], split: str) -> str:
    value = (result.get(split) or {}).get("macro_f1")
    return numbers.NO_NUMBER if value is None else f"{value:.4f}"


def best_epoch(result: Mapping[str, Any]) -> str:
    """`3 of 5`; a dash for a model that has no epochs."""
    return f"{result['best_epoch'] + 1} of {len(result['curves'])}" if result["curves"] else numbers.NO_NUMBER


def revision(result: Mapping[str, Any]) -> str:
    """The commit that a run was trained by, in short; whether the checkout had changes."""
    code = result["provenance"].get("code") or {}
    return (code.get("commit") or "unknown")[:SHORT] + (" + changes" if code.get("dirty") else "")


def machine(given: Mapping[str, Any]) -> str:
    """A machine in general terms."""
    parts = [str(given.get("system", "unknown"))]
    for key in ("cores", "threads"):
        if given.get(key):
            parts.append(f"{given[key]} {key if given[key] != 1 else key.rstrip('s')}")
    return ", ".join([*parts, *([str(given["device"])] if given.get("device") else [])])


def _packages(given: Mapping[str, Any]) -> str:
    listed = [f"{name} {version}" for name, version in (given.get("packages") or {}).items() if version]
    return ", ".join([f"Python {given.get('python', 'unknown')}", *listed])


def blobs(corpus: Mapping[str, Any]) -> str:
    """Where the texts come from, with the git blob id of each file."""
    sources = list(_sources(corpus))
    return "; ".join(sources) or str(corpus.get("citation", "own or generated rows"))


def _sources(node: Mapping[str, Any]) -> Iterator[str]:
    """Each part of a corpus that names its files, however deep it stands."""
    files = node.get("files")
    if isinstance(files, Mapping) and files:
        listed = ", ".join(f"`{name}` {str(digest)[:BLOB]}" for name, digest in sorted(files.items()))
        source = " at ".join(str(node[key])[:SHORT_NAME] for key in ("repository", "commit") if node.get(key))
        yield f"{source}: {listed}" if source else listed
    for value in node.values():
        if isinstance(value, Mapping) and value is not files:
            yield from _sources(value)


def commands(papers: Iterable[Paper], shelf: Shelf) -> str:
    """What is typed for the runs of some papers, and for the papers' own experiments where ours differ."""
    measured, published = [], []
    for experiment in experiments_of(papers):
        overrides = shelf.overrides(experiment)
        if overrides:
            seeds = shelf.seeds(experiment)
            measured.append(profiles.command(overrides, seeds))
        if experiment.published:
            seeds = profiles.seeds_of(experiment, profiles.FULL)
            published.append(profiles.command(experiment.published, seeds))
    parts = ["## Commands"] if measured or published else []
    if measured:
        parts += ["What is measured here:", _code(measured)]
    if published:
        parts += [
            "The paper's own experiments, where what is measured here is something else:",
            _code(published),
        ]
    return "\n\n".join(parts)


def _code(lines: Sequence[str]) -> str:
    return "\n".join(["```sh", *dict.fromkeys(lines), "```"])
