"""What stands in a model card, as plain values: numbers of the result, intervals of the stored answers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emoji_pred import changes, runs
from emoji_pred.cli import CONF
from emoji_pred.errors import UserError
from emoji_pred.run_tables import last_split
from experiments import numbers
from experiments.cards.best import Trained, identity
from experiments.keeping import ROOT, KeptRun
from experiments.markup import shown
from experiments.measured import Measured, of_runs
from experiments.profiles import composed
from experiments.table import Metric, Select

NOT_MEASURED = "not measured"
DECIMALS = 2  # of the papers; what was measured is shown with one more
NOT_RANDOM = "the same: nothing is random"
SHOWN_CLASSES = 20  # the most frequent ones, where there are more
ONE_LABEL = {
    **{"accuracy": "accuracy", "macro F1": "macro_f1", "weighted F1": "weighted_f1"},
    **{"top 3": "top_3", "top 5": "top_5", "top 10": "top_10"},
}
MANY_LABELS = {
    **{"macro F1": "macro_f1", "micro F1": "micro_f1", "weighted F1": "weighted_f1"},
    **{"exact match": "exact_match", "Hamming loss (lower is better)": "hamming_loss"},
    **{"F1 over rows": "example_f1", "label-ranking average precision": "label_ranking_average_precision"},
}
FORMATS = {
    runs.CHECKPOINT: "a checkpoint of tensors and plain values, read with `weights_only=True`",
    runs.LINEAR: "safetensors: arrays of numbers and JSON, read without torch",
}
STAND_INS = {
    "minilm": "the paper's own encoder could not be had where this was trained",
    "tiny": "a small encoder with random weights, for trying the suite out",
}
NOT_EXPERIMENT = ("logger", "force", "retry_failed", "trainer.progress", "trainer.threads")


def number(value: float | None) -> str:
    """A fraction with three decimals."""
    return NOT_MEASURED if value is None else f"{value:.3f}"


def with_interval(found: Measured) -> str:
    """The mean with its 95 % interval, `0.239 [0.235, 0.243]`; "not measured" where there is no number."""
    return NOT_MEASURED if found.mean is None else numbers.mean_and_interval(found)


def label(name: str) -> str:
    """A label in one line, its emoji in colour."""
    return " ".join(shown(name).split())


def metrics_of(result: Mapping[str, Any], select: Select | None = None) -> list[Metric]:
    """The metrics of a card, read on the split that was evaluated last."""
    paths = ONE_LABEL if result["task"] == "multiclass" else MANY_LABELS
    split = last_split(result)
    return [
        Metric(name, path, split, decimals=DECIMALS, higher_is_better=path != "hamming_loss", select=select)
        for name, path in paths.items()
        if not path.startswith("top_") or int(path.removeprefix("top_")) < len(result["label_names"])
    ]


def metric_rows(run: KeptRun, trained: Trained) -> list[tuple[str, str, str]]:
    """Name, this run's value, the mean over the seeds."""
    alone = NOT_RANDOM if runs.is_linear(run.result["config"]) else NOT_MEASURED
    several = len(trained.runs) > 1
    return [
        (
            metric.name,
            with_interval(of_runs(metric, [run])),
            with_interval(of_runs(metric, trained.runs)) if several else alone,
        )
        for metric in metrics_of(run.result)
    ]


def class_rows(run: KeptRun) -> list[list[str]]:
    """Label, rows, rows given it, precision, recall, F1; the most frequent classes."""
    entries = run.result[last_split(run.result)]["per_class"]
    shown = sorted(entries, key=lambda entry: -entry["support"])[:SHOWN_CLASSES]
    return [
        [
            label(entry["label"]),
            f"{entry['support']:,}",
            f"{entry['predicted']:,}",
            *(number(entry[name]) for name in ("precision", "recall", "f1")),
        ]
        for entry in shown
    ]


def classes_note(run: KeptRun) -> str:
    """How many classes are not shown; "" where all are."""
    count = len(run.labels)
    return f"The {SHOWN_CLASSES} most frequent of {count} classes." if count > SHOWN_CLASSES else ""


