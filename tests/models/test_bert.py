from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.models.bert import MultiScaleAttentionClassifier, attention_scope, mean_of_convolution

PAD, WIDTH = 1, 16
LENGTHS = (1, 2, 4, 9, 14)


def encoder(kind: str = "bert") -> nn.Module:
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    options = {
        "vocab_size": 50,
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 66,
        "pad_token_id": PAD,
    }
    torch.manual_seed(0)
    if kind == "bert":
        return BertModel(BertConfig(**options), add_pooling_layer=False)
    return RobertaModel(RobertaConfig(**options), add_pooling_layer=False)


def build(kind: str = "bert", **options) -> MultiScaleAttentionClassifier:
    return MultiScaleAttentionClassifier(num_classes=5, encoder=encoder(kind), **options)


def texts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(2, 50, (1, length), generator=generator) for length in LENGTHS]


def batch(width: int = 14) -> tuple[Tensor, Tensor]:
    ids = torch.cat([F.pad(row, (0, width - row.shape[1]), value=PAD) for row in texts()])
    return ids, ids != PAD


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("conv_relu", [False, True])
@pytest.mark.parametrize("width", [14, 30])
def test_a_text_alone_and_padded_in_a_batch_has_the_same_logits(
    kind: str, conv_relu: bool, width: int
) -> None:
    model = build(kind, conv_relu=conv_relu, word_window=3).eval()
    together = model(*batch(width))
    alone = torch.cat([model(row, torch.ones_like(row, dtype=torch.bool)) for row in texts()])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert together.shape == (len(LENGTHS), 5)


def test_what_stands_at_padding_is_not_seen() -> None:
    model = build().eval()
    states = torch.randn(len(LENGTHS), 14, WIDTH)
    _, mask = batch()
    other = torch.where(mask[..., None], states, torch.tensor(1e4))
    torch.testing.assert_close(model.streams(states, mask), model.streams(other, mask), atol=1e-5, rtol=0)


def naive_stream(
    model: MultiScaleAttentionClassifier, index: int, states: Tensor, window: int | None
) -> Tensor:
    """One stream of one text (T, D) as the paper's words say: attend, project, average."""
    name, heads = list(model.heads.items())[index]
    query, key, value = model.projection(states).chunk(3, dim=-1)[index].chunk(3, dim=-1)
    size = WIDTH // heads
    attended = torch.zeros(len(states), WIDTH)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(states)):
            seen = [j for j in range(len(states)) if window is None or abs(i - j) <= window // 2]
            scores = torch.stack([query[i, part] @ key[j, part] / size**0.5 for j in seen])
            attended[i, part] = scores.softmax(0) @ value[seen][:, part]
    return model.outputs[name](attended).mean(0)


@pytest.mark.parametrize("window", [None, 1, 3, 5])
def test_streams_against_loops(window: int | None) -> None:
    model = build(word_heads=4, phrase_heads=2, sentence_heads=1, phrase_window=window)
    states = torch.randn(len(LENGTHS), 14, WIDTH)
    _, mask = batch()
    streams = model.streams(states, mask).split(WIDTH, dim=-1)
    for row, length in enumerate(LENGTHS):
        text = states[row, :length]
        for index, seen in enumerate((None, window, None)):
            expected = naive_stream(model, index, text, seen)
            torch.testing.assert_close(streams[index][row], expected, atol=1e-5, rtol=0)
        convolved = model.convolution(text.T[None])[0]  # (D, length), zeros around the text
        expected = F.adaptive_avg_pool1d(convolved, 1)[:, 0]
        torch.testing.assert_close(streams[3][row], expected, atol=1e-5, rtol=0)


def test_the_mean_of_a_convolution_has_the_gradients_of_the_convolution() -> None:
    states = torch.randn(3, 6, 4, dtype=torch.float64)
    mask = torch.arange(6) < torch.tensor([[6], [1], [3]])
    states = states * mask[..., None]
    convolution = nn.Conv1d(4, 4, 3, padding=1).double()

    def slow(states: Tensor) -> Tensor:
        convolved = convolution(states.transpose(1, 2)).masked_fill(~mask[:, None], 0.0)
        return convolved.sum(-1) / mask.sum(1, keepdim=True)

    gradients = []
    for function in (slow, lambda s: mean_of_convolution(s, mask, convolution.weight, convolution.bias)):
        leaf = states.clone().requires_grad_()
        loss = function(leaf).pow(2).sum()
        gradients.append(torch.autograd.grad(loss, [leaf, convolution.weight, convolution.bias]))
    for expected, found in zip(*gradients, strict=True):
        shared = mask[..., None] if expected.shape == states.shape else torch.tensor(True)
        torch.testing.assert_close(found * shared, expected * shared)


def test_attention_scope() -> None:
    states = torch.zeros(2, 4, WIDTH)
    real = torch.tensor([[True, True, True, True], [True, False, False, False]])
    assert attention_scope(states, None, None) is None
    assert attention_scope(states, real, None).tolist() == real[:, None, None].tolist()
    near = [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    assert attention_scope(states, None, 3).int().tolist() == near
    both = attention_scope(states, real, 3)[:, 0].int().tolist()
    assert both == [near, [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]]


@pytest.mark.parametrize("conv_relu", [False, True])
def test_gradients_are_finite_and_reach_every_parameter(conv_relu: bool) -> None:
    model = build(conv_relu=conv_relu).train()
    model(*batch()).square().sum().backward()
    unused = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert all("token_type" in name or "key.bias" in name for name in unused), unused
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_bf16_autocast_is_close_to_float32() -> None:
    model = build().eval()
    expected = model(*batch())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(*batch())
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"word_heads": 5}, "word_heads=5 must divide the encoder's width 16"),
        ({"phrase_window": 4}, "phrase_window=4 must be an odd number"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(**options)


def test_an_encoder_without_a_width_is_refused() -> None:
    with pytest.raises(UserError, match=r"Identity has no config\.hidden_size"):
        MultiScaleAttentionClassifier(num_classes=5, encoder=nn.Identity())
