"""What a user reads when a run or a sweep has ended: tables on the terminal, plain text in a pipe."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emoji_pred.process import end_unread
from emoji_pred.runs import NO_VECTORS, PLAIN_DECISION, replace_file

PLAIN_WIDTH = 120  # columns where there is no terminal to ask
NARROW = 80  # below this, only the columns that matter most
TABLE_METRICS = (("validation", "macro_f1"), ("test", "macro_f1"), ("test", "accuracy"))
METRICS = {
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "accuracy": "accuracy",
    "top_3": "top 3",
    "top_5": "top 5",
    "top_10": "top 10",
    "hamming_loss": "Hamming loss",
    "ece": "calibration error",
    "top_class_recall": "recall of the top class",
    "top_class_precision": "precision of the top class",
    "zeroed_classes": "classes with rows, never predicted",
}

MULTILABEL_METRICS = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "weighted_f1": "weighted F1",
    "samples_f1": "F1, mean over rows",
    "exact_match": "exact match",
    "hamming_loss": "Hamming loss",
    "label_ranking_average_precision": "label-ranking precision",
    "example_accuracy": "accuracy by rows (paper, eq. 7)",
    "example_precision": "precision by rows (eq. 8)",
    "example_recall": "recall by rows (eq. 9)",
    "example_f1": "F1 by rows (eq. 10)",
    "paper_smoothed_accuracy": "accuracy, +1 (notebook)",
    "paper_smoothed_precision": "precision, +1",
    "paper_smoothed_recall": "recall, +1",
    "paper_smoothed_f1": "F1, +1",
    "given_per_row": "labels given a row",
    "rows_given_none": "rows given none",
    "ece": "calibration error",
    "top_class_recall": "recall of the top class",
    "top_class_precision": "precision of the top class",
    "zeroed_classes": "classes with rows, never predicted",
}
SHORT_YARDSTICKS = {  # of `multilabel_metrics.yardsticks`, as headers
    "answers nothing": "answers\nnothing",
    "answers everything": "answers\neverything",
    "always the most frequent label": "always one\nlabel",
    "always the most frequent set": "always one\nset",
}


def print_summary(
    result: Mapping[str, Any], directory: Path | str | None = None, stream: TextIO | None = None
) -> None:
    """Print a run: what it is, where it lies, its metrics, and the report of each class.

    Args:
        result: the content of `result.json`.
        directory: the run's directory.
        stream: where to print; standard output by default.
    """
    screen = console(stream)
    shown = [split for split in ("validation", "test") if result.get(split)]
    screen.print()
    for line in _heading(result, directory or result.get("directory")):
        screen.print(Text(line), soft_wrap=True)
    screen.print()
    screen.print(_metric_table(result, shown, screen.width < NARROW))
    own = [*_constant_answers(result, shown, screen.width), *_top_class(result, shown), *_thresholds(result)]
    for remark in [*own, *_remarks(result)]:
        screen.print(Text(remark), soft_wrap=True)
    screen.print()
    screen.print(_class_table(result[shown[-1]], shown[-1], screen.width < NARROW))


def print_runs(results: Sequence[Mapping[str, Any]], stream: TextIO | None = None) -> None:
    """Print the runs of a sweep as one table, then the errors of those that failed.

    Args:
        results: for each run the content of its `result.json` with `overrides` and `directory`, or, for one
            that failed, `status`, `error` and `overrides`.
        stream: where to print; standard output by default.
    """
    screen = console(stream)
    directories = [Path(result["directory"]) for result in results if result.get("directory")]
    parents = {directory.parent for directory in directories}
    narrow = screen.width < NARROW
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("run", overflow="fold")
    for header in _run_cells({}, narrow):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("directory", overflow="fold")
    for result, name in zip(results, _names(results), strict=True):
        place = _place(result, len(parents) == 1)
        table.add_row(Text(name), *_run_cells(result, narrow).values(), Text(place))
    screen.print()
    screen.print(table)
    if len(parents) == 1:
        screen.print(Text(f"The runs lie in {parents.pop()}"), soft_wrap=True)
    remarks: dict[str, list[str]] = {}  # one remark on several runs is made once
    for result, name in zip(results, _names(results), strict=True):
        for remark in [result["error"]] if result.get("error") else _remarks(result):
            remarks.setdefault(remark, []).append(name)
    for remark, names in remarks.items():
        screen.print(Text(f"{'; '.join(names)}: {remark}"), soft_wrap=True)


def write_table(results: Sequence[Mapping[str, Any]], directory: Path, name: str) -> Path:
    """Write the runs of a sweep as `<name>.csv` and `<name>.md`; returns the Markdown file.

    Args:
        results: as for `print_runs`.
        directory: where the files go; it is made.
        name: of both files, without ending.
    """
    rows = [
        {
            "run": label,
            "status": str(result.get("status", "")),
            **{
                f"{split}_{metric}": (result.get(split) or {}).get(metric, "")
                for split, metric in TABLE_METRICS
            },
            "seconds": result.get("wall_seconds", ""),
            "directory": str(result.get("directory") or ""),
            "error": str(result.get("error") or ""),
        }
        for result, label in zip(results, _names(results), strict=True)
    ]
    return write_rows(rows, directory, name)


def write_rows(rows: Sequence[Mapping[str, Any]], directory: Path, name: str) -> Path:
    """Write rows of the same keys as `<name>.csv` and `<name>.md`; returns the Markdown file.

    Args:
        rows: one or more; floats keep four decimals in Markdown, all in the CSV.
        directory: where the files go; it is made.
        name: of both files, without ending.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    for row in rows:
        cells = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    directory.mkdir(parents=True, exist_ok=True)
    for ending, content in (("csv", text.getvalue()), ("md", "\n".join(lines) + "\n")):
        with replace_file(directory / f"{name}.{ending}") as stream:
            stream.write(content.encode("utf-8", "backslashreplace"))
    return directory / f"{name}.md"


