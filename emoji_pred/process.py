"""What is set for a process: in the environment before torch is loaded, and for its end."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import MutableMapping

LABEL = "EMOJI_PRED_LABEL"  # stands before the lines of a run that others run beside


def prepare_process(environment: MutableMapping[str, str] | None = None) -> None:
    """Make torch fast and a good neighbour; what the user set himself stays.

    - OpenMP threads (GNU's, as in torch for Linux) that wait give up their core after some microseconds. By
      default they spin for milliseconds, and three runs at once on two cores take more than twice as long;
      without any spinning a single run takes a third longer.
    - Tensors of 2 MB and more ask Linux for huge pages. The gradient of an embedding is allocated anew at
      every step, and mapping it in pages of 4 kB takes a tenth of a step of `model=bert` and more.
    - At its end Python looks for cycles among half a million objects of the libraries, which takes a second;
      they are left to the system.
    """
    atexit.register(gc.freeze)
    environment = os.environ if environment is None else environment
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "10000")
    environment.setdefault("THP_MEM_ALLOC_ENABLE", "1")
