"""Weights & Biases: the mode decided before it starts, charts and tables of a finished run."""

from __future__ import annotations

import netrc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import numpy as np
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from emoji_pred.errors import UserError
from emoji_pred.runs import SplitPredictions

WANDB_MODES = ("online", "offline", "disabled")
WANDB_HOST = "https://api.wandb.ai"
SHOWN_TEXT = 300  # characters of a text in the table of predictions

Mode = Literal["online", "offline", "disabled"]
Predictions = Mapping[str, SplitPredictions]


class RunWandbLogger(WandbLogger):
    """Lightning's logger with a W&B run that is started here, where the mode is known.

    Args:
        run: the W&B run; None in the helper processes of a distributed run, which never log.
        directory: where it writes.
        shown_predictions: rows of the table of predictions.
    """

    def __init__(self, run: Any, directory: Path, shown_predictions: int) -> None:
        super().__init__(experiment=run, save_dir=directory)
        self.shown_predictions = shown_predictions

    @rank_zero_only
    def log_evaluation(
        self, result: Mapping[str, Any], predictions: Predictions, texts: Mapping[str, Sequence[str]]
    ) -> None:
        """Add metrics, charts and tables of the finished run, and end the W&B run."""
        run = self.experiment
        run.summary.update(_scalars(result))
        run.log(_wandb_charts(result, predictions, texts, self.shown_predictions))
        place = _place(run)  # known to the run while it is open
        run.finish()
        if place:
            print(place, flush=True)


def _place(run: Any) -> str | None:
    """Where the W&B run lies, for the user; None where it is disabled."""
    if run.disabled:
        return None
    if run.offline:
        return f"W&B: kept offline; `wandb sync {run.settings.sync_dir}` uploads it"
    return f"W&B: {run.url}"


def wandb_mode(option: str | None, environment: Mapping[str, str] | None = None) -> Mode:
    """Decide between online, offline and disabled before W&B starts, without network.

    Args:
        option: `logger.mode`; None leaves the choice to WANDB_MODE, then to whether the user is logged in.
        environment: environment variables, for tests.

    Raises:
        UserError: a mode that does not exist.
    """
    environment = os.environ if environment is None else environment
    chosen = _known_mode("logger.mode", option)
    # Checked even where the option wins: W&B itself stops at a value that it does not know.
    from_environment = _known_mode("WANDB_MODE", environment.get("WANDB_MODE"))
    return chosen or from_environment or ("online" if _is_logged_in(environment) else "offline")


def _known_mode(where: str, value: str | None) -> Mode | None:
    name = (value or "").strip().lower()
    name = {"dryrun": "offline", "run": "online", "shared": "online"}.get(name, name)
    if name and name not in WANDB_MODES:
        raise UserError(f"{where}={value} is not a mode of W&B; choose {', '.join(WANDB_MODES)}")
    return cast(Mode, name) if name else None


def _is_logged_in(environment: Mapping[str, str]) -> bool:
    """Whether W&B would find a key, in the places where it looks, without asking anybody."""
    if environment.get("WANDB_API_KEY") or environment.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    home = Path(environment.get("HOME") or Path.home())
    named = environment.get("NETRC")
    files = [Path(named).expanduser()] if named else [home / ".netrc", home / "_netrc"]
    host = urlsplit(environment.get("WANDB_BASE_URL") or WANDB_HOST).netloc
    for file in files:
        try:
            entry = netrc.netrc(file).authenticators(host)
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue
        return bool(entry and entry[2])
    return False


def start_wandb_logger(
    options: Mapping[str, Any], run_directory: Path, run_name: str, config: Mapping[str, Any]
) -> RunWandbLogger:
    """Start a W&B run in the main process, and wrap it for Lightning.

    Raises:
        UserError: a mode that does not exist.
    """
    mode = wandb_mode(options["mode"])
    run = None
    if _is_main_process():
        run = _start_wandb(mode, options, run_directory, run_name, config)
    return RunWandbLogger(run, run_directory, int(options["predictions"]))


