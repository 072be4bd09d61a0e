"""From confirmed rules to findings: for each hidden character, and each label and kind of feature."""

from __future__ import annotations

from collections.abc import Sequence

from emoji_pred.audit.findings import Finding, count
from emoji_pred.audit.leaks import ALONE, MOST_WORDS, NEAR_BEST, Confirmed, Unconfirmed
from emoji_pred.audit.trials import Trials
from emoji_pred.data.corpus import Corpus

SHOWN_BESIDE = 5  # further rules named in a verdict
# Phi of a word that alone tells a label, on training and held-out rows: content, but so much of it is a flaw.
ALL_OF_IT = 0.95
_PLAINEST = ("words", "characters", "lines")


def leak_findings(corpus: Corpus, rules: Sequence[Confirmed], trials: Trials) -> list[Finding]:
    """One finding for each hidden character, and for each label and kind of feature that is seen."""
    groups: dict[str, list[Confirmed]] = {}
    for one in rules:
        if one.status is not None and one.rule.kind != "word":
            about = (
                one.rule.name if one.rule.is_hidden and one.rule.has else f"{one.rule.kind} {one.rule.label}"
            )
            groups.setdefault(about, []).append(one)
    findings = []
    for group in groups.values():
        hidden = group[0].rule.is_hidden and group[0].rule.has
        findings.append(_hidden(corpus, group, trials) if hidden else _seen(corpus, group, trials))
    return findings


def word_findings(corpus: Corpus, rules: Sequence[Confirmed]) -> list[Finding]:
    """One finding for the words that alone tell a label: the strongest word of each label."""
    told = _strongest_words(rules)
    if not told:
        return []
    shown = ", ".join(_word(corpus, one) for one in told[:SHOWN_BESIDE])
    shown += f" and {len(told) - SHOWN_BESIDE} more" if len(told) > SHOWN_BESIDE else ""
    collected = told[0].strength >= ALL_OF_IT
    ask = "were the texts collected or labelled by it?" if collected else "content; look whether it should"
    labels = tuple(corpus.label_names[one.rule.label] for one in told)
    evidence = {"words": [one.plain(corpus.label_names) for one in told[:MOST_WORDS]]}
    line = f"a word alone tells a label: {shown}; {ask}"
    return [Finding("words", "flaw" if collected else "note", line, labels, evidence)]


def _strongest_words(rules: Sequence[Confirmed]) -> list[Confirmed]:
    """Of each label that a word tells, the strongest first; of having and lacking one what tells more."""
    strong = [one for one in rules if one.rule.kind == "word" and one.strength >= ALONE]
    best: dict[int, Confirmed] = {}
    having: dict[str, bool] = {}
    for one in sorted(strong, key=lambda one: (-round(one.strength, 6), not one.rule.has)):
        if having.get(one.rule.name, one.rule.has) == one.rule.has and one.rule.label not in best:
            best[one.rule.label] = one
            having[one.rule.name] = one.rule.has
    return list(best.values())


def _word(corpus: Corpus, one: Confirmed) -> str:
    counts = one.on[one.split]
    return (
        f"{one.rule.words()} tells {corpus.label_names[one.rule.label]} (precision "
        f"{float(counts.precision):.2f}, recall {float(counts.recall):.2f}, {one.split})"
    )


def doubtful_findings(
    corpus: Corpus, doubtful: Sequence[Unconfirmed], findings: Sequence[Finding], trials: Trials
) -> list[Finding]:
    """A note for each hidden character that tells a label on the training rows only, if none names it yet."""
    told = {finding.name for finding in findings}
    groups: dict[str, list[Unconfirmed]] = {}
    for one in doubtful:
        if f"{one.rule.kind} {_code(one.rule.name)}" not in told:
            groups.setdefault(one.rule.name, []).append(one)
    return [_doubtful(corpus, group, trials) for group in groups.values()]


def _doubtful(corpus: Corpus, group: list[Unconfirmed], trials: Trials) -> Finding:
    rule, train, held_out = group[0].rule, group[0].train, group[0].held_out
    label = corpus.label_names[rule.label]
    line = (
        f"{rule.name}, which no reader sees, stands in {int(train.marked):,} training rows, "
        f"{int(train.both):,} of them {label}, which is no chance; held-out rows do not confirm it: "
        f"{int(held_out.both):,} of {int(held_out.marked):,} are"
    )
    labels = tuple(corpus.label_names[one.rule.label] for one in group)
    evidence = {
        "train": {"rows": int(train.marked), "labelled": int(train.both)},
        "held_out": {"rows": int(held_out.marked), "labelled": int(held_out.both)},
    }
    name = f"unconfirmed {rule.kind} {_code(rule.name)}"
    return Finding(name, "note", line, labels, evidence, trials.without_mark(rule.name))


def _code(name: str) -> str:
    return next(word for word in name.split() if word.startswith("U+"))


def _hidden(corpus: Corpus, group: list[Confirmed], trials: Trials) -> Finding:
    rule = group[0].rule
    told = ", ".join(
        f"{corpus.label_names[one.rule.label]} (precision {float(one.on[one.split].precision):.2f}, "
        f"recall {float(one.on[one.split].recall):.2f})"
        for one in group
    )
    split = group[0].split
    rows = int(group[0].on[split].marked)
    line = f"{rule.name}, which no reader sees, tells {told}; {split}, {count(rows, 'row')}"
    labels = tuple(corpus.label_names[one.rule.label] for one in group)
    evidence = {"rules": [one.plain(corpus.label_names) for one in group]}
    return Finding(
        f"{rule.kind} {_code(rule.name)}",
        group[0].status or "note",
        line,
        labels,
        evidence,
        trials.without_mark(rule.name),
    )


def _seen(corpus: Corpus, group: list[Confirmed], trials: Trials) -> Finding:
    first = _plainest(group)
    label, counts = corpus.label_names[first.rule.label], first.on[first.split]
    beside = [one.rule.words() for one in group if one is not first][:SHOWN_BESIDE]
    does = "alone tells" if first.status != "note" else "leans to"
    unseen = ", which no reader sees," if first.rule.is_hidden else ""
    line = (
        f"{first.rule.words()}{unseen} {does} {label}: precision {float(counts.precision):.2f}, recall "
        f"{float(counts.recall):.2f} ({first.split}, {count(int(counts.marked), 'row')})"
    )
    line += f"; so do {', '.join(beside)}" if beside else ""
    mends = trials.that_hide(first.rule.kind, first.rule.label) if first.status == "leak" else ()
    evidence = {
        "rules": [one.plain(corpus.label_names) for one in [first, *(o for o in group if o is not first)][:8]]
    }
    return Finding(f"{first.rule.kind} {label}", first.status or "note", line, (label,), evidence, mends)


def _plainest(group: Sequence[Confirmed]) -> Confirmed:
    best = max(one.strength for one in group)
    good = [one for one in group if one.strength >= best - NEAR_BEST]
    places = {name: place for place, name in enumerate(_PLAINEST)}
    return min(good, key=lambda one: (places.get(one.rule.name, len(places)), -one.strength))
