"""The plain ways to train the same network: Lightning as its tutorials show it, and a bare PyTorch loop."""

from __future__ import annotations

import tempfile
import time

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from emoji_pred.metrics import evaluate_predicted, predicted_of
from emoji_pred.tokenizers import Ragged
from experiments.bench.measure import finish_device_work, quiet
from experiments.bench.subject import Clock, Subject

PLAIN_TOKENS = 64  # every text is padded to this


class PlainModule(pl.LightningModule):
    """A LightningModule as a user would write it."""

    def __init__(
        self, network: nn.Module, loss: nn.Module, pad_id: int, lr: float, weight_decay: float
    ) -> None:
        super().__init__()
        self.network, self.loss, self.pad_id = network, loss, pad_id
        self.lr, self.weight_decay = lr, weight_decay

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        """Loss of a batch, logged."""
        input_ids, targets = batch
        loss = self.loss(self.network(input_ids, input_ids != self.pad_id), targets)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with torch's default flags."""
        return torch.optim.Adam(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)


def plain_loader(chosen: Subject) -> DataLoader:
    """A shuffling DataLoader over rows padded to 64 tokens."""
    input_ids = padded(chosen.tokenized.splits["train"], chosen.tokenized.pad_id)
    targets = torch.from_numpy(chosen.corpus.splits["train"].labels)
    return DataLoader(
        TensorDataset(input_ids, targets), batch_size=chosen.config["model"]["batch_size"], shuffle=True
    )


def padded(tokens: Ragged, pad_id: int) -> Tensor:
    """All rows as one tensor (N, 64)."""
    rows = [torch.from_numpy(tokens[row][:PLAIN_TOKENS].astype("int64")) for row in range(len(tokens))]
    rows.append(torch.zeros(PLAIN_TOKENS, dtype=torch.int64))  # so that the width is 64 whatever the rows
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)[:-1]


def fit_plainly(chosen: Subject, epochs: int) -> tuple[Clock, PlainModule]:
    """Train with Lightning's own defaults: progress bar, checkpoint at the end, CSVLogger."""
    with tempfile.TemporaryDirectory() as place, quiet():
        classifier, _ = chosen.fresh()
        options = chosen.config["model"]["optimizer"]
        model = PlainModule(
            classifier.network,
            classifier.loss,
            chosen.tokenized.pad_id,
            options["lr"],
            options["weight_decay"],
        )
        clock = Clock()
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator=chosen.config["trainer"]["accelerator"],
            devices=1,
            default_root_dir=place,
            logger=CSVLogger(place),
            callbacks=[clock],
        )
        trainer.fit(model, plain_loader(chosen))
    return clock, model


def fit_barely(chosen: Subject) -> Clock:
    """One epoch over the very batches of our way, and one validation, in a loop without any framework."""
    classifier, batches = chosen.fresh()
    device = torch.device("cuda" if chosen.config["trainer"]["accelerator"] == "gpu" else "cpu")
    network, loss_function = classifier.network.to(device), classifier.loss.to(device)
    optimizer = classifier.make_optimizer(network)
    clock = Clock()
    torch.set_flush_denormal(True)  # the framework is what is measured, not this
    network.train()
    started = time.perf_counter()
    for batch in batches.train_dataloader():
        batch = {name: values.to(device) for name, values in batch.items()}
        optimizer.zero_grad()
        loss = loss_function(network(batch["input_ids"], batch["attention_mask"]), batch["targets"])
        loss.backward()
        optimizer.step()
    finish_device_work()
    clock.batches = time.perf_counter() - started
    logits, targets = [], []
    network.eval()
    with torch.no_grad():
        for batch in batches.val_dataloader():
            batch = {name: values.to(device) for name, values in batch.items()}
            logits.append(network(batch["input_ids"], batch["attention_mask"]))
            targets.append(batch["targets"])
        answers, right = torch.cat(logits), torch.cat(targets)
        loss_function(answers, right).item()
        macro_f1(answers, right)
    torch.set_flush_denormal(False)
    clock.fit = time.perf_counter() - started
    return clock


def macro_f1(logits: Tensor, targets: Tensor) -> float:
    """Macro F1 of logits (N, C), the way a run watches it."""
    answers = predicted_of(logits, "multiclass").cpu()
    return evaluate_predicted(answers, targets.cpu(), "multiclass", logits.shape[1])["macro_f1"]
