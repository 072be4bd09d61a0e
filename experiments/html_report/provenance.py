"""The list of all runs of the page: what was trained, when, by which code, for how long."""

from __future__ import annotations

from typing import Any

from experiments.html_report import wording
from experiments.html_report.collected import Collected
from experiments.keeping import KeptRun

HEADS = ("run", "overrides", "date", "code", "minutes")
SHORT = 8  # digits of a revision


def section(collected: Collected) -> str:
    """A table of the runs, folded; each opens its panel."""
    if not collected.runs:
        return ""
    body = "".join(_row(run) for run in sorted(collected.runs.values(), key=_order))
    heads = "".join(f"<th scope=col>{head}</th>" for head in HEADS)
    total = sum(run.result.get("wall_seconds") or 0 for run in collected.runs.values()) / 3600
    return (
        f'<section class=allruns id="runs"><h2>Runs</h2><details><summary>All {len(collected.runs)} runs, '
        f"{total:.1f} hours together</summary><div class=scroll><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div></details></section>"
    )


def _order(run: KeptRun) -> tuple[str, str, int]:
    config = run.result.get("config") or {}
    names = [str((config.get(group) or {}).get("name", "")) for group in ("data", "model")]
    return names[0], names[1], run.seed


def _row(run: KeptRun) -> str:
    result: dict[str, Any] = run.result
    origin = result.get("provenance") or {}
    name, wall = wording.escape(run.name), result.get("wall_seconds")
    typed = wording.escape(" ".join(map(str, result.get("overrides") or [])))
    return (
        f'<tr><th scope=row><button type=button class=link data-run="{name}">{name}</button></th>'
        f"<td class=typed><code>{typed}</code></td>"
        f"<td class=number>{wording.escape(origin.get('date', ''))}</td>"
        f"<td><code>{wording.escape(revision(origin))}</code></td>"
        f"<td class=number>{'' if wall is None else f'{wall / 60:.1f}'}</td></tr>"
    )


def revision(origin: dict[str, Any]) -> str:
    """The code's revision, and whether it had changes that were not committed."""
    code = origin.get("code") or {}
    return f"{(code.get('commit') or '?')[:SHORT]}{' + changes' if code.get('dirty') else ''}"