def console(stream: TextIO | None = None) -> Console:
    """Where tables are printed: a terminal as it is, a pipe as plain text of a fixed width."""
    stream = stream or sys.stdout
    # A terminal or pipe that cannot show an emoji gets a question mark, not a crash at the end of a training.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    screen = _Screen(file=stream, highlight=False, emoji=False)
    if not screen.is_terminal:
        screen = _Screen(file=stream, highlight=False, emoji=False, width=PLAIN_WIDTH)
    return screen


class _Screen(Console):
    """Ends the command as `process.output_may_be_cut` does where nobody reads on; rich would give code 1."""

    def on_broken_pipe(self) -> None:
        """Called by rich where a pipe is broken."""
        self.quiet = True
        end_unread()


def _heading(result: Mapping[str, Any], directory: Path | str | None) -> list[str]:
    config, parameters = result.get("config") or {}, result.get("parameters") or {}
    groups = [
        f"{group}={config[group]['name']}"
        for group in ("data", "model", "vectors", "encoder", "loss", "alpha", "decision")
        if isinstance(config.get(group), Mapping) and config[group].get("name") and _counts(group, config)
    ]
    lines = [f"run {result['run']}: {' '.join(groups)}".rstrip(": ")]
    if directory:
        lines.append(f"directory: {directory}")
    facts = []
    if result.get("wall_seconds") is not None:
        facts.append(f"time {duration(result['wall_seconds'])}")
    if result.get("peak_memory_mb") is not None:
        facts.append(f"peak memory {result['peak_memory_mb']:,.0f} MB")
    if parameters:
        facts.append(f"parameters {parameters['total']:,} ({parameters['trainable']:,} trained)")
    if result.get("best_epoch") is not None:
        facts.append(f"best epoch {result['best_epoch'] + 1} of {len(result.get('curves') or [])}")
    return [*lines, ", ".join(facts)] if facts else lines


def _counts(group: str, config: Mapping[str, Any]) -> bool:
    """The encoder is part of a run only where the model reads its tokens, vectors where there are any."""
    if group == "decision":
        return config["decision"] != PLAIN_DECISION
    if group == "vectors":
        return config["vectors"].get("_target_") != NO_VECTORS
    tokenizer = (config.get("model") or {}).get("tokenizer") or {}
    return group != "encoder" or tokenizer.get("kind") in ("encoder", "encoder_words")


