"""What a table is: rows of cells, each a metric of some runs beside the number that was published for it."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import experiments.tables
from emoji_pred.errors import UserError, did_you_mean
from experiments.keeping import Answers, KeptRun
from experiments.scoring import NoSuchMetric, is_of_split, score

if TYPE_CHECKING:
    from experiments.measured import Shelf

EVERYTHING = "all"  # what a user may type in the place of all names
ANY = "*"  # in a path: the only key there
FIGURES = ("curves", "class_counts", "embeddings")  # kinds
SPLITS = ("validation", "test")
# Where a path may begin that belongs to no split.
OF_RESULT = (
    *("best_epoch", "config", "curves", "fit", "interruptions", "parameters", "peak_memory_mb"),
    *("provenance", "wall_seconds"),
)
Select = Callable[[KeptRun, Answers], Answers]


@dataclass(frozen=True)
class Experiment:
    """What is trained for a cell: runs that differ in the seed alone.

    Attributes:
        measured: overrides of `train.py` without the seed, as they are run on a processor with the data at
            hand; empty: it cannot be run there.
        published: overrides of the paper's own experiment; None: `measured` is that, or the paper has none.
        seeds: how many runs, with the seeds 0, 1, ...
        random: whether the seed changes anything; if not, there is one run.
        lacking: why `measured` is empty: what cannot be had.
        stand_in: what makes `measured` something else than the paper's experiment.
    """

    measured: tuple[str, ...]
    published: tuple[str, ...] | None = None
    seeds: int = 1
    random: bool = True
    lacking: str = ""
    stand_in: str = ""

    def __post_init__(self) -> None:
        if bool(self.measured) == bool(self.lacking):
            raise UserError(f"an experiment has either `measured` or `lacking`: {self}")


@dataclass(frozen=True)
class Metric:
    """How a number is read from a result and written.

    Attributes:
        name: the heading of its column.
        path: where it stands in the result, the steps parted by `/`, such as `macro_f1` or `per_class/❤/f1`;
            in a list a step is the `label` of an entry, or its place; `*` is the only key of a mapping.
        split: `validation` or `test`, below which the path begins; "": the path begins at the root.
        scale: what the fraction is multiplied by, 100 for percent.
        decimals: of the published number.
        higher_is_better: None: neither, as of a count of rows, or of the accuracy in training.
        select: what the metric is read on instead of all answers of its split: other rows, labels or weights.
    """

    name: str
    path: str
    split: str = "test"
    scale: float = 1.0
    decimals: int = 2
    higher_is_better: bool | None = True
    select: Select | None = None

    @property
    def is_count(self) -> bool:
        """Whether it counts what no model moves, such as rows: then it is the same or not, without chance."""
        return self.higher_is_better is None and self.decimals == 0

    def check(self) -> None:
        """Refuse a path that no result has.

        Raises:
            UserError: it is misspelt.
        """
        if self.split:
            right = self.split in SPLITS and is_of_split(self.path)
        else:
            right = self.path.partition("/")[0] in OF_RESULT
        if not right:
            place = f"the split {self.split!r}" if self.split else "its root"
            raise UserError(f"the path {self.path!r} is no metric that a result has in {place}")

    def read(self, run: KeptRun) -> float | None:
        """The number of a run, scaled; None where it has no such number."""
        if self.select is not None:
            return self._scored(run)
        found: Any = run.result.get(self.split) if self.split else run.result
        for step in self.path.split("/"):
            found = _below(found, step)
            if found is None:
                return None
        return self.scale * float(found)

    def answers(self, run: KeptRun) -> Answers | None:
        """What the metric is of: the answers of its split, or the part of them that it selects."""
        found = run.answers().get(self.split)
        return self.select(run, found) if self.select and found else found

    def _scored(self, run: KeptRun) -> float | None:
        answers = self.answers(run)
        if answers is None:
            return None
        try:
            (value,) = score(answers, self.path, run.labels, run.top_class(self.split))
        except NoSuchMetric:
            return None
        return self.scale * float(value)


def _below(node: Any, step: str) -> Any:
    if isinstance(node, Mapping):
        if step == ANY and len(node) == 1:
            return next(iter(node.values()))
        return node.get(step)
    if isinstance(node, Sequence) and not isinstance(node, str):
        if step.isdigit():
            return node[int(step)] if int(step) < len(node) else None
        return next((entry for entry in node if entry.get("label") == step), None)
    return None


@dataclass(frozen=True)
class Cell:
    """A metric of an experiment, and what was published for it (None: nothing was)."""

    experiment: Experiment
    metric: Metric
    published: float | None = None


@dataclass(frozen=True)
class Row:
    """A line of a table; a cell is None where the table has nothing to say.

    Attributes:
        label: as it stands in the table.
        cells: one for each column.
        note: what a reader must know of this line.
        yardstick: whether it is a constant answer, which is shown but not compared with the other lines.
    """

    label: str
    cells: tuple[Cell | None, ...]
    note: str = ""
    yardstick: bool = False


@dataclass(frozen=True)
class Table:
    """A table of a paper, or one of ours.

    Attributes:
        name: what a user types, such as `tweeteval.4`.
        title: in words.
        head: the heading of each column.
        rows: its lines.
        about: what stands above it: what is measured, by which settings.
        contradictions: where the paper's own numbers do not fit together.
        in_paper: whether the paper has it.

    Raises:
        UserError: a row has another number of cells than the head, or a cell a metric that no result has.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    about: str = ""
    contradictions: tuple[str, ...] = ()
    in_paper: bool = True

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.head):
                raise UserError(
                    f"{self.name}, row {row.label}: {len(row.cells)} cells below {len(self.head)} headings"
                )
            for cell in filter(None, row.cells):
                try:
                    cell.metric.check()
                except UserError as error:
                    raise UserError(f"{self.name}, row {row.label}, {cell.metric.name}: {error}") from error

    @property
    def experiments(self) -> list[Experiment]:
        """Those of its cells, each once, in order."""
        return list(dict.fromkeys(cell.experiment for row in self.rows for cell in row.cells if cell))


