"""A model card, by huggingface_hub's ModelCard: its head as data, its body from `card.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoji_pred.run_tables import last_split
from experiments import numbers
from experiments.cards import content
from experiments.cards.best import Trained, identity
from experiments.cards.facts import Facts, facts_of
from experiments.cards.readings import readings
from experiments.keeping import KeptRun
from experiments.markup import grid
from experiments.measured import of_runs
from experiments.table import Metric

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TEMPLATE = Path(__file__).with_name("card.md")
KINDS = {"accuracy": "accuracy", "exact_match": "accuracy"}  # metric types of the Hub; the rest are F1 or own
NO_HEAD = ("", "")
NO_FILES = ("none: the suite makes the texts, or their names were not kept", "", "")
KEPT_AWAY = "The project keeps results and answers alone: train the model by the command below, which takes"


def model_card(
    run: KeptRun, trained: Trained, others: Sequence[Trained], why: str = "", weights_at: str = ""
) -> str:
    """The card of a run, as Markdown with a head in YAML.

    Args:
        run: with its answers.
        trained: the runs of its experiment, itself among them.
        others: experiments among which its siblings are looked for.
        why: how the run was chosen; "" for one that a user names.
        weights_at: where its weights lie, in words; "": they were not kept.
    """
    from huggingface_hub import ModelCard

    facts = facts_of(str(identity(run)["data"]["name"]))
    values = _values(run, trained, facts, others)
    values["why_this"] = (
        why or "This run was named by the user; it was not compared with others for this card."
    )
    took = numbers.minutes(run.result["wall_seconds"])
    values["weights"] = weights_at or f"{KEPT_AWAY} {took} on {_machine(run)}."
    text = TEMPLATE.read_text(encoding="utf-8")
    card = ModelCard.from_template(head(run, facts), template_str=text, **values)
    return str(card).rstrip() + "\n"


def head(run: KeptRun, facts: Facts) -> ModelCardData:
    """What the Hub reads of a card."""
    from huggingface_hub import ModelCardData

    parts = identity(run)
    encoder = parts.get("encoder") or {}
    return ModelCardData(
        language=_language(run, facts)[0] or None,
        license=facts.licence_id,
        library_name="emoji_pred",
        pipeline_tag="text-classification",
        base_model=encoder.get("repository") or None,
        tags=["emoji_pred", parts["data"]["name"], parts["model"]["name"]],
        metrics=["accuracy", "f1"],
        model_name=f"emoji_pred-{parts['data']['name']}-{parts['model']['name']}-{run.name}",
        eval_results=_eval_results(run, facts),
    )


def _eval_results(run: KeptRun, facts: Facts) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    data, split = identity(run)["data"], last_split(run.result)
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type=data["name"],
            dataset_name=facts.title,
            dataset_config=str(data.get("clean", "")) or None,
            dataset_split=split,
            dataset_revision=run.result["provenance"]["corpus"].get("commit"),
            metric_type=KINDS.get(metric.path, "f1" if metric.path.endswith("f1") else metric.path),
            metric_name=_name_with_interval(run, metric),
            metric_value=round(value, 4),
        )
        for metric in content.metrics_of(run.result)
        if (value := metric.read(run)) is not None
    ]


def _name_with_interval(run: KeptRun, metric: Metric) -> str:
    interval = of_runs(metric, [run]).interval
    if interval is None:
        return metric.name
    low, high = interval
    return f"{metric.name} (95 % interval over rows: {low:.3f} to {high:.3f})"


def _values(run: KeptRun, trained: Trained, facts: Facts, others: Sequence[Trained]) -> dict[str, Any]:
    """What fills the template."""
    result, split = run.result, last_split(run.result)
    corpus = result["provenance"]["corpus"]
    command, note = content.command(run)
    audit_command, audit = content.audit_of(run)
    beside = readings(run, facts, others)
    count = len(trained.runs)
    seeds_head = f"mean of {count} seeds" if count > 1 else "other seeds"
    return {
        "title": f"{facts.title}: `{identity(run)['model']['name']}`, run `{run.name}`",
        "summary": _summary(run, facts),
        "what": grid(NO_HEAD, content.what_it_is(run), left=2),
        "uses": facts.uses,
        "run": run.name,
        "how": grid(NO_HEAD, content.how_trained(run), left=2),
        "command": command,
        "command_note": note,
        "settings": content.settings_text(run),
        "citation": f"{corpus.get('citation') or facts.title}.",
        "variant": corpus.get("variant", ""),
        "licence": facts.licence,
        "parts": grid(
            ("part", "rows"), [(part, f"{rows:,}") for part, rows in result["provenance"]["rows"].items()]
        ),
        "files": grid(("file", "commit", "git blob id"), content.data_files(run) or [NO_FILES], left=3),
        "split": split,
        "metrics": grid(("metric", "this run", seeds_head), content.metric_rows(run, trained)),
        "split_note": _split_note(run, trained),
        "readings": grid(beside.head, beside.rows, left=2) if beside else "",
        "readings_note": beside.note if beside else "",
        "classes": grid(("label", "rows", "given", "precision", "recall", "F1"), content.class_rows(run)),
        "classes_note": content.classes_note(run),
        "calibration": content.calibration(run),
        "limits": [*facts.limits, *_language_limit(run, facts), *content.found_limits(run, trained)],
        "audit": audit,
        "audit_command": audit_command,
    }


def _summary(run: KeptRun, facts: Facts) -> str:
    split = last_split(run.result)
    found = of_runs(Metric("macro F1", "macro_f1", split, decimals=content.DECIMALS), [run])
    clean = identity(run)["data"].get("clean")
    texts = {"leak_free": "leak-free texts", "as_distributed": "texts as distributed"}.get(clean, "its texts")
    return (
        f"Predicts {facts.task}. Macro F1 on the {split} split, {texts}: {content.with_interval(found)} "
        "(95 % interval over rows)."
    )


def _split_note(run: KeptRun, trained: Trained) -> str:
    value = content.number(run.result["validation"]["macro_f1"])
    text = f"Macro F1 on validation, by which epochs, thresholds and models were chosen: {value}"
    if len(trained.runs) > 1:
        text += f", mean of the seeds {content.number(trained.validation)}"
    if last_split(run.result) == "validation":
        text += ". **There is no test split: these numbers are those of the choice, and too good**"
    return f"{text}."


def _language(run: KeptRun, facts: Facts) -> tuple[str, str]:
    """ISO 639-1 and a word; of the bundled sample the language that was asked for."""
    asked = str(identity(run)["data"].get("language") or "")
    return (asked if len(asked) == 2 else "", asked) if asked else facts.language


def _language_limit(run: KeptRun, facts: Facts) -> list[str]:
    code, name = _language(run, facts)
    return [f"Language: {name} alone; another one was not measured."] if code else []


def _machine(run: KeptRun) -> str:
    machine = run.result["provenance"]["machine"]
    return f"{machine.get('cores', 'unknown')} cores, {machine.get('device', 'unknown device')}"
