"""Copies of kept runs, to be tampered with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emoji_pred import runs
from experiments.checked_runs import run_differences
from experiments.checked_training import BUNDLED
from experiments.keeping import ANSWERS, RESULTS

(SAMPLE,) = (path.name for path in BUNDLED.iterdir())  # data=sample model=tfidf_nb
ONE_LABEL = next(path.parent.name for path in sorted(RESULTS.glob(f"*/{ANSWERS}")))
SEVERAL = next(path.parent.name for path in sorted(RESULTS.glob(f"*/{runs.PREDICTIONS}")))


def copy_of(name: str, folder: Path) -> Path:
    """A copy of a kept run, in `folder/runs`."""
    kept_at = BUNDLED if name == SAMPLE else RESULTS
    return Path(shutil.copytree(kept_at / name, folder / "runs" / name))


def rewrite(directory: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Change the result of a run; what is said of the runs beside it then."""
    path = directory / runs.RESULT
    result = json.loads(path.read_text(encoding="utf-8"))
    change(result)
    runs.write_json(path, result)
    return run_differences(directory.parent)[0]
