"""The configuration: checks that need two groups, and the one place that instantiates."""

from __future__ import annotations

import importlib
import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from emoji_pred import rank
from emoji_pred.errors import UserError
from emoji_pred.runs import NO_VECTORS, PLAIN_DECISION, is_linear
from emoji_pred.schema import LINEAR, NETWORK, Config, LinearModel, Model, Trainer

# Only these may be built from a configuration: a config is data, it cannot name arbitrary code.
ALLOWED_TARGETS = {
    "model.network": "emoji_pred.models.",
    "model.estimator": "emoji_pred.models.estimators.",
    "vectors": "emoji_pred.vectors.",
    "loss": "emoji_pred.losses.",
    "alpha": "emoji_pred.alpha.",
}
# Constructor arguments that the suite fills in from the corpus, the tokenizer, the encoder and the run.
INJECTED = frozenset(
    {
        *("self", "vocab_size", "num_classes", "pad_id", "encoder", "class_weights", "class_counts"),
        *("positive_counts", "rows"),  # of losses of several labels
        *("words", "tokens", "seed", "cache_dir", "first_word_id"),  # of vectors, and of networks beside
    }
)


def check(config: Mapping[str, Any]) -> Config:
    """Check everything that can be known without reading data or importing torch.

    Raises:
        UserError: naming each wrong key, what is wrong with it and the value found.
    """
    try:
        checked = Config.model_validate(config)
    except ValidationError as error:
        raise UserError(_explain(error)) from None
    for group in ("data", "vectors", "loss", "alpha"):
        for key in ("name", "_target_"):
            if not isinstance(config[group].get(key), str):
                raise UserError(f"{group}.{key}: a name is required, found {config[group].get(key)!r}")
    if checked.logger.none is not None and len(config["logger"]) > 1:
        raise UserError("logger=none keeps no log and cannot stand beside another; leave one of them out")
    if isinstance(checked.model, LinearModel):
        _check_linear(checked, config)
    else:
        _check_network(checked.model, checked.trainer, config["vectors"])
    return checked


def _check_linear(checked: Config, config: Mapping[str, Any]) -> None:
    """Check what goes together with a model that is fitted at once, by one process on the CPU."""
    name = checked.model.name
    if checked.hparams_search is not None:
        raise UserError(
            f"hparams_search follows the epochs of a network, which model={name} has none of; list values "
            "in a sweep: -m model.estimator.C=0.1,1,10"
        )
    if config["data"].get("clusters"):
        raise UserError(f"data.clusters are for networks; with model={name} set data.clusters=null")
    here = rank.place()
    if (here.processes or 1) > 1:
        raise UserError(
            f"{here.starter} started {here.processes} processes, but model={name} is fitted by one; start it "
            f"without {here.starter}"
        )


