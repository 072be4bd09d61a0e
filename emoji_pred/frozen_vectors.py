"""The vectors that a frozen encoder gives the texts of a corpus: computed once, kept on disk, shared by runs.

They lie beside the token cache, in `embeddings/<key>/`, one file of (N, D) float32 a split. The key covers
the token ids, every weight of the encoder, its configuration, the pooling and the versions of the libraries.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from emoji_pred.array_cache import check_entry, locked, warn_not_cached, write_entry
from emoji_pred.batches import TokenRows, evaluation_batches
from emoji_pred.tokenizers import Ragged

CACHE_VERSION = 1
KIND = "embedding"
Progress = Callable[[Sequence[Any], str], Any]
Vectors = dict[str, np.ndarray]


class Embedder(Protocol):
    """A network whose pooled vectors stay the same all through training (`models.tuned.TunedEncoder`)."""

    encoder: nn.Module
    pooling: str

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The vector of each text (B, D)."""


def embed(
    network: Embedder,
    tokens: Mapping[str, Ragged],
    pad_id: int,
    cache_dir: Path,
    device: str = "cpu",
    progress: Progress = lambda batches, _: batches,
) -> Vectors:
    """The pooled vectors of all splits (N, D) float32, from the cache where they were computed before.

    They are computed in float32, in batches of texts of similar length, and read from the disk as they are
    needed.

    Args:
        network: with a frozen encoder, on the CPU; it is there again afterwards.
        tokens: ids of each split.
        pad_id: fills short rows.
        cache_dir: of the token cache.
        device: where they are computed.
        progress: wraps the list of batches, for a progress bar.
    """
    directory = cache_dir / "embeddings" / _cache_key(network, tokens)
    found = _read(directory, list(tokens))
    if found is not None:
        return found
    with locked(directory, KIND) as writable:
        found = _read(directory, list(tokens))  # another process may have computed them meanwhile
        if found is not None:
            return found
        if writable:
            try:
                _write(directory, network, tokens, pad_id, device, progress)
                found = _read(directory, list(tokens))
            except OSError as error:
                warn_not_cached(directory, error, KIND)
        return found or {
            split: _computed(network, rows, pad_id, device, progress, split, _in_memory)
            for split, rows in tokens.items()
        }


def _in_memory(shape: tuple[int, int]) -> np.ndarray:
    return np.empty(shape, dtype=np.float32)


def _computed(
    network: Embedder,
    tokens: Ragged,
    pad_id: int,
    device: str,
    progress: Progress,
    split: str,
    make: Callable[[tuple[int, int]], np.ndarray],
) -> np.ndarray:
    """The vectors of one split, in an array that `make` gives for its shape."""
    texts = TokenRows(tokens, np.zeros(len(tokens), dtype=np.int64), pad_id)
    batches = evaluation_batches(tokens.lengths)
    vectors: np.ndarray | None = None
    training = network.encoder.training
    network.encoder.to(device).eval()
    try:
        for rows in progress(batches, f"embedding {split}"):
            batch = texts[rows]
            with torch.inference_mode():
                ids, mask = (batch[name].to(device) for name in ("input_ids", "attention_mask"))
                pooled = network.pooled(ids, mask).float().cpu().numpy()
            if vectors is None:
                vectors = make((len(tokens), pooled.shape[1]))
            vectors[rows] = pooled
    finally:
        network.encoder.to("cpu").train(training)
    assert vectors is not None  # a split has rows
    return vectors


def _cache_key(network: Embedder, tokens: Mapping[str, Ragged]) -> str:
    config: Any = network.encoder.config
    shape = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
    settings = {
        "version": CACHE_VERSION,
        "packages": {name: importlib.metadata.version(name) for name in ("torch", "transformers")},
        "pooling": network.pooling,
        "encoder": shape,
    }
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True, default=str).encode(), digest_size=16)
    for name, value in sorted(network.encoder.state_dict().items()):
        digest.update(f"{name}\0{tuple(value.shape)}\0".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    for split, rows in tokens.items():
        digest.update(f"{split}\0{len(rows)}\0".encode())
        digest.update(np.ascontiguousarray(rows.offsets).data)
        digest.update(np.ascontiguousarray(rows.ids).data)
    return digest.hexdigest()


def _write(
    directory: Path,
    network: Embedder,
    tokens: Mapping[str, Ragged],
    pad_id: int,
    device: str,
    progress: Progress,
) -> None:
    def fill(place: Path) -> None:
        for split, rows in tokens.items():
            vectors = _computed(network, rows, pad_id, device, progress, split, _on_disk(place / split))
            vectors.flush()  # type: ignore[attr-defined]

    write_entry(directory, fill)


def _on_disk(path: Path) -> Callable[[tuple[int, int]], np.ndarray]:
    """Arrays in a file: the vectors of a large corpus need not fit in memory."""
    file = path.with_name(f"{path.name}.npy")
    return lambda shape: np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)


def _read(directory: Path, splits: Sequence[str]) -> Vectors | None:
    try:
        check_entry(directory)
        return {split: np.load(directory / f"{split}.npy", mmap_mode="r") for split in splits}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None
