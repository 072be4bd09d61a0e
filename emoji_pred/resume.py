"""An interrupted run continues where it stood, bit for bit on a CPU.

While a run trains, its directory holds `state-<step>-<digest>.ckpt`: Lightning's whole checkpoint (weights,
optimizer, schedule, loops, callbacks), and what Lightning leaves out: the states of the random generators and
the figures of the epoch so far, of every process, and that early stopping has ended training. The place in
the epoch is that of the batches (`batches.Batches`). The two newest states are kept; one whose content does
not have its digest is not used. Beside each lies a link to the best checkpoint of that moment.

A state is saved after a step, after an epoch (validated, its checkpoint selected, early stopping counted), or
in the midst of a validation that a signal ends: that one is begun again. The last state of training is always
saved, so that a run which is stopped while it is evaluated trains nothing again.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint

from emoji_pred import runs
from emoji_pred.classifier import Classifier, of_all_devices
from emoji_pred.errors import Stopped, UserError
from emoji_pred.signals import StopRequest

GENERATIONS = 2  # states kept
DIGEST = 16  # hexadecimal digits of a state's SHA-256 in its name
_NAME = re.compile(r"state-\d+-[0-9a-f]{16}\.ckpt")
KEY = "emoji_pred_state"  # of what this module adds to Lightning's checkpoint


class SaveState(Checkpoint):
    """Saves the state of training every so often, at its end, and when a signal asked to stop.

    Lightning calls its checkpoint callbacks last, in the order given: what the best checkpoint and early
    stopping know of an epoch is in the state.

    Args:
        directory: of the run.
        best: file of the best checkpoint.
        request: of the signals, put off while training.
        check_ours: raises where another process has taken the directory over.
        every_minutes: how often, by the clock; None: not by the clock.
        every_steps: how often, by optimizer steps; None: not by steps.
    """

    def __init__(
        self,
        directory: Path,
        best: Path,
        request: StopRequest,
        check_ours: Callable[[], None],
        every_minutes: float | None,
        every_steps: int | None,
    ) -> None:
        self.directory, self.best, self.request, self.check_ours = directory, best, request, check_ours
        self.every_minutes, self.every_steps = every_minutes, every_steps
        self.seconds_before = 0.0  # that earlier processes trained
        self.interruptions = 0
        self._saved = self._started = time.monotonic()
        self._to_restore: Mapping[str, Any] | None = None
        self._epoch_ended = False  # the state to restore, or to save, lies between two epochs
        self._before_validation: Mapping[str, Any] = {}  # the random generators
        self._agreement: Any = None  # group of processes that talk without their GPUs

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clocks, take the signals back from Lightning, and restore the random generators.

        Lightning's handler of SIGTERM ends helper processes at once, and talks to them from inside itself.
        """
        self.request.take_over()
        self._saved = self._started = time.monotonic()
        if self._to_restore is not None:
            _restore_generators(self._to_restore)
            self._to_restore = None
            loader: Any = trainer.train_dataloader
            if self._epoch_ended:
                iter(loader)  # an epoch begins with a draw from torch's generator
        elif trainer.global_rank:
            # The same seed in all processes would drop out the same places of each one's rows.
            torch.manual_seed(torch.initial_seed() + trainer.global_rank)
        self._epoch_ended = False
        self._before_validation = _generators()  # if the validation comes next

    def on_predict_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the signals back from Lightning here too."""
        self.request.take_over()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time to, and stop if that was asked for."""
        if batch_idx + 1 >= trainer.num_training_batches:
            # Lightning would take a state saved here for that of a validated epoch: the validation is next.
            self._before_validation = _generators()
        elif (batch_idx + 1) % trainer.accumulate_grad_batches == 0:  # else gradients wait, in no checkpoint
            self._save_or_stop(trainer, self._is_due(trainer))

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Look whether the directory is still ours: the best checkpoint is written after the validation."""
        self.check_ours()

    def on_validation_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        """Stop if that was asked for; the validation is done again."""
        self._save_or_stop(trainer, due=False)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save if it is time to or training has ended, and stop if that was asked for."""
        last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        self._epoch_ended = True
        self._save_or_stop(trainer, last or self._is_due(trainer))
        self._epoch_ended = False

    def on_predict_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        """Stop if that was asked for: the state was saved at the end of training."""
        number = self._agreed(trainer, False, self.request.signal_number)[1]
        if number:
            raise Stopped(number)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the generators and the figures of the epoch so far, of every process."""
        assert isinstance(module, Classifier)
        generators = _generators()
        if trainer.validating:
            generators = dict(self._before_validation)
            _begin_validation_again(checkpoint["loops"]["fit_loop"])
        own = {**generators, "progress": module.progress()}
        checkpoint[KEY] = {
            "identity_version": runs.IDENTITY_VERSION,
            "processes": of_all_devices([own]),
            "seconds": self.seconds_before + time.monotonic() - self._started,
            "interruptions": self.interruptions + 1,
            "epoch_ended": self._epoch_ended,
            "should_stop": trainer.should_stop,
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take up what `on_save_checkpoint` added."""
        assert isinstance(module, Classifier)
        state = checkpoint[KEY]
        if state["identity_version"] != runs.IDENTITY_VERSION:
            raise UserError(
                f"{self.directory} holds the state of a run of another version of the suite; "
                "force=true trains it anew"
            )
        processes = state["processes"]
        if len(processes) == trainer.world_size:
            own = processes[trainer.global_rank]
            self._to_restore = own
        else:  # what the others had seen of the epoch counts once
            warnings.warn(
                f"the run was interrupted on {len(processes)} device(s) and continues on "
                f"{trainer.world_size}: dropout will differ from that of a run never interrupted",
                stacklevel=2,
            )
            own = {"progress": Classifier.merged([process["progress"] for process in processes])}
            own = own if trainer.global_rank == 0 else {"progress": Classifier.merged([])}
        module.take_up(own["progress"])
        self.seconds_before, self.interruptions = state["seconds"], state["interruptions"]
        # A state of an earlier version was saved inside an epoch.
        self._epoch_ended = state.get("epoch_ended", False)
        trainer.should_stop = state.get("should_stop", False)

    def _is_due(self, trainer: pl.Trainer) -> bool:
        by_steps = self.every_steps is not None and trainer.global_step % self.every_steps == 0
        minutes = (time.monotonic() - self._saved) / 60
        return by_steps or (self.every_minutes is not None and minutes >= self.every_minutes)

    def _agreed(self, trainer: pl.Trainer, due: bool, number: int) -> tuple[bool, int]:
        """What any process wants, all do: saving needs every one of them."""
        if trainer.world_size == 1:
            return due, number
        if self._agreement is None:
            # Asked on GPUs after each step, every step would wait until they have computed the one before.
            self._agreement = torch.distributed.new_group(backend="gloo")
        wanted = torch.tensor([int(due), number])
        torch.distributed.all_reduce(wanted, torch.distributed.ReduceOp.MAX, self._agreement)
        return bool(wanted[0]), int(wanted[1])

    def _save_or_stop(self, trainer: pl.Trainer, due: bool) -> None:
        due, number = self._agreed(trainer, due, self.request.signal_number)
        if due or number:
            self._save(trainer)
        if number:
            raise Stopped(number)

    def _save(self, trainer: pl.Trainer) -> None:
        self.check_ours()
        assert isinstance(trainer.lightning_module, Classifier)
        trainer.lightning_module.check_losses()  # nothing continues from where a run has diverged
        written = self.directory / "state.new"
        trainer.save_checkpoint(written)
        if trainer.is_global_zero:
            digest = runs.file_digest(written)[:DIGEST]
            target = self.directory / f"state-{trainer.global_step:09d}-{digest}.ckpt"
            if self.best.is_file():
                _link(self.best, _best_beside(target))
            os.replace(written, target)
            runs.sync_directory(self.directory)
            _remove_all_but(target)
        self._saved = time.monotonic()


