"""Speed and memory against plain baselines: `python -m experiments.bench`, written to results/bench.md."""
