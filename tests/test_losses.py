from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from emoji_pred.losses import (
    Asymmetric,
    BinaryCrossEntropy,
    CrossEntropy,
    DoubleSigmoid,
    Focal,
    FocalMultilabel,
    PositiveNegativeWeighted,
    WeightedCrossEntropy,
)

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


# --- several labels


def labels_of(rows: int = 9, classes: int = 4, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    return logits, (torch.rand(rows, classes, generator=generator) < 0.4).float()


COUNTS, ROWS = torch.tensor([2, 5, 1, 9]), 10


def test_pos_neg_weighted_is_the_papers_loss_of_two_nodes_a_class() -> None:
    """Equations 3 to 6 literally, with a softmax of two nodes a class; and torch's weighted CrossEntropy."""
    _, targets = labels_of()
    generator = torch.Generator().manual_seed(4)
    nodes = 3 * torch.randn(9, 4, 2, dtype=torch.float64, generator=generator)
    total = torch.zeros(9, dtype=torch.float64)
    by_torch = torch.zeros(9, dtype=torch.float64)
    for c in range(4):
        positive_weight = (1 / int(COUNTS[c])) * (ROWS / 4)  # equation 3
        negative_weight = (1 / (ROWS - int(COUNTS[c]))) * (ROWS / 4)  # equation 4
        predicted = nodes[:, c].softmax(dim=-1)[:, 1]
        true = targets[:, c].double()
        total -= positive_weight * (true * predicted.log())  # equation 5
        total -= negative_weight * ((1 - true) * (1 - predicted).log())
        weights = torch.tensor([negative_weight, positive_weight], dtype=torch.float64)
        by_torch += F.cross_entropy(nodes[:, c], true.long(), weight=weights, reduction="none")
    loss = PositiveNegativeWeighted(positive_counts=COUNTS, rows=ROWS)
    found = loss(nodes[..., 1] - nodes[..., 0], targets)
    torch.testing.assert_close(found, total.mean(), rtol=1e-6, atol=0)
    torch.testing.assert_close(found, by_torch.mean(), rtol=1e-6, atol=0)


def test_its_weights_balance_the_given_and_the_missing_of_each_label() -> None:
    loss = PositiveNegativeWeighted(positive_counts=COUNTS, rows=ROWS)
    torch.testing.assert_close(loss.positive_weights * COUNTS, torch.full((4,), ROWS / 4))
    torch.testing.assert_close(loss.negative_weights * (ROWS - COUNTS), torch.full((4,), ROWS / 4))
    assert not loss.state_dict()


def test_a_label_that_all_training_rows_have_or_none_weighs_nothing_where_it_cannot_be_learned() -> None:
    loss = PositiveNegativeWeighted(positive_counts=torch.tensor([0, 10]), rows=10)
    assert loss.positive_weights.tolist() == [0, 0.5] and loss.negative_weights.tolist() == [0.5, 0]
    logits = torch.zeros(1, 2, requires_grad=True)
    loss(logits, torch.tensor([[0, 1]])).backward()
    assert loss(logits, torch.tensor([[1, 0]])).item() == 0
    assert logits.grad is not None and logits.grad.tolist() == [[0.25, -0.25]]


@pytest.mark.parametrize(
    ("gamma_neg", "gamma_pos", "clip"),
    [(4.0, 0.0, 0.05), (4.0, 1.0, 0.05), (2.0, 0.5, 0.3), (0.0, 0.0, 0.2), (1.0, 3.0, 0.0)],
)
def test_asymmetric_is_its_formula(gamma_neg: float, gamma_pos: float, clip: float) -> None:
    logits, targets = labels_of()
    total = 0.0
    for z, y in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-z))
        shifted = max(p - clip, 0)
        total -= (1 - p) ** gamma_pos * math.log(p) if y else shifted**gamma_neg * math.log(1 - shifted)
    loss = Asymmetric(gamma_neg=gamma_neg, gamma_pos=gamma_pos, clip=clip)
    assert loss(logits, targets).item() == pytest.approx(total / 9, rel=1e-9)


