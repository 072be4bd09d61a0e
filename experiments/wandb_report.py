"""`python -m experiments.wandb_report`: the tables of each paper as a report at Weights & Biases.

For each paper one W&B run holds the cells and the learning curves as tables, and one report shows the same
cells, with intervals, verdicts and the names of the runs. Offline the run is kept for `wandb sync`; a report
needs the server.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.dashboard import PROJECT
from emoji_pred.errors import UserError, mistakes_told, one_line
from emoji_pred.wandb_mode import Mode, wandb_mode
from emoji_pred.wandb_process import run_settings, server_answers
from experiments.command_line import Parser
from experiments.keeping import RESULTS
from experiments.measured import RULE, Shelf
from experiments.table import Paper, chosen, papers
from experiments.wandb_content import Piece, cells, counts, curves, pieces, table_key

LONGEST_TITLE = 128  # of a report; W&B's limit
PROBE_SECONDS, TIMEOUT = 5.0, 60.0  # for a first word of the server; for each of its answers after that
OFFLINE_INSTEAD = "--offline keeps the tables here for `wandb sync`"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    parser = Parser(prog="python -m experiments.wandb_report", description=__doc__)
    parser.add_argument("--tables", default="all", help="such as tweeteval or tweeteval.4,emothreat")
    parser.add_argument("--project", default=PROJECT, help=f"of W&B (default {PROJECT})")
    parser.add_argument("--entity", help="whose project it is (default: WANDB_ENTITY, or your own)")
    parser.add_argument("--offline", action="store_true", help="keep the tables here, ask no server")
    parser.add_argument(
        "--dir", type=Path, default=Path("."), help="where W&B keeps its files (default: here)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the kept runs lie")
    parser.add_argument("--dry-run", action="store_true", help="log nothing, but write the reports as JSON")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where --dry-run writes (default: shown)")
    with mistakes_told():
        _run(parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> None:
    wanted, shelf = asked_for(options.tables), Shelf(options.results)
    if options.output and not options.dry_run:
        raise UserError("--output is where --dry-run writes; add --dry-run")
    if not options.results.is_dir():
        raise UserError(f"{options.results} is no directory; --results is where the kept runs lie")
    entity = options.entity or os.environ.get("WANDB_ENTITY", "")
    if options.dry_run:
        made = [specification(build(paper, shelf, options.project, entity)) for paper in wanted]
        _write(made, options.output)
        return
    mode = settled_mode(options.offline)
    _library()
    if mode == "online":
        _need_server()
    for paper in wanted:
        logged = log(paper, shelf, mode, options.project, entity, options.dir)
        print(f"{paper.key}: {logged.place}", flush=True)
        if mode == "online":
            address = save(paper, shelf, options.project, entity, logged.name)
            print(f"{paper.key}: report {address}", flush=True)
    if mode == "offline":
        print("offline: no report was saved; it needs the server. --dry-run shows it")


def asked_for(wanted: str) -> tuple[Paper, ...]:
    """The papers that a user names; one of which only some tables are asked for says so in its title.

    A report is known by its title: one of a single table must not take the place of the paper's.

    Raises:
        UserError: a name that nothing has.
    """
    whole = {paper.key: paper.tables for paper in papers()}
    found = []
    for paper in chosen(wanted):
        names = ", ".join(table.name for table in paper.tables)
        part = paper.tables != whole[paper.key]
        found.append(replace(paper, title=f"{paper.title}: {names}") if part else paper)
    return tuple(found)


def settled_mode(offline: bool) -> Mode:
    """Whether the server is asked at all, decided by options, environment and files alone.

    Raises:
        UserError: a mode that does not exist, W&B is disabled, or nobody is logged in to it nor said that it
            should be offline.
    """
    if offline:
        return wandb_mode("offline")
    mode = wandb_mode(None)
    if mode == "disabled":
        raise UserError(f"WANDB_MODE=disabled: nothing would be kept; unset it, or {OFFLINE_INSTEAD}")
    if mode == "offline" and not os.environ.get("WANDB_MODE", "").strip():
        raise UserError(f"not logged in to W&B: `wandb login` first, or {OFFLINE_INSTEAD}")
    return mode


def build(paper: Paper, shelf: Shelf, project: str, entity: str) -> Any:
    """The report of a paper, without a server; the logged tables themselves are added by `save`.

    Raises:
        UserError: the library is not installed.
    """
    wr = _library()
    return wr.Report(
        project=project,
        entity=entity,
        title=_title(paper),
        description=f"{paper.citation}. Published beside measured.",
        blocks=[wr.TableOfContents(), *(_block(wr, piece) for piece in pieces(paper, shelf))],
        width="fluid",
    )


def _title(paper: Paper) -> str:
    return paper.title if len(paper.title) <= LONGEST_TITLE else f"{paper.title[: LONGEST_TITLE - 1]}…"


def _block(wr: Any, piece: Piece) -> Any:
    if piece.kind == "heading":
        return {1: wr.H1, 2: wr.H2, 3: wr.H3}[piece.level](piece.text)
    return wr.MarkdownBlock(piece.text)


def specification(report: Any) -> dict[str, Any]:
    """A report as W&B stores it, in plain JSON values."""
    plain: dict[str, Any] = report._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain


@dataclass(frozen=True)
class Logged:
    """A W&B run: its name, which no other has, and where it lies, for the user."""

    name: str
    place: str


def log(paper: Paper, shelf: Shelf, mode: Mode, project: str, entity: str, directory: Path) -> Logged:
    """Log the cells and curves of a paper as one W&B run.

    Args:
        paper: with the tables chosen of it.
        shelf: the runs.
        mode: settled; offline asks no server.
        project: of W&B.
        entity: whose project it is; "": the user's own.
        directory: where W&B keeps its files.

    Raises:
        UserError: W&B does not take it, or the directory cannot be written.
    """
    import wandb

    runs.prepare_directory(directory)
    if not os.environ.get("WANDB_MODE", "").strip():
        os.environ.pop("WANDB_MODE", None)  # an empty value is one that W&B refuses
    os.environ.setdefault("WANDB_DATA_DIR", str(directory / "wandb"))
    name = f"tables: {paper.key} {secrets.token_hex(4)}"
    try:
        run = wandb.init(
            mode=mode,
            project=project,
            entity=entity or None,
            name=name,
            group=f"tables of {paper.key}",
            job_type="tables",
            dir=str(directory),
            config={"paper": paper.key, "profile": shelf.profile, "rule": RULE},
            settings=run_settings(mode, {"timeout": TIMEOUT, "pid": os.getpid()}),
        )
        tables = {table_key(table): cells(table, shelf) for table in paper.tables}
        tables[f"{paper.key}/curves"] = curves(paper, shelf)
        run.log({name: wandb.Table(columns=[*one.columns], data=one.rows) for name, one in tables.items()})
        run.summary.update(counts(paper, shelf))
        place = str(run.settings.sync_dir) if run.offline else str(run.url)
        run.finish()
    except Exception as error:  # whatever the library raises of a server, a network, a full disk
        raise _not_taken(error) from None
    return Logged(name, f"kept offline; `wandb sync {place}` uploads it" if mode == "offline" else place)


def _need_server() -> None:
    """Refuse to begin where nobody answers.

    Raises:
        UserError: within some seconds the server says nothing.
    """
    if not server_answers(PROBE_SECONDS):
        raise UserError(f"W&B does not answer (no network?); {OFFLINE_INSTEAD}")


def save(paper: Paper, shelf: Shelf, project: str, entity: str, run_name: str) -> str:
    """Save the report of a paper to W&B, with the logged tables in it, and give its address.

    A report of that title in the project is replaced. All that needs the server is here: the account, reports
    that there are, and a set of runs in a report.

    Args:
        paper: with the tables chosen of it.
        shelf: the runs.
        project: of W&B.
        entity: whose project it is; "": the user's own.
        run_name: what the W&B run is called that holds the tables.

    Raises:
        UserError: W&B does not take it.
    """
    wr = _library()
    import wandb
    from wandb_workspaces import expr

    try:
        api = wandb.Api(timeout=int(TIMEOUT))
        owner = entity or api.default_entity or ""
        report = build(paper, shelf, project, owner)
        known = (one.id for one in api.reports(f"{owner}/{project}") if one.display_name == report.title)
        report.id = next(known, "")
        runset = wr.Runset(
            entity=owner,
            project=project,
            name=run_name,
            filters=[expr.Metric("Name") == run_name],
        )
        keys = [*map(table_key, paper.tables), f"{paper.key}/curves"]
        panels = [wr.WeavePanelSummaryTable(table_name=key, layout=wr.Layout(w=24, h=16)) for key in keys]
        grid = wr.PanelGrid(runsets=[runset], panels=panels)
        report.blocks = [*report.blocks, wr.H2("The cells and curves as tables"), grid]
        return str(report.save().url)
    except Exception as error:  # as above
        raise _not_taken(error) from None


def _not_taken(error: Exception) -> UserError:
    reason = one_line(error)[:200] or type(error).__name__
    return UserError(f"W&B does not take the tables: {reason}; {OFFLINE_INSTEAD}")


def _library() -> Any:
    try:
        import wandb_workspaces.reports.v2 as wr
    except ImportError:
        raise UserError("reports need a package: pip install 'emoji_pred[trackers]'") from None
    return wr


def _write(made: Sequence[dict[str, Any]], output: Path | None) -> None:
    if output is None:
        print(json.dumps(made, indent=1, ensure_ascii=False))
        return
    try:
        runs.write_json(output, made)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}; choose another --output") from None
    print(f"written: {output}")


if __name__ == "__main__":
    main()
