"""train.py that keeps the loss of every step, and the generator before it.

`python record_steps.py DIRECTORY/losses OVERRIDES`; with the variable NO_NUMBER_FROM=STEP the logits of the
second process are no numbers from that step on.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emoji_pred import rank


def main() -> None:
    """Write the losses of this process to a file of its own; their mean over the processes is the step's."""
    import torch

    from emoji_pred.classifier import Classifier
    from emoji_pred.cli import main as train

    losses: list[float] = []
    generators: list[int] = []
    step, forward = Classifier.training_step, Classifier.forward
    no_number_from = int(os.environ.get("NO_NUMBER_FROM", sys.maxsize))

    def recorded(self: Classifier, *arguments: Any) -> Any:
        generators.append(zlib.crc32(torch.get_rng_state().numpy().tobytes()))
        loss = step(self, *arguments)
        losses.append(float(loss))
        place.write_text(json.dumps({"losses": losses, "generators": generators}))
        return loss

    def spoilt(self: Classifier, *arguments: Any) -> Any:
        wrong = rank.place().rank == 1 and len(losses) >= no_number_from
        return forward(self, *arguments) * (float("nan") if wrong else 1)

    if no_number_from < sys.maxsize:
        Classifier.forward = spoilt  # type: ignore[method-assign]
    place = Path(f"{sys.argv[1]}-{rank.place().rank}.json")
    Classifier.training_step = recorded  # type: ignore[method-assign]
    typed, sys.argv = sys.argv, [sys.argv[0], *sys.argv[2:]]
    # Helpers are started with the command line of the first process.
    from emoji_pred import peers

    start = peers.Peers.start

    def start_recorded(self: peers.Peers, devices: int) -> None:
        sys.argv = typed
        start(self, devices)

    peers.Peers.start = start_recorded  # type: ignore[method-assign]
    train()


if __name__ == "__main__":
    main()