def zeroed(run: KeptRun) -> str:
    """Which labels have rows and are given to none."""
    entries = run.result[last_split(run.result)]["per_class"]
    never = [label(entry["label"]) for entry in entries if entry["support"] and not entry["predicted"]]
    if not never:
        return "none; every class that has rows is given to some."
    return f"{len(never)} of {len(entries)} classes have rows and are given to none ({' '.join(never)})."


def what_it_is(run: KeptRun) -> list[tuple[str, str]]:
    """Architecture, size, encoder, labels, files."""
    result, parts = run.result, identity(run)
    encoder, vectors = parts.get("encoder"), parts.get("vectors")
    parameters = result["parameters"]
    files = [
        f"`{name}`: {about}; SHA-256 `{result['files'][name]}`"
        for name, about in FORMATS.items()
        if name in result["files"]
    ]
    rows = [
        ("model", f"`{parts['model']['name']}`. {comment_of('model', parts['model']['name'])}"),
        ("parameters", f"{parameters['total']:,}, of these trained: {parameters['trainable']:,}"),
        ("task", f"{result['task']}, {len(result['label_names'])} labels"),
        ("file", "; ".join(files) or NOT_MEASURED),
    ]
    if encoder:
        place = f"`{encoder['repository']}` at `{encoder['revision']}`" if encoder["repository"] else ""
        rows.insert(1, ("encoder", f"`{encoder['name']}` {place}"))
    if vectors:
        rows.insert(1, ("word vectors", f"`{vectors['name']}`. {comment_of('vectors', vectors['name'])}"))
    return rows


