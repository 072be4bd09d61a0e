"""The label embeddings as one page that needs nothing else: no network, no library, real emoji as marks."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.embeddings.labels import Label, judged_split, members
from emoji_pred.embeddings.layout import fit, mark_sizes, spread

TEMPLATE = Path(__file__).with_name("page.html")
METHODS = ("PCA", "t-SNE", "UMAP")
FIRST = "t-SNE"  # what the authors' notebook draws


def render(
    labels: Sequence[Label],
    coordinates: Mapping[str, np.ndarray],
    remarks: Mapping[str, str],
    missing: Mapping[str, str],
    result: Mapping[str, Any],
) -> str:
    """The page as HTML.

    Args:
        labels: C classes.
        coordinates: of each projection, (C, 2).
        remarks: on each projection.
        missing: why other projections are left out.
        result: of the run.
    """
    sizes = mark_sizes([one.shown for one in labels], [one.is_emoji for one in labels])
    marks = [
        {
            **{"shown": one.shown, "name": one.name, "emoji": one.is_emoji, "cluster": one.cluster},
            **{"rows": one.rows, "f1": one.f1, "near": one.near},
            **{"width": round(float(width), 1), "height": round(float(height), 1)},
        }
        for one, (width, height) in zip(labels, sizes, strict=True)
    ]
    data = {
        "labels": marks,
        "clusters": len(members(labels)),
        "split": judged_split(result),
        "methods": METHODS,
        "first": FIRST if FIRST in coordinates else next(iter(coordinates)),
        "places": {
            name: spread(fit(plane), sizes + 6).round(1).tolist() for name, plane in coordinates.items()
        },
        "remarks": dict(remarks),
        "missing": dict(missing),
    }
    groups = members(labels)
    parts = {
        "RUN": html.escape(str(result.get("run", ""))),
        "ABOUT": html.escape(about(result)),
        "CLUSTERS": f"k-means of the {len(labels)} rows; a click shows where a cluster is.",
        "ROWS": "\n".join(_row(number, ones, len(groups)) for number, ones in enumerate(groups)),
        "MISSING": "".join(f" {name} is left out: {html.escape(why)}." for name, why in missing.items()),
        # Within a script nothing may look like the end of it.
        "DATA": json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"),
    }
    # In one pass: what is filled in may hold anything.
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"__([A-Z]+)__", lambda found: parts.get(found[1], found[0]), template)


def about(result: Mapping[str, Any]) -> str:
    """One line on the run: model, data, and how well it does."""
    config, split = result.get("config") or {}, judged_split(result)
    names = [str((config.get(group) or {}).get("name", "?")) for group in ("model", "data")]
    macro_f1 = (result.get(split) or {}).get("macro_f1")
    judged = "" if macro_f1 is None else f", {split} macro F1 {macro_f1:.3f}"
    return f"model {names[0]}, data {names[1]}, {len(result.get('label_names') or [])} classes{judged}"


def _row(number: int, ones: Sequence[Label], count: int) -> str:
    hue = f"hsl({round(360 * number / count)} 70% 50%)"  # as the script of the page has it
    kind = {True: ' class="emoji"', False: ""}
    classes = " ".join(
        f'<span{kind[one.is_emoji]} title="{html.escape(one.name)}">{html.escape(one.shown)}</span>'
        + ("" if one.is_emoji or one is ones[-1] else ",")
        for one in ones
    )
    swatch = f'<span class="swatch" style="background:{hue}"></span>'
    return f'<tr data-cluster="{number}"><td>{swatch}{number + 1}</td><td>{classes}</td></tr>'
