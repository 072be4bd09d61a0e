"""The Hugging Face Trainer at its defaults, over our network."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from emoji_pred.models.dropout import Dropout
from emoji_pred.pretrained import load_fast_tokenizer
from experiments.bench.measure import finish_device_work, quiet
from experiments.bench.subject import Subject


class WithLoss(nn.Module):
    """A network that returns its loss too, as the Trainer wants it, with torch's own dropout."""

    def __init__(self, network: nn.Module, loss: nn.Module) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        for module in list(network.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, Dropout):
                    setattr(module, name, nn.Dropout(child.p))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Loss of the batch, and logits (B, C)."""
        logits = self.network(input_ids, attention_mask.bool())
        return {"loss": self.loss(logits, labels), "logits": logits}


class Encodings(Dataset):
    """Rows as a tokenizer gives them: lists of ids of different lengths."""

    def __init__(self, chosen: Subject) -> None:
        tokens, labels = chosen.tokenized.splits["train"], chosen.corpus.splits["train"].labels.tolist()
        self.items = [
            {"input_ids": ids.tolist(), "attention_mask": [1] * len(ids), "labels": label}
            for ids, label in zip((tokens[row] for row in range(len(tokens))), labels, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.items[row]


def fit_with_trainer(chosen: Subject, grouped: bool = False, bfloat16: bool = False) -> float:
    """Seconds of one epoch's batches; the Trainer's defaults but for the batch size."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class StepClock(TrainerCallback):
        started = seconds = 0.0

        def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
            finish_device_work()
            self.started = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, *rest: Any, **kwargs: Any) -> None:
            if state.global_step == state.max_steps:  # before the checkpoint that it writes at the end
                finish_device_work()
                self.seconds = time.perf_counter() - self.started

    clock = StepClock()
    with tempfile.TemporaryDirectory() as place, quiet():
        classifier, _ = chosen.fresh()
        arguments = TrainingArguments(
            output_dir=place,
            per_device_train_batch_size=chosen.config["model"]["batch_size"],
            num_train_epochs=1,
            use_cpu=chosen.config["trainer"]["accelerator"] == "cpu",
            train_sampling_strategy="group_by_length" if grouped else "random",
            bf16=bfloat16,
        )
        trainer = Trainer(
            model=WithLoss(classifier.network, classifier.loss),
            args=arguments,
            train_dataset=Encodings(chosen),
            processing_class=load_fast_tokenizer(chosen.config["encoder"]),
            callbacks=[clock],
        )
        trainer.train()
    return clock.seconds
