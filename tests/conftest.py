"""Fixtures shared by all tests."""

from __future__ import annotations

import copy
import functools
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emoji_pred.errors import STOP_SIGNALS

if TYPE_CHECKING:
    from emoji_pred.run import RunResult

REPOSITORY = Path(__file__).resolve().parents[1]
# A run of about a second: the bundled sample at its smallest, one epoch, one thread, no output.
QUICK = (
    *("data=sample", "data.rows=300", "encoder=tiny", "model.max_epochs=1", "model.early_stopping=null"),
    *("trainer.threads=1", "trainer.progress=none", "logger=none"),
)
SMALL_NETWORKS = {
    "ffn": ("model.network.embedding_dim=8", "model.network.hidden_dims=[8]"),
    "cnn": ("model.network.embedding_dim=8", "model.network.filters=4"),
    "transformer": (
        *("model.network.embedding_dim=8", "model.network.layers=1"),
        *("model.network.feed_forward_dim=8", "model.network.classifier_dim=8"),
    ),
    "lora_word2vec": (
        *("encoder.config.hidden_size=16", "encoder.config.num_hidden_layers=1"),
        *("encoder.config.intermediate_size=16", "encoder.config.num_attention_heads=2"),
        *("model.network.lora_rank=2", "model.network.head_dim=8", "model.batch_size=32"),
        *("vectors.dim=6", "vectors.epochs=1"),
    ),
    "word2vec": ("model.network.hidden_dims=[8]", "vectors.dim=8", "vectors.epochs=1", "model.batch_size=32"),
    "bert": (
        *("encoder.config.hidden_size=16", "encoder.config.num_hidden_layers=1"),
        *("encoder.config.intermediate_size=16", "encoder.config.num_attention_heads=2"),
    ),
    **dict.fromkeys(
        ("seven_heads", "multilabel", "multilabel_notebook"),
        (
            *("encoder.config.hidden_size=16", "encoder.config.num_hidden_layers=1"),
            *("encoder.config.intermediate_size=16", "encoder.config.num_attention_heads=2"),
            *("model.network.lora_rank=2", "model.batch_size=32", "model.optimizer.lr=1e-2"),
        ),
    ),
    "lora": (
        *("encoder.config.hidden_size=16", "encoder.config.num_hidden_layers=1"),
        *("encoder.config.intermediate_size=16", "encoder.config.num_attention_heads=2"),
        *("model.network.lora_rank=2", "model.network.head_dim=8", "model.batch_size=32"),
    ),
}


def choices(group: str) -> str:
    """The choices of a group as messages list them: `bert, cnn, ffn`."""
    return ", ".join(sorted(path.stem for path in (REPOSITORY / "conf" / group).glob("*.yaml")))


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only line of standard error."""
        (line,) = self.err.splitlines()
        return line


@pytest.fixture(scope="session")
def shared_data_dir() -> Path:
    """The download cache with the real data; tests that need it skip where it is missing."""
    candidate = Path(os.environ.get("EMOJI_PRED_DATA", "~/.cache/emoji_pred/data")).expanduser()
    if (candidate / "cardiffnlp" / "tweeteval" / "datasets" / "emoji" / "test_text.txt").is_file():
        return candidate
    pytest.skip("real data not found: set EMOJI_PRED_DATA to a filled download cache")


@pytest.fixture(scope="session")
def quick() -> Callable[..., list[str]]:
    """The overrides of a run of about a second: `quick("cnn", "seed=1")`."""
    return lambda model, *overrides: [f"model={model}", *QUICK, *SMALL_NETWORKS[model], *overrides]


@pytest.fixture(scope="session")
def compose() -> Callable[..., dict[str, Any]]:
    """Compose conf/ with overrides, as `train.py` does: `compose("model=cnn", "seed=1")`."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    @functools.cache
    def once(*overrides: str) -> dict[str, Any]:
        GlobalHydra.instance().clear()
        with initialize_config_dir(config_dir=str(REPOSITORY / "conf"), version_base="1.3"):
            config: Any = OmegaConf.to_container(
                hydra_compose("config", overrides=list(overrides)), resolve=True
            )
        return config

    return lambda *overrides: copy.deepcopy(once(*overrides))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory whose `runs`, `cache` and `data` the runs of the tests use."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def train(compose: Callable[..., dict[str, Any]], workspace: Path) -> Callable[..., RunResult]:
    """Train in this process: `train("model=cnn", ...)`; a configuration is trained once a session."""
    from emoji_pred.run import run

    def trained(*overrides: str, runs_dir: Path | None = None) -> RunResult:
        config = compose(*overrides)
        # A run has one name with and without a log: a test that reads the log must not find one without.
        runs_dir = runs_dir or workspace / ("logged" if "logger=csv" in overrides else "runs")
        config |= {"runs_dir": str(runs_dir), "cache_dir": str(workspace / "cache")}
        config |= {"data_dir": str(workspace / "data")}
        with settings_restored():
            return run(config, list(overrides))

    return trained


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Run `train.py` in this process: `command("model=cnn", ...) -> Ended`."""
    from hydra.core.global_hydra import GlobalHydra

    from emoji_pred import cli

    for name in ("RUNS", "CACHE", "DATA"):
        monkeypatch.setenv(f"EMOJI_PRED_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)

    def ended(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        GlobalHydra.instance().clear()
        capfd.readouterr()
        code = 0
        try:
            with settings_restored():
                cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capfd.readouterr())

    return ended


class settings_restored:
    """Put back what a run sets for the whole process, so that tests do not lean on each other."""

    def __enter__(self) -> None:
        import torch

        self.unraisable = sys.unraisablehook
        self.handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        self.deterministic = torch.are_deterministic_algorithms_enabled()
        self.threads = torch.get_num_threads()

    def __exit__(self, *_: object) -> None:
        import torch

        torch.use_deterministic_algorithms(self.deterministic)
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(False)
        sys.unraisablehook = self.unraisable
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every request fails at once, also on a machine that has a network; the Hub's cache is empty."""
    import socket

    from huggingface_hub import constants

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield


@pytest.fixture
def logged_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without credentials, and no W&B variables."""
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path