def comment_of(group: str, name: str) -> str:
    """What the head of a configuration file says of a choice; "" where there is no such file."""
    try:
        lines = (CONF / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    head = []
    for line in lines:
        if not line.startswith("#"):
            break
        head.append(line.lstrip("# "))
    return " ".join(head)


def how_trained(run: KeptRun) -> list[tuple[str, str]]:
    """Seed, epochs, code, date, packages, machine, time."""
    result, known = run.result, run.result["provenance"]
    code, machine = known["code"], known["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    dirty = "; **with changes that were not committed**" if code["dirty"] else ""
    rows = [
        ("seed", str(run.seed)),
        ("code", f"revision `{code['commit'] or 'unknown'}`{dirty}"),
        ("date", str(known["date"])),
        ("packages", f"Python {known['python']}, {packages}"),
        ("machine", ", ".join(f"{key} {value}" for key, value in machine.items())),
        ("time", f"{numbers.minutes(result['wall_seconds'])}, peak memory {result['peak_memory_mb']} MB"),
    ]
    if result["curves"]:
        epochs = f"{len(result['curves'])}, of these kept: epoch {result['best_epoch']}, best on validation"
        rows.insert(1, ("epochs", f"{epochs} (from 0)"))
    return rows


def command(run: KeptRun) -> tuple[str, str]:
    """What to type to train a run again, and a remark: whether that is this very run today."""
    typed = [item for item in run.result["overrides"] if not item.startswith(NOT_EXPERIMENT)]
    if not any(item.startswith("data=") for item in typed):
        typed.insert(0, f"data={identity(run)['data']['name']}")
    own_files = bool(identity(run)["files"])
    line = f"python train.py {shlex.join(typed)}"
    if own_files:
        return line, "; name your own files where they lie"
    try:
        again = runs.run_hash(runs.identity(composed(typed), {}))
    except Exception as error:  # whatever Hydra and the checks raise of options that there were once
        return line, f"; today these options are refused: {type(error).__name__}"
    if again != run.name:
        return (
            line,
            f"; with today's defaults these options give another run, `{again}`: use the revision above",
        )
    return line, ""


def data_files(run: KeptRun) -> list[tuple[str, str, str]]:
    """File, commit, git blob id of each public file."""
    corpus = run.result["provenance"]["corpus"]
    sources = [corpus, *corpus.get("sources", {}).values()]
    rows = [
        (f"{source['repository']} `{path}`", f"`{source['commit']}`", f"`{blob}`")
        for source in sources
        if source.get("repository")
        for path, blob in source["files"].items()
    ]
    own = identity(run)["files"].items()
    return [*rows, *((f"own file: {part}", "", f"`{_short(blob)}`") for part, blob in own)]


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def calibration(run: KeptRun) -> str:
    """Expected calibration error, and what the probabilities are."""
    result = run.result
    split = last_split(result)
    ece = result[split].get("ece")
    if ece is None:
        error = "The expected calibration error was not measured."
    else:
        error = (
            f"Expected calibration error on the {split} split: {number(ece)} (its interval was not measured)."
        )
    origin = result.get("probabilities")
    source = (
        f" Its probabilities: {origin}." if origin else " Its probabilities are the network's, as trained."
    )
    return error + source


def found_limits(run: KeptRun, trained: Trained) -> list[str]:
    """What the result itself says against the model."""
    result = run.result
    split = last_split(result)
    part, corpus = result[split], result["provenance"]["corpus"]
    lines = []
    ceiling = ((corpus.get("ceiling") or {}).get(split) or {}).get("top_1")
    if ceiling is not None:
        lines.append(
            f"Ceiling: texts stand with different labels, so no model can be right on more than "
            f"{number(ceiling)} of the {split} rows."
        )
    lines.append(_against_yardsticks(part, split))
    lines.append(f"Zeroed classes: {zeroed(run)}")
    encoder = identity(run).get("encoder")
    if encoder and encoder["name"] in STAND_INS:
        lines.append(f"Stand-in encoder `{encoder['name']}`: {STAND_INS[encoder['name']]}.")
    if len(trained.runs) == 1 and not runs.is_linear(result["config"]):
        lines.append("One run: how much another seed would change is not measured.")
    changed = changes.missing(identity(run), result["config"])
    lines += [f"**Stale**: since this run the code has changed: {change.what}." for change in changed]
    lines += [f"Warned while it was made: {text}." for text in result["provenance"]["warnings"]]
    return lines


def _against_yardsticks(part: Mapping[str, Any], split: str) -> str:
    """What an answer that looks at no text reaches."""
    if "yardsticks" in part:
        name, best = max(part["yardsticks"].items(), key=lambda item: item[1]["macro_f1"])
        return (
            f"Yardstick: an answer that reads nothing ({name}) has macro F1 {number(best['macro_f1'])} on "
            f"the {split} split, this model {number(part['macro_f1'])}."
        )
    rows = sum(entry["support"] for entry in part["per_class"])
    top = next((entry for entry in part["per_class"] if entry["label"] == part.get("top_class")), None)
    if top is None or not rows:
        return f"Yardstick: {NOT_MEASURED}."
    return (
        f"Yardstick: always the largest class of training ({label(top['label'])}) is right on "
        f"{number(top['support'] / rows)} of the {split} rows, this model on {number(part['accuracy'])}."
    )


def audit_of(run: KeptRun, audits: Path = ROOT / "results" / "audit") -> tuple[str, list[str]]:
    """The command of the audit of a run's data, and its leaks and flaws; ("", []) where there is none."""
    own = run.result["config"]["data"]
    for path in sorted(audits.glob("*/audit.json")):
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if _same_options(kept["data"]["options"], own):
            lines = [f"{found['status']}: {found['line']}".replace("<", "&lt;") for found in kept["findings"]]
            typed = " ".join(kept["data"]["overrides"])
            serious = [line for line in lines if not line.startswith("note")]
            return f"python -m emoji_pred audit {typed}", serious or ["neither a leak nor a flaw"]
    return "", []


def _same_options(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two datasets have the same settings; of one that came later, the one that changes nothing."""
    shared = (set(one) & set(other)) - {"_target_"}
    added = (set(one) ^ set(other)) - {"_target_"}
    changed = [key for key in added if {**one, **other}[key] != runs.LATER_OPTIONS.get(key)]
    return not changed and all(one[key] == other[key] for key in shared)


def settings_text(run: KeptRun) -> str:
    """What determines the numbers of a run, as YAML."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(identity(run))).rstrip()


def need_split(result: Mapping[str, Any], place: Path) -> None:
    """Refuse a run that has no metrics.

    Raises:
        UserError: neither validation nor test was evaluated.
    """
    if not result.get(last_split(result)):
        raise UserError(f"{place} has no metrics; train it again")
