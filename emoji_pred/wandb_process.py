"""The process that talks to Weights & Biases for a run: whatever happens to W&B happens here.

It reads what to do from standard input and answers on standard output (`side_process.SideProcess`). It ends
by itself when its input does: a run that was killed is closed as well. It imports nothing of the suite.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import shutil
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

Message = dict[str, Any]
Tell = Callable[[Message], None]
PROBE_SECONDS = 5.0  # for the server to answer at the end, before its upload is waited for
GRACE, SHORTEST_GRACE = 3, 60.0  # times the timeout, and seconds: for this process to end after its input did


def main() -> None:
    """Serve one run; never lives much longer than the process that started it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the run, which then tells us to end
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what W&B prints is not for the user

    def tell(message: Message) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    try:
        _serve(_messages(), tell)
    except BaseException as error:
        tell({"failed": _first_line(error)})
        _let_go()
    os._exit(0)  # W&B's own last steps at the end of a process may wait for a server


def _end_now() -> None:
    """End this process and W&B's service, which would wait for its server for days."""
    try:
        for children in Path("/proc/self/task").glob("*/children"):  # there are none but on Linux
            with contextlib.suppress(OSError):  # a thread or a child that has just ended
                for pid in children.read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
    finally:
        os._exit(1)


def _let_go() -> None:
    """Have W&B's service write out what it holds, if it can."""
    with contextlib.suppress(Exception):
        import wandb

        wandb.teardown(exit_code=1)


def _messages() -> Iterator[Message]:
    """The messages as they come, read by a thread of its own so that their end is noticed at any time."""
    lines: queue.Queue[Message | None] = queue.Queue()
    start = json.loads(sys.stdin.readline())

    def read() -> None:
        for line in sys.stdin:
            lines.put(json.loads(line))
        end = threading.Timer(max(GRACE * start["timeout"], SHORTEST_GRACE), _end_now)
        end.daemon = True
        end.start()
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    yield start
    while (message := lines.get()) is not None:
        yield message


def _serve(messages: Iterator[Message], tell: Tell) -> None:
    start = next(messages)
    run = _start(start, tell)
    exit_code = 1  # of a run that ends without a word
    for message in messages:
        if "values" in message:
            run.log(message["values"], step=message["epoch"], commit=True)
            continue
        if not run.offline and not server_answers(PROBE_SECONDS):
            tell({"unreachable": True})  # nobody waits for what follows
            _let_go()
            # The id is the same: `wandb sync` joins it to what was logged before.
            run = _init("offline", start)
        if "evaluation" in message:
            _log_evaluation(run, message["evaluation"])
            exit_code = 0
        elif message["stopped"]:
            run.mark_preempting()  # will be continued
    run.finish(exit_code)
    import wandb

    wandb.teardown()
    tell({"done": True})


def _start(start: Message, tell: Tell) -> Any:
    """Start the W&B run, offline where the server does not answer in time.

    Args:
        start: `mode`, `timeout` in seconds, `pid` of the training process, and `arguments` of `wandb.init`.
        tell: hands messages to the training process.
    """
    if not os.environ.get("WANDB_MODE", "").strip():
        os.environ.pop("WANDB_MODE", None)  # an empty value is one that W&B refuses
    # What waits for its upload lies beside the run, not in a home that may be read-only.
    os.environ.setdefault("WANDB_DATA_DIR", str(Path(start["arguments"]["dir"]) / "wandb"))
    import wandb

    run = None
    if start["mode"] == "online":
        try:
            if not server_answers(start["timeout"]):
                raise TimeoutError(f"{wandb.setup().settings.base_url} does not answer")
            run = _init("online", start)
        except Exception as error:
            _let_go()  # the id would count as in use
            tell({"offline": _first_line(error)})
    if run is None:
        run = _init("offline", start)
    tell({"directory": run.settings.sync_dir, "url": None if run.offline else run.url})
    return run


def _init(mode: Literal["online", "offline"], start: Message) -> Any:
    import wandb

    run = wandb.init(mode=mode, settings=run_settings(mode, start), **start["arguments"])
    run.define_metric("epoch")
    run.define_metric("*", step_metric="epoch")
    return run


