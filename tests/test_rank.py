"""Which process this is, and whether as many were started as the trainer asks for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from emoji_pred import rank, rendezvous
from emoji_pred.config import check, check_processes
from emoji_pred.errors import UserError
from emoji_pred.rank import Place, place

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    **{"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "1"},
}
SBATCH = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
SRUN = {
    **SBATCH,
    **{"SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "2", "SLURM_NODEID": "1"},
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Place("train.py")),
        # A helper that train.py started: alone, and in a Slurm job of one task.
        ({"LOCAL_RANK": "1", "MASTER_PORT": "1234"}, Place("train.py", 1, 1)),
        ({**SBATCH, "LOCAL_RANK": "1", "MASTER_PORT": "1234"}, Place("train.py", 1, 1)),
        ({"LOCAL_RANK": "1"}, Place("train.py")),
        (TORCHRUN, Place("torchrun", 3, 1, 4, 2)),
        (SRUN, Place("srun", 2, 0, 4, 2)),
        ({**SRUN, **TORCHRUN}, Place("torchrun", 3, 1, 4, 2)),
        # One process, whatever the size of the job: a batch script, a shell, submitit.
        (SBATCH, Place("train.py")),
        ({**SRUN, "SLURM_PTY_PORT": "4000"}, Place("train.py")),
        ({**SRUN, "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, Place("train.py")),
    ],
)
def test_place(environment: dict[str, str], expected: Place) -> None:
    assert place(environment) == expected


def test_one_process_of_each_terminal_speaks() -> None:
    assert place({}).speaks
    assert place({**TORCHRUN, "LOCAL_RANK": "0", "RANK": "2"}).speaks, "each node has its own torchrun"
    assert not place(TORCHRUN).speaks
    assert not place(SRUN).speaks
    assert not place({"LOCAL_RANK": "1", "MASTER_PORT": "1234"}).speaks


@pytest.mark.parametrize(
    ("here", "trainer", "message"),
    [
        (Place("train.py"), ["trainer.devices=2", "trainer.num_nodes=2"], "nothing starts the other nodes"),
        (
            Place("torchrun", 0, 0, 2, 2),
            ["trainer=cpu"],
            "set trainer=ddp trainer.devices=2 trainer.num_nodes=1",
        ),
        (Place("torchrun", 1, 0, 2, 1), ["trainer.devices=2"], "trainer.devices=1 trainer.num_nodes=2"),
        (Place("srun", 0, 0, 4, 2), ["trainer.devices=2"], "trainer.devices=2 trainer.num_nodes=2"),
    ],
)
def test_processes_that_do_not_fit_are_a_mistake(
    compose: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    here: Place,
    trainer: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(rank, "place", lambda: here)
    settings = check(compose("trainer=ddp", *trainer)).trainer
    with pytest.raises(UserError) as error:
        check_processes(settings)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("here", "trainer"),
    [
        (Place("train.py"), ["trainer=cpu"]),
        (Place("train.py"), ["trainer.devices=2"]),
        (Place("torchrun", 0, 0, 1, 1), ["trainer=cpu"]),
        (Place("torchrun", 0, 0, 4, 2), ["trainer.devices=2", "trainer.num_nodes=2"]),
        (Place("srun", 0, 0, 2, 1), ["trainer.devices=1", "trainer.num_nodes=2"]),
    ],
)
def test_processes_that_fit(
    compose: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, here: Place, trainer: list[str]
) -> None:
    monkeypatch.setattr(rank, "place", lambda: here)
    check_processes(check(compose("trainer=ddp", *trainer)).trainer)


def test_srun_must_say_how_many_processes_a_node_has() -> None:
    with pytest.raises(UserError, match="give it --ntasks-per-node"):
        rendezvous.join(Place("srun", 0, 0, 2, None), 2)


def test_a_first_process_that_ends_while_torch_is_loaded_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("MASTER_PORT", str(first.getsockname()[1]))
    load = rendezvous._distributed

    def ends_meanwhile() -> Any:
        first.close()
        return load()

    monkeypatch.setattr(rendezvous, "_distributed", ends_meanwhile)
    with pytest.raises(ConnectionError):
        rendezvous.join(Place("train.py", 1, 1), 2)


@pytest.mark.parametrize(
    ("typed", "what"), [(["-m", "seed=1,2"], "sweep"), (["hparams_search=cnn", "model=cnn"], "search")]
)
def test_a_sweep_is_not_started_by_each_process(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, typed: list[str], what: str
) -> None:
    monkeypatch.setattr(rank, "place", lambda: Place("torchrun", 0, 0, 2, 2))
    ended = command(*typed, "trainer=ddp")
    assert ended.code == 2
    assert ended.error.startswith("error: torchrun started 2 processes, ")
    assert f"each would start the whole {what}; start it once, without torchrun" in ended.error
