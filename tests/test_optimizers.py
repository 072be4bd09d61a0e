"""Row-wise Adam against torch's own, schedules by hand, and what the options build."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from emoji_pred.optimizers import DenseAndRowwise, build_optimizer, build_scheduler

ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01, "weight_decay": 0.0}


class Words(nn.Module):
    """The mean embedding of a text, classified: padding, a table and dense weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(6, 3, padding_idx=0)
        self.classifier = nn.Linear(3, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.classifier(self.embedding(ids).mean(1))


def step(network: nn.Module, optimizer: torch.optim.Optimizer, ids: list[list[int]]) -> float:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(torch.tensor(ids)), torch.arange(len(ids)) % 2)
    loss.backward()
    optimizer.step()
    return loss.item()


ALL_ROWS = [[1, 2, 0], [3, 4, 5], [5, 1, 2], [4, 3, 0]]


@pytest.mark.parametrize("options", [{}, {"betas": [0.8, 0.95]}, {"lr": 0.2}])
def test_with_every_row_in_each_batch_it_is_adam(options: dict[str, Any]) -> None:
    # eps near 0: torch's SparseAdam adds it before the bias correction, Adam after it.
    options = {"eps": 1e-30, **options}
    ours, dense = Words().double(), Words().double()
    adam = torch.optim.Adam(dense.parameters(), **{"lr": 0.01, **options})
    rowwise = build_optimizer(ours, ADAM | options, "rowwise")
    assert isinstance(rowwise, DenseAndRowwise)
    for _ in range(20):
        assert step(ours, rowwise, ALL_ROWS) == pytest.approx(step(dense, adam, ALL_ROWS), abs=1e-6)
    for one, other in zip(ours.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_rows_outside_the_batch_and_padding_do_not_move() -> None:
    network = Words()
    optimizer = build_optimizer(network, ADAM, "rowwise")
    step(network, optimizer, ALL_ROWS)  # every row has momentum now
    before = network.embedding.weight.detach().clone()
    step(network, optimizer, [[1, 2, 0], [2, 0, 0]])
    after = network.embedding.weight.detach()
    moved = (after != before).any(1).tolist()
    assert moved == [False, True, True, False, False, False]
    assert not after[0].any(), "padding stays zero"


def test_its_state_can_be_saved_and_goes_on_as_if_never_stopped() -> None:
    network = Words()
    optimizer = build_optimizer(network, ADAM, "rowwise")
    step(network, optimizer, ALL_ROWS)
    weights, state = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    step(network, optimizer, ALL_ROWS[:2])

    resumed = Words()
    resumed.load_state_dict(weights)
    again = build_optimizer(resumed, ADAM | {"lr": 0.5}, "rowwise")  # the saved rate replaces this one
    again.load_state_dict(state)
    assert [group["lr"] for group in again.param_groups] == [0.01, 0.01]
    step(resumed, again, ALL_ROWS[:2])
    for one, other in zip(resumed.parameters(), network.parameters(), strict=True):
        assert one.equal(other)


def test_a_schedule_reaches_both_parts_also_after_a_restart() -> None:
    network = Words()
    optimizer = build_optimizer(network, ADAM, "rowwise")
    optimizer.load_state_dict(optimizer.state_dict())
    scheduler = build_scheduler(optimizer, {"name": "linear", "warmup_steps": 0}, total_steps=4)
    for rate in (0.01, 0.0075, 0.005, 0.0025, 0.0):
        assert isinstance(optimizer, DenseAndRowwise)
        rates = [group["lr"] for part in optimizer.parts for group in part.param_groups]
        assert rates == pytest.approx([rate, rate])
        before = network.embedding.weight.detach().clone()
        step(network, optimizer, ALL_ROWS)
        assert network.embedding.weight.equal(before) == (rate == 0)
        scheduler.step()


def test_a_closure_is_run_once_with_gradients() -> None:
    network = Words()
    optimizer = build_optimizer(network, ADAM, "rowwise")
    calls = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(torch.tensor(ALL_ROWS)), torch.tensor([0, 1, 0, 1]))
        loss.backward()
        return loss

    before = network.classifier.weight.detach().clone()
    with torch.no_grad():
        loss = optimizer.step(closure)
    assert calls == [True]
    assert loss.item() > 0
    assert not network.classifier.weight.equal(before)