def run_settings(mode: str, start: Message) -> Any:
    """What `wandb.init` is given, so that it tells no place of this machine and never waits for long.

    Args:
        mode: `online` or `offline`.
        start: with `timeout` in seconds and `pid`, whose load is measured.
    """
    import wandb

    settings: dict[str, Any] = {
        **{"console": "off", "silent": True, "disable_git": True, "disable_code": True, "save_code": False},
        **{"x_disable_meta": True, "host": ""},  # places on this machine, and its name
        "x_stats_pid": start["pid"],  # the load is that of training, not of this process
        "finish_timeout_raises": True,
    }
    if mode == "online":  # else nobody is waited for
        bounds = ("init_timeout", "login_timeout", "finish_timeout")
        settings |= dict.fromkeys(bounds, start["timeout"])
    return wandb.Settings(**settings)


def server_answers(seconds: float) -> bool:
    """Whether the server answers anything at all within some seconds; True where a proxy stands before it."""
    import wandb

    settings = wandb.setup().settings
    if settings.http_proxy or settings.https_proxy:
        return True
    try:
        urllib.request.urlopen(settings.base_url, timeout=seconds).close()
    except (urllib.error.HTTPError, http.client.HTTPException):
        return True
    except (OSError, ValueError) as error:
        # A certificate that only W&B's own settings trust.
        return "SSL" in type(getattr(error, "reason", None)).__name__
    return True


def _log_evaluation(run: Any, evaluation: Mapping[str, Any]) -> None:
    """Add metrics, charts and tables of the finished run, and its result file as an artifact."""
    import wandb

    run.summary.update(evaluation["scalars"])
    split = evaluation["split"]
    tables = {
        name: wandb.Table(columns=table["columns"], data=table["rows"])
        for name, table in evaluation["tables"].items()
    }
    confusion = tables.pop("confusion_matrix", None)
    charts: dict[str, Any] = {f"{split}/{name}": table for name, table in tables.items()}
    charts[f"{split}/per_class_f1"] = wandb.plot.bar(
        tables["per_class"], "label", "f1", title=f"F1 of each class, {split}"
    )
    charts[f"{split}/reliability_diagram"] = _reliability_chart(evaluation["tables"]["reliability"], split)
    if confusion is not None:
        charts[f"{split}/confusion_matrix"] = _confusion_chart(evaluation["tables"]["confusion_matrix"])
    run.log(charts, step=evaluation["step"])
    _log_result_file(run, Path(evaluation["result_file"]))


def _reliability_chart(table: Mapping[str, Any], split: str) -> Any:
    """Accuracy by confidence, beside the line of perfect calibration."""
    import wandb

    columns = table["columns"]
    confidence, accuracy = (
        [row[columns.index(column)] for row in table["rows"]] for column in ("confidence", "accuracy")
    )
    return wandb.plot.line_series(
        xs=confidence,
        ys=[accuracy, confidence],
        keys=["measured", "perfectly calibrated"],
        title=f"Accuracy by confidence, {split}",
        xname="confidence",
    )


def _confusion_chart(table: Mapping[str, Any]) -> Any:
    """W&B's confusion matrix from counts, instead of from the list of all rows."""
    import wandb

    columns: list[str | int] = ["Actual", "Predicted", "nPredictions"]
    return wandb.plot_table(
        vega_spec_name="wandb/confusion_matrix/v1",
        data_table=wandb.Table(columns=columns, data=table["rows"]),
        fields={str(name): str(name) for name in columns},
    )


def _log_result_file(run: Any, result_file: Path) -> None:
    import wandb

    # A copy beside the W&B run: an offline run is uploaded later, when the run may have been trained anew.
    kept = Path(shutil.copy(result_file, run.settings.sync_dir))
    artifact = wandb.Artifact(f"result-{run.id}", type="result")
    artifact.add_file(str(kept), policy="immutable")  # no second copy in the user's home
    run.log_artifact(artifact)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


if __name__ == "__main__":
    main()
