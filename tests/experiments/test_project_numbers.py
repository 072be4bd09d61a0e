"""Numbers in README's prose are those of the kept runs and the bench."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq

from experiments.keeping import ANSWERS, RESULTS, ROOT, kept
from experiments.measured import Shelf
from experiments.tables.emothreat_findings import FINDINGS, furthest

README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def told(pattern: str) -> list[float]:
    """The numbers of README's only sentence of a pattern."""
    (found,) = re.findall(pattern, README)
    return [float(number.replace(",", "")) for number in ([found] if isinstance(found, str) else found)]


def test_how_far_the_twelve_numbers_of_emothreat_are() -> None:
    (said,) = told(r"its twelve numbers to within ([\d.]+);")
    far = furthest(Shelf())
    assert far is not None and said - 0.001 < far <= said
    texts = [finding.text(Shelf()) for finding in FINDINGS]
    assert sum(f"twelve numbers of Table 4 to within {said:.3f}." in text for text in texts) == 1


def test_what_the_n_grams_take_and_reach() -> None:
    found = [run for path in RESULTS.iterdir() if (run := kept(path.name)) is not None]
    results = [
        run.result
        for run in found
        if run.result["config"]["model"]["name"] == "ngram_svc"
        and run.result["config"]["data"]["name"] == "tweeteval"
    ]
    seconds, minutes = told(r"`ngram_svc` on TweetEval: (\d+) s of one core, up to (\d+) minutes")
    bench = json.loads((ROOT / "results" / "bench.json").read_text(encoding="utf-8"))
    rows = [row for part in bench.values() for row in part["rows"]]
    (quiet,) = (row["measured"] for row in rows if row["what"].startswith("ngram_svc: fit"))
    assert round(quiet) == seconds
    assert minutes - 1 < max(result["wall_seconds"] for result in results) / 60 <= minutes
    plain, balanced, ngrams, _ = told(
        r"has macro-F1 ([\d.]+) on test, balanced ([\d.]+); the file of its ([\d,]+) n-grams has (\d+) MB"
    )
    by_balance = {
        result["config"]["model"]["estimator"]["balanced"]: result
        for result in results
        if result["config"]["data"]["clean"] == "as_distributed"
    }
    assert round(by_balance[False]["test"]["macro_f1"], 3) == plain
    assert round(by_balance[True]["test"]["macro_f1"], 3) == balanced
    assert by_balance[False]["provenance"]["vocabulary"] == ngrams


def test_how_many_runs_were_kept_without_ranks() -> None:
    (said,) = told(r"of (\d+) early runs, whose answers")
    assert said == sum("rank" not in pq.read_schema(path).names for path in RESULTS.glob(f"*/{ANSWERS}"))
