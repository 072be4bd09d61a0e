"""Command line of the bench: `python -m experiments.bench [names] [key=value]`."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from emoji_pred.errors import UserError, did_you_mean
from experiments.bench.settings import BENCHES, Settings, parse_settings

ONLY_BY_NAME = ("cnn_quality",)  # takes as long as all the others


def main(words: Sequence[str]) -> int:
    """Run the benches named (all but the longest if none is), write the report; 2 for a user's mistake."""
    try:
        settings = parse_settings([word for word in words if "=" in word])
        names = _chosen([word for word in words if "=" not in word])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    results = [_run(name, settings) for name in names]
    print(f"report: {Path(settings.output) / 'bench.md'}")
    return 0 if all(results) else 1


def _chosen(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in BENCHES:
            raise UserError(f"{name} is not a bench{did_you_mean(name, BENCHES)}")
    return list(names) or [name for name in BENCHES if name not in ONLY_BY_NAME]


def _run(name: str, settings: Settings) -> bool:
    """One bench; a failure is shown and does not stop the others."""
    import torch

    from experiments.bench.report import save

    if settings.threads:
        torch.set_num_threads(settings.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    module, function = BENCHES[name]
    started = time.perf_counter()
    try:
        finding = getattr(importlib.import_module(f"experiments.bench.{module}"), function)(settings)
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return False
    except Exception:
        print(f"{name}: failed", file=sys.stderr)
        traceback.print_exc()
        return False
    seconds = time.perf_counter() - started
    save(Path(settings.output), name, finding, settings, seconds)
    print(f"{name}: done in {seconds:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
