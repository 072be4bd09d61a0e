"""The audit as one page that needs nothing else: no network, no script, for light, dark and a phone."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emoji_pred.audit import sections
from emoji_pred.audit.examples import Example

TEMPLATE = Path(__file__).with_name("page.html")
ABOUT = {
    "leak": "a label, or a held-out row, can be known without reading the text",
    "flaw": "the data are not what they seem",
    "note": "worth knowing, and no fault",
}


def render(report: Mapping[str, Any], examples: Sequence[Example] = ()) -> str:
    """The page as HTML.

    Args:
        report: of `emoji_pred.audit.report.audit`.
        examples: masked texts that are shown beside it.
    """
    parts = [
        _heading(report),
        _findings(report),
        _section("Classes", sections.classes(report)),
        _section("Labels that stand together", sections.together(report)),
        _section("Conflicting labels and duplicates", sections.doubles(report)),
        _section("Features that alone tell a label", sections.rules(report)),
        _section("A classifier that sees no word", sections.surface(report)),
        _section("Lengths", sections.tokens(report)),
        _section("Characters, scripts and languages", sections.characters(report)),
        _section("Examples", _examples(examples)),
        _footer(report),
    ]
    filled = {"NAME": _escape(report["data"]["name"]), "BODY": "\n".join(filter(None, parts))}
    # In one pass: what is filled in may hold anything.
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"__([A-Z]+)__", lambda found: filled.get(found[1], found[0]), template)


def _escape(value: object) -> str:
    return html.escape(str(value))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}</section>" if body else ""


def _heading(report: Mapping[str, Any]) -> str:
    data, rows = report["data"], report["classes"]["rows"]
    kind = {"multiclass": "one label a text", "multilabel": "several labels a text"}[data["task"]]
    sizes = ", ".join(f"{number:,} {name}" for name, number in rows.items())
    typed = _escape(" ".join(data["overrides"]))
    line = f"{sizes} rows; {len(data['label_names'])} classes, {kind}. <code>{typed}</code>"
    cards = "".join(
        f'<div class="{status}" title="{ABOUT[status]}"><b>{number}</b>{status}'
        f"{'' if number == 1 else 's'}</div>"
        for status, number in report["verdict"].items()
    )
    warnings = "".join(f"<p class=soft>warning: {_escape(one)}</p>" for one in data["warnings"])
    return f"<p class=soft>{line}</p><div class=verdict>{cards}</div>{warnings}"


def _findings(report: Mapping[str, Any]) -> str:
    items = []
    for one in report["findings"]:
        mends = "".join(
            f"<span class=mend>{_escape(remedy['what'])}: <code>{_escape(remedy['command'])}</code></span>"
            for remedy in one["remedies"]
        )
        if not mends and one["status"] == "leak":
            mends = "<span class=mend>no option mends it here</span>"
        items.append(
            f'<div class="finding {one["status"]}"><span class=status>{one["status"]}</span>'
            f"<bdi class=sign>{_escape(one['line'])}</bdi>{mends}</div>"
        )
    return "\n".join(items) or "<p>Nothing was found.</p>"


def _examples(examples: Sequence[Example]) -> str:
    return "".join(
        f"<h3><bdi class=sign>{_escape(example.about)}</bdi></h3>"
        + "".join(
            f"<blockquote dir=auto class=sign>{_escape(text)} "
            f"<bdi class=soft>{_escape(labels)}</bdi></blockquote>"
            for text, labels in example.texts
        )
        for example in examples
    )


def _footer(report: Mapping[str, Any]) -> str:
    meanings = "; ".join(f"{status}: {words}" for status, words in ABOUT.items())
    return f"<footer>{meanings}. {report['cpu_seconds']:.0f} s of processor time.</footer>"
