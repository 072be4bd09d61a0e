"""Every conf/model and conf/loss file matches the signature it configures, and has the agreed keys."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from emoji_pred.config import INJECTED, check_arguments, resolve
from emoji_pred.errors import UserError

Compose = Callable[..., dict[str, Any]]
CONF = Path(__file__).resolve().parents[2] / "conf"
MODELS = sorted((CONF / "model").glob("*.yaml"))
GROUPS = ("loss", "alpha", "vectors")
CONFIGURED = [*MODELS, *(path for group in GROUPS for path in sorted((CONF / group).glob("*.yaml")))]
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
LINEAR_KEYS = ["name", "features", "estimator", "calibration"]


def load(path: Path) -> dict[str, Any]:
    options: Any = OmegaConf.to_container(OmegaConf.load(path))
    return options


@pytest.mark.parametrize("path", CONFIGURED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_states_every_option_of_what_it_configures(path: Path) -> None:
    options = load(path)
    assert options["name"] == path.stem
    assert path.read_text(encoding="utf-8").startswith("# ")
    options = options.get("network", options.get("estimator", options))
    parameters = inspect.signature(resolve(options["_target_"])).parameters
    stated = set(options) - {"name", "defaults", "_target_"}
    assert stated == set(parameters) - INJECTED


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_model_files_have_the_same_keys(path: Path) -> None:
    stated = [key for key in load(path) if key != "defaults"]
    assert stated == (LINEAR_KEYS if "estimator" in stated else KEYS)


@pytest.mark.parametrize("model", [path.stem for path in MODELS])
def test_what_stands_in_the_files_fits_the_signatures(compose: Compose, model: str) -> None:
    check_arguments(compose(f"model={model}"))


def test_lists_fit_the_signatures(compose: Compose) -> None:
    check_arguments(compose("model=cnn", "model.network.kernel_sizes=[2]"))
    check_arguments(compose("model=lora", "model.network.target_modules=[query,value]"))


@pytest.mark.parametrize(
    "override",
    [
        *("model.network.dropout=1.0", "model.network.kernel_sizes=[]", "loss.gamma=-1", "loss.gamma=much"),
        *("loss.label_smoothing=1.0", "alpha=effective_number alpha.beta=1.0", "alpha.normalise=rows"),
        *("model=ffn model.network.hidden_dims=[64,0]", "model=transformer model.network.heads=-2"),
        "model=bert model.network.phrase_window=0",
        *("model=word2vec model.network.hidden_dims=[]", "vectors=word2vec vectors.window=0"),
        *("vectors=word2vec vectors.algorithm=glove", "vectors=navec vectors.unknown=nothing"),
        *("model=lora model.network.lora_rank=0", "model=lora model.network.target_modules=[]"),
        *("model=lora model.network.encoder_training=some", "model=lora model.network.pooling=max"),
        *("model=tfidf_nb model.estimator.alpha=0", "model=tfidf_svc model.estimator.C=-1"),
        *("model=ngram_svc model.estimator.balanced=2", "model=tfidf_logreg model.estimator.solver=adam"),
    ],
)
def test_ranges_refuse_nonsense(compose: Compose, override: str) -> None:
    key = override.split()[-1].partition("=")[0]
    with pytest.raises(UserError, match=re.escape(key)):
        check_arguments(compose(*override.split()))