def _check_network(model: Model, trainer: Trainer, vectors: Mapping[str, Any]) -> None:
    _check_words(model, vectors)
    if trainer.accelerator == "cpu":
        _check_cores(trainer.devices)
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
    if model.embedding_updates == "rowwise" and trainer.devices * trainer.num_nodes > 1:
        raise UserError(
            "model.embedding_updates=rowwise has sparse gradients, which several devices cannot exchange; "
            "set model.embedding_updates=dense"
        )
    if model.tokenizer.kind == "words" and model.tokenizer.truncation_side is not None:
        raise UserError(
            f"model.tokenizer.truncation_side={model.tokenizer.truncation_side} is for kind=encoder; words "
            "are cut on the right: leave it out"
        )
    if (
        model.scheduler is not None
        and model.scheduler.then is not None
        and model.scheduler.name != "constant"
    ):
        raise UserError(
            f"model.scheduler.then is a second stage of name=constant, not of {model.scheduler.name}; set "
            "model.scheduler.then=null or model.scheduler.name=constant"
        )
    optimizer = model.optimizer
    for name in ("betas", "eps") if optimizer.target.endswith("SGD") else ("momentum",):
        if getattr(optimizer, name) is not None:
            raise UserError(f"model.optimizer.{name} is not an argument of {optimizer.target}; leave it out")
    per_device, rest = divmod(model.batch_size // model.accumulate, trainer.devices * trainer.num_nodes)
    if rest or not per_device:
        raise UserError(
            f"a batch of {model.batch_size // model.accumulate} rows cannot be split evenly over "
            f"{trainer.devices * trainer.num_nodes} devices; change model.batch_size or trainer.devices"
        )


def _check_words(model: Model, vectors: Mapping[str, Any]) -> None:
    """Check that what is asked of words is asked of a model that reads words."""
    if model.tokenizer.kind != "encoder":
        return
    if vectors["_target_"] != NO_VECTORS:
        raise UserError(
            f"vectors={vectors['name']} are of words, but model={model.name} reads an encoder's tokens; "
            "set vectors=none"
        )
    for option in ("lemmatise", "stop_words", "drop_punctuation"):
        if getattr(model.tokenizer, option):
            raise UserError(f"model.tokenizer.{option} is for model.tokenizer.kind=words; leave it out")


def check_processes(trainer: Trainer) -> None:
    """Check that as many processes were started as the trainer asks for.

    Raises:
        UserError: saying what to set.
    """
    here, asked = rank.place(), trainer.devices * trainer.num_nodes
    if here.processes is None:
        if trainer.num_nodes > 1:
            raise UserError(
                f"trainer.num_nodes={trainer.num_nodes}, but nothing starts the other nodes; start the run "
                "on each by torchrun, or on all by srun (docs/distributed.md), or set trainer.num_nodes=1"
            )
        return
    assert here.on_node is not None  # or they had not met
    if here.processes != asked or here.on_node != trainer.devices:
        raise UserError(
            f"{here.starter} started {here.processes} processes, {here.on_node} of them on this node, but "
            f"trainer.devices={trainer.devices} trainer.num_nodes={trainer.num_nodes} asks for {asked}; set "
            f"trainer=ddp trainer.devices={here.on_node} trainer.num_nodes={here.processes // here.on_node}"
        )


def check_hardware(trainer: Trainer) -> None:
    """Check the devices and the precision asked for against those there are (imports torch)."""
    import torch

    gpus = torch.cuda.device_count()
    on_gpu = trainer.accelerator == "gpu" or (trainer.accelerator == "auto" and gpus > 0)
    if on_gpu and trainer.devices > gpus:
        raise UserError(
            f"trainer.devices={trainer.devices} GPUs asked for, {gpus} found; "
            "set trainer.devices, or trainer=cpu"
        )
    if not on_gpu:
        _check_cores(trainer.devices)
    if trainer.precision.startswith("bf16") and not computes_in_bfloat16(on_gpu):
        if on_gpu:
            raise UserError("this GPU has no bfloat16; set trainer.precision=32-true")
        warnings.warn(
            "this CPU computes bfloat16 in software: trainer.precision=32-true is faster", stacklevel=2
        )


def _check_cores(devices: int) -> None:
    if devices > (os.cpu_count() or 1):
        raise UserError(f"trainer.devices={devices}, but this machine has {os.cpu_count()} CPU cores")


def computes_in_bfloat16(on_gpu: bool) -> bool:
    """Whether the hardware multiplies bfloat16 itself; emulated, it is slower than float32."""
    import torch

    if on_gpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # not known: let the user try
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "avx_ne_convert", " bf16"))


def check_loss(config: Mapping[str, Any], task: str) -> None:
    """Check that the loss is made for the corpus' task."""
    loss, data = config["loss"]["name"], config["data"]["name"]
    target = resolve(config["loss"]["_target_"], "loss")
    if target.task != task:
        fitting = {
            "multilabel": "bce, pos_neg_weighted, asymmetric or focal_multilabel",
            "multiclass": "focal, cross_entropy or weighted_cross_entropy",
        }[task]
        raise UserError(
            f"loss={loss} is for {target.task} labels, but data={data} is {task}; choose loss={fitting}"
        )


def check_decision(config: Mapping[str, Any], task: str) -> None:
    """Check that a rule for several labels is not asked of data of one label a text."""
    rule = config.get("decision")
    if task == "multiclass" and rule is not None and rule != PLAIN_DECISION:
        # The name comes first; what follows from it was not typed.
        key = next(key for key, plain in PLAIN_DECISION.items() if rule.get(key) != plain)
        setting = "decision" if key == "name" else f"decision.{key}"
        raise UserError(
            f"{setting}={str(rule.get(key)).lower()} is for several labels a text, but "
            f"data={config['data']['name']} has one, which is the most probable; leave {setting} out"
        )


def check_alpha(config: Mapping[str, Any]) -> None:
    """Check that the loss takes the class weights asked for; needs no data."""
    if is_linear(config):
        return
    loss, alpha = config["loss"]["name"], config["alpha"]["name"]
    target = resolve(config["loss"]["_target_"], "loss")
    neutral = config["alpha"].get("exponent") == 0 or config["alpha"].get("beta") == 0
    if not target.uses_class_weights and not neutral:
        raise UserError(
            f"loss={loss} takes no class weights, so alpha={alpha} would do nothing; "
            "choose alpha=uniform, or loss=weighted_cross_entropy or loss=focal (of several labels a text "
            "loss=focal_multilabel)"
        )


