"""A finished run as an object that answers: texts in, probabilities out; no dataset and no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from emoji_pred import runs, tokenizers
from emoji_pred.cluster_answers import Clusters
from emoji_pred.data.prepare import Cleaning
from emoji_pred.decision import decision_of
from emoji_pred.errors import UserError, one_line
from emoji_pred.finished import read_result
from emoji_pred.metrics import probabilities_of, without_unseen
from emoji_pred.network import build_network, max_tokens
from emoji_pred.padding import evaluation_batches, pad

NETWORK = "network."  # what the names of a network's tensors begin with in a checkpoint
# How a file that is no checkpoint, or one of other code, shows: each layer below has errors of its own.
UNREADABLE = (
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    EOFError,
    OSError,
    IndexError,
    MemoryError,
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str
    network: dict[str, Any]
    tokenizer: dict[str, Any]


class _Extras(BaseModel):
    """What `Classifier.on_save_checkpoint` adds to the weights."""

    model: _Model
    encoder: dict[str, Any] | None
    task: Literal["multiclass", "multilabel"]
    label_names: list[str] = Field(min_length=1)
    tokenizer: dict[str, Any]
    seed: int | None = None  # of checkpoints written before it was named there: the run's result has it
    clusters: dict[str, list[Any]] | None = None  # of runs with `data.clusters`

    def label_clusters(self) -> Clusters | None:
        """The clusters that the network learned instead of the labels."""
        return None if self.clusters is None else Clusters.from_plain(self.clusters)


class Predictor:
    """The network of a run with its tokenizer, ready to be asked.

    Args:
        network: maps ids and mask (B, T) to logits (B, C); it is put in evaluation mode.
        tokenizer: of the run.
        task: `multiclass` or `multilabel`.
        label_names: C names, in class order.
        cleaning: what was done to the texts of the run; it is done to new ones too.
        clusters: of the labels, where the network learned those.
        result: of the run, as in `result.json`.
        device: where the network computes.

    Attributes:
        decision: which labels a text is given, as the run chose it on its validation rows (of results of
            earlier versions: those above 0.5); None for one label a text.
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: tokenizers.Tokenizer,
        task: str,
        label_names: Sequence[str],
        cleaning: Cleaning | None = None,
        clusters: Clusters | None = None,
        result: Mapping[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        self.network, self.tokenizer, self.task = network.eval().to(device), tokenizer, task
        self.label_names, self.clusters = tuple(label_names), clusters
        self.cleaning = cleaning or Cleaning()
        self.result = dict(result or {})
        self.decision = decision_of(self.result, len(label_names)) if task == "multilabel" else None
        counts = self.result.get("provenance", {}).get("class_counts")  # older results do not have them
        self.seen = np.array(counts) > 0 if counts and task == "multiclass" else None
        self.device = device

    @classmethod
    def load(cls, directory: Path, device: str = "cpu") -> Predictor:
        """Build the network of a finished run again, with the weights of its best checkpoint.

        Only tensors and plain values are read (`weights_only=True`), and only what a configuration may name
        is called (`config.ALLOWED_TARGETS`).

        Args:
            directory: of the run.
            device: where to compute, as torch names it: `cpu`, `cuda`.

        Raises:
            UserError: the run is not finished or one of a linear model, a file of it is damaged or not of
                this suite, its encoder cannot be had, or there is no such device.
        """
        result = read_result(directory)
        if runs.LINEAR in result["files"]:
            raise UserError(f"{directory} holds a linear model of n-grams; this needs the run of a network")
        _check_device(device)
        path = directory / runs.CHECKPOINT
        extras, weights = _read_checkpoint(path)
        try:
            tokenizer = tokenizers.from_state(extras.tokenizer)
            seed = result["config"]["seed"] if extras.seed is None else extras.seed
            network = _network(extras, tokenizer, weights, int(seed))
            limit = max_tokens(network)
            if limit is not None:  # no text of the run was longer, but a new one may be
                tokenizer = tokenizers.from_state(tokenizers.limited(extras.tokenizer, limit))
            cleaning = Cleaning.of_run(result)
        except UserError as error:  # of its encoder, or of a target that is not allowed
            raise UserError(f"{path}: {error}") from error
        except UNREADABLE as error:
            raise _foreign(path, error) from error
        clusters = extras.label_clusters()
        return cls(network, tokenizer, extras.task, extras.label_names, cleaning, clusters, result, device)

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities (N, C) float32 of N texts, in their order, whatever their lengths.

        A text is cut to the tokens that the run allows, on the side that it cuts; one without a token reads
        as one unknown word. Texts are computed in batches of similar length, whose memory is bounded.
        """
        tokens = self.tokenizer.encode([self.cleaning(text) for text in texts])
        answers = np.empty((len(texts), len(self.label_names)), dtype=np.float32)
        for rows in evaluation_batches(tokens.lengths):
            batch, mask = pad(tokens, rows, self.tokenizer.pad_id)
            logits = self.network(batch.to(self.device), mask.to(self.device))
            answers[rows] = probabilities_of(logits, self.task).cpu().numpy()
        return answers if self.seen is None else without_unseen(answers, self.seen)


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {device} cannot be used ({one_line(error)[:120]}); cpu can") from None


def _read_checkpoint(path: Path) -> tuple[_Extras, dict[str, Tensor]]:
    """What a checkpoint says of its model, and the tensors of the network."""
    import pickle

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        extras = _Extras.model_validate(checkpoint["emoji_pred"])
        tensors = checkpoint["state_dict"].items()
        weights = {name.removeprefix(NETWORK): value for name, value in tensors if name.startswith(NETWORK)}
    except (*UNREADABLE, pickle.UnpicklingError, ValidationError) as error:
        raise _foreign(path, error) from error
    return extras, weights


def _foreign(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is no checkpoint of this suite ({one_line(error)[:200]}); train the run again")


def _network(
    extras: _Extras, tokenizer: tokenizers.Tokenizer, weights: Mapping[str, Tensor], seed: int
) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        # What was not trained is not stored: it is loaded again, or drawn again as the run drew it.
        torch.manual_seed(seed)
        network = build_network(
            extras.model.model_dump(),
            extras.encoder,
            vocab_size=tokenizer.vocab_size,
            num_classes=len(extras.label_names),
            pad_id=tokenizer.pad_id,
            first_word_id=extras.tokenizer.get("first_word_id"),
            clusters=extras.label_clusters(),
        )
    network.load_state_dict(weights)  # a network that leaves out what is frozen knows what to expect
    return network
