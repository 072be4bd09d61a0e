"""Networks that are saved without the tensors which stay as a pinned encoder has them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from emoji_pred.errors import UserError


class LeavesOut(nn.Module):
    """A network whose `state_dict` leaves out the frozen tensors of one of its parts.

    In their place stands a digest of them (`_extra_state`, the 32 bytes of a SHA-256), by which loading
    knows that the part was built with the very same ones. A tensor that is missing otherwise is an error, as
    in any network.
    """

    def __init__(self) -> None:
        super().__init__()
        self._part, self._left_out = "", frozenset[str]()
        self._digest: Tensor | None = None
        self.register_state_dict_post_hook(_take_out)
        self.register_load_state_dict_pre_hook(_put_back)

    def leave_out(self, part: str, kept: Collection[str] = ()) -> None:
        """Leave out what does not train in `part` now.

        Args:
            part: name of the submodule.
            kept: names of modules below it that are saved all the same: no pinned file has them.
        """
        module = self.get_submodule(part)
        trains = {name for name, weight in module.named_parameters() if weight.requires_grad}
        names = {name for name in module.state_dict() if name not in trains}
        chosen = {name for name in names if not set(kept) & set(name.split("."))}
        # A part that trains has buffers, but nothing that it could be built again from.
        frozen = any(not weight.requires_grad for weight in module.parameters())
        self._part = part
        self._left_out = frozenset(f"{part}.{name}" for name in chosen) if frozen else frozenset()

    def left_out(self) -> dict[str, Tensor]:
        """The tensors that are left out, by name."""
        state = self.get_submodule(self._part).state_dict() if self._left_out else {}
        named = {f"{self._part}.{name}": value for name, value in state.items()}
        return {name: named[name] for name in sorted(self._left_out)}

    def get_extra_state(self) -> Tensor:
        """The digest of what is left out (32,) uint8."""
        if self._digest is None:
            self._digest = digest_of(self.left_out())
        return self._digest.clone()

    def set_extra_state(self, state: Any) -> None:
        """Check that what was left out is what stands here.

        Raises:
            UserError: it is not.
        """
        if not torch.equal(torch.as_tensor(state).cpu(), self.get_extra_state()):
            raise UserError(
                "the saved model belongs to an encoder with other weights than those loaded: take the "
                "encoder, its revision and, with random weights, the seed that the checkpoint names"
            )


def digest_of(tensors: dict[str, Tensor]) -> Tensor:
    """The SHA-256 of named tensors, their shapes and types: (32,) uint8."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        plain = value.detach().cpu().contiguous()
        digest.update(f"{name}\0{plain.dtype}\0{tuple(plain.shape)}\0".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)


def _take_out(
    network: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
) -> None:
    assert isinstance(network, LeavesOut)
    for name in network._left_out:
        state_dict.pop(prefix + name, None)


def _put_back(network: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    assert isinstance(network, LeavesOut)
    for name, value in network.left_out().items():
        state_dict.setdefault(prefix + name, value)
