"""Speed and memory against plain baselines: `python -m experiments.bench`, written to results/bench.md."""

from emoji_pred.process import prepare_process

prepare_process()  # before any bench imports torch
