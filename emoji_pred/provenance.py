"""Where a result comes from: versions, code revision, machine in general terms, memory."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch", "lightning", "torchmetrics", "transformers", "tokenizers", "peft", "hydra-core", "nltk", "numpy",
    "pyarrow", "scikit-learn",
)  # fmt: skip


def environment(on_gpu: bool) -> dict[str, Any]:
    """Plain values that say when, with what and where a run was made; no path and no name of a machine."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            **_device(on_gpu),
        },
    }


def code_revision() -> dict[str, Any]:
    """The git commit of this code and whether the checkout had changes; None where there is no git."""
    root = Path(__file__).resolve().parents[1]
    try:
        # An installed copy may lie inside some other repository.
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return {"commit": None, "dirty": None}
        commit = _git(root, "rev-parse", "HEAD")
        # Only what can alter numbers: code and configuration, not reports or notes.
        dirty = bool(_git(root, "status", "--porcelain", "--", "emoji_pred", "conf", "train.py"))
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": dirty}


def reset_peak_memory() -> None:
    """Forget the peak so far, where the system can: each run of a sweep then reports its own."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> int:
    """The largest resident memory of this process since `reset_peak_memory`, in MiB."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        # Linux hands ru_maxrss on from a parent process; VmHWM is this process alone.
        lines = Path("/proc/self/status").read_text().splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024))


def _device(on_gpu: bool) -> dict[str, Any]:
    import torch

    if not on_gpu:
        return {"device": "cpu", "threads": torch.get_num_threads()}
    return {
        "device": torch.cuda.get_device_name(0),
        "gpu_peak_mb": torch.cuda.max_memory_allocated() // 1024**2,
    }


def _git(root: Path, *arguments: str) -> str:
    # Nothing is locked: a git that is killed with its run would leave the lock behind in the user's checkout.
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
