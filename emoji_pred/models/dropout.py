"""Dropout that draws its mask an order of magnitude faster than torch's on CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Drop each activation with probability p in training and scale the others by 1 / (1 - p).

    torch draws one uniform number per activation on CPU, on one thread; that is a third of a training step of
    the small transformer. Here each activation takes 16 random bits, so p is rounded to a multiple of 2^-16.
    On other devices this is torch's own. It follows `torch.manual_seed` as torch's does.

    Args:
        p: fraction dropped, at least 0 and below 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, states: Tensor) -> Tensor:
        """Drop activations of a tensor of any shape."""
        if not self.training or not self.p:
            return states
        if states.device.type != "cpu":
            return F.dropout(states, self.p)
        dropped = round(self.p * 2**16)  # of 2^16 equally likely values
        words = torch.empty((states.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: states.numel()].view(states.shape)
        kept = torch.empty_like(states, requires_grad=False)
        torch.ge(bits, dropped - 2**15, out=kept)  # straight to 0.0 and 1.0: half the time of a mask of bool
        return states * kept.mul_(2**16 / (2**16 - dropped))

    def extra_repr(self) -> str:
        """Show p."""
        return f"p={self.p}"


def use_fast_dropout(network: nn.Module) -> None:
    """Put `Dropout` in the place of every nn.Dropout of a network, such as a pretrained encoder."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