def test_without_focus_and_shift_the_losses_of_labels_are_binary_cross_entropy() -> None:
    logits, targets = labels_of()
    expected = F.binary_cross_entropy_with_logits(logits, targets.double())
    plain = Asymmetric(gamma_neg=0.0, gamma_pos=0.0, clip=0.0)
    torch.testing.assert_close(plain(logits, targets), 4 * expected)
    torch.testing.assert_close(FocalMultilabel(gamma=0.0)(logits, targets), expected)
    half = PositiveNegativeWeighted(positive_counts=torch.full((4,), 5), rows=10)
    torch.testing.assert_close(half(logits, targets), 2 * expected)  # each weight 10 / (5 x 4), four classes


def test_what_is_less_probable_than_the_clip_costs_nothing_and_teaches_nothing() -> None:
    logits = torch.tensor([[-4.0, -3.0]], requires_grad=True)  # probabilities 0.018 and 0.047
    loss = Asymmetric()(logits, torch.zeros(1, 2))
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and not logits.grad.any()


@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_of_labels_is_its_formula(alpha: float | None, weights: torch.Tensor | None) -> None:
    logits, targets = labels_of()
    total = 0.0
    for z_row, y_row in zip(logits.tolist(), targets.tolist(), strict=True):
        for c, (z, y) in enumerate(zip(z_row, y_row, strict=True)):
            p = 1 / (1 + math.exp(-z))
            right = p if y else 1 - p
            side = 1.0 if alpha is None else (alpha if y else 1 - alpha)
            weight = 1.0 if weights is None else float(weights[c])
            total -= weight * side * (1 - right) ** 2 * math.log(right)
    loss = FocalMultilabel(gamma=2.0, positive_alpha=alpha, class_weights=weights)
    assert loss(logits, targets).item() == pytest.approx(total / 36, rel=1e-6)


def test_the_notebooks_loss_takes_a_sigmoid_twice() -> None:
    logits, targets = labels_of()
    total = 0.0
    for z, y in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-1 / (1 + math.exp(-z))))
        total -= math.log(p) if y else math.log(1 - p)
    assert DoubleSigmoid()(logits, targets).item() == pytest.approx(total / 36, rel=1e-9)
    sure = torch.tensor([[1e4, -1e4]])
    floor = (-math.log(1 / (1 + math.exp(-1))) - math.log(0.5)) / 2
    assert DoubleSigmoid()(sure, torch.tensor([[1, 0]])).item() == pytest.approx(floor, rel=1e-6)


OF_LABELS = [
    PositiveNegativeWeighted(positive_counts=COUNTS, rows=ROWS),
    Asymmetric(),
    Asymmetric(gamma_neg=0.5, gamma_pos=0.5, clip=0.0),
    Asymmetric(gamma_neg=0.5, gamma_pos=1.0),
    FocalMultilabel(class_weights=WEIGHTS, positive_alpha=0.25),
    FocalMultilabel(gamma=0.5),
    DoubleSigmoid(),
]


@pytest.mark.parametrize("loss", OF_LABELS, ids=lambda loss: type(loss).__name__)
def test_losses_of_labels_have_the_gradients_of_finite_differences(loss: torch.nn.Module) -> None:
    logits, targets = labels_of(rows=3)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), (logits.requires_grad_(),))


@pytest.mark.parametrize("loss", OF_LABELS, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_losses_of_labels_stay_finite(loss: torch.nn.Module, dtype: torch.dtype) -> None:
    for size, target in itertools.product((30.0, 1e4, 1e30), (0, 1)):
        logits = torch.tensor([[size, -size, 0.0, 1.0]], dtype=dtype, requires_grad=True)
        value = loss(logits, torch.full((1, 4), target, dtype=torch.uint8))
        value.backward()
        assert value.dtype == torch.float32 and value.isfinite()
        assert logits.grad is not None and logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", OF_LABELS, ids=lambda loss: type(loss).__name__)
def test_parts_of_a_batch_of_labels_make_the_whole(loss: torch.nn.Module) -> None:
    logits, targets = labels_of()
    shares = [loss.normaliser(part) for part in (targets[:4], targets[4:])]
    parts = [loss(logits[:4], targets[:4]), loss(logits[4:], targets[4:])]
    together = sum(p * s for p, s in zip(parts, shares, strict=True)) / sum(shares)
    torch.testing.assert_close(together, loss(logits, targets))
