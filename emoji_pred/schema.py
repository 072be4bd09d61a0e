"""The schema of the configuration: which settings there are, their types and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    # Strict: the values are used as they stand, so text that reads like a number ("32") is a mistake.
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True)


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
    betas: Annotated[list[Fraction], Field(min_length=2, max_length=2)] | None = None
    eps: Positive | None = None
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
    gradient_clip: Positive | None


class Encoder(_Strict):
    """A pretrained encoder: where its files lie, and the quirks of its tokens (see `pretrained`)."""

    name: str
    source: Literal["hub", "package", "random"]
    repository: str | None
    revision: str | None
    package: str | None
    sha256: str | None
    normalise: Literal["none", "tweet"]
    max_tokens: PositiveInt
    truncation_side: Literal["left", "right"]
    prefix: str
    config: dict[str, Any]


class NoSettings(_Strict):
    """A logger that has no settings."""


class TensorBoard(_Strict):
    """Settings of `logger=tensorboard`."""

    predictions: Annotated[int, Field(ge=0)]


class Wandb(_Strict):
    """Settings of `logger=wandb` (Weights & Biases)."""

    mode: Literal["online", "offline", "disabled"] | None
    project: Annotated[str, Field(min_length=1)]
    entity: str | None
    group: str | None
    tags: list[str]
    predictions: Annotated[int, Field(ge=0)]
    timeout: Positive


class Logger(_Strict):
    """Where the learning curves go: each logger that was chosen, with its settings."""

    csv: NoSettings | None = None
    none: NoSettings | None = None
    tensorboard: TensorBoard | None = None
    wandb: Wandb | None = None


class Trainer(_Strict):
    """Hardware and limits."""

    name: str
    accelerator: Literal["cpu", "gpu", "auto"]
    devices: PositiveInt
    num_nodes: PositiveInt
    precision: Literal["32-true", "bf16-mixed"]
    threads: PositiveInt | None
    max_steps: PositiveInt | None
    save_minutes: Positive | None
    save_steps: PositiveInt | None
    progress: Literal["auto", "bar", "lines", "none"]


class Config(_Strict):
    """The whole configuration; the groups left as mappings are checked by the code they configure."""

    data: dict[str, Any]
    model: Model
    encoder: Encoder
    loss: dict[str, Any]
    alpha: dict[str, Any]
    trainer: Trainer
    logger: Logger
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    bucket_batches: PositiveInt
    force: bool
    retry_failed: bool
    data_dir: str
    cache_dir: str
    runs_dir: str
