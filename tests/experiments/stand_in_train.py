"""Stands in the place of `train.py`: ends as its overrides say, in a tenth of a second.

`name=` is the directory of the run, `do=` how it ends: `finish`, `fail`, `mistake` (with `says=`), `hang`
(until a signal, which it notes in `saved`), `hang_once` (the second time it finishes), `die`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from emoji_pred import runs

CONFIG = {"data": {"name": "sample"}, "model": {"name": "cnn"}, "seed": 0}


def finish(directory: Path) -> None:
    """Leave what a finished run leaves."""
    directory.mkdir(parents=True, exist_ok=True)
    truth, probabilities = np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]], dtype=np.float32)
    runs.write_predictions(
        directory / runs.PREDICTIONS, {"test": (["test/0", "test/1"], truth, probabilities)}
    )
    result = {
        **{"schema": runs.RESULT_SCHEMA, "status": "finished", "run": directory.name, "config": CONFIG},
        **{"task": "multiclass", "label_names": ["a", "b"], "test": {"macro_f1": 0.25}, "wall_seconds": 60.0},
        "files": {runs.PREDICTIONS: runs.file_digest(directory / runs.PREDICTIONS)},
    }
    runs.write_json(directory / runs.RESULT, result)


def main() -> int:
    """Do what is asked."""
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    directory = Path(words["runs_dir"].strip("'")) / words["name"]
    (directory.parent / "started").open("a").write(f"{words['name']}\n")
    do = words["do"]
    if do.startswith("hang"):
        directory.mkdir(parents=True, exist_ok=True)

        def save(number: int, _: object) -> None:
            (directory / "saved").write_text(str(number))
            sys.exit(128 + number)

        signal.signal(signal.SIGINT, save)
        signal.signal(signal.SIGTERM, save)
        (directory / "pid").write_text(str(os.getpid()))
        if do == "hang" or not (directory / "saved").exists():
            time.sleep(60)
    if do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "fail":
        directory.mkdir(parents=True, exist_ok=True)
        runs.write_failure(directory, ValueError("no such luck"), "the whole trace", [])
        print("error: ValueError: no such luck", file=sys.stderr)
        return 1
    if do == "mistake":
        print(f"epoch 1\nerror: {json.loads(words['says'])}", file=sys.stderr)
        return 2
    time.sleep(float(words.get("takes", 0)))
    finish(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
