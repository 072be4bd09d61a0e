"""`model=bert` against the Hugging Face Trainer over the same network, loss and rows."""

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

VALIDATION_ROWS = 64
ONE_EPOCH = {"max_epochs": 1}


def bert_step(settings: Settings) -> Finding:
    """Seconds per 1,000 rows of training, ours against the Trainer at its defaults and at its best."""
    encoder = best_encoder(settings)
    overrides = ("model=bert", f"encoder={encoder}")
    # Validation is not part of a step: a few rows, so that it takes no time.
    chosen = subject(settings, *overrides, rows=settings.bert_rows, validation_rows=VALIDATION_ROWS)
    few = subject(settings, *overrides, rows=96, validation_rows=VALIDATION_ROWS)
    has_bfloat16 = computes_in_bfloat16(on_gpu=settings.trainer == "gpu")
    sides = _sides(chosen, has_bfloat16)
    for side in _sides(few, has_bfloat16).values():  # warm-up
        side(0)
    seconds = interleave("bert_step", sides, settings.repetitions)
    seconds = {name: [value / chosen.rows * 1000 for value in values] for name, values in seconds.items()}
    steps = -(-chosen.rows // chosen.config["model"]["batch_size"])
    details = [
        f"encoder={encoder}, {chosen.rows:,} rows, {steps} steps; "
        "seconds for 1,000 rows: " + "; ".join(f"{name} {spread(seconds[name])}" for name in seconds) + ".",
        f"Ours: {1000 * statistics.median(seconds['ours']) * chosen.rows / 1000 / steps:.0f} ms a step.",
        "Trainer: the same network and loss in one module, its default collator (longest of the batch), "
        "default optimizer (fused AdamW), clipping at 1.0, logging every 500 steps; grouped: with "
        "train_sampling_strategy=group_by_length. The same network, but with torch's own dropout.",
        "The target of 2.3 is set for bfloat16; in float32 the matrix products alone bound the ratio.",
    ]
    return Finding(_rows(seconds, encoder, has_bfloat16), details)


def _rows(seconds: dict[str, list[float]], encoder: str, has_bfloat16: bool) -> list[Row]:
    ours, defaults, grouped = seconds["ours"], seconds["trainer"], seconds["trainer, grouped"]
    what = f"bert {encoder} step"
    rows = [
        ratio_row(
            f"{what}, float32: Trainer at defaults / ours",
            defaults,
            ours,
            at_least=None if has_bfloat16 else 2.3,
        ),
        ratio_row(
            f"{what}, float32: Trainer grouped / ours", grouped, ours, at_least=None if has_bfloat16 else 1.0
        ),
    ]
    if has_bfloat16:
        half, both = seconds["ours, bf16"], seconds["trainer, grouped, bf16"]
        rows += [
            ratio_row(f"{what}, bf16: Trainer at defaults (float32) / ours", defaults, half, at_least=2.3),
            ratio_row(f"{what}, bf16: Trainer with bf16, grouped / ours", both, half, at_least=1.0),
        ]
    else:
        missing = "not run: no bf16 hardware here"
        rows += [
            Row(f"{what}, bf16: Trainer at defaults (float32) / ours", None, at_least=2.3, note=missing),
            Row(f"{what}, bf16: Trainer with bf16, grouped / ours", None, at_least=1.0, note=missing),
        ]
    return rows


def _sides(chosen: Subject, has_bfloat16: bool) -> dict[str, Any]:
    sides: dict[str, Any] = {
        "trainer": lambda _: fit_with_trainer(chosen),
        "ours": lambda _: fit(chosen, ONE_EPOCH)[0].batches,
        "trainer, grouped": lambda _: fit_with_trainer(chosen, grouped=True),
    }
    if has_bfloat16:
        hardware = {**chosen.config["trainer"], "precision": "bf16-mixed"}
        half = replace(chosen, config={**chosen.config, "trainer": hardware})
        sides["ours, bf16"] = lambda _: fit(half, ONE_EPOCH)[0].batches
        sides["trainer, grouped, bf16"] = lambda _: fit_with_trainer(chosen, grouped=True, bfloat16=True)
    return sides


def best_encoder(settings: Settings) -> str:
    """The encoder asked for; left open, `minilm` where its weights are at hand, else the random `tiny`."""
    if settings.encoder != "auto":
        return settings.encoder
    try:
        encoder_files(composed(settings, "model=bert", "encoder=minilm")["encoder"])
    except UserError:
        return "tiny"
    return "minilm"
