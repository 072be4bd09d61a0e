"""The configuration: its schema, checks that need two groups, and the one place that instantiates."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, create_model

from emoji_pred.errors import UserError

# Only these may be built from a configuration: a config is data, it cannot name arbitrary code.
ALLOWED_TARGETS = ("emoji_pred.models.", "emoji_pred.losses.", "emoji_pred.alpha.")
# Constructor arguments that the suite fills in from the corpus, the tokenizer and the encoder.
INJECTED = frozenset(
    {"self", "vocab_size", "num_classes", "pad_id", "encoder", "class_weights", "class_counts"}
)

Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Tokenizer(_Strict):
    """`words`: NLTK TweetTokenizer and a vocabulary of the training split; `encoder`: the encoder's own."""

    kind: Literal["words", "encoder"]
    max_tokens: PositiveInt | None = None
    min_count: PositiveInt = 1
    max_size: PositiveInt | None = None
    lowercase: bool = False


class Optimizer(_Strict):
    """Arguments of a torch optimizer; those left out keep torch's defaults."""

    target: Literal["torch.optim.Adam", "torch.optim.AdamW", "torch.optim.SGD"] = Field(alias="_target_")
    lr: Positive
    weight_decay: NonNegative = 0.0
    betas: tuple[Fraction, Fraction] | None = None
    eps: PositiveFloat | None = None
    momentum: Fraction | None = None


class Scheduler(_Strict):
    """Learning rate over steps: linear warm-up, then constant, or linearly down to zero."""

    name: Literal["constant", "linear"]
    warmup_steps: Annotated[int, Field(ge=0)] = 0


class EarlyStopping(_Strict):
    """Stop when the monitored validation figure has not improved for `patience` epochs."""

    monitor: Literal["val/loss", "val/macro_f1"]
    patience: PositiveInt


class Model(_Strict):
    """What changes with an architecture: network, tokenizer, optimizer, batch size (global) and epochs."""

    name: str
    network: dict[str, Any]
    tokenizer: Tokenizer
    optimizer: Optimizer
    embedding_updates: Literal["dense", "rowwise"]
    scheduler: Scheduler | None
    batch_size: PositiveInt
    accumulate: PositiveInt
    max_epochs: PositiveInt
    early_stopping: EarlyStopping | None
    gradient_clip: PositiveFloat | None


class Trainer(_Strict):
    """Hardware and limits."""

    name: str
    accelerator: Literal["cpu", "gpu", "auto"]
    devices: PositiveInt
    num_nodes: PositiveInt
    precision: Literal["32-true", "bf16-mixed", "bf16-true"]
    threads: PositiveInt | None
    max_steps: PositiveInt | None
    progress: Literal["auto", "bar", "lines", "none"]


class Config(_Strict):
    """The whole configuration; the groups left as mappings are checked by the code they configure."""

    data: dict[str, Any]
    model: Model
    encoder: dict[str, Any]
    loss: dict[str, Any]
    alpha: dict[str, Any]
    trainer: Trainer
    logger: dict[str, Any]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    bucket_batches: PositiveInt
    force: bool
    data_dir: str
    cache_dir: str
    runs_dir: str