def _remarks(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know before comparing the figures."""
    return [*_ceiling(result), *_known_words(result), *_random_encoder(result)]


def _constant_answers(result: Mapping[str, Any], splits: Sequence[str], width: int) -> list[str]:
    """Of which rows the columns of constant answers are, where there is room for them."""
    if not splits or width < NARROW or not result[splits[-1]].get("yardsticks"):
        return []
    return [f"the last columns: what answers that never change reach on the {splits[-1]} rows"]


def _thresholds(result: Mapping[str, Any]) -> list[str]:
    """Above which probability a label is given, where that is not one half."""
    decision = (result.get("validation") or {}).get("decision")
    if not decision:
        return []
    plain = decision["name"] == "fixed" and not decision["at_least_one"]
    if plain and set(decision["thresholds"]) <= {0.5, 1.0}:
        return []
    values = sorted(set(decision["thresholds"]) - {1.0}) or [1.0]
    said = f"{values[0]:.4g}" + (f" to {values[-1]:.4g}" if len(values) > 1 else "")
    how = {
        "tuned": f", the best {decision['tuned_f1']} F1 on validation",
        "tuned_per_class": ", by class, each with the best F1 of its class on validation",
    }.get(decision["name"], "")
    least = "; a text without any gets the most probable" if decision["at_least_one"] else ""
    return [f"a label is given where its probability is above {said}{how}{least}"]


def _top_class(result: Mapping[str, Any], splits: Sequence[str]) -> list[str]:
    """Which class the top class is; not in the table, as terminals disagree on an emoji's width."""
    names = [str(result[split]["top_class"]) for split in splits if "top_class" in result[split]]
    return [f"top class, the largest in training: {names[-1]}"] if names else []


def _ceiling(result: Mapping[str, Any]) -> list[str]:
    """The best that any model could reach, where a text with several labels keeps it below 100 %."""
    corpus = (result.get("provenance") or {}).get("corpus") or {}
    parts = []
    for split in ("validation", "test"):
        best = (corpus.get("ceiling") or {}).get(split)
        if best and result.get(split) and best["top_1"] < 1:
            parts.append(f"{split} top 1 {_percent(best['top_1'])}, top 10 {_percent(best['top_10'])}")
    return (
        [f"some texts have several labels; the best any model could reach: {'; '.join(parts)}"]
        if parts
        else []
    )


def _percent(fraction: float) -> str:
    """Rounded down, so that 100 % means all."""
    return f"{int(fraction * 1000 + 1e-9) / 10:.1f} %"


def _known_words(result: Mapping[str, Any]) -> list[str]:
    """How much of the texts the word vectors know."""
    vectors = (result.get("provenance") or {}).get("vectors")
    if not vectors:
        return []
    shares = ", ".join(f"{share:.0%} in {split}" for split, share in vectors["known_token_share"].items())
    return [
        f"vectors={vectors['name']} ({vectors['dim']} dimensions) have {vectors['known_words']:,} of the "
        f"{vectors['words']:,} words of the vocabulary; of the words of the texts {shares}"
    ]


def _random_encoder(result: Mapping[str, Any]) -> list[str]:
    encoder = (result.get("config") or {}).get("encoder") or {}
    if encoder.get("source") == "random" and _counts("encoder", result["config"]):
        return [
            f"encoder={encoder['name']} starts from random weights: it shows that the model trains here, not "
            "how well; encoder=minilm (after `make minilm`) and encoder=bertweet are pretrained"
        ]
    return []


def _metric_table(result: Mapping[str, Any], splits: Sequence[str], narrow: bool) -> Table:
    """The metrics of the splits; of several labels a text, beside those of constant answers on the last."""
    several = result.get("task") == "multilabel"
    constant = result[splits[-1]].get("yardsticks") if several and splits and not narrow else None
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right", no_wrap=True)
    for name in constant or {}:
        table.add_column(SHORT_YARDSTICKS.get(name, name), justify="right", no_wrap=True)
    for name, words in (MULTILABEL_METRICS if several else METRICS).items():
        values = [result[split].get(name) for split in splits]
        if any(value is not None for value in values):
            others = [of_one.get(name) for of_one in (constant or {}).values()]
            table.add_row(words, *map(_number, [*values, *others]))
    return table


def _class_table(metrics: Mapping[str, Any], split: str, narrow: bool) -> Table:
    """The label stands last: terminals disagree on an emoji's width, and Arabic script runs to the left."""
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    ratios = {"f1": "F1"} if narrow else {"precision": "precision", "recall": "recall", "f1": "F1"}
    decision = metrics.get("decision") or {}
    by_class = decision.get("name") == "tuned_per_class" and not narrow
    for header in (*ratios.values(), "rows", "predicted", *(["threshold"] if by_class else [])):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column(f"{split} class", overflow="fold")
    for place, row in enumerate(metrics["per_class"]):
        cells = [_number(row[key]) for key in ratios]
        cells += [f"{row['support']:,}", f"{row['predicted']:,}"]
        cells += [_number(decision["thresholds"][place])] if by_class else []
        table.add_row(*cells, Text(str(row["label"])))
    return table


def _run_cells(result: Mapping[str, Any], narrow: bool) -> dict[str, str]:
    """The columns of a run between its name and its directory, by header."""
    validation, test = result.get("validation") or {}, result.get("test") or {}
    seconds = result.get("wall_seconds")
    cells = {
        "status": str(result.get("status", "")),
        "validation\nmacro F1": _number(validation.get("macro_f1")),
        "test\nmacro F1": _number(test.get("macro_f1")),
        "test\naccuracy": _number(test.get("accuracy")),
        "time": "" if seconds is None else duration(seconds),
    }
    return {"status": cells["status"], "test\nmacro F1": cells["test\nmacro F1"]} if narrow else cells


def _names(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The overrides in which the runs of a sweep differ; all of them where there is nothing to compare."""
    overrides = [[str(item) for item in result.get("overrides") or []] for result in results]
    shared = shared_overrides(overrides)
    names = [" ".join(item for item in items if item not in shared) for items in overrides]
    return [name or " ".join(items) or "defaults" for name, items in zip(names, overrides, strict=True)]


def shared_overrides(all_overrides: Sequence[Sequence[str]]) -> set[str]:
    """The overrides that all of several runs have; none where there is one run."""
    return set.intersection(*map(set, all_overrides)) if len(all_overrides) > 1 else set()


def _place(result: Mapping[str, Any], one_parent: bool) -> str:
    directory = result.get("directory")
    if not directory:
        return ""
    return Path(directory).name if one_parent else str(directory)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds as people say them: `8.2 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