# --- what the options build


def test_dense_updates_are_one_torch_optimizer() -> None:
    network = Words()
    optimizer = build_optimizer(network, ADAM | {"weight_decay": 0.1, "betas": None}, "dense")
    assert type(optimizer) is torch.optim.Adam
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.01, 0.1, (0.9, 0.999))
    assert len(group["params"]) == 3
    assert not network.embedding.sparse


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_every_optimizer_that_may_be_named_trains(name: str) -> None:
    network = Words()
    options = {"_target_": f"torch.optim.{name}", "lr": 0.05, "weight_decay": 0.01}
    optimizer = build_optimizer(network, options, "dense")
    reference = Words()
    plain = getattr(torch.optim, name)(reference.parameters(), lr=0.05, weight_decay=0.01)
    losses = [step(network, optimizer, ALL_ROWS) for _ in range(30)]
    expected = [step(reference, plain, ALL_ROWS) for _ in range(30)]
    assert losses == pytest.approx(expected, abs=1e-5)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("embedding_updates", ["dense", "rowwise"])
def test_frozen_weights_are_left_out(embedding_updates: str) -> None:
    network = Words()
    network.classifier.bias.requires_grad_(False)
    before = network.classifier.bias.detach().clone()
    optimizer = build_optimizer(network, ADAM, embedding_updates)
    parameters = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert id(network.classifier.bias) not in parameters
    step(network, optimizer, ALL_ROWS)
    assert network.classifier.bias.equal(before)


def test_a_network_without_tables_has_nothing_rowwise() -> None:
    assert type(build_optimizer(nn.Linear(2, 2), ADAM, "rowwise")) is torch.optim.Adam


# --- schedules


@pytest.mark.parametrize(
    ("options", "total", "factors"),
    [
        ({"name": "constant", "warmup_steps": 0}, 4, [1, 1, 1, 1, 1]),
        ({"name": "constant", "warmup_steps": 3}, 9, [1 / 4, 2 / 4, 3 / 4, 1, 1, 1]),
        ({"name": "linear", "warmup_steps": 0}, 4, [1, 3 / 4, 2 / 4, 1 / 4, 0, 0]),
        ({"name": "linear", "warmup_steps": 2}, 6, [1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4, 0, 0]),
        ({"name": "linear"}, 2, [1, 1 / 2, 0]),
        ({"name": "linear", "warmup_steps": 5}, 3, [1 / 6, 2 / 6, 3 / 6, 4 / 6]),
    ],
)
def test_schedules_by_hand(options: dict[str, Any], total: int, factors: list[float]) -> None:
    assert rates(options, total, 1, len(factors)) == pytest.approx(factors)


def rates(options: dict[str, Any], total: int, epochs: int, steps: int) -> list[float]:
    """The learning rate of each step, as a part of the optimizer's."""
    network = Words()
    optimizer = build_optimizer(network, ADAM, "dense")
    scheduler = build_scheduler(optimizer, options, total, epochs)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"] / 0.01)
        optimizer.step()
        scheduler.step()
    return found


def test_a_second_stage_begins_after_its_epoch() -> None:
    # Four epochs of three steps, from the third epoch on at a fifth of 0.01.
    options = {"name": "constant", "warmup_steps": 2, "then": {"epoch": 2, "lr": 0.002}}
    expected = [1 / 3, 2 / 3, *[1] * 4, *[1 / 5] * 6]
    assert rates(options, 12, 4, 12) == pytest.approx(expected)
    # An epoch that is never reached, or no stage at all.
    assert rates(options, 6, 2, 6) == pytest.approx(expected[:6])
    assert rates({**options, "then": None}, 12, 4, 12) == pytest.approx([*expected[:6], *[1] * 6])


def test_a_second_stage_cuts_a_warm_up_short() -> None:
    options = {"name": "constant", "warmup_steps": 9, "then": {"epoch": 1, "lr": 0.02}}
    assert rates(options, 4, 2, 4) == pytest.approx([1 / 10, 2 / 10, 2, 2])
