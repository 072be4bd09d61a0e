"""The mode of W&B: online only for who is logged in, decided without W&B."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emoji_pred.errors import UserError
from emoji_pred.wandb_mode import wandb_mode

KEY = "0" * 40


def test_without_credentials_the_mode_is_offline(logged_out: Path) -> None:
    assert wandb_mode(None) == "offline"


def test_a_key_in_the_environment_means_online(logged_out: Path) -> None:
    assert wandb_mode(None, {"HOME": str(logged_out), "WANDB_API_KEY": KEY}) == "online"
    assert wandb_mode(None, {"HOME": str(logged_out), "WANDB_API_KEY": ""}) == "offline"


def test_a_netrc_entry_counts_for_its_own_host_only(logged_out: Path) -> None:
    (logged_out / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    (logged_out / ".netrc").chmod(0o600)
    home = {"HOME": str(logged_out)}
    assert wandb_mode(None, home) == "online"
    assert wandb_mode(None, home | {"WANDB_BASE_URL": "https://wandb.example.org"}) == "offline"
    assert wandb_mode(None, home | {"NETRC": str(logged_out / "absent")}) == "offline"


def test_a_damaged_netrc_counts_as_logged_out(logged_out: Path) -> None:
    (logged_out / ".netrc").write_text("machine\nnonsense ☃ here")
    assert wandb_mode(None, {"HOME": str(logged_out)}) == "offline"


def test_what_is_given_wins(logged_out: Path) -> None:
    key = {"HOME": str(logged_out), "WANDB_API_KEY": KEY}
    assert wandb_mode(None, key | {"WANDB_MODE": "offline"}) == "offline"
    assert wandb_mode(None, key | {"WANDB_MODE": "dryrun"}) == "offline"
    assert wandb_mode("disabled", key | {"WANDB_MODE": "online"}) == "disabled"
    assert wandb_mode("online", {"HOME": str(logged_out), "WANDB_MODE": "offline"}) == "online"


@pytest.mark.parametrize(
    ("option", "environment", "words"),
    [
        ("on", {}, "logger.wandb.mode=on"),
        (None, {"WANDB_MODE": "of"}, "WANDB_MODE=of"),
        ("offline", {"WANDB_MODE": "of"}, "WANDB_MODE=of"),
    ],
)
def test_a_mode_that_does_not_exist_is_a_users_mistake(option, environment, words) -> None:
    with pytest.raises(UserError, match=f"{words} .*online, offline, disabled"):
        wandb_mode(option, environment)


def test_the_mode_is_decided_without_importing_wandb(
    logged_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import would now fail
    assert wandb_mode(None) == "offline"
