"""Which process of a distributed run this is, by the environment alone.

Three things start the processes of a run: `train.py` itself on one machine (`peers`), torchrun, and srun. A
Slurm job without srun is one process, as is a task of its own (`--ntasks=1`, submitit) and a shell that
`srun --pty` opened: what they hold says how large the job is, not that train.py was started that often.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Starter = Literal["train.py", "torchrun", "srun"]


@dataclass(frozen=True)
class Place:
    """Where a process stands among those of its run.

    Attributes:
        starter: what started the helper processes, or will.
        rank: number of the process in the run, from 0.
        local_rank: its number on its node, from 0.
        processes: how many torchrun or srun started; None where train.py starts its helpers.
        on_node: how many of them on this node; None where that is not known.
    """

    starter: Starter
    rank: int = 0
    local_rank: int = 0
    processes: int | None = None
    on_node: int | None = None

    @property
    def speaks(self) -> bool:
        """Whether it tells of mistakes on the command line: on a terminal one process does."""
        return (self.local_rank if self.starter == "torchrun" else self.rank) == 0


def place(environment: Mapping[str, str] | None = None) -> Place:
    """The place of this process, by what torchrun, srun or train.py has set."""
    known = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in known:
        rank, local_rank, processes, on_node = (
            int(known[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        )
        return Place("torchrun", rank, local_rank, processes, on_node)
    tasks = int(known.get("SLURM_STEP_NUM_TASKS", 1))  # srun sets it; sbatch and salloc do not
    if tasks > 1 and "SLURM_PTY_PORT" not in known:
        per_node = known.get("SLURM_NTASKS_PER_NODE")
        return Place(
            "srun",
            int(known["SLURM_PROCID"]),
            int(known["SLURM_LOCALID"]),
            tasks,
            None if per_node is None else int(per_node),
        )
    local_rank = int(known.get("LOCAL_RANK", 0)) if "MASTER_PORT" in known else 0
    return Place("train.py", local_rank, local_rank)


def is_first() -> bool:
    """Whether this process speaks for the run, and writes its files."""
    return place().rank == 0
