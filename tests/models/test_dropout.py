from __future__ import annotations

import pytest
import torch
from torch import nn

from emoji_pred.models.dropout import Dropout, use_fast_dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_stated_fraction_is_dropped_and_the_mean_stays(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(999, 1001, dtype=dtype))
    # One million draws: the standard error of the fraction is at most 0.0005.
    assert (dropped == 0).float().mean().item() == pytest.approx(p, abs=0.002)
    assert dropped.dtype == dtype
    values = dropped.unique().float()
    torch.testing.assert_close(values, torch.tensor([0, 1 / (1 - p)]), rtol=0.01, atol=0)


def test_activations_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(250_000, 4)) > 0).float()  # the four share one random word
    correlation = torch.corrcoef(kept.T)
    assert (correlation - torch.eye(4)).abs().max() < 0.01
    assert (kept[1:] == kept[:-1]).float().mean().item() == pytest.approx(0.5, abs=0.003)


def test_it_follows_the_seed() -> None:
    states = torch.ones(7, 13)

    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return Dropout(0.5)(states)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_the_gradient_is_that_of_the_mask() -> None:
    states = torch.randn(50, 3, requires_grad=True)
    dropped = Dropout(0.4)(states)
    dropped.sum().backward()
    assert states.grad is not None
    torch.testing.assert_close(states.grad, dropped.detach() / states.detach())


def test_evaluation_and_p_0_change_nothing() -> None:
    states = torch.randn(3, 5)
    assert Dropout(0.5).eval()(states) is states
    assert Dropout(0.0)(states) is states


def test_every_dropout_of_a_network_is_replaced() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.Sequential(nn.Dropout(0.2)))
    parameters = list(network.state_dict())
    use_fast_dropout(network)
    assert [module.p for module in network.modules() if type(module) is Dropout] == [0.1, 0.2]
    assert not any(type(module) is nn.Dropout for module in network.modules())
    assert list(network.state_dict()) == parameters
