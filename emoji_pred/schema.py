"""The schema of the configuration: which settings there are, their types and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

NETWORK, LINEAR = "<network>", "<linear>"  # the two shapes of a model, where pydantic names one
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    # Strict: the values are used as they stand, so text that reads like a number ("32") is a mistake.
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True)


class Tokenizer(_Strict):
    """`words`: NLTK TweetTokenizer and a vocabulary of the training split; `encoder`: the encoder's own.

    `encoder_words` gives both, the encoder's tokens first; `max_tokens` is then the encoder's. The options
    from `min_count` to `drop_punctuation` are of words (see `word_forms`).
    """

    kind: Literal["words", "encoder", "encoder_words"]
    max_tokens: PositiveInt | None = None
    min_count: PositiveInt = 1
    max_size: PositiveInt | None = None
    lowercase: bool = False
    lemmatise: Literal["ru"] | None = None
    stop_words: str | None = None
    drop_punctuation: bool = False
    truncation_side: Literal["left", "right"] | None = None  # of `encoder`; None: the encoder's own


class Optimizer(_Strict):
    """Arguments of a torch optimizer; those left out keep torch's defaults."""

    target: Literal["torch.optim.Adam", "torch.optim.AdamW", "torch.optim.SGD"] = Field(alias="_target_")
    lr: Positive
    weight_decay: NonNegative = 0.0
    betas: Annotated[list[Fraction], Field(min_length=2, max_length=2)] | None = None
    eps: Positive | None = None
    momentum: Fraction | None = None


class Stage(_Strict):
    """The learning rate after so many epochs."""

    epoch: PositiveInt
    lr: Positive


class Scheduler(_Strict):
    """Learning rate over steps: linear warm-up, then constant, or linearly down to zero.

    A constant one may have a second stage, `then`.
    """

    name: Literal["constant", "linear"]
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    then: Stage | None = None


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


class Ngrams(_Strict):
    """N-grams of words whose TF-IDF a linear model sees; `ngrams: null` leaves the kind out.

    `ngrams` is the shortest and the longest, `min_df` the training texts that one must stand in,
    `max_features` how many are kept, the most frequent first.
    """

    ngrams: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] | None
    min_df: PositiveInt
    max_features: PositiveInt | None
    sublinear_tf: bool
    lowercase: bool

    @field_validator("ngrams")
    @classmethod
    def _ends_rise(cls, ends: list[int] | None) -> list[int] | None:
        if ends is not None and ends[0] > ends[1]:
            raise ValueError("the shortest comes first, then the longest")
        return ends


class CharacterNgrams(Ngrams):
    """N-grams of characters; `within_words`: of each word with a space around it, never across words."""

    within_words: bool


class Features(_Strict):
    """What a linear model sees of a text: words, characters or both."""

    words: Ngrams
    characters: CharacterNgrams

    @model_validator(mode="after")
    def _sees_something(self) -> Features:
        if self.words.ngrams is None and self.characters.ngrams is None:
            raise ValueError("words.ngrams and characters.ngrams are both null; a model must see one of them")
        return self


class LinearModel(_Strict):
    """A linear model of n-grams, fitted by scikit-learn: one label against the rest."""

    name: str
    features: Features
    estimator: dict[str, Any]
    calibration: Literal["none", "sigmoid", "isotonic", "temperature"]


def _kind_of_model(options: Any) -> str:
    """Which of the two shapes a `model` group has, by the key that only one of them has."""
    is_linear = isinstance(options, LinearModel) or (isinstance(options, Mapping) and "estimator" in options)
    return LINEAR if is_linear else NETWORK


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