def _begin_validation_again(loops: dict[str, Any]) -> None:
    """Let the checkpoint of Lightning's loops say that the first batch of the validation has just begun."""
    progress = loops["epoch_loop.val_loop.batch_progress"]
    nothing = {"ready": 0, "started": 0, "processed": 0, "completed": 0}
    progress["current"] = nothing
    progress["total"] = nothing | {"ready": 1, "started": 1}
    progress["is_last_batch"] = False


def usable_state(directory: Path) -> Path | None:
    """The newest whole state of an interrupted run; its best checkpoint is put back in place.

    A damaged one is passed over with a warning.
    """
    for state in _states(directory):
        with suppress(OSError):
            if runs.file_digest(state).startswith(state.stem.split("-")[2]):
                return state
        warnings.warn(f"{state} is damaged, and passed over", stacklevel=2)
    return None


def restore_best(state: Path, best: Path) -> None:
    """Put back the best checkpoint as it was when `state` was saved; a later one is not from there."""
    with suppress(FileNotFoundError):
        best.unlink()
    if _best_beside(state).is_file():
        _link(_best_beside(state), best)


def remove_states(directory: Path) -> None:
    """Remove what was kept to continue: the run is finished, or starts anew."""
    for path in (*directory.glob("state-*"), directory / "state.new"):
        with suppress(OSError):
            path.unlink()


def _remove_all_but(newest: Path) -> None:
    """Keep a state and those of earlier steps before it; one of a later step was damaged, and passed over."""
    states = _states(newest.parent)
    kept = [newest, *(state for state in states if _step(state) < _step(newest))][:GENERATIONS]
    for state in states:
        if state not in kept:
            for path in (state, _best_beside(state)):
                with suppress(OSError):
                    path.unlink()


def _states(directory: Path) -> list[Path]:
    """All states, the newest first."""
    found = directory.glob("state-*.ckpt")
    return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)


def _step(state: Path) -> int:
    return int(state.name.split("-")[1])


def _best_beside(state: Path) -> Path:
    return state.with_suffix(".best")


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; it is copied where the file system has no links."""
    with suppress(FileNotFoundError):
        target.unlink()
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _generators() -> dict[str, Any]:
    """The states of all random generators, as values that load with `weights_only`."""
    name, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, words, next_gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), place, has_gauss, gauss],
        "python": [version, list(words), next_gauss],
    }


def _restore_generators(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    name, keys, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), place, has_gauss, gauss))
    version, words, next_gauss = state["python"]
    random.setstate((version, tuple(words), next_gauss))
