"""The whole audit of a corpus as plain values: every question, the findings, and the verdict."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emoji_pred import runs
from emoji_pred.audit import (
    classes,
    conflicts,
    contents,
    duplicates,
    joined_labels,
    label_names,
    leak_verdicts,
    leaks,
    surface_model,
)
from emoji_pred.audit.examples import Example
from emoji_pred.audit.examples import examples as show
from emoji_pred.audit.findings import STATUSES, Finding
from emoji_pred.audit.leaks import Features
from emoji_pred.audit.remedies import Remedies
from emoji_pred.audit.trials import Trials
from emoji_pred.data.corpus import Corpus
from emoji_pred.provenance import code_revision

SCHEMA = 2
LONGEST_NAME = 60  # characters of a label's name
FEW_ROWS = 30  # training or held-out rows below which nothing can be confirmed

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Progress = Callable[[Sequence[Any], str], Iterable[Any]]


def audit(
    corpus: Corpus,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    examples: int = 0,
    progress: Progress = lambda items, _: items,
    step: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], list[Example]]:
    """Answer every question about a corpus.

    Args:
        corpus: as it would be trained on.
        config: the resolved configuration: its `data` group says which remedies there are, `model` and
            `encoder` which tokens are counted.
        overrides: what was typed, for the commands of the remedies.
        examples: texts of each finding that are shown.
        progress: wraps what takes longer.
        step: is told what is looked at next.

    Returns:
        JSON values without texts and without places of the machine, and the examples, masked.
    """
    started = time.process_time()
    written = corpus.label_names
    corpus = replace(corpus, label_names=printable(written))
    remedies = Remedies(config["data"])
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "data": _about(corpus, config, overrides),
        "code": code_revision(),
    }
    findings: list[Finding] = []
    step("classes")
    report["classes"] = classes.class_counts(corpus)
    report["shift"] = classes.shifts(corpus)
    report["together"] = classes.together(corpus)
    report["label_parts"] = label_names.label_parts(corpus)
    report["labels_alike"] = label_names.alike_labels(corpus, written)
    step("conflicting labels")
    report["conflicts"] = conflicts.conflicts(corpus)
    step("duplicates")
    report["duplicates"] = duplicates.duplicates(corpus, progress)
    step("features that tell a label")
    fewer = classes.fewer_classes(corpus)
    features = Features.of(fewer)
    rules, doubtful, tried = leaks.confirmed_rules(fewer, features)
    step("a classifier without words")
    scores = surface_model.surface_scores(fewer, features)
    report["leaks"] = {**tried, "surface_classifier": scores, "words": leaks.telling_words(fewer, rules)}
    step("contents")
    report["contents"] = _contents(corpus, config, overrides, progress)
    trials = Trials(fewer, rules, remedies)
    findings += leak_verdicts.leak_findings(fewer, rules, trials)
    findings += leak_verdicts.word_findings(fewer, rules)
    findings += leak_verdicts.doubtful_findings(fewer, doubtful, findings, trials)
    findings += surface_model.surface_findings(scores, trials)
    findings += duplicates.duplicate_findings(corpus, report["duplicates"], remedies)
    findings += label_names.label_findings(corpus, report["label_parts"], remedies)
    findings += label_names.alike_findings(report["labels_alike"])
    findings += joined_labels.joined_findings(corpus, written)
    findings += conflicts.conflict_findings(corpus, report["conflicts"])
    findings += classes.class_findings(corpus, report["classes"], report["shift"])
    parts = report["contents"]
    findings += contents.hidden_findings(parts["characters"], remedies)
    findings += contents.content_findings(corpus, parts["characters"], parts["marks"], parts["tokens"])
    findings += _too_few(corpus)
    findings.sort(key=lambda finding: STATUSES.index(finding.status))
    report["findings"] = [finding.plain(overrides) for finding in findings]
    report["verdict"] = {status: sum(f.status == status for f in findings) for status in STATUSES}
    report["cpu_seconds"] = round(time.process_time() - started, 1)
    texts = show(fewer, features, rules, examples) if examples else []
    return report, texts


def printable(names: Sequence[str]) -> tuple[str, ...]:
    """Label names as a report can show them: short, without control characters, all different still."""
    shown: dict[str, None] = {}
    for place, name in enumerate(names):
        plain = _CONTROL.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", name)
        short = plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 1] + "…"
        shown[short if short not in shown else f"{short} ({place})"] = None
    return tuple(shown)


def _about(corpus: Corpus, config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    data = runs.public({"data": config["data"]})["data"]
    return {
        "name": corpus.name,
        "task": corpus.task,
        "label_names": list(corpus.label_names),
        "overrides": runs.public_overrides(overrides),
        "options": {key: value for key, value in data.items() if not key.startswith("_")},
        "warnings": [runs.without_places(line) for line in corpus.warnings],
    }


def _contents(
    corpus: Corpus, config: Mapping[str, Any], overrides: Sequence[str], progress: Progress
) -> dict[str, Any]:
    options, encoder = config["model"].get("tokenizer"), config["encoder"]
    asked = [options] if options else []  # a linear model reads whole texts
    # An encoder that was typed is asked for, although the model may not read its tokens.
    if (not options or options["kind"] == "words") and any(word.startswith("encoder=") for word in overrides):
        asked.append({"kind": "encoder", "max_tokens": None})
    return {
        "characters": contents.character_figures(corpus),
        "languages": contents.language_figures(corpus),
        "marks": contents.mark_figures(corpus),
        "lengths": contents.length_figures(corpus),
        "tokens": [contents.token_figures(corpus, one, encoder, progress) for one in asked],
    }


def _too_few(corpus: Corpus) -> list[Finding]:
    sizes = {name: len(split) for name, split in corpus.splits.items()}
    held_out = max(size for name, size in sizes.items() if name != "train")
    if sizes["train"] >= FEW_ROWS and held_out >= FEW_ROWS:
        return []
    listed = ", ".join(f"{size:,} {name}" for name, size in sizes.items())
    line = (
        f"too few rows to confirm any leak ({listed}): it takes {FEW_ROWS} for training, {FEW_ROWS} held out"
    )
    return [Finding("few rows", "note", line, evidence=sizes)]
