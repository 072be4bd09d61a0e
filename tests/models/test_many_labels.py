"""Heads of several labels: two outputs a label, what trains and is saved, on encoders of each family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.losses import PositiveNegativeWeighted
from emoji_pred.models.dropout import Dropout
from emoji_pred.models.many_labels import Multilabel, SevenHeads
from emoji_pred.optimizers import build_optimizer

PAD, WIDTH, CLASSES = 1, 16, 7
LENGTHS = (1, 2, 4, 9)
# urduhack is a roberta, mbert a bert, distilbert and xlmr what their names say; tiny and minilm are berts.
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert")
TRAININGS = ("lora", "full", "frozen")
NETWORKS = {
    "seven heads": (SevenHeads, {}),
    "seven heads, hidden": (SevenHeads, {"head_dims": (8, 4), "head_dropout": 0.1}),
    "linear": (Multilabel, {}),
    "notebook": (Multilabel, {"head": "notebook"}),
}


def encoder(family: str = "bert", seed: int = 0) -> nn.Module:
    from transformers import AutoConfig, AutoModel

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    if family == "distilbert":
        sizes = {"dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    options = {"vocab_size": 50, "max_position_embeddings": 66, "pad_token_id": PAD, **sizes}
    torch.manual_seed(seed)
    pooler = {} if family == "distilbert" else {"add_pooling_layer": False}
    network: nn.Module = AutoModel.from_config(AutoConfig.for_model(family, **options), **pooler)
    return network


def build(name: str, family: str = "bert", **options: Any) -> Any:
    kind, own = NETWORKS[name]
    return kind(num_classes=CLASSES, encoder=encoder(family), **{"lora_rank": 2, **own, **options})


def batch(width: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(2, 50, (1, length), generator=generator) for length in LENGTHS]
    ids = torch.cat([F.pad(row, (0, width - row.shape[1]), value=PAD) for row in rows])
    return ids, ids != PAD


def truth() -> Tensor:
    return (torch.rand(len(LENGTHS), CLASSES, generator=torch.Generator().manual_seed(2)) < 0.4).float()


def test_the_logits_are_differences_of_two_outputs_and_their_sigmoid_is_the_softmax() -> None:
    model = build("seven heads").eval()
    ids, mask = batch()
    states = encoder().eval()(input_ids=ids, attention_mask=mask.long()).last_hidden_state[:, 0]
    logits = model(ids, mask)
    assert logits.shape == (len(LENGTHS), CLASSES)
    for c, head in enumerate(model.head.of_labels):
        (layer,) = head
        two = states @ layer.weight.T + layer.bias  # (B, 2)
        torch.testing.assert_close(logits[:, c].sigmoid(), two.softmax(dim=-1)[:, 1])


def test_the_vectors_of_the_labels_are_those_that_make_the_logits() -> None:
    from emoji_pred.embeddings.projections import label_vectors

    model = build("seven heads").eval()
    biases = torch.stack([head[0].bias for head in model.head.of_labels])
    by_hand = model.pooled(*batch()) @ torch.from_numpy(label_vectors(model, CLASSES)).float().T
    torch.testing.assert_close(by_hand + biases[:, 1] - biases[:, 0], model(*batch()))
    with pytest.raises(UserError, match="share no space of labels"):
        label_vectors(build("seven heads, hidden"), CLASSES)


def test_training_with_the_weighted_loss_is_training_two_outputs_a_class() -> None:
    """The gradients of all weights are those of a weighted two-class cross-entropy a head, summed."""
    counts, rows = torch.tensor([1, 2, 3, 4, 5, 6, 7]), 9
    gradients = []
    for literal in (False, True):
        model = build("seven heads", encoder_training="full").eval()
        if literal:
            two = model.head.outputs(model.pooled(*batch()))  # (B, C, 2)
            losses = [
                F.cross_entropy(
                    two[:, c],
                    truth()[:, c].long(),
                    weight=torch.tensor([rows / 7 / (rows - n), rows / 7 / n]),
                    reduction="none",
                )
                for c, n in enumerate(counts.tolist())
            ]
            loss = torch.stack(losses).sum(dim=0).mean()
        else:
            loss = PositiveNegativeWeighted(positive_counts=counts, rows=rows)(model(*batch()), truth())
        loss.backward()
        gradients.append({n: w.grad for n, w in model.named_parameters() if w.grad is not None})
    assert len(gradients[0]) == len(gradients[1]) > 2 * CLASSES
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "family", "training"),
    [
        *(("seven heads", family, training) for family in FAMILIES for training in TRAININGS),
        *((name, "bert", "full") for name in NETWORKS if name != "seven heads"),
    ],
)
def test_every_encoder_learns_four_rows(name: str, family: str, training: str) -> None:
    torch.manual_seed(0)
    model = build(name, family, encoder_training=training).train()
    # A frozen encoder with random weights says little of a text: its head is a large step away.
    rate = 0.3 if training == "frozen" else 0.02
    optimizer = build_optimizer(model, {"_target_": "torch.optim.AdamW", "lr": rate}, "dense")
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(*batch()), truth())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses) < 0.9 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", TRAININGS)
def test_what_trains_is_saved_and_loads_again(name: str, training: str) -> None:
    model = build(name, encoder_training=training).eval()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert set(model.state_dict()) >= trained and any(name.startswith("head.") for name in trained)
    if training != "full":
        assert set(model.state_dict()) == trained | {"_extra_state"}
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)
    again = build(name, encoder_training=training).eval()
    assert not torch.equal(again(*batch()), model(*batch()))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(*batch()), model(*batch()))


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_nothing_and_known_vectors_stand_for_ids(name: str) -> None:
    model = build(name, encoder_training="frozen").eval()
    ids, mask = batch()
    wide, wide_mask = batch(width=20)
    torch.testing.assert_close(model(ids, mask), model(wide, wide_mask), atol=1e-5, rtol=0)
    assert torch.equal(model(model.pooled(ids, mask), mask), model(ids, mask))


def test_the_notebooks_layers_are_those_it_has() -> None:
    shapes = [tuple(weight.shape) for weight in build("notebook").head.parameters() if weight.ndim == 2]
    assert shapes == [(WIDTH // 2, WIDTH), (CLASSES, WIDTH // 2)]  # 768 -> 384 -> 7 with a base encoder


def test_dropout_of_the_head_is_the_fast_one() -> None:
    model = build("linear", head_dropout=0.5)
    kinds = {type(module) for module in model.modules() if "Dropout" in type(module).__name__}
    assert kinds == {Dropout}
    assert not torch.equal(model.train().head(torch.ones(4, WIDTH)), model.head(torch.ones(4, WIDTH)))


def test_one_label_alone_is_a_task_too() -> None:
    model = SevenHeads(num_classes=1, encoder=encoder(), encoder_training="frozen")
    assert model(*batch()).shape == (len(LENGTHS), 1)


def test_merged_weights_are_those_of_the_whole() -> None:
    model = build("seven heads", encoder_training="lora", pooling="mean").eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_" in name:
                weight.add_(0.05)
    plain = build("seven heads", encoder_training="full", pooling="mean").eval()
    before = plain(*batch())
    plain.load_state_dict(model.merged_state())
    torch.testing.assert_close(plain(*batch()), model(*batch()), atol=1e-5, rtol=0)
    assert (before - plain(*batch())).abs().max() > 1e-2