class Decision(_Strict):
    """Which labels a text is given, of several: by a set threshold, or by tuned ones (see `decision`)."""

    name: Literal["fixed", "tuned", "tuned_per_class"]
    threshold: Fraction | None
    tuned_f1: Literal["macro", "micro", "samples"] | None
    at_least_one: bool

    @model_validator(mode="after")
    def _has_its_own(self) -> Decision:
        for option, owner in (("threshold", "fixed"), ("tuned_f1", "tuned")):
            there = getattr(self, option) is not None
            if there != (self.name == owner):
                state = "is missing" if self.name == owner else f"is for decision={owner}; leave it out"
                raise ValueError(f"{option} {state}")
        return self


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


def _rising(ends: list[Any]) -> list[Any]:
    if ends[0] >= ends[1]:
        raise ValueError("the first number must be below the second")
    return ends


def _flat(space: Any) -> Any:
    """A space by dotted keys; it may be written nested, as the configuration is."""
    if not isinstance(space, Mapping):
        return space
    flat: dict[str, Any] = {}
    for key, inner in space.items():
        if isinstance(inner, Mapping) and not inner.keys() & Distribution.kinds():
            flat |= {f"{key}.{below}": leaf for below, leaf in _flat(inner).items()}
        else:
            flat[key] = inner
    return flat


_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Ends = Annotated[list[_Finite], Field(min_length=2, max_length=2), AfterValidator(_rising)]
_PositiveEnds = Annotated[list[Positive], Field(min_length=2, max_length=2), AfterValidator(_rising)]
_WholeEnds = Annotated[list[int], Field(min_length=2, max_length=2), AfterValidator(_rising)]
_PositiveWholeEnds = Annotated[list[PositiveInt], Field(min_length=2, max_length=2), AfterValidator(_rising)]


class Distribution(_Strict):
    """What one setting is drawn from: exactly one of these; both ends of a range are included."""

    uniform: _Ends | None = None
    log_uniform: _PositiveEnds | None = None
    integers: _WholeEnds | None = Field(default=None, alias="int")
    log_integers: _PositiveWholeEnds | None = Field(default=None, alias="log_int")
    choice: Annotated[list[Any], Field(min_length=2)] | None = None

    @classmethod
    def kinds(cls) -> set[str]:
        """The names by which a configuration says what is drawn from."""
        return {field.alias or name for name, field in cls.model_fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _is_one(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or len(value) != 1 or None in value.values():
            raise ValueError(f"a setting is drawn from one of {', '.join(sorted(cls.kinds()))}")
        return value


class Sampler(_Strict):
    """How a trial's values are drawn: at random, or by TPE after so many random trials."""

    name: Literal["tpe", "random"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    startup_trials: PositiveInt


class Pruner(_Strict):
    """When a trial is ended early: by the median of the others at its epoch, or by Hyperband.

    No trial is ended before `min_epochs`; `startup_trials` is the median's, `reduction_factor` Hyperband's.
    """

    name: Literal["median", "hyperband", "none"]
    startup_trials: PositiveInt
    min_epochs: PositiveInt
    reduction_factor: Annotated[int, Field(ge=2)]


class Search(_Strict):
    """A search over `space`, by dotted key of the configuration; `trials` counts over all workers."""

    trials: PositiveInt
    workers: PositiveInt
    sampler: Sampler
    pruner: Pruner
    space: Annotated[dict[str, Distribution], BeforeValidator(_flat)]
    table: bool = True  # at the end; false in the workers that a search starts


class Config(_Strict):
    """The whole configuration; the groups left as mappings are checked by the code they configure."""

    data: dict[str, Any]
    vectors: dict[str, Any]
    model: Annotated[
        Annotated[Model, Tag(NETWORK)] | Annotated[LinearModel, Tag(LINEAR)], Discriminator(_kind_of_model)
    ]
    encoder: Encoder
    loss: dict[str, Any]
    alpha: dict[str, Any]
    decision: Decision | None = None  # None: as decision=fixed
    trainer: Trainer
    logger: Logger
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    bucket_batches: PositiveInt
    force: bool
    retry_failed: bool
    data_dir: str
    cache_dir: str
    runs_dir: str
    hparams_search: Search | None = None
