"""The report of everything measured: an index, a page a paper, one HTML file, tables for LaTeX and as CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import figures, markdown, markup, numbers, pages, run_list, story
from experiments.comparing import comparisons
from experiments.keeping import ROOT
from experiments.markup import Links
from experiments.measured import RULE, Shelf, Verdict
from experiments.table import Figure, Finding, Paper, Table
from experiments.table import papers as all_papers

RESULTS = ROOT / "results"
INDEX = "README.md"
MARKDOWN, HTML, LATEX, CSV = "markdown", "html", "latex", "csv"
FORMATS = (MARKDOWN, HTML, LATEX, CSV)
FIGURES, TABLES, REPORT = "figures", "tables", "report.html"
EMBEDDINGS = "embeddings"  # the kind of a figure whose file `python -m emoji_pred embeddings` makes
AGAIN = """```sh
make reproduce-tables                       # trains what is missing, and writes these pages
make reproduce-tables TABLE=tweeteval.4     # of one table
make reproduce-tables DRY=1                 # says what would be trained, and how long it takes
make reproduce-tables TRAIN=0               # writes these pages of the runs that are there
make reproduce-tables PROFILE=smoke         # every table on bundled data, in minutes: whether all of it works
```"""


def render(
    papers: Sequence[Paper],
    shelf: Shelf,
    out: Path,
    formats: Sequence[str] = (MARKDOWN, HTML),
    everything: Sequence[Paper] | None = None,
) -> list[Path]:
    """Write the report of some papers, or of some of their tables.

    The page of each paper is written whole, and so is the index; LaTeX and CSV only of the tables asked for.
    Other papers' pages are left as they are; one that is not there is written, as the index leads to it. Each
    file appears whole or not at all.

    Args:
        papers: those chosen, with the tables and figures chosen of them.
        shelf: the runs.
        out: the directory; if it is `results/`, the project's README gets its table and figure.
        formats: some of `FORMATS`.
        everything: all papers, for the index; None: those of `experiments/tables/`.

    Returns:
        The files that were written.

    Raises:
        UserError: a format that there is not, or the README has no place for its table.
    """
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"there is no format {name!r}; choose from {', '.join(FORMATS)}")
    known = {paper.key: paper for paper in (everything if everything is not None else all_papers())}
    known.update({paper.key: paper for paper in papers if paper.key not in known})
    written: list[Path] = []
    if MARKDOWN in formats:
        chosen = {paper.key for paper in papers}
        for key, paper in known.items():
            if key in chosen or not (out / f"{key}.md").is_file():
                written += write_page(paper, shelf, out)
        written.append(_write(out / INDEX, index(tuple(known.values()), shelf, out)))
        if out.resolve() == RESULTS:
            written += story.write_readme(shelf)
    if HTML in formats:
        from experiments import page

        page.write(tuple(known.values()), shelf, out / REPORT)
        written.append(out / REPORT)
    return written + _write_tables(papers, shelf, out, formats)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with runs.replace_file(path) as stream:
        stream.write(text.encode())
    return path


def _write_tables(papers: Sequence[Paper], shelf: Shelf, out: Path, formats: Sequence[str]) -> list[Path]:
    """Each table as a file for LaTeX, or of CSV."""
    if not {LATEX, CSV} & set(formats):
        return []
    from experiments import exports

    writers: dict[str, tuple[str, Callable[[Table, Shelf], str]]] = {
        LATEX: ("tex", exports.latex),
        CSV: ("csv", exports.csv_text),
    }
    return [
        _write(out / TABLES / f"{table.name}.{ending}", text_of(table, shelf))
        for name, (ending, text_of) in writers.items()
        if name in formats
        for paper in papers
        for table in paper.tables
    ]


def write_page(paper: Paper, shelf: Shelf, out: Path) -> list[Path]:
    """The page of a paper and the figures on it; what was written."""
    drawn: dict[str, Path] = {}
    for figure in paper.figures:
        path = _figure_file(figure, shelf, out)
        if path is not None:
            drawn[figure.name] = path
    for finding in paper.findings:
        target = out / FIGURES / f"{finding.name}.svg"
        if finding.bars and figures.draw_finding(finding, shelf, target):
            drawn[finding.name] = target
    text = paper_page(paper, shelf, out, drawn)
    own = [path for path in drawn.values() if path.is_relative_to(out / FIGURES)]
    return [*own, _write(out / f"{paper.key}.md", text)]


def _figure_file(figure: Figure, shelf: Shelf, out: Path) -> Path | None:
    """Draw a figure, or find the one that lies in the results; None where there is nothing to show."""
    if figure.kind == EMBEDDINGS:
        path = RESULTS / figure.name.partition(".")[0] / "figures" / "embeddings.png"
        return path if path.is_file() and out.resolve().is_relative_to(ROOT) else None
    path = out / FIGURES / f"{figure.name}.svg"
    return path if figures.draw(figure, shelf, path) else None


def paper_page(paper: Paper, shelf: Shelf, out: Path, drawn: dict[str, Path]) -> str:
    """Everything measured of a paper, as Markdown.

    Args:
        paper: whose page it is.
        shelf: the runs.
        out: the directory of the page.
        drawn: the files of its figures and findings, by name.
    """
    links = Links(out, shelf.results)
    parts = [
        f"# {paper.title}",
        f"Published beside measured; written by `make reproduce-tables TABLE={paper.key}`. {paper.citation}.",
        pages.introduction(paper.key, shelf),
        _findings(paper.findings, shelf, links, drawn),
        f"## How to read the tables\n\n{RULE}",
        *(part for table in paper.tables for part in _table(table, shelf)),
        *(markdown.figure(figure, drawn.get(figure.name), links) for figure in paper.figures),
        *pages.sections(paper.key, shelf),
        run_list.provenance(run_list.runs_of([paper], shelf), links),
        run_list.commands([paper], shelf),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _findings(found: Sequence[Finding], shelf: Shelf, links: Links, drawn: dict[str, Path]) -> str:
    texts = [markdown.finding(one, shelf, drawn.get(one.name), links) for one in found]
    texts = [text for text in texts if text]
    return "\n\n".join(["## What the paper does not tell", *texts]) if texts else ""


def _table(table: Table, shelf: Shelf) -> list[str]:
    return [markdown.table(table, shelf), comparisons(table, shelf)]


def index(papers: Sequence[Paper], shelf: Shelf, out: Path) -> str:
    """The first page: what was measured, in one line a table, and where everything lies."""
    found = run_list.runs_of(papers, shelf)
    experiments = run_list.distinct(papers, shelf)
    measured = sum(bool(shelf.runs(one)) for one in experiments)
    total = numbers.minutes(run_list.seconds(found))
    parts = [
        "# Results",
        "Published tables beside what this code measures, written by `make reproduce-tables`: "
        f"{len(found)} runs of {measured} experiments, {total} of training one after the other; "
        f"experiments without a run: {len(experiments) - measured}.",
        *(_index_of(paper, shelf, out) for paper in papers),
        f"## The rule of a verdict\n\n{RULE}{_within_the_mean(papers, shelf)}",
        _findings_in_short(papers, shelf),
        f"## Run it again\n\n{AGAIN}",
        _places(out),
        _times(papers, shelf),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


COLUMNS = (
    *(Verdict.REPRODUCED, Verdict.BETTER, Verdict.WORSE, Verdict.INCONCLUSIVE, Verdict.SAME),
    *(Verdict.DIFFERENT, Verdict.NOT_COMPARABLE, Verdict.NOT_PUBLISHED, Verdict.NOT_RUN),
)
NAMES = {Verdict.SAME: "the same count", Verdict.NOT_PUBLISHED: "ours alone"}  # in the head of the index


def _index_of(paper: Paper, shelf: Shelf, out: Path) -> str:
    counts = {table.name: verdicts(table, shelf) for table in paper.tables}
    columns = [verdict for verdict in COLUMNS if any(count[verdict] for count in counts.values())]
    names = [NAMES.get(verdict, str(verdict)) for verdict in columns]
    rows = []
    for table in paper.tables:
        count = counts[table.name]
        link = f"[{table.title}]({paper.key}.md#{markup.anchor(table.name)})"
        numbers_of = [str(count[verdict] or "") for verdict in columns]
        rows.append([f"`{table.name}`", link, str(sum(count.values())), *numbers_of])
    table_of = markup.grid(["table", "what", "cells", *names], rows, left=2)
    return f"## [{paper.title}]({paper.key}.md)\n\n{paper.citation}.\n\n{table_of}"


def verdicts(table: Table, shelf: Shelf) -> Counter[Verdict]:
    """How many cells of a table have which verdict."""
    return Counter(shelf.measured(cell).verdict for row in table.rows for cell in row.cells if cell)


def _within_the_mean(papers: Sequence[Paper], shelf: Shelf) -> str:
    """How many of the reproduced numbers lie in the interval of our mean too, which is the narrower one."""
    cells = [cell for paper in papers for table in paper.tables for row in table.rows for cell in row.cells]
    found = [shelf.measured(cell) for cell in cells if cell]
    reproduced = [one for one in found if one.verdict is Verdict.REPRODUCED]
    if not reproduced:
        return ""
    near = sum(one.holds_published for one in reproduced)
    return (
        f" Of the {len(reproduced)} reproduced numbers {near} lie in the interval of our mean too, which is "
        "the one that the tables show: where runs scatter, one more of ours may fall far from their mean."
    )


def _findings_in_short(papers: Sequence[Paper], shelf: Shelf) -> str:
    lines = [
        f"- [{finding.title.rstrip('.')}]({paper.key}.md#{markup.anchor(finding.name)})."
        for paper in papers
        for finding in paper.findings
        if finding.text(shelf)
    ]
    return "\n".join(["## What the papers do not tell", "", *lines]) if lines else ""


def _places(out: Path) -> str:
    lines = ["- `<paper>.md`: every table of a paper with intervals, verdicts, runs and commands"]
    lines.append(
        f"- `{REPORT}`: the same in one file that needs no network: a click on a cell shows its runs"
    )
    lines.append(f"- `{FIGURES}/`: the figures on the pages")
    if out.resolve() == RESULTS:
        lines += [
            "- `runs/<name>/`: each run's `result.json` and its answer to every row",
            "- `bench.md`: speed and memory; `audit/`: what is wrong with the datasets",
        ]
    lines.append("- `make reproduce-tables FORMAT=latex` (or `csv`) writes each table to `tables/`")
    return "\n".join(["## Where everything lies", "", *lines])


def _times(papers: Sequence[Paper], shelf: Shelf) -> str:
    """How long each experiment took."""
    rows = []
    for experiment in run_list.distinct(papers, shelf):
        found = shelf.runs(experiment)
        if found:
            took = run_list.seconds(found)
            typed = " ".join(f"`{word}`" for word in shelf.overrides(experiment))
            rows.append([typed, str(len(found)), numbers.minutes(took / len(found)), numbers.minutes(took)])
    if not rows:
        return ""
    return "## How long it took\n\n" + markup.grid(["experiment", "runs", "each", "together"], rows)
