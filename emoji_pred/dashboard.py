"""`python -m emoji_pred dashboard`: a W&B workspace that shows the ablation of a sweep, made by code.

Everything it shows was logged by `logger=wandb`: settings under their dotted names, curves by epoch, and the
metrics of the best checkpoint. A workspace can be built without a server; a W&B report cannot.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emoji_pred.errors import UserError, mistakes_told, one_line
from emoji_pred.wandb_mode import wandb_mode

PROJECT = "emoji_pred"  # as in conf/logger/wandb.yaml
ABLATED = ("model.name", "loss.name", "alpha.name", "model.optimizer.lr", "seed")
CURVES = ("val/macro_f1", "val/loss", "train/loss")
SELECTED, REPORTED = "validation/macro_f1", "test/macro_f1"  # what a choice is made by, and what it gives


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m emoji_pred dashboard", description=__doc__)
    parser.add_argument("--project", default=PROJECT, help=f"where the runs are (default {PROJECT})")
    parser.add_argument("--entity", help="whose project it is (default: WANDB_ENTITY, or your own)")
    parser.add_argument("--group", metavar="SWEEP", help="only the runs of this group: the name of a sweep")
    parser.add_argument(
        "--setting",
        action="append",
        metavar="KEY",
        help=f"a setting that differs, such as loss.gamma; may be given again (default {' '.join(ABLATED)})",
    )
    parser.add_argument("--dry-run", action="store_true", help="do not save it, but write it as JSON")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where --dry-run writes (default: shown)")
    options = parser.parse_args(arguments)
    with mistakes_told():
        _run(options)


def _run(options: argparse.Namespace) -> None:
    settings = options.setting or list(ABLATED)
    for key in settings:
        if not re.fullmatch(r"\w+(\.\w+)*", key):
            raise UserError(f"--setting {key} is no name of a setting, such as model.optimizer.lr")
    if options.output and not options.dry_run:
        raise UserError("--output is where --dry-run writes; add --dry-run")
    if options.dry_run:
        entity = options.entity or os.environ.get("WANDB_ENTITY", "")
        _write(specification(build(options.project, entity, options.group, settings)), options.output)
        return
    _save(options, settings)


def build(project: str, entity: str, group: str | None, settings: Sequence[str]) -> Any:
    """The workspace, without a server.

    Args:
        project: of W&B, where the runs are.
        entity: whose project it is.
        group: only its runs; None shows all, grouped.
        settings: dotted keys of the configuration that are compared.

    Raises:
        UserError: the library is not installed.
    """
    ws, wr = _library()
    by_setting = [
        wr.ScatterPlot(x=wr.Config(key), y=wr.SummaryMetric(SELECTED), title=key) for key in settings
    ]
    columns = [*map(wr.Config, settings), wr.SummaryMetric(SELECTED), wr.SummaryMetric(REPORTED)]
    metrics = [wr.BarPlot(title=name, metrics=[name], max_runs_to_show=100) for name in (REPORTED, SELECTED)]
    curves = [wr.LinePlot(title=name, x="epoch", y=[name], max_runs_to_show=100) for name in CURVES]
    parallel = wr.ParallelCoordinatesPlot(
        columns=[wr.ParallelCoordinatesPlotColumn(metric=column) for column in columns],
        title="settings and what they give",
    )
    sections = [
        ws.Section("Ablation", [*metrics, parallel, *by_setting], is_open=True),
        ws.Section("Curves", curves, is_open=True),
        ws.Section("Runs side by side", [wr.RunComparer(diff_only="split")], is_open=True),
    ]
    shown = ["run:displayName", *(f"summary:{name}" for name in (SELECTED, REPORTED))]
    runs = ws.RunsetSettings(
        filters=[ws.Metric("Group") == group] if group else [],
        groupby=[] if group else [ws.Metric("Group")],
        order=[ws.Ordering(ws.Summary(SELECTED), ascending=False)],
        pinned_columns=shown,
    )
    name = f"Ablation: {group}" if group else "Ablation"
    drawn = ws.WorkspaceSettings(x_axis="epoch", max_runs=100)
    return ws.Workspace(
        entity=entity, project=project, name=name, sections=sections, settings=drawn, runset_settings=runs
    )


def specification(workspace: Any) -> dict[str, Any]:
    """A workspace as W&B stores it, in plain JSON values."""
    plain: dict[str, Any] = workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain


def _library() -> tuple[Any, Any]:
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ImportError:
        raise UserError("dashboards need a package: pip install 'emoji_pred[trackers]'") from None
    return ws, wr


def _write(plain: dict[str, Any], output: Path | None) -> None:
    text = json.dumps(plain, indent=1, ensure_ascii=False)
    if output is None:
        print(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}; choose another --output") from None
    print(f"written: {output}")


def _save(options: argparse.Namespace, settings: Sequence[str]) -> None:
    """Save the workspace to W&B, and say where it is.

    Raises:
        UserError: not logged in, or W&B does not take it.
    """
    if wandb_mode(None) != "online":
        raise UserError("a dashboard is saved to W&B: `wandb login` first, or --dry-run to look at it")
    _library()
    import wandb

    try:
        own = wandb.Api(timeout=20).default_entity or ""
        entity = options.entity or os.environ.get("WANDB_ENTITY") or own
        saved = build(options.project, entity, options.group, settings).save()
    except Exception as error:  # whatever the library raises of a server, a network, a missing project
        reason = one_line(error)[:200] or type(error).__name__
        raise UserError(f"W&B does not take the dashboard: {reason}; --dry-run needs no server") from None
    print(f"W&B: {saved.url}")


if __name__ == "__main__":
    main()
