"""Labels that seem to be several in one cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emoji_pred.audit.joined_labels import joined_findings
from emoji_pred.audit.report import audit, printable
from emoji_pred.data.corpus import Corpus, Split


def corpus(*names: str) -> Corpus:
    """40 training and 40 validation rows, the classes in turn."""
    rows = np.arange(40) % len(names)
    splits = {
        split: Split([f"{split} {row}" for row in range(40)], rows, [f"{split}/{row}" for row in range(40)])
        for split in ("train", "validation")
    }
    return Corpus("own", "multiclass", names, splits, {})


def test_joined_labels_are_a_flaw_with_their_rows() -> None:
    found = corpus("anger", "fear", "joy", "joy,fear")
    (finding,) = joined_findings(found, found.label_names)
    assert (finding.name, finding.status, finding.labels) == ("labels joined", "flaw", ("joy,fear",))
    assert "'joy,fear' (20 rows)" in finding.line and "data.label_separator to ','" in finding.line
    assert finding.evidence == {"rows": [20]}


def test_names_are_read_as_they_are_written_and_shown_as_a_report_shows_them() -> None:
    written = ("joy", "x" * 80, f"joy;{'x' * 80}")
    shown = replace(corpus(*written), label_names=printable(written))
    (finding,) = joined_findings(shown, written)
    assert finding.labels == (shown.label_names[2],) and "x" * 80 not in finding.line


def test_labels_that_are_one_each_are_none() -> None:
    assert joined_findings(corpus("joy", "fear,awe", "joy fear"), ("joy", "fear,awe", "joy fear")) == []


def test_the_audit_tells_of_them() -> None:
    config = {"data": {"name": "own"}, "model": {}, "encoder": {}}
    report, _ = audit(corpus("anger", "fear", "joy", "joy,fear"), config, [])
    assert [line["name"] for line in report["findings"] if line["status"] == "flaw"].count(
        "labels joined"
    ) == 1
