"""Where the processes of a distributed run meet: torch's key-value store, hosted by the first or by torchrun.

Lightning's group of processes finds it by the same variables, and shares it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from datetime import timedelta
from typing import Any

from emoji_pred.errors import UserError
from emoji_pred.rank import Place

HOST = "127.0.0.1"
ANSWER = timedelta(seconds=10)  # of the first process on the same machine
MEETING = timedelta(minutes=10)  # for all processes to have started; for a peer that answers no more
VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "NODE_RANK")  # set here, for helpers and Lightning
PREFIX = "emoji_pred"  # of the keys of this suite


def host() -> Any:
    """Host a store on this machine, and set the variables by which it is found.

    The system chooses the port, which is held from here on.
    """
    dist = _distributed()
    store = dist.TCPStore(
        HOST, 0, None, is_master=True, wait_for_workers=False, timeout=MEETING, multi_tenant=True
    )
    os.environ.update(MASTER_ADDR=HOST, MASTER_PORT=str(store.port), NODE_RANK="0", LOCAL_RANK="0")
    return dist.PrefixStore(PREFIX, store)


def start_helpers(count: int) -> list[subprocess.Popen[bytes]]:
    """Start the processes of a run but the first, with the command line of this one."""
    own = {"WORLD_SIZE": str(count)}
    return [
        subprocess.Popen(
            [sys.executable, *sys.argv], env={**os.environ, **own, "LOCAL_RANK": str(local_rank)}
        )
        for local_rank in range(1, count)
    ]


def join(place: Place, count: int) -> Any:
    """Find the store of the run: of the first process, of torchrun, or at the address of srun's first node.

    Raises:
        ConnectionError: the first process on this machine is gone.
        UserError: the processes of several nodes do not find together.
    """
    if place.processes is None:
        return _join_first()
    dist = _distributed()
    if place.starter == "srun":
        _use_address_of_slurm(place)
    try:
        store = store_of_this_try(place.rank, count)
    except RuntimeError as error:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise UserError(
            f"the processes of the run cannot meet at {where} ({str(error).splitlines()[0][:120]}); all "
            f"nodes must be started within {MEETING.seconds // 60} minutes, and MASTER_PORT be free"
        ) from None
    return dist.PrefixStore(PREFIX, store)


def tries_before() -> int:
    """How often torchrun has started the processes of this run again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def store_of_this_try(rank: int, count: int) -> Any:
    """The store at the address in the environment, without what a try told that torchrun has given up."""
    dist = _distributed()
    store, _, _ = next(dist.rendezvous("env://", rank=rank, world_size=count, timeout=MEETING))
    return dist.PrefixStore(f"try/{tries_before()}", store)


def _join_first() -> Any:
    port, dist = int(os.environ["MASTER_PORT"]), _distributed()
    # It was there before this process. torch, which takes seconds to load, would ask again and again.
    socket.create_connection((HOST, port), ANSWER.seconds).close()
    try:
        store = dist.TCPStore(HOST, port, None, is_master=False, wait_for_workers=False, timeout=ANSWER)
    except RuntimeError as error:
        raise ConnectionError(str(error)) from None
    return dist.PrefixStore(PREFIX, store)


def _use_address_of_slurm(place: Place) -> None:
    if place.on_node is None:
        raise UserError("srun does not say how many processes a node has; give it --ntasks-per-node")
    from lightning.fabric.plugins.environments import SLURMEnvironment

    slurm = SLURMEnvironment(auto_requeue=False)
    os.environ.update(MASTER_ADDR=slurm.main_address, MASTER_PORT=str(slurm.main_port))


def _distributed() -> Any:
    """torch.distributed; a connection that breaks is told in one line, without the traces of its C++."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    import torch.distributed

    return torch.distributed


def say_nothing() -> None:
    """In a helper process: the first one speaks for all."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - to the end of the process
    warnings.simplefilter("ignore")
