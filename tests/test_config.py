"""The configuration's schema: every shipped choice passes, and nothing else slips through."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from torch import nn

from emoji_pred import config as configuration
from emoji_pred.errors import UserError

Compose = Callable[..., dict[str, Any]]


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (REPOSITORY / "conf" / group).glob("*.yaml"))


SHIPPED = [
    f"{group}={name}"
    for group in ("data", "model", "vectors", "encoder", "loss", "alpha", "decision", "logger")
    for name in choices(group)
]


@pytest.mark.parametrize("choice", SHIPPED)
def test_every_shipped_choice_passes(compose: Compose, choice: str) -> None:
    config = compose(choice)
    checked = configuration.check(config)
    configuration.check_arguments(config)
    configuration.check_alpha(config)
    assert checked.model.name == config["model"]["name"]


@pytest.mark.parametrize("trainer", choices("trainer"))
def test_every_trainer_passes(compose: Compose, monkeypatch: pytest.MonkeyPatch, trainer: str) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert configuration.check(compose(f"trainer={trainer}")).trainer.name == trainer


def change(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of the configuration with one dotted key set, as a program and not a command line would."""
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    node = config
    for part in path:
        node = node[part]
    node[last] = value
    return config


@pytest.mark.parametrize(
    "setting",
    [
        *("model.network.filters=-1", "model.network.embedding_dim=wide", "model.network.dropout=1.0"),
        *("model.network.dropout=.nan", "model.network.kernel_sizes=[3,0]", "model.network.kernel_sizes=3"),
        *("model.network.kernel_sizes=[]", "model.network.filters='4'", "model.network.filters=4.0"),
        *(
            "model.optimizer.lr=abc",
            "model.optimizer.lr=-1",
            "model.optimizer.lr=0",
            "model.optimizer.lr=.nan",
        ),
        *("model.optimizer.lr=.inf", "model.optimizer.lr=null", "model.optimizer.weight_decay=-1"),
        *("model.optimizer.betas=[0.9]", "model.optimizer.betas=[0.9,1.0]", "model.optimizer.eps=0"),
        *("model.gradient_clip=0", "loss.gamma=-1", "loss.gamma=much", "loss.gamma=.inf", "loss.gamma=.nan"),
        *("loss.label_smoothing=1", "alpha.exponent=-1", "alpha.exponent=x", "alpha.scale=0"),
        *("model.batch_size=0", "model.batch_size=-32", "model.batch_size=1.5", "model.accumulate=0"),
        *("model.max_epochs=0", "model.max_epochs=ten", "model.tokenizer.min_count=0"),
        *("model.tokenizer.max_tokens=0", "model.tokenizer.max_size=0", "model.early_stopping.patience=0"),
        *("seed=-1", "seed=4294967296", "seed=1.5", "seed=x", "seed=true", "seed=null"),
        *("bucket_batches=0", "force=maybe", "trainer.devices=0", "trainer.precision=8", "trainer.threads=0"),
        *("trainer.max_steps=0", "trainer.progress=dots", "encoder.max_tokens=-3"),
        *("encoder.truncation_side=middle", "encoder.source=ftp", "logger.name=tensorboard"),
    ],
)
def test_a_value_that_makes_no_sense(compose: Compose, setting: str) -> None:
    key, _, value = setting.partition("=")
    config = change(compose("model=cnn"), key, yaml.safe_load(value))
    with pytest.raises(UserError, match=f"^{re.escape(key)}"):
        configuration.check(config)
        configuration.check_arguments(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.batch_size", "32"),
        ("model.batch_size", True),
        ("model.batch_size", 32.0),
        ("model.optimizer.lr", "1e-3"),
        ("model.optimizer.lr", True),
        ("model.optimizer.betas", (0.9, 0.99, 0.999)),
        ("model.optimizer._target_", "torch.optim.LBFGS"),
        ("model.tokenizer.lowercase", "no"),
        ("model.tokenizer.lemmatise", "en"),
        ("model.tokenizer.stop_words", True),
        ("vectors", None),
        ("vectors", {"name": "none"}),
        ("model.early_stopping", {"monitor": "val/accuracy", "patience": 1}),
        ("model.scheduler", {"name": "cosine"}),
        ("model.scheduler", {"name": "linear", "warmup_steps": -1}),
        ("model.scheduler", {"name": "linear", "then": {"epoch": 3, "lr": 1e-5}}),
        ("model.scheduler", {"name": "constant", "then": {"epoch": 0, "lr": 1e-5}}),
        ("model.scheduler", {"name": "constant", "then": {"epoch": 2}}),
        ("model.tokenizer.truncation_side", "left"),
        ("model.tokenizer.truncation_side", "middle"),
        ("seed", True),
        ("runs_dir", None),
        ("data", None),
        ("loss", []),
    ],
)
def test_values_are_used_as_they_stand_so_their_types_must_fit(
    compose: Compose, key: str, value: Any
) -> None:
    config = compose()
    configuration.check(config)
    with pytest.raises(UserError, match=key.replace("_target_", "(target|_target_)")):
        configuration.check(change(config, key, value))


