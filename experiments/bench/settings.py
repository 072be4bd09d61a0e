"""What a benchmark run is told on its command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from emoji_pred.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
DATA_DIRS = (
    os.environ.get("EMOJI_PRED_DATA"),
    "~/.cache/emoji_pred/data",
)

# Name on the command line: module and function. In the order of the report.
BENCHES = {
    "startup": ("processes", "startup"),
    "memory": ("processes", "memory"),
    "tokenize": ("tokens", "tokenizing"),
    "padding": ("tokens", "padding"),
    "cnn_epoch": ("cnn", "cnn_epoch"),
    "cnn_lightning_overhead": ("cnn", "cnn_lightning_overhead"),
    "embedding_updates": ("cnn", "embedding_updates"),
    "bert_step": ("bert", "bert_step"),
    "lora_step": ("lora", "lora_step"),
    "frozen_epoch": ("lora", "frozen_epoch"),
    "ngram_svc": ("linear", "ngram_svc"),
    "tfidf": ("linear", "tfidf"),
    "cnn_saving": ("cnn", "cnn_saving"),
    "sweep_finding": ("sweeps", "sweep_finding"),
    "sweep_workers": ("sweeps", "sweep_workers"),
    "reproduce_tables": ("tables", "reproduce_tables"),
    "cnn_quality": ("cnn", "cnn_quality"),
}


@dataclass(frozen=True)
class Settings:
    """Settings of a benchmark run; on the command line `key=value`.

    Attributes:
        trainer: cpu, or gpu for one CUDA GPU.
        data: tweeteval, sample, or auto: TweetEval where its files lie, else the bundled sample.
        data_dir: the download cache; empty looks for it as DATA_DIRS says.
        cache_dir: where tokenized texts are kept.
        output: directory of bench.json and bench.md.
        threads: torch threads; 0 leaves torch's choice.
        encoder: of the bert and lora benches; auto is minilm where its weights lie, else the random tiny, for
            lora random weights of minilm's size.
        repetitions: how often each side is measured.
        rows: training rows of a CNN epoch, for trials; 0 is all of them.
        bert_rows: training rows of a bert epoch; a lora epoch has four times as many.
        seeds: of cnn_quality.
        epochs: of cnn_quality and memory; 0 is the model's own.
    """

    trainer: str = "cpu"
    data: str = "auto"
    data_dir: str = ""
    cache_dir: str = os.path.expanduser(os.environ.get("EMOJI_PRED_CACHE", "~/.cache/emoji_pred"))
    output: str = str(REPOSITORY / "results")
    threads: int = 0
    encoder: str = "auto"
    repetitions: int = 3
    rows: int = 0
    bert_rows: int = 960
    seeds: int = 3
    epochs: int = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing is cut short for a trial."""
        return not self.rows and not self.epochs


def parse_settings(words: Sequence[str]) -> Settings:
    """Settings from `key=value` words, with the data found.

    Raises:
        UserError: an unknown key or a value of the wrong type.
    """
    known = {field.name: field for field in fields(Settings)}
    values: dict[str, str | int] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in known:
            near = get_close_matches(key, known, n=3) or list(known)
            raise UserError(f"{key} is not a setting of the bench; did you mean {', '.join(near)}?")
        if known[key].type == "int":
            if not value.isdecimal():
                raise UserError(f"{key}={value} must be a whole number of at least 0")
            values[key] = int(value)
        else:
            values[key] = value
    if values.get("trainer", "cpu") not in ("cpu", "gpu"):
        raise UserError(f"trainer={values['trainer']} is none of cpu, gpu")
    if values.get("repetitions") == 0:
        raise UserError("repetitions=0 measures nothing; give 1 or more")
    return _with_data(Settings(**values))  # type: ignore[arg-type]


def _with_data(settings: Settings) -> Settings:
    """Fill in the data directory, and the corpus where it is to be found out."""
    candidates = [settings.data_dir] if settings.data_dir else [str(place) for place in DATA_DIRS if place]
    folders = [Path(place).expanduser() for place in candidates]
    filled = [folder for folder in folders if (folder / "cardiffnlp" / "tweeteval").is_dir()]
    data = settings.data
    if data == "auto":
        data = "tweeteval" if filled else "sample"
    chosen = str((filled or folders)[0].absolute())
    return Settings(**{**vars(settings), "data": data, "data_dir": chosen})
