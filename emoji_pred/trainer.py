"""Lightning's Trainer as the suite uses it: how a checkpoint is selected and written, what is kept quiet."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emoji_pred import rank, runs
from emoji_pred.lean_imports import lean_imports

with lean_imports():
    import lightning.pytorch as pl
    from lightning.fabric.plugins.environments import (
        ClusterEnvironment,
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )
    from lightning.fabric.plugins.io import TorchCheckpointIO
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, ProgressBar
    from lightning.pytorch.strategies import DDPStrategy

import torch

from emoji_pred.progress import callbacks
from emoji_pred.rendezvous import MEETING, store_of_this_try, tries_before

Options = Mapping[str, Any]
# Called with the number of an epoch (from 0) and its figures; may raise `Pruned`.
Watch = Callable[[int, Mapping[str, float]], None]
CANDIDATE = "candidate"  # the best checkpoint of a run that is not finished


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints beside their place, syncs them, then renames."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace the checkpoint at `path` by `checkpoint`."""
        with runs.replace_file(Path(path)) as stream:
            torch.save(checkpoint, stream)


class RestartedDDP(DDPStrategy):
    """Lightning's DDP, which finds its peers also where torchrun has started them again.

    torch would look them up at the addresses of the processes that are gone, which the store still holds.
    """

    def setup_distributed(self) -> None:
        """Join the group of processes."""
        if tries_before() and not torch.distributed.is_initialized():
            self.set_world_ranks()
            torch.distributed.init_process_group(
                self._get_process_group_backend(),
                store=store_of_this_try(self.global_rank, self.world_size),
                rank=self.global_rank,
                world_size=self.world_size,
                timeout=MEETING,
                device_id=None if self.root_device.type == "cpu" else self.root_device,
            )
        super().setup_distributed()


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best checkpoint; continues in a directory that was moved, where Lightning would forget it."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what was best, wherever it lies now."""
        here = str(Path(str(self.dirpath)) / f"{CANDIDATE}.ckpt")
        moved = {**state_dict, "dirpath": self.dirpath, "last_model_path": ""}
        if state_dict["best_model_path"]:
            moved |= {"best_model_path": here, "kth_best_model_path": here}
            moved["best_k_models"] = dict.fromkeys([here], *state_dict["best_k_models"].values())
        super().load_state_dict(moved)


class Watched(pl.Callback):
    """Shows the figures of each validated epoch to whoever watches the run."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Hand on the epoch's figures; an exception of the watcher ends the run."""
        curves: Any = module.curves
        self.watch(trainer.current_epoch, curves[-1])


def build_trainer(
    config: Options,
    directory: Path,
    loggers: Any,
    batches_an_epoch: int,
    saver: pl.Callback,
    watch: Watch | None = None,
) -> pl.Trainer:
    """Lightning's Trainer with the callbacks that select the checkpoint and stop early.

    Args:
        config: the resolved configuration.
        directory: of the run.
        loggers: Lightning loggers, or False.
        batches_an_epoch: training batches of an epoch.
        saver: saves the state of training.
        watch: sees the figures of each epoch.
    """
    model, hardware = config["model"], config["trainer"]
    batch_limit = (hardware["max_steps"] or batches_an_epoch) * model["accumulate"]
    epochs = model["max_epochs"]
    if hardware["max_steps"]:  # whole epochs only: what is not validated could not be selected
        epochs = min(epochs, max(1, batch_limit // batches_an_epoch))
    several, accelerator = hardware["devices"] * hardware["num_nodes"] > 1, hardware["accelerator"]
    if several and accelerator == "auto" and not torch.cuda.is_available():
        accelerator = "cpu"  # Lightning would choose Apple's GPU, of which there is one
    select = BestCheckpoint(
        dirpath=directory,
        filename=CANDIDATE,
        monitor="val/macro_f1",
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
    )
    extra: list[pl.Callback] = [select, *callbacks(hardware["progress"]), saver]
    if watch is not None:
        extra.append(Watched(watch))
    if model["early_stopping"]:
        monitor = model["early_stopping"]["monitor"]
        mode = "min" if monitor == "val/loss" else "max"
        extra.append(EarlyStopping(monitor, patience=model["early_stopping"]["patience"], mode=mode))
    # Slower fills of fresh memory with NaN only help to find bugs in torch itself.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return pl.Trainer(
        default_root_dir=directory,
        accelerator=accelerator,
        devices=hardware["devices"],
        num_nodes=hardware["num_nodes"],
        strategy=RestartedDDP(timeout=MEETING) if several else "auto",
        precision=hardware["precision"],
        deterministic="warn" if torch.cuda.is_available() and hardware["accelerator"] != "cpu" else True,
        max_epochs=epochs,
        # A trial shorter than an epoch is an epoch of its own, validated and with a checkpoint.
        limit_train_batches=min(batch_limit, batches_an_epoch),
        accumulate_grad_batches=model["accumulate"],
        gradient_clip_val=model["gradient_clip"],
        logger=loggers,
        callbacks=extra,
        plugins=[SafeCheckpointIO(), _environment()],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in extra),
        log_every_n_steps=0,  # figures of an epoch only
    )


def _environment() -> ClusterEnvironment:
    """How Lightning finds the other processes. Itself, it takes any Slurm job for a distributed run."""
    starter = rank.place().starter
    if starter == "torchrun":
        return TorchElasticEnvironment()
    # `resume` answers the signals.
    return SLURMEnvironment(auto_requeue=False) if starter == "srun" else LightningEnvironment()


def quiet_libraries() -> None:
    """Keep Lightning's hints about other people's problems off the user's terminal."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Our loader hands out whole batches from memory: worker processes would only slow it down.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*predict returned None.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    # Our batches continue at their place in the epoch (batches.Batches.state_dict).
    warnings.filterwarnings("ignore", message=".*resuming from a checkpoint that ended before the epoch.*")
    # A frozen encoder is meant to be (models.lora).
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
    # The classifier gathers its figures over the devices itself.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
