"""Labels that seem to be several in one cell: `joy,fear` where `joy` is a label too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emoji_pred.audit.findings import MOST_LABELS, Finding, count
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.labels import joined_names, to_part

_SHOWN = 5


def joined_findings(corpus: Corpus, written: Sequence[str]) -> list[Finding]:
    """One flaw for all such labels, with the rows of each over all splits.

    Args:
        corpus: with names as a report shows them.
        written: C names as they stand in the data.
    """
    joined = joined_names(written)
    if not joined:
        return []
    rows = np.sum([corpus.class_counts(split) for split in corpus.splits], axis=0)
    labels = tuple(corpus.label_names[place] for place in joined)
    shown = ", ".join(
        f"{corpus.label_names[place]!r} ({count(int(rows[place]), 'row')})" for place in list(joined)[:_SHOWN]
    )
    more = f" and {len(joined) - _SHOWN} more" if len(joined) > _SHOWN else ""
    what = "a label seems" if len(joined) == 1 else f"{len(joined)} labels seem"
    line = f"{what} to be several in one, each a class of its own: {shown}{more}; {to_part(joined)}"
    evidence = {"rows": [int(rows[place]) for place in list(joined)[:MOST_LABELS]]}
    return [Finding("labels joined", "flaw", line, labels, evidence)]