def _start_wandb(
    mode: Mode,
    options: Mapping[str, Any],
    directory: Path,
    run_name: str,
    config: Mapping[str, Any],
) -> Any:
    if not os.environ.get("WANDB_MODE", "").strip():
        os.environ.pop("WANDB_MODE", None)  # an empty value is one that W&B refuses
    import wandb

    settings = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        init_timeout=float(options["timeout"]),
        login_timeout=float(options["timeout"]),
        reinit="finish_previous",  # a run of the same sweep that failed may have left its own open
    )
    arguments: dict[str, Any] = {key: options[key] for key in ("project", "entity", "group")}
    arguments |= {"name": run_name, "tags": list(options["tags"]), "config": dict(config), "dir": directory}
    try:
        run = wandb.init(mode=mode, settings=settings, **arguments)
    except wandb.errors.Error as error:
        if mode != "online":
            raise
        reason = str(error).splitlines()[0]
        note = f"W&B cannot be reached ({reason}); the run is kept offline in {directory}"
        print(f"warning: {note}", file=sys.stderr)
        run = wandb.init(mode="offline", settings=settings, **arguments)
    run.define_metric("epoch")
    run.define_metric("*", step_metric="epoch")
    return run


def _scalars(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of both splits, as `test/macro_f1` and so on."""
    return {
        f"{split}/{name}": value
        for split in ("validation", "test")
        for name, value in (result.get(split) or {}).items()
        if isinstance(value, int | float)
    }


def _wandb_charts(
    result: Mapping[str, Any], predictions: Predictions, texts: Mapping[str, Sequence[str]], shown: int
) -> dict[str, Any]:
    """Charts and tables of the last split that was evaluated: test, or validation where there is no test."""
    import wandb

    split = "test" if result.get("test") else "validation"
    metrics = result[split]
    keys = ("label", "precision", "recall", "f1", "support", "predicted")
    report = wandb.Table(
        columns=list(keys), data=[[row[key] for key in keys] for row in metrics["per_class"]]
    )
    charts: dict[str, Any] = {
        f"{split}/per_class": report,
        f"{split}/per_class_f1": wandb.plot.bar(report, "label", "f1", title=f"F1 of each class, {split}"),
    }
    if "confusion_matrix" in metrics:
        charts[f"{split}/confusion_matrix"] = _confusion_chart(metrics, result["label_names"])
    if shown:
        row_ids, targets, probabilities = predictions[split]
        rows = worst_predictions(targets, probabilities, shown)
        charts[f"{split}/predictions"] = wandb.Table(
            columns=["row", "text", "true", "predicted", "confidence", "loss"],
            data=[
                [row_ids[row], texts[split][row][:SHOWN_TEXT] if split in texts else "", *cells]
                for row, *cells in _prediction_rows(rows, targets, probabilities, result["label_names"])
            ],
        )
    return charts


def _confusion_chart(metrics: Mapping[str, Any], label_names: Sequence[str]) -> Any:
    """W&B's confusion matrix from counts, instead of from the list of all rows."""
    import wandb

    data = [
        [label_names[truth], label_names[predicted], count]
        for truth, row in enumerate(metrics["confusion_matrix"])
        for predicted, count in enumerate(row)
    ]
    return wandb.plot_table(
        vega_spec_name="wandb/confusion_matrix/v1",
        data_table=wandb.Table(columns=["Actual", "Predicted", "nPredictions"], data=data),
        fields={"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "nPredictions"},
    )


def _is_main_process() -> bool:
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def worst_predictions(targets: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """The rows with the highest loss, highest first; equal ones in the order of the rows."""
    return np.argsort(-_row_losses(targets, probabilities), kind="stable")[:count]


def _row_losses(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,) cross-entropy of each row, or the sum of the binary ones."""
    likelihood = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
    if targets.ndim == 1:
        return -np.log(likelihood[np.arange(len(targets)), targets])
    return -np.where(targets.astype(bool), np.log(likelihood), np.log1p(-likelihood)).sum(axis=1)


def _prediction_rows(
    rows: np.ndarray, targets: np.ndarray, probabilities: np.ndarray, label_names: Sequence[str]
) -> list[list[Any]]:
    """Row, true labels, predicted labels, confidence, loss."""
    losses = _row_losses(targets, probabilities)
    table = []
    for row in rows.tolist():
        scores = probabilities[row]
        if targets.ndim == 1:
            truth, answer = label_names[targets[row]], label_names[int(scores.argmax())]
        else:
            truth = " ".join(label_names[c] for c in np.flatnonzero(targets[row]).tolist())
            answer = " ".join(label_names[c] for c in np.flatnonzero(scores > 0.5).tolist())
        table.append([row, truth, answer, float(scores.max()), float(losses[row])])
    return table
