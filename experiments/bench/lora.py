"""`model=lora` against the Hugging Face Trainer over the same PEFT network, and a frozen encoder's epochs."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

from emoji_pred.config import computes_in_bfloat16
from emoji_pred.errors import UserError
from emoji_pred.pretrained import encoder_files
from experiments.bench.huggingface import fit_with_trainer
from experiments.bench.measure import Finding, Row, interleave, ratio_row, spread
from experiments.bench.settings import Settings
from experiments.bench.subject import Subject, composed, fit, subject

EVALUATED_ROWS = 64
ROWS_A_BERT_ROW = 4  # a step has 256 rows here, 16 with model=bert
ONE_EPOCH = {"max_epochs": 1}
# MiniLM's layers; their weights do not matter for speed.
LIKE_MINILM = (
    *("encoder=tiny", "encoder.config.hidden_size=384", "encoder.config.num_hidden_layers=6"),
    *("encoder.config.num_attention_heads=12", "encoder.config.intermediate_size=1536"),
)


def lora_step(settings: Settings) -> Finding:
    """Rows per second of training, ours against the Trainer at its defaults: same network, batch and rows."""
    encoder, overrides = _encoder(settings)
    chosen, few = (_subject(settings, rows, *overrides) for rows in (0, 64))
    has_bfloat16 = computes_in_bfloat16(on_gpu=settings.trainer == "gpu")
    for side in _sides(few, has_bfloat16).values():  # warm-up
        side(0)
    seconds = interleave("lora_step", _sides(chosen, has_bfloat16), settings.repetitions)
    rates = "; ".join(
        f"{name} {chosen.rows / statistics.median(values):.0f} ({spread(values)})"
        for name, values in seconds.items()
    )
    details = [
        f"encoder={encoder}, {chosen.rows:,} rows of at most 24 tokens, {_mean_tokens(chosen):.1f} on "
        f"average, batches of {chosen.config['model']['batch_size']}; rows a second, and the seconds of an "
        f"epoch: {rates}.",
        "Trainer: the same encoder, PEFT adapters and loss in one module, with torch's own dropout; its "
        "default collator (longest of the batch) and optimizer (fused AdamW).",
        "Where there is bfloat16 the target is ours with it against the Trainer's defaults; in float32 the "
        "matrix products of the frozen weights, the same on both sides, bound the ratio.",
    ]
    return Finding(_rows(seconds, f"lora {encoder} step", has_bfloat16), details)


def _sides(chosen: Subject, has_bfloat16: bool) -> dict[str, Any]:
    sides: dict[str, Any] = {
        "trainer": lambda _: fit_with_trainer(chosen),
        "ours": lambda _: fit(chosen, ONE_EPOCH)[0].batches,
    }
    if has_bfloat16:
        hardware = {**chosen.config["trainer"], "precision": "bf16-mixed"}
        half = replace(chosen, config={**chosen.config, "trainer": hardware})
        sides["ours, bf16"] = lambda _: fit(half, ONE_EPOCH)[0].batches
        sides["trainer, bf16"] = lambda _: fit_with_trainer(chosen, bfloat16=True)
    return sides


def _rows(seconds: dict[str, list[float]], what: str, has_bfloat16: bool) -> list[Row]:
    defaults, ours = seconds["trainer"], seconds["ours"]
    target = None if has_bfloat16 else 2.0
    rows = [ratio_row(f"{what}, float32: Trainer with PEFT / ours", defaults, ours, at_least=target)]
    if has_bfloat16:
        half, both = seconds["ours, bf16"], seconds["trainer, bf16"]
        rows += [
            ratio_row(f"{what}, bf16: Trainer with PEFT (float32) / ours", defaults, half, at_least=2.0),
            ratio_row(f"{what}, bf16: Trainer with PEFT and bf16 / ours", both, half, at_least=1.0),
        ]
    return rows


def frozen_epoch(settings: Settings) -> Finding:
    """An epoch of a frozen encoder's head: texts encoded anew, against their vectors computed once before."""
    encoder, overrides = _encoder(settings)
    chosen = _subject(settings, 0, *overrides, "model.network.encoder_training=frozen")
    sides: dict[str, Any] = {
        "each epoch": lambda _: fit(chosen, ONE_EPOCH, embedded_once=False)[0].batches,
        "once": lambda _: fit(chosen, ONE_EPOCH)[0].batches,
    }
    sides["once"](0)  # warm-up, and the vectors are in the cache
    seconds = interleave("frozen_epoch", sides, settings.repetitions)
    details = [
        f"encoder={encoder}, {chosen.rows:,} rows; seconds of an epoch: "
        + "; ".join(f"{name} {spread(values, 3)}" for name, values in seconds.items())
        + "."
    ]
    what = f"lora {encoder}, frozen, an epoch: encoded each epoch / once"
    return Finding([ratio_row(what, seconds["each epoch"], seconds["once"], at_least=10.0)], details)


def _subject(settings: Settings, rows: int, *overrides: str) -> Subject:
    rows = rows or settings.bert_rows * ROWS_A_BERT_ROW
    # Evaluation is no part of a step: a few rows, so that it takes no time.
    few = {"validation_rows": EVALUATED_ROWS, "test_rows": EVALUATED_ROWS}
    return subject(settings, "model=lora", *overrides, rows=rows, **few)


def _encoder(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """What the encoder is called, and its overrides."""
    if settings.encoder != "auto":
        return settings.encoder, (f"encoder={settings.encoder}",)
    try:
        encoder_files(composed(settings, "model=lora", "encoder=minilm")["encoder"])
    except UserError:
        return "of minilm's size", LIKE_MINILM
    return "minilm", ("encoder=minilm",)


def _mean_tokens(chosen: Subject) -> float:
    return float(chosen.tokenized.splits["train"].lengths.mean())
