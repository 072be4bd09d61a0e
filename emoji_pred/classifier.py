"""The only LightningModule: a network, a loss and an optimizer are handed to it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from emoji_pred.decision import Decision, choose
from emoji_pred.errors import Diverged
from emoji_pred.metrics import evaluate_predicted, predicted_of, probabilities_of

Batch = Mapping[str, Any]  # tensors, and whether the rows of a part count (`batches.TokenRows`)
WATCHED_STEPS = 25  # batches after which their losses are looked at
SHOWN_ROWS = 8  # of a batch whose loss is no number


class Classifier(pl.LightningModule):
    """Trains a network that maps (B, T) ids and mask to raw logits (B, C).

    Args:
        network: called as `network(input_ids, attention_mask)`.
        loss: called as `loss(logits, targets)`, returns the mean over the rows.
        task: `multiclass` or `multilabel`.
        make_optimizer: called with the network once the device is known.
        make_scheduler: called with the optimizer, and `total_steps` and `epochs` of the whole training; None
            keeps the rate constant.
        checkpoint_extras: plain values stored in every checkpoint, so that it can be used on its own.
        row_ids: of the splits `train` and `validation`, for errors; their positions where they are not given.
        decide: multilabel only: called with probabilities and labels (N, C) of the validation rows, it says
            which labels are given (`decision.choose`); None: above 0.5, as it is for training rows anyway.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        task: str,
        make_optimizer: Callable[[nn.Module], Optimizer],
        make_scheduler: Callable[..., LRScheduler] | None,
        checkpoint_extras: Mapping[str, Any],
        row_ids: Mapping[str, Sequence[str]] | None = None,
        decide: Callable[[Any, Any], Decision] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.loss, self.task = network, loss, task
        self.make_optimizer, self.make_scheduler = make_optimizer, make_scheduler
        self.checkpoint_extras, self.row_ids = dict(checkpoint_extras), row_ids or {}
        self.decide = decide or functools.partial(choose, None)
        self.curves: list[dict[str, float]] = []
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []
        self._outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        # Rows and learning rate of the batches whose losses were not looked at yet.
        self._unseen: list[tuple[Tensor, float]] = []

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the name of a hook without a look through parameters and modules.

        Lightning notes some forty times a step in which hook it is: 2 % of a step of the FFN.
        """
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Raw logits (B, C)."""
        return self.network(input_ids, attention_mask)

    def configure_optimizers(self) -> Any:
        """The optimizer, and its schedule by steps where there is one."""
        optimizer = self.make_optimizer(self.network)
        if self.make_scheduler is None:
            return optimizer
        steps, epochs = int(self.trainer.estimated_stepping_batches), self.trainer.max_epochs
        schedule = self.make_scheduler(optimizer, total_steps=steps, epochs=epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Scale the gradients down to a norm of at most `gradient_clip_val`, as torch does.

        Lightning refuses to with a fused optimizer under bf16, for the sake of a gradient scaler that bf16
        does not have.
        """
        if gradient_clip_val:
            nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val, foreach=True)

    def on_train_epoch_start(self) -> None:
        """Forget the steps of the epoch before."""
        self._steps.clear()
        self._unseen.clear()

    def on_validation_start(self) -> None:
        """The steps since the last look, before their figures are counted."""
        self.check_losses()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The mean loss of a batch; loss and predictions stay on the device, without a transfer a step."""
        targets = batch["targets"]
        logits = self(batch["input_ids"], batch["attention_mask"])
        loss = self.loss(logits, targets)
        counted = len(targets) if batch.get("counts", True) else 0
        predicted = predicted_of(logits.detach(), self.task)
        self._steps.append((loss.detach(), targets[:counted], predicted[:counted]))
        self._unseen.append((batch["rows"], self._learning_rate()))
        if len(self._unseen) == WATCHED_STEPS:
            self.check_losses()
        return loss * self._share(batch) if "step_targets" in batch else loss

    def _share(self, batch: Batch) -> Tensor:
        """By what the mean loss of a part counts, so that all parts make that of the whole batch.

        Lightning divides by the forward passes of a step, and takes the mean of the devices' gradients.
        """
        parts = self.trainer.world_size * self.trainer.accumulate_grad_batches
        normaliser, whole = (self._normaliser(batch[name]) for name in ("targets", "step_targets"))
        return normaliser / whole * (parts if batch["counts"] else 0)

    def check_losses(self) -> None:
        """Stop where a loss of the last batches is no number; asked seldom, as the answer waits for a GPU.

        Raises:
            Diverged: with the batch, the optimizer step, the learning rate and the rows of the batch.
        """
        found = self._divergence()
        if self.trainer.world_size > 1:  # all devices stop together, or the others would wait forever
            anywhere = torch.tensor(len(found), device=self.device)
            torch.distributed.all_reduce(anywhere)
            found = of_all_devices(found) if int(anywhere) else []
        if found:
            raise Diverged(min(found)[1])

    def _divergence(self) -> list[tuple[int, str]]:
        """The first batch since the last look whose loss is no number here, and what to say of it."""
        unseen, self._unseen = self._unseen, []
        losses = torch.stack([step[0] for step in self._steps[-len(unseen) :]]) if unseen else torch.zeros(0)
        wrong = (~losses.isfinite()).nonzero()
        if not len(wrong):
            return []
        first = int(wrong[0])
        rows, rate = unseen[first]
        before = len(self._steps) - len(unseen) + first  # batches of this epoch
        batch = self.trainer.fit_loop.epoch_loop.total_batch_idx + 1 - len(unseen) + first
        message = (
            f"training diverged: the loss of batch {batch} (from 0), of optimizer step "
            f"{self._optimizer_step(before)}, is {float(losses[first])}, at learning rate {rate:g}; its "
            f"training rows are {self._names('train', rows)}; lower model.optimizer.lr or set "
            "model.gradient_clip"
        )
        return [(batch, message)]

    def _optimizer_step(self, batch: int) -> int:
        """The optimizer step, from 0 over all epochs, that takes the gradients of a batch of this epoch."""
        accumulated, batches = self.trainer.accumulate_grad_batches, int(self.trainer.num_training_batches)
        return self.current_epoch * -(-batches // accumulated) + batch // accumulated

    def _learning_rate(self) -> float:
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def _names(self, split: str, rows: Tensor) -> str:
        """The ids of the first rows of a batch."""
        ids = self.row_ids.get(split)
        named = [ids[row] if ids else str(row) for row in rows.tolist()]
        return ", ".join(named[:SHOWN_ROWS]) + (", ..." if len(named) > SHOWN_ROWS else "")

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the logits; the metrics are computed once over the whole split."""
        self._collect(batch)

    def on_validation_epoch_end(self) -> None:
        """Loss and metrics of the whole validation split, logged with the epoch's training loss.

        Raises:
            Diverged: the loss is no number.
        """
        rows, logits, targets = self._collected()
        loss = self.mean_loss(logits, targets)
        if not math.isfinite(loss):
            wrong = rows[~logits.isfinite().all(dim=1)]
            raise Diverged(
                f"training diverged: after {self.global_step} optimizer steps the validation loss is {loss}, "
                f"at learning rate {self._learning_rate():g}; validation rows whose logits are no numbers: "
                f"{self._names('validation', wrong) or 'none'}; lower model.optimizer.lr or set "
                "model.gradient_clip"
            )
        watched = evaluate_predicted(self._decided(logits, targets), targets, self.task, logits.shape[1])
        figures = {
            "val/loss": loss,
            "val/accuracy": watched["accuracy"],
            "val/macro_f1": watched["macro_f1"],
        }
        if self._steps:
            figures |= self._train_figures(logits.shape[1])
        self.log_dict(figures, rank_zero_only=False, sync_dist=False)
        self.curves.append({"epoch": self.current_epoch, "step": self.global_step, **figures})

    def _decided(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What the validation rows are given, as it will be when the checkpoint is evaluated."""
        if self.task == "multiclass":
            return predicted_of(logits, self.task)
        probabilities = probabilities_of(logits, self.task).cpu().numpy()
        given = self.decide(probabilities, targets.cpu().numpy()).labels(probabilities)
        return torch.from_numpy(given).to(targets.device)

    def progress(self) -> dict[str, Any]:
        """The figures so far, as tensors and plain values; `take_up` continues from them."""
        columns = zip(*self._steps, strict=True) if self._steps else ((), (), ())
        losses, targets, predicted = (list(column) for column in columns)
        return {
            "curves": [dict(row) for row in self.curves],
            "rows_of_steps": [len(part) for part in targets],
            "losses": torch.stack(losses).cpu() if losses else None,
            "targets": torch.cat(targets).cpu() if targets else None,
            "predicted": torch.cat(predicted).cpu() if predicted else None,
        }

    @staticmethod
    def merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The progress of several processes as that of one."""
        counted = [part for part in parts if part["losses"] is not None]
        merged: dict[str, Any] = {
            "curves": parts[0]["curves"] if parts else [],
            "rows_of_steps": [rows for part in counted for rows in part["rows_of_steps"]],
        }
        for name in ("losses", "targets", "predicted"):
            merged[name] = torch.cat([part[name] for part in counted]) if counted else None
        return merged

    def take_up(self, progress: Mapping[str, Any]) -> None:
        """Continue from what `progress` gave, in another process."""
        self.curves = [dict(row) for row in progress["curves"]]
        self._steps = []
        if progress["losses"] is not None:
            sizes = progress["rows_of_steps"]
            losses = progress["losses"].to(self.device).unbind()
            parts = (progress[name].to(self.device).split(sizes) for name in ("targets", "predicted"))
            self._steps = list(zip(losses, *parts, strict=True))

    def predict_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the logits for `predictions`."""
        self._collect(batch)

    def predictions(self) -> tuple[Tensor, Tensor, Tensor]:
        """After `trainer.predict`: rows (N,), logits (N, C) float32 and targets, in the corpus' order."""
        return self._collected()

    def _normaliser(self, targets: Tensor) -> Tensor:
        """What the loss divides by; a loss that does not say is a mean over rows."""
        normaliser = getattr(self.loss, "normaliser", None)
        if normaliser is None:
            return torch.tensor(float(len(targets)), device=self.device)
        divisor: Tensor = normaliser(targets)
        return divisor

    def mean_loss(self, logits: Tensor, targets: Tensor) -> float:
        """The loss of a whole split, in the form that training minimises."""
        return float(self.loss(logits.to(self.device), targets.to(self.device)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to use the checkpoint without the run's directory."""
        checkpoint["emoji_pred"] = self.checkpoint_extras

    def _collect(self, batch: Batch) -> None:
        logits = self(batch["input_ids"], batch["attention_mask"])
        self._outputs.append((batch["rows"], logits.float(), batch["targets"]))

    def _collected(self) -> tuple[Tensor, Tensor, Tensor]:
        batches = [tuple(column.cpu() for column in batch) for batch in self._outputs]
        self._outputs.clear()
        columns = [torch.cat(column) for column in zip(*of_all_devices(batches), strict=True)]
        order = columns[0].argsort()
        # With several devices some rows were evaluated twice, to the same logits.
        first = torch.ones_like(order, dtype=torch.bool)
        first[1:] = columns[0][order][1:] != columns[0][order][:-1]
        rows, logits, targets = (column[order[first]] for column in columns)
        return rows, logits, targets

    def _train_figures(self, num_classes: int) -> dict[str, float]:
        """Loss and metrics over the epoch's training rows, each as the network was at its step."""
        losses, targets, predicted = zip(*self._steps, strict=True)
        divisors = torch.stack([self._normaliser(part) for part in targets])
        sums = torch.stack([(torch.stack(losses) * divisors).sum(), divisors.sum()]).tolist()
        columns = [(torch.cat(targets).cpu(), torch.cat(predicted).cpu(), torch.tensor([sums]))]
        wanted, given, shares = (torch.cat(column) for column in zip(*of_all_devices(columns), strict=True))
        watched = evaluate_predicted(given, wanted, self.task, num_classes)
        loss_sum, divisor = shares.sum(dim=0).tolist()
        return {
            "train/loss": loss_sum / divisor,
            "train/accuracy": watched["accuracy"],
            "train/macro_f1": watched["macro_f1"],
        }


def of_all_devices(parts: list[Any]) -> list[Any]:
    """The parts of every device of a distributed run, in the order of the devices."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return parts
    gathered: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, parts)
    return [part for of_device in gathered for part in of_device]
