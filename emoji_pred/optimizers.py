"""Optimizers and learning-rate schedules, built from the `model` group."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class DenseAndRowwise(Optimizer):
    """Two optimizers that step as one: Adam for dense parameters, SparseAdam for embedding tables.

    Of a table of 22,000 words a batch touches some 400 rows. torch's SparseAdam updates the moments and
    weights of just these rows; dense Adam also moves every other row by its decaying momentum.
    """

    def __init__(self, dense: Optimizer, rowwise: Optimizer) -> None:
        super().__init__([*dense.param_groups, *rowwise.param_groups], {})
        self.parts = (dense, rowwise)
        # The very groups of the parts, so that a schedule which sets `lr` here sets it there.
        self.param_groups = [*dense.param_groups, *rowwise.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Run the closure (forward and backward), then step both parts."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of both parts."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore both parts."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def build_optimizer(network: nn.Module, options: Mapping[str, Any], embedding_updates: str) -> Optimizer:
    """An optimizer for the parameters that train.

    Args:
        network: its embeddings get sparse gradients when `embedding_updates` is `rowwise`.
        options: `_target_` (a class of torch.optim), lr and whatever else is set.
        embedding_updates: `dense` or `rowwise`.
    """
    target = getattr(torch.optim, options["_target_"].rpartition(".")[2])
    arguments = {key: value for key, value in options.items() if key != "_target_" and value is not None}
    tables: list[Tensor] = []
    if embedding_updates == "rowwise":
        for module in network.modules():
            if isinstance(module, nn.Embedding) and module.weight.requires_grad:
                module.sparse = True
                tables.append(module.weight)
    chosen = {id(table) for table in tables}
    rest = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in chosen]
    if target is not torch.optim.SGD:
        arguments["fused"] = True
    dense = target(rest, **arguments)
    if not tables:
        return dense
    rowwise_arguments = {key: value for key, value in arguments.items() if key in ("lr", "betas", "eps")}
    return DenseAndRowwise(dense, torch.optim.SparseAdam(tables, **rowwise_arguments))


def build_scheduler(
    optimizer: Optimizer, options: Mapping[str, Any], total_steps: int, epochs: int = 1
) -> LambdaLR:
    """Linear warm-up over `warmup_steps` steps, then `constant` or `linear` down to 0 at `total_steps`.

    Args:
        optimizer: whose learning rate is that of the first stage.
        options: `name`, `warmup_steps`, and `then` for a second stage: from `epoch` on (so many are over)
            the rate is `lr`, for `constant` only.
        total_steps: of the whole training.
        epochs: of the whole training, each of as many steps.
    """
    warmup, decays = options.get("warmup_steps", 0), options["name"] == "linear"
    second = options.get("then")
    change, lower = math.inf, 1.0
    if second:
        change = second["epoch"] * (total_steps // epochs)
        lower = second["lr"] / optimizer.param_groups[0]["lr"]

    def factor(step: int) -> float:
        if step >= change:
            return lower
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return max(0.0, (total_steps - step) / max(1, total_steps - warmup)) if decays else 1.0

    return LambdaLR(optimizer, factor)
