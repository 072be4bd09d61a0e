"""A run of `train.py` in a process of its own that reports on itself: its first step, or its peak memory.

Started as `python -m experiments.bench.child first_step|memory OVERRIDE...`. It prints one line of JSON last.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from typing import Any

STARTED = "EMOJI_PRED_BENCH_STARTED"  # seconds since the epoch at which the parent started this process
WATCHED = ("transformers", "peft")


def main() -> None:
    """Run the command line of `train.py` with what is to be reported on."""
    what, *overrides = sys.argv[1:]
    sys.argv = ["train.py", *overrides]
    if what == "first_step":
        _stop_after_first_step()
    from emoji_pred import cli

    cli.main()
    from emoji_pred.provenance import peak_memory_mb

    print(json.dumps({"peak_mb": peak_memory_mb()}), flush=True)


def _stop_after_first_step() -> None:
    """Hook into the run where it tokenizes: importing Lightning earlier would change what is measured."""
    from emoji_pred import token_cache

    tokenize = token_cache.tokenize

    @functools.wraps(tokenize)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        tokenized = tokenize(*args, **kwargs)
        from emoji_pred.training import Classifier

        Classifier.training_step = _reporting(Classifier.training_step)  # type: ignore[method-assign]
        return tokenized

    token_cache.tokenize = hooked


def _reporting(step: Any) -> Any:
    @functools.wraps(step)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        step(*args, **kwargs)
        report = {
            "seconds": time.time() - float(os.environ[STARTED]),
            "imported": [name for name in WATCHED if name in sys.modules],
        }
        print(json.dumps(report), flush=True)
        os._exit(0)

    return reporting


if __name__ == "__main__":
    main()
