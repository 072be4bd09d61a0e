"""Every conf/model and conf/loss file matches the signature it configures, and has the agreed keys."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from pydantic import ConfigDict, ValidationError, create_model

CONF = Path(__file__).resolve().parents[2] / "conf"
INJECTED = {"self", "vocab_size", "num_classes", "pad_id", "encoder", "class_weights", "class_counts"}
MODELS = sorted((CONF / "model").glob("*.yaml"))
CONFIGURED = [*MODELS, *sorted((CONF / "loss").glob("*.yaml")), *sorted((CONF / "alpha").glob("*.yaml"))]
KEYS = [
    *(
        "name",
        "network",
        "tokenizer",
        "optimizer",
        "embedding_updates",
        "scheduler",
        "batch_size",
        "accumulate",
    ),
    *("max_epochs", "early_stopping", "gradient_clip"),
]


def load(path: Path) -> dict[str, Any]:
    options: Any = OmegaConf.to_container(OmegaConf.load(path))
    return options


def schema(target: str) -> Any:
    module, _, name = target.rpartition(".")
    configured = getattr(importlib.import_module(module), name)
    function = configured.__init__ if inspect.isclass(configured) else configured
    hints = inspect.get_annotations(function, eval_str=True)
    parameters = inspect.signature(configured).parameters
    fields = {name: (hints[name], ...) for name in parameters if name not in INJECTED}
    return create_model("Options", __config__=ConfigDict(extra="forbid", strict=False), **fields)


@pytest.mark.parametrize("path", CONFIGURED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_states_every_option_of_what_it_configures(path: Path) -> None:
    options = load(path)
    assert options["name"] == path.stem
    assert path.read_text(encoding="utf-8").startswith("# ")
    options = options.get("network", options)
    given = {key: value for key, value in options.items() if key not in ("name", "defaults", "_target_")}
    schema(options["_target_"])(**given)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_model_files_have_the_same_keys(path: Path) -> None:
    assert list(load(path)) == KEYS


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("emoji_pred.models.cnn.CNN", {"dropout": 1.0}),
        ("emoji_pred.models.cnn.CNN", {"kernel_sizes": []}),
        ("emoji_pred.models.ffn.FFN", {"hidden_dims": [64, 0]}),
        ("emoji_pred.models.transformer.Transformer", {"heads": -2}),
        ("emoji_pred.models.bert.MultiScaleAttentionClassifier", {"phrase_window": 0}),
        ("emoji_pred.losses.Focal", {"gamma": -1}),
        ("emoji_pred.losses.Focal", {"gamma": "much"}),
        ("emoji_pred.losses.CrossEntropy", {"label_smoothing": 1.0}),
        ("emoji_pred.alpha.effective_number", {"beta": 1.0}),
        ("emoji_pred.alpha.power", {"normalise": "rows"}),
    ],
)
def test_ranges_refuse_nonsense(target: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        schema(target)(**options)
    (name,) = options
    assert any(error["loc"][0] == name and error["type"] != "missing" for error in refused.value.errors())
