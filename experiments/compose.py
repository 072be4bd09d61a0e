"""The configuration that `train.py` would run, without running it."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from emoji_pred.cli import CONF


def compose_config(overrides: list[str]) -> dict[str, Any]:
    """What train.py would run for these overrides, as plain values."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("config", overrides), resolve=True)
    return config
