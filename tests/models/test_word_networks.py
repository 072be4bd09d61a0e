from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.models.cnn import CNN
from emoji_pred.models.ffn import FFN
from emoji_pred.models.pooling import masked_max, masked_mean
from emoji_pred.models.transformer import EncoderLayer, Transformer, sinusoidal_positions
from emoji_pred.models.word2vec import MeanOfVectors

PAD = 0
LENGTHS = (1, 2, 3, 5, 9, 12)
Build = Callable[..., nn.Module]
NETWORKS = [FFN, CNN, Transformer, MeanOfVectors]


def build(network: Build, **options) -> nn.Module:
    torch.manual_seed(0)
    return network(vocab_size=50, num_classes=7, pad_id=PAD, **options)


def texts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 50, (1, length), generator=generator) for length in LENGTHS]


def padded(rows: list[Tensor], width: int) -> tuple[Tensor, Tensor]:
    ids = torch.cat([F.pad(row, (0, width - row.shape[1]), value=PAD) for row in rows])
    return ids, ids != PAD


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("width", [12, 40])
def test_a_text_alone_and_padded_in_a_batch_has_the_same_logits(network, training: bool, width: int) -> None:
    model = build(network, dropout=0.0).train(training)
    ids, mask = padded(texts(), width)
    together = model(ids, mask)
    alone = torch.cat([model(row, torch.ones_like(row, dtype=torch.bool)) for row in texts()])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert together.shape == (len(LENGTHS), 7)
    assert together.std(dim=0).min() > 0.01  # the texts do differ


@pytest.mark.parametrize("network", NETWORKS)
def test_evaluation_without_gradients_gives_the_same_logits(network) -> None:
    # torch's transformer layers take another path there.
    model = build(network).eval()
    ids, mask = padded(texts(), 12)
    expected = model(ids, mask)
    with torch.inference_mode():
        torch.testing.assert_close(model(ids, mask), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_reach_every_parameter_and_no_padding_row(network) -> None:
    model = build(network)
    model(*padded(texts(), 12)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
    assert model.embedding.weight[PAD].abs().max() == 0
    assert model.embedding.weight.grad[PAD].abs().max() == 0


def test_masked_pooling() -> None:
    states = torch.tensor([[[-3.0, 1.0], [-1.0, -5.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    assert masked_max(states, mask).tolist() == [[-1.0, 1.0]]
    assert masked_mean(states, mask).tolist() == [[-2.0, -2.0]]


def test_cnn_is_a_convolution_over_zero_padded_text() -> None:
    model = build(CNN, embedding_dim=8, filters=6)
    ids, mask = padded(texts(), 12)
    embedded = model.embedding(ids).transpose(1, 2)  # (B, D, T)
    expected = []
    for width, linear in zip((3, 4, 5), model.convolutions, strict=True):
        weight = linear.weight.view(6, width, 8).transpose(1, 2)
        convolved = F.conv1d(F.pad(embedded, (0, width - 1)), weight, linear.bias).relu()
        expected.append(
            torch.stack([convolved[row, :, :length].amax(-1) for row, length in enumerate(LENGTHS)])
        )
    torch.testing.assert_close(model.features(ids, mask), torch.cat(expected, dim=1), atol=1e-5, rtol=0)


def test_cnn_weights_are_drawn_like_those_of_a_convolution() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(128, 128, 4)
    linear = build(CNN).convolutions[1]
    bound = 1 / math.sqrt(4 * 128)
    for weights in (convolution.weight, linear.weight):
        assert weights.abs().max().item() == pytest.approx(bound, rel=1e-3)
        assert weights.std().item() == pytest.approx(bound / math.sqrt(3), rel=1e-2)


def test_paper_sizes() -> None:
    # FFN 128-256-128-64-C, CNN three widths of 128 filters, transformer 2 layers of 2 heads.
    widths = [layer.in_features for layer in build(FFN).classifier if isinstance(layer, nn.Linear)]
    assert widths == [128, 256, 128, 64]
    assert [tuple(layer.weight.shape) for layer in build(CNN).convolutions] == [
        (128, 384),
        (128, 512),
        (128, 640),
    ]
    layers = build(Transformer).encoder.layers
    assert [layer.self_attn.num_heads for layer in layers] == [2, 2]
    assert not any(layer.norm_first for layer in layers)
    assert not torch.equal(layers[0].linear1.weight, layers[1].linear1.weight)


def test_sinusoidal_positions() -> None:
    encoding = sinusoidal_positions(600, 128)
    for position, pair in ((0, 0), (7, 3), (599, 63)):
        angle = position / 10_000 ** (2 * pair / 128)
        assert encoding[position, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-4)
        assert encoding[position, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-4)


def test_transformer_knows_the_order_of_words() -> None:
    model = build(Transformer).eval()
    ids = torch.tensor([[3, 4, 5], [5, 4, 3]])
    first, second = model(ids, torch.ones_like(ids, dtype=torch.bool))
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("asked", [{}, {"padded": True}, {"causal": True}])
def test_the_encoder_layer_is_torchs_to_the_bit(training: bool, asked: dict[str, bool]) -> None:
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(16, 2, 32, 0.3, batch_first=True).train(training)
    ours = EncoderLayer(16, 2, 32, 0.3, batch_first=True).train(training)
    ours.load_state_dict(theirs.state_dict())
    states = torch.randn(5, 7, 16)
    lengths = torch.tensor([7, 3, 1, 5, 7])
    padding = torch.arange(7) >= lengths[:, None] if "padded" in asked else None
    mask = nn.Transformer.generate_square_subsequent_mask(7) if "causal" in asked else None
    results = []
    for layer in (theirs, ours):
        torch.manual_seed(1)  # of its dropout
        inputs = states.clone().requires_grad_()
        found = layer(inputs, mask, padding)
        weights = torch.linspace(-1, 1, found.numel()).view_as(found)
        gradients = torch.autograd.grad((found * weights).sum(), [inputs, *layer.parameters()])
        results.append((found, *gradients))
    assert len(results[0]) == 14  # the layer has 12 parameters
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_transformer_refuses_what_it_cannot_do() -> None:
    ids = torch.ones(1, 512, dtype=torch.long)
    model = build(Transformer)
    assert model.max_positions == 512  # which is checked against the texts before training
    assert model(ids, torch.ones_like(ids, dtype=torch.bool)).shape == (1, 7)
    with pytest.raises(UserError, match="embedding_dim=129"):
        build(Transformer, embedding_dim=129, heads=3)
    with pytest.raises(UserError, match="heads=3"):
        build(Transformer, heads=3)
