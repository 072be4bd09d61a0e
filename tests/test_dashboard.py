"""The dashboard: built without a server, and made of what a run really logs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from wandb_file import OfflineRun, offline_runs

from emoji_pred import dashboard

GROUP = "2026-11-24_083000_4711"


def dry_run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    file = tmp_path / "dashboard.json"
    dashboard.main(["--dry-run", "--output", str(file), *arguments])
    plain: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return plain


def panels(plain: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for section in plain["spec"]["section"]["panelBankConfig"]["sections"]:
        for panel in section["panels"]:
            yield panel["viewType"], panel["config"]


def lookup(run: OfflineRun, accessor: str) -> Any:
    """What W&B finds under `config:model.value.optimizer.lr` or `summary:test/macro_f1`."""
    place, _, name = accessor.partition(":")
    if place == "summary":
        return run.summary[name]
    first, value, *rest = name.split(".")
    assert place == "config" and value == "value"
    found = run.config[first]
    for key in rest:
        found = found[key]
    return found


def test_every_name_in_it_was_logged_by_an_offline_run(
    train: Callable[..., Any], quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    overrides = [item for item in quick("cnn") if not item.startswith("logger")]
    more = ("logger=wandb", "logger.wandb.mode=offline", f"logger.wandb.group={GROUP}", "seed=9")
    (run,) = offline_runs(train(*overrides, *more, runs_dir=tmp_path / "runs").directory)
    plain = dry_run(tmp_path, "--group", GROUP, "--setting", "loss.gamma", "--setting", "seed")

    seen = set()
    for kind, config in panels(plain):
        if kind == "Scatter Plot":
            seen |= {config["xAxis"], config["yAxis"]}
        elif kind == "Parallel Coordinates Plot":
            seen |= {column["accessor"] for column in config["columns"]}
        elif kind == "Bar Chart":
            seen |= {f"summary:{name}" for name in config["metrics"]}
        elif kind == "Run History Line Plot":
            assert {config["xAxis"], *config["metrics"]} <= set(run.epochs[-1])
        else:
            assert kind == "Run Comparer"
    assert {"config:loss.value.gamma", "config:seed.value", "summary:test/macro_f1"} <= seen
    assert lookup(run, "config:loss.value.gamma") == 1.5 and lookup(run, "config:seed.value") == 9
    for accessor in seen:
        assert lookup(run, accessor) is not None
    (runs,) = plain["spec"]["section"]["runSets"]
    (chosen,) = runs["filters"]["filters"]
    assert (chosen["key"]["name"], chosen["op"], chosen["value"]) == ("group", "=", run.run.run_group)


def test_the_settings_it_compares_by_itself_exist_in_every_model(
    compose: Callable[..., dict[str, Any]],
) -> None:
    for model in ("ffn", "cnn", "transformer", "bert"):
        config = compose(f"model={model}")
        for key in dashboard.ABLATED:
            value: Any = config
            for part in key.split("."):
                value = value[part]
            assert value is not None


def test_without_a_group_the_sweeps_are_told_apart(tmp_path: Path) -> None:
    (runs,) = dry_run(tmp_path)["spec"]["section"]["runSets"]
    assert runs["filters"]["filters"] == []
    assert [key["name"] for key in runs["grouping"]] == ["group"]


def test_the_project_is_that_of_the_runs() -> None:
    file = REPOSITORY / "conf" / "logger" / "wandb.yaml"
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["wandb"]["project"] == dashboard.PROJECT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "`wandb login` first, or --dry-run"),
        (["--dry-run", "--setting", "a b"], "--setting a b is no name of a setting"),
        (["--output", "x.json"], "add --dry-run"),
        (["--dry-run", "--output", "no/such/place.json"], "cannot write no/such/place.json"),
    ],
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(SystemExit) as ended:
        dashboard.main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and words in line


def test_it_is_a_command_and_loads_wandb_only_where_it_needs_it() -> None:
    code = (
        "import sys; from emoji_pred import dashboard; from emoji_pred.__main__ import main\n"
        "print('wandb' in sys.modules); sys.argv = ['x', 'dashboard', '--dry-run']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    first, _, rest = done.stdout.partition("\n")
    assert first == "False"
    assert json.loads(rest)["displayName"] == "Ablation"
