"""train.py that also keeps the loss of every step: `python record_steps.py DIRECTORY/losses OVERRIDES`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emoji_pred import rank


def main() -> None:
    """Write the losses of this process to a file of its own; their mean over the processes is the step's."""
    from emoji_pred.classifier import Classifier
    from emoji_pred.cli import main as train

    losses: list[float] = []
    step = Classifier.training_step

    def recorded(self: Classifier, *arguments: Any) -> Any:
        loss = step(self, *arguments)
        losses.append(float(loss))
        place.write_text(json.dumps(losses))
        return loss

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