def check(config: Mapping[str, Any]) -> Config:
    """Check everything that can be known without reading data or importing torch.

    Raises:
        UserError: naming each wrong key, what is wrong with it and the value found.
    """
    try:
        checked = Config.model_validate(config)
    except ValidationError as error:
        raise UserError(_explain(error)) from None
    model, trainer = checked.model, checked.trainer
    if model.batch_size % model.accumulate:
        raise UserError(
            f"model.accumulate={model.accumulate} does not divide model.batch_size={model.batch_size}, "
            "which counts the rows of one optimizer step; choose a divisor"
        )
    if model.embedding_updates == "rowwise" and model.gradient_clip is not None:
        raise UserError("model.gradient_clip needs dense gradients; set model.embedding_updates=dense")
    if model.embedding_updates == "rowwise" and model.optimizer.target != "torch.optim.Adam":
        raise UserError(
            f"model.embedding_updates=rowwise is Adam on the rows of a batch, not {model.optimizer.target}; "
            "set model.embedding_updates=dense"
        )
    if model.embedding_updates == "rowwise" and model.optimizer.weight_decay:
        raise UserError(
            "model.optimizer.weight_decay would not reach the embedding under embedding_updates=rowwise; "
            "set one of them: weight_decay=0 or embedding_updates=dense"
        )
    per_device, rest = divmod(model.batch_size // model.accumulate, trainer.devices * trainer.num_nodes)
    if rest or not per_device:
        raise UserError(
            f"a batch of {model.batch_size // model.accumulate} rows cannot be split evenly over "
            f"{trainer.devices * trainer.num_nodes} devices; change model.batch_size or trainer.devices"
        )
    if trainer.accelerator == "cpu" and trainer.devices > (os.cpu_count() or 1):
        raise UserError(f"trainer.devices={trainer.devices}, but this machine has {os.cpu_count()} CPU cores")
    return checked


def check_hardware(trainer: Trainer) -> None:
    """Check the devices and the precision asked for against those there are (imports torch)."""
    import torch

    if trainer.accelerator == "gpu" and trainer.devices > torch.cuda.device_count():
        raise UserError(
            f"trainer.devices={trainer.devices} GPUs asked for, {torch.cuda.device_count()} found; "
            "set trainer.devices, or trainer=cpu"
        )
    bfloat16 = trainer.precision.startswith("bf16")
    if bfloat16 and trainer.accelerator == "gpu" and not torch.cuda.is_bf16_supported():
        raise UserError("this GPU has no bfloat16; set trainer.precision=32-true")


def check_loss(config: Mapping[str, Any], task: str) -> None:
    """Check that loss and alpha fit each other and the corpus' task, before any training."""
    loss, alpha, data = (config[group]["name"] for group in ("loss", "alpha", "data"))
    target = resolve(config["loss"]["_target_"])
    if target.task != task:
        fitting = "bce" if task == "multilabel" else "focal, cross_entropy, weighted_cross_entropy"
        raise UserError(
            f"loss={loss} is for {target.task} labels, but data={data} is {task}; choose loss={fitting}"
        )
    if not target.uses_class_weights and alpha != "uniform":
        raise UserError(
            f"loss={loss} takes no class weights, so alpha={alpha} would do nothing; "
            "choose alpha=uniform, or loss=weighted_cross_entropy or loss=focal"
        )


def check_arguments(config: Mapping[str, Any]) -> None:
    """Check the arguments of network, loss and alpha against their signatures, which state the ranges."""
    problems = []
    for key, options in (
        ("model.network", config["model"]["network"]),
        ("loss", config["loss"]),
        ("alpha", config["alpha"]),
    ):
        schema = _signature_schema(resolve(options["_target_"]), key)
        given = {name: value for name, value in options.items() if name not in ("_target_", "name")}
        try:
            schema.model_validate(given)
        except ValidationError as error:
            problems.append(_explain(error, prefix=key))
    if problems:
        raise UserError("; ".join(problems))


def resolve(target: str) -> Any:
    """The class or function that a `_target_` names, if it is one that a configuration may name."""
    module, _, name = target.rpartition(".")
    if not target.startswith(ALLOWED_TARGETS):
        raise UserError(
            f"_target_={target} is not allowed: it must begin with one of {', '.join(ALLOWED_TARGETS)}"
        )
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"_target_={target} names nothing that exists ({error})") from None


def instantiate(options: Mapping[str, Any], **injected: Any) -> Any:
    """Call what `options["_target_"]` names with the other options and the injected values it takes."""
    target: Callable[..., Any] = resolve(options["_target_"])
    accepted = inspect.signature(target).parameters
    arguments = {name: value for name, value in options.items() if name not in ("_target_", "name")}
    return target(**arguments, **{name: value for name, value in injected.items() if name in accepted})


def expand(directory: str) -> Path:
    """A directory setting as an absolute path; `~` is the user's home."""
    return Path(directory).expanduser().absolute()


def _signature_schema(target: Callable[..., Any], key: str) -> type[BaseModel]:
    hints = inspect.get_annotations(target.__init__ if inspect.isclass(target) else target, eval_str=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if name not in INJECTED:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (hints.get(name, Any), default)
    return create_model(key, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)


def _explain(error: ValidationError, prefix: str = "") -> str:
    problems = []
    for item in error.errors():
        key = (
            ".".join([prefix, *map(str, item["loc"])])
            .strip(".")
            .replace("optimizer.target", "optimizer._target_")
        )
        found = "" if item["type"] == "missing" else f", found {item['input']!r}"
        text = "unknown option" if item["type"] == "extra_forbidden" else item["msg"]
        problems.append(f"{key}: {text[0].lower()}{text[1:]}{found}")
    return "; ".join(problems)
