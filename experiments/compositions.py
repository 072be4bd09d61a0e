"""What `train.py` would run for overrides, without running it; kept on disk, as Hydra is slow.

Hydra takes 70 ms for each set of choices, and a plan of all papers has a hundred. What it made is kept in
the cache directory, below a digest of all that it is made of: every file of `conf/`, the code that composes,
the versions of Hydra and OmegaConf, and the environment variables that a configuration reads. The name of a
run is never kept: `emoji_pred.runs` computes it each time.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emoji_pred.composer import Composer

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
MADE_BY = ("emoji_pred/composer.py", "emoji_pred/cli.py", "experiments/compositions.py")
LIBRARIES = ("hydra-core", "omegaconf")
FROM_ENVIRONMENT = re.compile(rb"\boc\.env:(\w+)")
GENERATIONS = 5  # digests whose configurations stay: of other checkouts, say


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """What train.py would run for these overrides, as plain values.

    Raises:
        HydraException, OmegaConfBaseException: they do not compose.
    """
    path = _folder(_cache_dir()) / f"{_hash(json.dumps(list(overrides)))}.json"
    known = _read(path, overrides)
    if known is not None:
        return known
    config = _composer()(list(overrides))
    _write(path, overrides, config)
    return config


def _cache_dir() -> Path:
    place = os.environ.get("EMOJI_PRED_CACHE", "~/.cache/emoji_pred")
    return Path(place).expanduser() / "compositions"


@functools.cache
def _folder(parent: Path) -> Path:
    return parent / sources_digest(CONF, ROOT)


def sources_digest(conf: Path, root: Path) -> str:
    """A digest of all that configurations are made of.

    Args:
        conf: the directory of the YAML files.
        root: where the code of `MADE_BY` lies.
    """
    files = [*sorted(conf.rglob("*.yaml")), *(root / name for name in MADE_BY)]
    contents = {str(path.relative_to(root)): path.read_bytes() for path in files}
    read = {name.decode() for content in contents.values() for name in FROM_ENVIRONMENT.findall(content)}
    parts = [
        {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        {name: importlib.metadata.version(name) for name in LIBRARIES},
        {name: os.environ.get(name) for name in sorted(read)},
    ]
    return _hash(json.dumps(parts, sort_keys=True))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _read(path: Path, overrides: Sequence[str]) -> dict[str, Any] | None:
    """A kept configuration; None where there is none that can be used."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        config = kept["config"] if kept["overrides"] == list(overrides) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return config if isinstance(config, dict) else None


def _write(path: Path, overrides: Sequence[str], config: dict[str, Any]) -> None:
    """Keep a configuration, if it is the same when it is read; where nothing can be written, nothing is."""
    text = json.dumps({"overrides": list(overrides), "config": config})
    if json.loads(text)["config"] != config:  # a key that is no text
        return
    with suppress(OSError):
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_old(path.parent.parent)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)


def _remove_old(parent: Path) -> None:
    folders = sorted(parent.iterdir(), key=lambda folder: -folder.stat().st_mtime)
    for folder in folders[GENERATIONS:]:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _composer() -> Composer:
    from emoji_pred.composer import Composer

    return Composer(_compose, lambda key: (CONF / key).is_dir())


def _compose(overrides: list[str]) -> Any:
    from hydra import compose, initialize_config_dir

    import emoji_pred.cli  # noqa: F401  its resolver `home`

    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides)