def test_a_whole_number_is_a_rate_too(compose: Compose) -> None:
    assert configuration.check(change(compose(), "model.optimizer.lr", 1)).model.optimizer.lr == 1


def test_all_mistakes_are_named_at_once(compose: Compose) -> None:
    config = change(change(compose(), "seed", -1), "model.batch_size", 0)
    with pytest.raises(UserError) as refused:
        configuration.check(config)
    assert "model.batch_size: input should be greater than 0, found 0" in str(refused.value)
    assert "seed: input should be greater than or equal to 0, found -1" in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.accumulate=3"], "does not divide model.batch_size=32"),
        (["model.embedding_updates=rowwise"], "weight_decay"),
        (
            ["model.embedding_updates=rowwise", "model.optimizer.weight_decay=0", "model.gradient_clip=1.0"],
            "model.gradient_clip needs dense gradients",
        ),
        (["model=transformer", "model.embedding_updates=rowwise"], "not torch.optim.AdamW"),
        (
            [
                *("model.embedding_updates=rowwise", "model.optimizer.weight_decay=0"),
                *("trainer=ddp", "trainer.devices=2"),
            ],
            "several devices cannot exchange",
        ),
        (
            ["model=bert", "vectors=navec"],
            "vectors=navec are of words, but model=bert reads an encoder's tokens",
        ),
        (
            ["model=word2vec", "vectors=none", "model.tokenizer.kind=encoder"],
            "model.tokenizer.lemmatise is for model.tokenizer.kind=words",
        ),
        (["trainer=ddp", "trainer.devices=3"], "cannot be split evenly over 3 devices"),
        (["trainer=ddp", "trainer.devices=2", "model.accumulate=32"], "a batch of 1 rows cannot be split"),
        (["trainer.devices=5", "model.batch_size=5"], "trainer.devices=5, but this machine has 4 CPU cores"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_settings_that_contradict_each_other(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, overrides: list[str], message: str
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    with pytest.raises(UserError, match=message):
        configuration.check(compose(*overrides))


# --- hardware


@pytest.mark.parametrize(
    ("accelerator", "devices", "precision", "message"),
    [
        ("gpu", 3, "32-true", "trainer.devices=3 GPUs asked for, 2 found"),
        ("auto", 3, "32-true", "trainer.devices=3 GPUs asked for, 2 found"),
        ("gpu", 2, "bf16-mixed", "no bfloat16"),
        ("auto", 1, "bf16-mixed", "no bfloat16"),
        ("gpu", 2, "32-true", None),
        ("cpu", 1, "bf16-mixed", None),
    ],
)
def test_devices_and_precision_are_those_of_the_machine(
    compose: Compose,
    monkeypatch: pytest.MonkeyPatch,
    accelerator: str,
    devices: int,
    precision: str,
    message: str | None,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: False)
    options = compose()["trainer"] | {"accelerator": accelerator, "devices": devices, "precision": precision}
    trainer = configuration.Trainer.model_validate(options)
    if message is None:
        configuration.check_hardware(trainer)
    else:
        with pytest.raises(UserError, match=message):
            configuration.check_hardware(trainer)


def test_without_a_gpu_auto_counts_the_cores(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    options = compose("trainer=ddp")["trainer"]
    configuration.check_hardware(configuration.Trainer.model_validate(options))
    with pytest.raises(UserError, match="2 CPU cores"):
        configuration.check_hardware(configuration.Trainer.model_validate(options | {"devices": 3}))


# --- loss and alpha


@pytest.mark.parametrize("loss", choices("loss"))
@pytest.mark.parametrize("alpha", choices("alpha"))
def test_every_loss_composes_with_every_alpha_or_is_refused(compose: Compose, loss: str, alpha: str) -> None:
    config = compose(f"loss={loss}", f"alpha={alpha}")
    weighted = loss in ("focal", "focal_multilabel", "weighted_cross_entropy")
    if weighted or alpha == "uniform":
        configuration.check_alpha(config)
    else:
        with pytest.raises(UserError, match=f"loss={loss} takes no class weights, so alpha={alpha}"):
            configuration.check_alpha(config)


@pytest.mark.parametrize("loss", choices("loss"))
def test_a_loss_is_made_for_one_task(compose: Compose, loss: str) -> None:
    config = compose(f"loss={loss}")
    of_one_label = ("cross_entropy", "focal", "weighted_cross_entropy")
    fitting, other = ("multiclass", "multilabel") if loss in of_one_label else ("multilabel", "multiclass")
    configuration.check_loss(config, fitting)
    with pytest.raises(
        UserError, match=f"loss={loss} is for {fitting} labels, but data=tweeteval is {other}"
    ):
        configuration.check_loss(config, other)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["decision.threshold=1"], r"decision\.threshold: input should be less than 1, found 1"),
        (["decision.threshold=null"], "decision: threshold is missing"),
        (["decision.tuned_f1=macro"], "decision: tuned_f1 is for decision=tuned; leave it out"),
        (["decision=tuned", "decision.threshold=0.3"], "decision: threshold is for decision=fixed; leave it"),
        (
            ["decision=tuned", "decision.tuned_f1=weighted"],
            r"decision\.tuned_f1: .*'macro', 'micro' or 'samples'",
        ),
        (["decision=tuned_per_class", "decision.tuned_f1=macro"], "decision: tuned_f1 is for decision=tuned"),
        (["decision.at_least_one=1"], r"decision\.at_least_one: input should be a valid boolean"),
    ],
)
def test_a_decision_that_makes_no_sense(compose: Compose, overrides: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        configuration.check(compose(*overrides))


@pytest.mark.parametrize("choice", ["decision=tuned", "decision.threshold=0.4", "decision.at_least_one=true"])
def test_a_decision_is_for_several_labels(compose: Compose, choice: str) -> None:
    config = compose(choice)
    configuration.check_decision(config, "multilabel")
    key = choice.partition("=")[0]
    said = f"^{choice} is for several labels a text, but data=tweeteval has one,.*leave {key} out$"
    with pytest.raises(UserError, match=said):
        configuration.check_decision(config, "multiclass")
    configuration.check_decision(compose(), "multiclass")


# --- what may be built from a configuration


@pytest.mark.parametrize(
    "target",
    [
        *(
            "os.system",
            "builtins.eval",
            "emoji_pred.runs.write_json",
            "emoji_pred.losses",
            "",
            None,
            3,
            ["x"],
        ),
        *(
            "emoji_pred.losses.torch",
            "emoji_pred.losses.F",
            "emoji_pred.losses.nn",
            "emoji_pred.losses.Field",
        ),
        *("emoji_pred.losses._at_least_float32", "emoji_pred.losses.F.cross_entropy"),
        *("emoji_pred.losses.Annotated", "emoji_pred.models.cnn.nn.Linear", "emoji_pred.models.nothing.X"),
        *("emoji_pred.losses.Nothing", "emoji_pred.losses..Focal"),
    ],
)
def test_a_configuration_cannot_name_other_code(target: Any) -> None:
    with pytest.raises(UserError, match="_target_="):
        configuration.resolve(target)


def test_each_group_builds_its_own_kind_only(compose: Compose) -> None:
    config = change(compose(), "loss._target_", "emoji_pred.models.cnn.CNN")
    with pytest.raises(UserError, match=r"loss\._target_=.* must begin with emoji_pred\.losses\."):
        configuration.check_arguments(config)


def test_arguments_are_checked_against_the_signature(compose: Compose) -> None:
    config = compose("model=cnn", "loss=focal")
    configuration.check_arguments(config)
    config["model"]["network"] |= {"filter": 3, "dropout": 2.0}
    config["loss"]["gamma"] = "much"
    with pytest.raises(UserError) as refused:
        configuration.check_arguments(config)
    message = str(refused.value)
    assert "model.network.filter: unknown option, found 3" in message
    assert "model.network.dropout: input should be less than 1, found 2.0" in message
    assert "loss.gamma: input should be a valid number" in message


@pytest.mark.parametrize("name", ["vocab_size", "num_classes", "pad_id"])
def test_what_the_suite_fills_in_cannot_be_configured(compose: Compose, name: str) -> None:
    config = compose("model=cnn")
    config["model"]["network"][name] = 5
    with pytest.raises(UserError, match=f"model.network.{name}: unknown option"):
        configuration.check_arguments(config)


def test_vectors_need_a_network_with_a_word_embedding(compose: Compose) -> None:
    config = compose("model=bert", "vectors=navec")
    config["model"]["tokenizer"] = {"kind": "words"}
    with pytest.raises(
        UserError, match="model=bert has no word embedding that could start from vectors=navec"
    ):
        configuration.check_arguments(config)


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("lora_word2vec", "encoder", "tokens and words; set model.tokenizer.kind=encoder_words"),
        ("lora_word2vec", "words", "tokens and words; set model.tokenizer.kind=encoder_words"),
        ("lora", "encoder_words", "encoder's tokens; set model.tokenizer.kind=encoder"),
        ("bert", "words", "encoder's tokens; set model.tokenizer.kind=encoder"),
        ("cnn", "encoder_words", "model=cnn does not read an encoder's tokens and words together"),
    ],
)
def test_a_network_reads_the_kind_of_tokens_it_is_made_for(
    compose: Compose, model: str, kind: str, message: str
) -> None:
    config = compose(f"model={model}")
    configuration.check_arguments(config)
    config["model"]["tokenizer"]["kind"] = kind
    with pytest.raises(UserError, match=message):
        configuration.check_arguments(config)


def test_instantiate_hands_over_what_the_signature_has(compose: Compose) -> None:
    options = compose("alpha=balanced")["alpha"]
    counts = np.array([10, 30])
    weights = configuration.instantiate(options, class_counts=counts, vocab_size=7)
    np.testing.assert_allclose(weights, [40 / (2 * 10), 40 / (2 * 30)])

    network = configuration.instantiate(
        compose("model=cnn")["model"]["network"], vocab_size=11, num_classes=3, pad_id=0, encoder=None
    )
    assert isinstance(network, nn.Module)
    assert network.embedding.num_embeddings == 11


def test_expand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert configuration.expand("~/runs") == tmp_path / "runs"
    assert configuration.expand("runs") == tmp_path / "runs"
    with pytest.raises(UserError, match="~no_such_user/runs"):
        configuration.expand("~no_such_user/runs")
