"""Reads the file of an offline W&B run: W&B's own records in the log format of LevelDB.

The file begins with seven bytes (`:W&B`, two of magic, one of version), and then has blocks of 32 KiB. A
record lies in pieces of 7 bytes of header (checksum, length, kind: 1 whole, 2 first, 3 middle, 4 last) and
content; a piece never crosses the end of a block.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32768, 7


def records(path: Path) -> Iterator[Any]:
    """The records of a `.wandb` file that were wholly written."""
    from wandb.proto import wandb_internal_pb2

    data, at, content = path.read_bytes(), HEADER, b""
    assert data[:4] == b":W&B"
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        piece = data[at + HEADER : at + HEADER + length]
        if not kind or len(piece) < length:
            return
        content, at = content + piece, at + HEADER + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(content)
            content = b""
            yield record


class OfflineRun:
    """What an offline run recorded.

    Attributes:
        run: id, name, group, tags, project.
        config, summary: by key.
        history: the rows, by name.
        stats: names of the load that was measured.
        artifacts: by type: for each of its files the place where it lies.
        exit_code: None where the run was not closed.
        preempting: it was marked as to be continued.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run: Any = None
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.stats: set[str] = set()
        self.artifacts: dict[str, dict[str, Path]] = {}
        self.exit_code: int | None = None
        self.preempting = False
        (file,) = directory.glob("run-*.wandb")
        for record in records(file):
            self._take(record)

    def _take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.run = record.run
            self.config |= _values(record.run.config.update)
        elif kind == "config":
            self.config |= _values(record.config.update)
        elif kind == "summary":
            self.summary |= _values(record.summary.update)
        elif kind == "history":
            self.history.append(_values(record.history.item))
        elif kind == "stats":
            self.stats |= {item.key for item in record.stats.item}
        elif kind == "artifact":
            files = {entry.path: Path(entry.local_path) for entry in record.artifact.manifest.contents}
            self.artifacts[record.artifact.type] = files
        elif kind == "exit":
            self.exit_code = record.exit.exit_code
        elif kind == "preempting":
            self.preempting = True

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The rows of the learning curves, without what W&B adds."""
        return [
            {key: value for key, value in row.items() if not key.startswith("_")}
            for row in self.history
            if "step" in row  # that of the charts has an epoch too
        ]

    def table(self, key: str) -> dict[str, Any]:
        """The only table of that key: its columns and rows."""
        (file,) = (self.directory / "files" / "media" / "table").glob(f"{key}_[0-9]*_*.table.json")
        table: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return table


def offline_runs(directory: Path) -> list[OfflineRun]:
    """The offline runs of a run's directory, in the order of their start."""
    return [OfflineRun(path.parent) for path in sorted(directory.glob("wandb/offline-run-*/run-*.wandb"))]


def _values(items: Any) -> dict[str, Any]:
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}