@dataclass(frozen=True)
class Figure:
    """A figure of a paper that is drawn from runs.

    Attributes:
        name: what a user types, such as `tweeteval.figure1`.
        title: in words.
        kind: `curves` (loss and accuracy by epoch), `class_counts` or `embeddings`.
        experiments: label of each panel, and whose runs it shows.
        about: what the paper shows there.

    Raises:
        UserError: there is no such kind.
    """

    name: str
    title: str
    kind: str
    experiments: tuple[tuple[str, Experiment], ...]
    about: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FIGURES:
            raise UserError(
                f"{self.name}: {self.kind!r} is no kind of figure{did_you_mean(self.kind, FIGURES)}"
            )


@dataclass(frozen=True)
class Finding:
    """Something that the paper does not tell, with its evidence.

    Attributes:
        name: what a user types, such as `tweeteval.leak`.
        title: the claim, in one line.
        text: the claim with the measured numbers in it, as Markdown; "" where nothing was measured.
        bars: labels and the cells that are drawn as its figure.
        tables: names of the tables that hold the evidence.
        audit: the folder of `results/audit/` that holds it too.
    """

    name: str
    title: str
    text: Callable[[Shelf], str]
    bars: tuple[tuple[str, Cell], ...] = ()
    tables: tuple[str, ...] = ()
    audit: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper with its tables and figures; each module of `experiments/tables/` has one as `PAPER`.

    Attributes:
        key: what a user types for all of it, such as `tweeteval`.
        title: how its page is called.
        citation: authors, name, year.
        tables: in the order of the page.
        figures: likewise.
        findings: what the paper does not tell.
    """

    key: str
    title: str
    citation: str
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()
    findings: tuple[Finding, ...] = ()


def experiment_row(
    label: str,
    experiment: Experiment,
    metrics: Sequence[Metric],
    published: Sequence[float | None] = (),
    note: str = "",
) -> Row:
    """A line that is one experiment, with a cell for each metric."""
    printed = [*published, *[None] * (len(metrics) - len(published))]
    cells = [Cell(experiment, metric, number) for metric, number in zip(metrics, printed, strict=True)]
    return Row(label, tuple(cells), note)


def papers() -> tuple[Paper, ...]:
    """Every paper: the `PAPER` of each module in `experiments/tables/`, by name, ours last.

    Raises:
        UserError: two of their tables, figures or findings have the same name.
    """
    modules = sorted(module.name for module in pkgutil.iter_modules(experiments.tables.__path__))
    found = [importlib.import_module(f"experiments.tables.{name}") for name in modules]
    every = [module.PAPER for module in found if hasattr(module, "PAPER")]
    check_names(every)
    return tuple(sorted(every, key=lambda paper: not any(table.in_paper for table in paper.tables)))


def check_names(every: Sequence[Paper]) -> None:
    """Refuse names that two papers, tables, figures or findings have: a user could choose neither.

    Raises:
        UserError: there is one.
    """
    counts = Counter(name for paper in every for name in names_of(paper))
    for name in (name for name, count in counts.items() if count > 1):
        raise UserError(f"{counts[name]} papers, tables, figures or findings are called {name!r}; rename one")


def chosen(wanted: str) -> tuple[Paper, ...]:
    """The papers and their parts that a user names, as `tweeteval` or `tweeteval.4,emothreat`.

    Args:
        wanted: names parted by commas; "" or `all` is everything.

    Raises:
        UserError: a name that nothing has.
    """
    everything = papers()
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    known = [EVERYTHING, *(name for paper in everything for name in names_of(paper))]
    for name in names:
        if name not in known:
            raise UserError(f"there is no table {name!r}{did_you_mean(name, known)}")
    if not names or EVERYTHING in names:
        return everything
    kept = (_part_of(paper, names) for paper in everything)
    return tuple(paper for paper in kept if paper.tables or paper.figures or paper.findings)


def names_of(paper: Paper) -> list[str]:
    """What a user may type of a paper: its key, and the names of all its parts."""
    parts: list[Table | Figure | Finding] = [*paper.tables, *paper.figures, *paper.findings]
    return [paper.key, *(part.name for part in parts)]


def _part_of(paper: Paper, names: Sequence[str]) -> Paper:
    if paper.key in names:
        return paper
    tables = tuple(table for table in paper.tables if table.name in names)
    figures = tuple(figure for figure in paper.figures if figure.name in names)
    findings = tuple(finding for finding in paper.findings if finding.name in names)
    return replace(paper, tables=tables, figures=figures, findings=findings)
