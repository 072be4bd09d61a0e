"""Whether Weights & Biases is online, offline or disabled, from files and environment only."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from emoji_pred.errors import UserError

WANDB_MODES = ("online", "offline", "disabled")
WANDB_HOST = "https://api.wandb.ai"

Mode = Literal["online", "offline", "disabled"]


def wandb_mode(option: str | None, environment: Mapping[str, str] | None = None) -> Mode:
    """Decide between online, offline and disabled before W&B starts, without network.

    Args:
        option: `logger.wandb.mode`; None leaves the choice to WANDB_MODE, then to whether the user is logged
            in.
        environment: environment variables, for tests.

    Raises:
        UserError: a mode that does not exist.
    """
    environment = os.environ if environment is None else environment
    chosen = _known_mode("logger.wandb.mode", option)
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
