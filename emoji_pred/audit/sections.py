"""The sections of the page: each question's figures as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from emoji_pred.audit import figures
from emoji_pred.audit.figures import heads, numbers, row, table
from emoji_pred.audit.findings import percent
from emoji_pred.audit.leaks import LEAST_LABELLED

Report = Mapping[str, Any]
MOST_SCRIPTS = 8
MOST_TOLD = 8
_LENGTHS = ("min", "p25", "median", "p75", "p99", "max")
_LISTED = {
    **{"out_of_place": "invisible, part of no emoji or word", "invisible": "invisible"},
    **{"unassigned": "unassigned or lost", "unusual_blanks": "unusual blanks"},
}
_MARKS = {
    **{"emails": "e-mail addresses", "links": "links", "handles": "handles", "masked_handles": "@user"},
    "blank": "nothing",
}


def _soft(words: str) -> str:
    return f"<p class=soft>{words}</p>"


def classes(report: Report) -> str:
    """Rows and shares of each class in each split, whether they move, labels a row."""
    counts, rows = report["classes"]["counts"], report["classes"]["rows"]
    shares = {name: [number / rows[name] for number in values] for name, values in counts.items()}
    body = figures.class_bars(report["data"]["label_names"], shares, counts)
    lines = []
    for name, one in report["shift"].items():
        most = one["moved_most"]
        moved = f"{figures.label(most['label'])} {percent(most['train'])} to {percent(most['there'])}"
        cells = numbers(
            [
                f"{one['chi_square']:,.1f}",
                one["degrees_of_freedom"],
                f"{one['p']:.2g}",
                f"{one['cohens_w']:.3f}",
            ]
        )
        lines.append(row(f"train to {name}", f"{cells}<td>{one['size']}</td><td>{moved}</td>"))
    head = heads("shift", ("chi-square", "df", "p", "Cohen's w")) + "<th>effect</th><th>moves most</th>"
    note = _soft("With many rows any shift is significant; Cohen's w says whether it matters: below 0.1 not.")
    return f"{body}<h3>Do the shares move?</h3>{table(head, lines)}{note}{_labels_a_row(report)}"


def _labels_a_row(report: Report) -> str:
    found = report["classes"]["labels_a_row"]
    if not found:
        return ""
    several = sorted({int(number) for counts in found.values() for number in counts})
    lines = [
        row(name, numbers(f"{counts.get(str(number), 0):,}" for number in several))
        for name, counts in found.items()
    ]
    return f"<h3>Labels a row</h3>{table(heads('split', map(str, several)), lines)}"


def together(report: Report) -> str:
    """Which labels stand on one row, or on rows of one text."""
    found = report["together"]
    if not found["pairs"]:
        return _soft(f"No two labels stand on one {found['on']}.")
    what = "Rows that have both labels" if found["on"] == "row" else "Texts that stand with both labels"
    shades = figures.shades(report["data"]["label_names"], found["pairs"])
    return (
        _soft(f"{what}; the {len(found['pairs'])} most frequent of {found['different_pairs']} pairs.")
        + shades
    )


def doubles(report: Report) -> str:
    """Texts with different labels, and texts that stand twice."""
    conflicts, found = report["conflicts"], report["duplicates"]
    best = "accuracy" if report["data"]["task"] == "multiclass" else "exact match"
    lines = [
        row(
            name,
            numbers(
                f"{conflicts[kind][name][key]:{form}}"
                for kind in ("exact", "normalised")
                for key, form in (("texts", ","), ("rows", ","), ("best", ".3f"))
            ),
        )
        for name in conflicts["exact"]
    ]
    columns = [f"{key}{kind}" for kind in ("", ", normalised") for key in ("texts", "rows", f"best {best}")]
    note = _soft(
        "Normalised: Unicode NFKC, lower case, nothing invisible. Best: of a model that knows all rows."
    )
    body = table(heads("texts with different labels", columns), lines) + note
    return f"{body}<h3>Duplicates</h3>{_duplicates(found)}"


def _duplicates(found: Mapping[str, Any]) -> str:
    splits = list(found["exact"]["inside"])
    kinds = {
        **{"exact": "the same", "normalised": "the same, normalised"},
        **{"near": "nearly the same", "near_normalised": "nearly the same, normalised"},
    }
    lines = []
    for kind, words in kinds.items():
        if "missing" not in found[kind]:
            inside = [f"{found[kind]['inside'][split]:,}" for split in splits]
            across = [f"{found[kind]['across'][split]:,}" for split in splits[1:]]
            lines.append(row(words, numbers([*inside, *across])))
    columns = [*splits, *(f"{split}, in an earlier split" for split in splits[1:])]
    missing = _soft(html.escape(found["near"]["missing"])) if "missing" in found["near"] else ""
    return table(heads("rows that repeat an earlier text", columns), lines) + missing


def rules(report: Report) -> str:
    """The rules behind the findings, and the words that tell most."""
    told = [rule for one in report["findings"] for rule in one["evidence"].get("rules", ())]
    body = _rule_table(told) if told else "<p>No feature without content tells a label on held-out rows.</p>"
    tried = report["leaks"]
    if tried["words"]:
        body += "<h3>Words</h3>" + _soft("Content, and no leak: words, hashtags and emoji that tell most.")
        body += _rule_table(tried["words"])
    return body + _soft(
        f"{tried['features_and_labels']:,} pairs of feature and label were tried on the training rows, "
        f"{tried['tried_on_held_out_rows']:,} of them on held-out rows; {tried['confirmed']:,} hold there. "
        "Figures are those of the split named; bits are mutual information with the label."
    )


def _rule_table(told: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for rule in told:
        on = rule["splits"][rule["confirmed_on"]]
        cells = numbers(
            [
                *(f"{on[key]:.2f}" for key in ("precision", "recall")),
                *(f"{on['rows']:,}", f"{on['phi']:.2f}", f"{on['mutual_information_bits']:.3f}"),
                f"{100 * on['share_of_label_entropy']:.0f}",
            ]
        )
        named = f"<td><bdi class=sign>{html.escape(rule['rule'])}</bdi></td>"
        label = f"<td>{figures.label(rule['label'])}</td>"
        lines.append(f"<tr>{named}{label}{cells}<td>{rule['confirmed_on']}</td></tr>")
    columns = ("precision", "recall", "rows", "phi", "bits", "% of entropy")
    return table("<th>rule</th>" + heads("label", columns) + "<th>split</th>", lines)


def surface(report: Report) -> str:
    """What a classifier without words reaches, beside the majority."""
    scores = report["leaks"]["surface_classifier"]
    if scores is None:
        return _soft("The training labels never vary.")
    lines, columns = [], ["entropy explained, % (95 %)"]
    for name, one in scores["splits"].items():
        low, high = (100 * end for end in one["interval"])
        cells = [f"{100 * one['explained']:.1f} ({low:.1f} to {high:.1f})"]
        if "accuracy" in one:
            cells += [
                f"{one[key]:.3f} ± {one[key + '_error']:.3f}" for key in ("accuracy", "majority_accuracy")
            ]
            cells += [f"{one[key]:.3f}" for key in ("macro_f1", "majority_macro_f1")]
            columns[1:] = ["accuracy", "majority's", "macro F1", "majority's"]
        lines.append(row(name, numbers(cells)))
    by = html.escape(", ".join(scores["most_important"]) or "nothing")
    note = _soft(
        f"A decision tree of depth {scores['depth']} on {scores['features']} features: lengths, signs, "
        f"scripts, invisible characters; most important: {by}. "
        "0 % is what the class shares of the training rows say."
    )
    return table(heads("split", columns), lines) + note + _answers(scores) + _told(scores)


def _answers(scores: Mapping[str, Any]) -> str:
    """Of several labels a row: what the tree reaches, and what answers that never change do."""
    splits = {name: one["answers"] for name, one in scores["splits"].items() if "answers" in one}
    if not splits:
        return ""
    keys = ("macro_f1", "micro_f1", "exact_match")
    lines = [
        row(answer, numbers(f"{one[answer][key]:.3f}" for one in splits.values() for key in keys))
        for answer in next(iter(splits.values()))
    ]
    columns = [f"{name}, {key.replace('_f1', ' F1').replace('_', ' ')}" for name in splits for key in keys]
    note = _soft("Thresholds of training: for each label the one with the best F1 on the training rows.")
    return (
        "<h3>Labels without words, and answers that never change</h3>"
        + table(heads("", columns), lines)
        + note
    )


def _told(scores: Mapping[str, Any]) -> str:
    split = list(scores["splits"])[-1]
    enough = [one for one in scores["splits"][split]["labels"] if one["rows"] >= LEAST_LABELLED]
    best = sorted(enough, key=lambda one: -one["explained"])[:MOST_TOLD]
    told = {one["label"]: one["explained"] for one in best if one["explained"] > 0.01}
    return f"<h3>Of each label's own entropy ({split})</h3>{figures.share_bars(told)}" if told else ""


def tokens(report: Report) -> str:
    """Lengths in characters and words, in the tokens of the model, and what it does not see."""
    lines = [
        row(f"{kind}, {name}", numbers(f"{figure[kind][key]:,.0f}" for key in _LENGTHS))
        for name, figure in report["contents"]["lengths"].items()
        for kind in ("characters", "words")
    ]
    parts = [table(heads("split", _LENGTHS), lines)]
    for one in report["contents"]["tokens"]:
        title = f"{html.escape(one['tokenizer'])}: at most {one['limit']} tokens, cut on the {one['side']}"
        if "missing" in one:
            parts.append(f"<h3>{title}</h3>" + _soft(f"left out: {html.escape(one['missing'])}"))
            continue
        splits = one["splits"]
        lines = [
            row(
                name,
                numbers(
                    [
                        *(f"{figure[key]:,.0f}" for key in _LENGTHS),
                        *(f"{100 * figure['truncated']:.2f}", f"{figure['texts']:,}"),
                    ]
                ),
            )
            for name, figure in splits.items()
        ]
        edges = next(iter(splits.values()))["histogram"]["edges"]
        drawn = {name: figure["histogram"]["texts"] for name, figure in splits.items()}
        legend = _soft(f"{figures.legend(list(splits))}; shaded: what the model does not see whole.")
        shown = figures.histogram(edges, drawn, one["limit"]) + legend
        head = heads("split", (*_LENGTHS, "truncated, %", "texts looked at"))
        parts.append(f"<h3>{title}</h3>{shown}{table(head, lines)}")
    return "".join(parts)


def characters(report: Report) -> str:
    """Scripts, languages, characters that are not seen, what identifies people."""
    found, languages = report["contents"]["characters"], report["contents"]["languages"]
    body = "<h3>Scripts of the letters</h3>"
    body += figures.share_bars(dict(list(found["scripts"].items())[:MOST_SCRIPTS]))
    if "missing" in languages:
        body += _soft(html.escape(languages["missing"]))
    else:
        body += f"<h3>Languages, of {languages['texts']:,} texts</h3>" + figures.share_bars(
            languages["shares"]
        )
    lines = [
        row(words, f"<td>{html.escape(one['character'])}</td>" + numbers([f"{one['texts']:,}"]))
        for key, words in _LISTED.items()
        for one in found[key]["most"]
    ]
    if lines:
        head = "<th>what</th>" + heads("character", ["texts"])
        body += "<h3>Characters to look at</h3>" + table(head, lines)
    lines = [
        row(name, numbers(f"{one[key]:,}" for key in _MARKS))
        for name, one in report["contents"]["marks"].items()
    ]
    return body + "<h3>Left in the texts</h3>" + table(heads("texts with", _MARKS.values()), lines)