def check_arguments(config: Mapping[str, Any]) -> None:
    """Check the arguments of network, vectors, loss and alpha, or estimator, against signatures.

    They state the ranges.
    """
    if is_linear(config):
        _check_signatures({"model.estimator": config["model"]["estimator"]})
        return
    network = config["model"]["network"]
    _check_signatures(
        {"model.network": network, **{key: config[key] for key in ("vectors", "loss", "alpha")}}
    )
    _check_inputs(config)


def _check_signatures(groups: Mapping[str, Mapping[str, Any]]) -> None:
    problems = []
    for key, options in groups.items():
        schema = _signature_schema(resolve(options.get("_target_"), key), key)
        given = {
            name: tuple(value) if isinstance(value, list) else value  # YAML has no tuples
            for name, value in options.items()
            if name not in ("_target_", "name")
        }
        try:
            schema.model_validate(given)
        except ValidationError as error:
            problems.append(_explain(error, prefix=key))
    if problems:
        raise UserError("; ".join(problems))


def _check_inputs(config: Mapping[str, Any]) -> None:
    """Check that a network is given what it reads."""
    arguments = inspect.signature(resolve(config["model"]["network"]["_target_"])).parameters
    if config["vectors"]["_target_"] != NO_VECTORS and "embedding_dim" not in arguments:
        raise UserError(
            f"model={config['model']['name']} has no word embedding that could start from "
            f"vectors={config['vectors']['name']}; set vectors=none"
        )
    kind = config["model"]["tokenizer"]["kind"]
    needed = "encoder" if "encoder" in arguments else None
    if "first_word_id" in arguments:
        needed = "encoder_words"
    if needed is not None and kind != needed:
        also = " and words" if needed == "encoder_words" else ""
        raise UserError(
            f"model.network reads a pretrained encoder's tokens{also}; set model.tokenizer.kind={needed}"
        )
    if needed is None and kind == "encoder_words":
        raise UserError(
            f"model={config['model']['name']} does not read an encoder's tokens and words together; set "
            "model.tokenizer.kind=words"
        )


def resolve(target: Any, place: str | None = None) -> Any:
    """The class or function that a `_target_` names, if it is one that a configuration may name.

    Args:
        target: a dotted path.
        place: the key of `ALLOWED_TARGETS` where it stands; None allows any of them.
    """
    allowed = tuple(ALLOWED_TARGETS.values()) if place is None else (ALLOWED_TARGETS[place],)
    key = f"{place}._target_" if place else "_target_"
    if not isinstance(target, str) or not target.startswith(allowed):
        raise UserError(f"{key}={target} is not allowed: it must begin with {' or '.join(allowed)}")
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{key}={target} names nothing that exists ({error})") from None
    # What the module itself imported (torch, a decorator, ...) is not for a configuration to call.
    if getattr(found, "__module__", None) != module or name.startswith("_"):
        raise UserError(f"{key}={target} is not allowed: {module} defines no public {name}")
    return found


def instantiate(options: Mapping[str, Any], **injected: Any) -> Any:
    """Call what `options["_target_"]` names with the other options and the injected values it takes."""
    target: Callable[..., Any] = resolve(options["_target_"])
    accepted = inspect.signature(target).parameters
    arguments = {name: value for name, value in options.items() if name not in ("_target_", "name")}
    return target(**arguments, **{name: value for name, value in injected.items() if name in accepted})


def expand(directory: str) -> Path:
    """A directory setting as an absolute path; `~` is the user's home."""
    try:
        return Path(directory).expanduser().absolute()
    except RuntimeError as error:
        raise UserError(f"{directory}: {error}") from None


def _signature_schema(target: Callable[..., Any], key: str) -> type[BaseModel]:
    hints = inspect.get_annotations(target.__init__ if inspect.isclass(target) else target, eval_str=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if name not in INJECTED:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (hints.get(name, Any), default)
    rules = ConfigDict(extra="forbid", arbitrary_types_allowed=True, strict=True, allow_inf_nan=False)
    return create_model(key, __config__=rules, **fields)


def _explain(error: ValidationError, prefix: str = "") -> str:
    problems = []
    for item in error.errors():
        key = (
            ".".join([prefix, *(str(part) for part in item["loc"] if part not in (NETWORK, LINEAR))])
            .strip(".")
            .replace("optimizer.target", "optimizer._target_")
        )
        found = "" if item["type"] == "missing" else f", found {item['input']!r}"
        text = "unknown option" if item["type"] == "extra_forbidden" else item["msg"]
        text = text.removeprefix("Value error, ")  # of our own validators
        problems.append(f"{key}: {text[0].lower()}{text[1:]}{found}")
    return "; ".join(problems)
