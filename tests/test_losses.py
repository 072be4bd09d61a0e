from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from emoji_pred.losses import BinaryCrossEntropy, CrossEntropy, Focal, WeightedCrossEntropy

WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0])


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(16, 4, generator=generator), torch.randint(4, (16,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_with_gamma_0_and_uniform_alpha_is_cross_entropy(batch, smoothing: float) -> None:
    logits, targets = batch
    expected = F.cross_entropy(logits, targets, label_smoothing=smoothing)
    for weights in (None, torch.ones(4)):
        loss = Focal(gamma=0.0, class_weights=weights, label_smoothing=smoothing)
        torch.testing.assert_close(loss(logits, targets), expected)
    torch.testing.assert_close(CrossEntropy(label_smoothing=smoothing)(logits, targets), expected)


def test_focal_worked_by_hand() -> None:
    # Two rows of two classes: p_y = 0.8 (class 0, alpha 1) and p_y = 0.3 (class 1, alpha 3); gamma 2.
    logits = torch.tensor([[math.log(0.8), math.log(0.2)], [math.log(0.7), math.log(0.3)]])
    loss = Focal(gamma=2.0, class_weights=torch.tensor([1.0, 3.0]))(logits, torch.tensor([0, 1]))
    by_hand = (1 * 0.2**2 * -math.log(0.8) + 3 * 0.7**2 * -math.log(0.3)) / 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_focal_with_label_smoothing_worked_by_hand() -> None:
    logits = torch.tensor([[math.log(0.8), math.log(0.2)]])
    loss = Focal(gamma=2.0, label_smoothing=0.1, class_weights=torch.tensor([5.0, 1.0]))
    smoothed = -(0.95 * math.log(0.8) + 0.05 * math.log(0.2))
    assert loss(logits, torch.tensor([0])).item() == pytest.approx(5 * 0.2**2 * smoothed, rel=1e-6)


def test_weighted_cross_entropy_divides_by_the_sum_of_weights(batch) -> None:
    logits, targets = batch
    rows = -logits.log_softmax(-1)[torch.arange(16), targets]
    expected = (WEIGHTS[targets] * rows).sum() / WEIGHTS[targets].sum()
    loss = WeightedCrossEntropy(class_weights=WEIGHTS)(logits, targets)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(WeightedCrossEntropy(class_weights=7 * WEIGHTS)(logits, targets), expected)
    focal = Focal(gamma=0.0, class_weights=WEIGHTS)(logits, targets)
    torch.testing.assert_close(focal, (WEIGHTS[targets] * rows).sum() / 16)


def test_binary_cross_entropy_worked_by_hand() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/2
    targets = torch.tensor([[1, 0]], dtype=torch.uint8)
    by_hand = -(math.log(0.75) + math.log(0.5)) / 2
    assert BinaryCrossEntropy()(logits, targets).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_of_focal_in_float64(gamma: float, smoothing: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    loss = Focal(gamma=gamma, label_smoothing=smoothing, class_weights=WEIGHTS.double())
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), (logits,))


def test_gradients_of_the_other_losses_in_float64() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(6, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    for loss in (CrossEntropy(label_smoothing=0.1), WeightedCrossEntropy(class_weights=WEIGHTS.double())):
        assert torch.autograd.gradcheck(lambda logits, loss=loss: loss(logits, targets), (logits,))
    multi_hot = F.one_hot(targets, 4)
    assert torch.autograd.gradcheck(lambda logits: BinaryCrossEntropy()(logits, multi_hot), (logits,))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_probability_0_and_1_give_finite_loss_and_gradient(dtype, gamma: float, smoothing: float) -> None:
    for size, target in itertools.product((30.0, 1e4, 1e30), (0, 1)):
        logits = torch.tensor([[size, -size, 0.0]], dtype=dtype, requires_grad=True)
        loss = Focal(gamma=gamma, label_smoothing=smoothing)(logits, torch.tensor([target]))
        loss.backward()
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        assert logits.grad is not None and logits.grad.isfinite().all()


def test_a_sure_and_right_answer_costs_nothing_and_a_sure_and_wrong_one_still_teaches() -> None:
    logits = torch.tensor([[50.0, -50.0]], requires_grad=True)
    loss = Focal(gamma=1.5)
    assert loss(logits, torch.tensor([0])).item() == 0.0
    (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([1])), logits)
    torch.testing.assert_close(gradient, torch.tensor([[1.0, -1.0]]))  # that of cross-entropy: (1 - p_y) is 1


def test_losses_of_bf16_logits_are_those_of_the_same_logits_in_float32(batch) -> None:
    logits, targets = batch
    half = logits.bfloat16()
    for loss in (CrossEntropy(), WeightedCrossEntropy(class_weights=WEIGHTS), Focal(class_weights=WEIGHTS)):
        assert loss(half, targets).item() == loss(half.float(), targets).item()


def test_class_weights_follow_the_module_and_stay_out_of_the_checkpoint() -> None:
    for loss in (WeightedCrossEntropy(class_weights=WEIGHTS), Focal(class_weights=WEIGHTS)):
        assert loss.to(torch.float64).class_weights.dtype == torch.float64
        assert not loss.state_dict()


def test_parts_of_a_batch_weighted_by_their_normalisers_are_the_whole() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(7, 3), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    weights = torch.tensor([0.5, 1.0, 4.0])
    for loss in (
        CrossEntropy(),
        Focal(class_weights=weights),
        WeightedCrossEntropy(class_weights=weights),
    ):
        parts = [(logits[:4], targets[:4]), (logits[4:], targets[4:])]
        shares = torch.stack([loss.normaliser(part) for _, part in parts])
        together = (torch.stack([loss(*part) for part in parts]) * shares).sum() / shares.sum()
        torch.testing.assert_close(together, loss(logits, targets))
    assert WeightedCrossEntropy(class_weights=weights).normaliser(targets) == 3 * 0.5 + 2 * 1 + 2 * 4
