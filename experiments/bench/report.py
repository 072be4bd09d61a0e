"""results/bench.json keeps the last finding of each bench; results/bench.md shows them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from emoji_pred.provenance import code_revision, environment
from emoji_pred.runs import replace_file, write_json
from experiments.bench.measure import Finding, table
from experiments.bench.settings import BENCHES, Settings

PACKAGES = ("torch", "lightning", "transformers", "accelerate", "tokenizers", "numpy")


def save(output: Path, name: str, finding: Finding, settings: Settings, seconds: float) -> None:
    """Put a finding in the place of the bench's last one, and write the report anew."""
    output.mkdir(parents=True, exist_ok=True)
    findings = load(output)
    findings[name] = {
        **finding.plain(),
        "circumstances": circumstances(settings),
        "seconds": round(seconds, 1),
    }
    findings = {name: findings[name] for name in BENCHES if name in findings}
    write_json(output / "bench.json", findings)
    with replace_file(output / "bench.md") as stream:
        stream.write(render(findings).encode())


def load(output: Path) -> dict[str, Any]:
    """What was measured before; empty where there is nothing to be read."""
    try:
        findings: dict[str, Any] = json.loads((output / "bench.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return findings


def circumstances(settings: Settings) -> dict[str, Any]:
    """When, with what and on what it was measured."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    revision = code_revision()
    gpu = torch.cuda.get_device_name(0) if settings.trainer == "gpu" else None
    return {
        "date": environment(settings.trainer == "gpu")["date"],
        "commit": (revision["commit"] or "unknown")[:12] + (" with changes" if revision["dirty"] else ""),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "threads": torch.get_num_threads(),
        "device": gpu or "cpu",
        "data": settings.data + ("" if settings.is_full else " (cut short: a trial)"),
        "versions": {"python": platform.python_version(), **versions},
    }


def processor() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def render(findings: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    rows = [_cells(row) for finding in findings.values() for row in finding["rows"]]
    text = [
        "# Speed and memory",
        "",
        "Written by `make bench`. Ratios are of medians; in brackets the smallest and largest ratio of two",
        "sides measured one after the other. All sides of a bench run in turns in one process.",
        *table(("what", "reach", "measured (min-max)", "met"), rows),
    ]
    for name, finding in findings.items():
        text += [f"## {name}", "", *_details(finding)]
    text += ["## Commands", "", *_commands(findings), ""]
    return "\n".join(text)


def _details(finding: Mapping[str, Any]) -> list[str]:
    where = finding["circumstances"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    return [
        *finding["details"],
        "",
        f"{where['date']}, commit {where['commit']}, data {where['data']}; {where['processor']}, "
        f"{where['cores']} cores, {where['threads']} torch threads, device {where['device']}, load average "
        f"{where['load']} after the bench, which took {finding['seconds']:.0f} s; {versions}.",
        "",
    ]


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    unit = row["unit"]
    if row["at_least"] is not None:
        reach = f"at least {_figure(row['at_least'], unit)}"
    elif row["at_most"] is not None:
        reach = f"at most {_figure(row['at_most'], unit)}"
    else:
        reach = "-"
    measured = row["note"] if row["measured"] is None else _figure(row["measured"], unit)
    if row["measured"] is not None:
        if row["low"] is not None:
            measured += f" ({_figure(row['low'], unit)} - {_figure(row['high'], unit)})"
        measured += f"; {row['note']}" if row["note"] else ""
    return row["what"], reach, measured, met(row)


def met(row: Mapping[str, Any]) -> str:
    """`yes`, `no`, or `-` where there is no target or no figure."""
    figure, at_least, at_most = row["measured"], row["at_least"], row["at_most"]
    if figure is None or (at_least is None and at_most is None):
        return "-"
    reached = (at_least is None or figure >= at_least) and (at_most is None or figure <= at_most)
    return "yes" if reached else "no"


def _figure(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f} %"
    digits = 4 if unit == "" else 3 if unit == "s" and value < 1 else 2
    return f"{value:.{digits}f} {unit}".strip()


def _commands(findings: Mapping[str, Any]) -> list[str]:
    return [
        "```",
        "make bench                                   # all but cnn_quality",
        "make bench ARGS='cnn_quality'                # macro-F1 over 3 seeds",
        "make bench ARGS='trainer=gpu'                # on a CUDA GPU",
        *(f"python -m experiments.bench {name}" for name in findings),
        "```",
    ]
