"""What runs took before: seconds and disk of a run that is still to come, from those most like it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoji_pred import runs

CPU = "cpu"
# Bytes a number: a checkpoint holds float32; the file of a linear model also holds its n-grams.
TRAINED_BYTES, LINEAR_BYTES = 4, 9
PROBABILITY_BYTES, ROW_BYTES = 4, 8  # of a stored prediction
# A network that trains has besides its checkpoint two states and a third that is being written, each of
# weights and two moments, and the best checkpoint of both states.
WHILE_IT_TRAINS = 11
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Attributes:
        seconds: from its start to its result; None where no such run has been.
        disk: bytes of what it leaves; None likewise.
        disk_while: bytes that it needs besides while it trains.
        like: the runs it is taken from, in words.
    """

    seconds: float | None = None
    disk: int | None = None
    disk_while: int = 0
    like: str = "no such run yet"


@dataclass(frozen=True)
class Took:
    """What a finished run took."""

    seconds: float
    disk: int
    disk_while: int
    rows: int
    data: str


class History:
    """Finished runs, by what makes them alike.

    Args:
        gpu: whether the runs to come train on a GPU: those on a processor tell nothing of them.
    """

    def __init__(self, gpu: bool = False) -> None:
        self.gpu = gpu
        self._like: dict[Key, list[Took]] = {}
        self._rows: dict[Key, int] = {}

    def add(self, result: Mapping[str, Any], directory: Path | None = None) -> None:
        """Take up a finished run.

        Args:
            result: the content of its `result.json`; one that lacks something is passed over.
            directory: of the run, where its files still lie.
        """
        try:
            config, provenance = result["config"], result["provenance"]
            if (provenance["machine"]["device"] != CPU) != self.gpu and not runs.is_linear(config):
                return
            took = _took(result, directory)
            keys = (_other_seeds(provenance["identity"]), *_kinds(config))
        except (KeyError, TypeError, AttributeError):
            return
        self._rows[_data(config)] = took.rows
        for key in keys:
            self._like.setdefault(key, []).append(took)

    def estimate(self, config: Mapping[str, Any]) -> Estimate:
        """What a run of a configuration is expected to take: the median of those most like it.

        First its own configuration with other seeds; then the same model, trained alike, on the same data;
        then on other data, by the number of training rows where that is known.
        """
        other_seeds = self._like.get(_other_seeds(runs.identity(config, {})))
        if other_seeds:
            return _median(other_seeds, "its other seeds")
        model = config["model"]["name"]
        on_data, anywhere = _kinds(config)
        if on_data in self._like:
            return _median(self._like[on_data], f"{model} on {config['data']['name']}")
        elsewhere = self._like.get(anywhere)
        return self._scaled(elsewhere, config) if elsewhere else Estimate()

    def _scaled(self, elsewhere: list[Took], config: Mapping[str, Any]) -> Estimate:
        where = " and ".join(sorted({took.data for took in elsewhere}))
        like = f"{config['model']['name']} on {where}"
        rows = self._rows.get(_data(config))
        if rows is None:
            return _median(elsewhere, like)
        scaled = [
            Took(took.seconds * rows / max(1, took.rows), took.disk, took.disk_while, rows, took.data)
            for took in elsewhere
        ]
        return _median(scaled, f"{like}, by rows")


def _median(all_took: list[Took], like: str) -> Estimate:
    return Estimate(
        statistics.median(took.seconds for took in all_took),
        round(statistics.median(took.disk for took in all_took)),
        round(statistics.median(took.disk_while for took in all_took)),
        like,
    )


def _took(result: Mapping[str, Any], directory: Path | None) -> Took:
    rows = result["provenance"]["rows"]
    linear = runs.is_linear(result["config"])
    parameters = result["parameters"]
    model = LINEAR_BYTES * parameters["total"] if linear else TRAINED_BYTES * parameters["trainable"]
    answered = sum(count for split, count in rows.items() if split != "train")
    disk = model + answered * (PROBABILITY_BYTES * len(result["label_names"]) + ROW_BYTES)
    if directory is not None:
        sizes = [_size(directory / name) for name in result["files"]]
        disk = sum(sizes) if all(sizes) else disk
    more = 0 if linear else WHILE_IT_TRAINS * model
    return Took(
        float(result["wall_seconds"]), disk, more, int(rows["train"]), result["config"]["data"]["name"]
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _other_seeds(identity: Mapping[str, Any]) -> Key:
    return ("seeds", runs.run_hash({key: value for key, value in identity.items() if key != "seed"}))


def _kinds(config: Mapping[str, Any]) -> tuple[Key, Key]:
    """The model as it is trained, on its data and on any."""
    network = config["model"].get("network") or {}
    reads_encoder = (config["model"].get("tokenizer") or {}).get("kind", "words") != "words"
    kind: Key = (
        config["model"]["name"],
        network.get("encoder_training"),
        config["encoder"]["name"] if reads_encoder and not runs.is_linear(config) else None,
        None if runs.is_linear(config) else (config.get("trainer") or {}).get("max_steps"),
    )
    return ("data", _data(config), *kind), ("model", *kind)


def _data(config: Mapping[str, Any]) -> Key:
    return config["data"]["name"], config["data"].get("language"), config["data"].get("rows")
