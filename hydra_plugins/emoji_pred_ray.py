"""`hydra/launcher=ray`: the runs of a sweep as tasks of a Ray cluster.

hydra-ray-launcher 1.2.2 asks for cloudpickle < 3 where joblib's launcher brings 3, so Ray is used directly.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from emoji_pred.errors import STOP_SIGNALS, UserError

PASSED_ON = ("EMOJI_PRED_", "HF_", "TRANSFORMERS_", "WANDB_")  # beginnings of names


class RayLauncher(Launcher):
    """Starts Ray here, or joins a cluster, whose machines share the directory of the runs and this checkout.

    Args:
        address: of a cluster; None starts Ray on this machine.
        num_cpus: cores, and torch threads, of one run.
        num_gpus: GPUs of one run.
    """

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float) -> None:
        self.address, self.num_cpus, self.num_gpus = address, num_cpus, num_gpus
        self._stopping = False

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take over what Hydra gives."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs; raises the first error of Ray's own, such as a worker that was killed."""
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # two runs may say the same
        try:
            import ray
        except ImportError:
            raise UserError("hydra/launcher=ray needs Ray: pip install -e '.[ray]'") from None
        started = not ray.is_initialized()
        if started:
            self._start(ray)
        task = ray.remote(_run).options(num_cpus=self.num_cpus, num_gpus=self.num_gpus, max_retries=0)
        shared = ray.put((self.hydra_context, self.config, self.task_function, Singleton.get_state()))
        tasks = [
            task.remote(initial_job_idx + number, list(overrides), shared)
            for number, overrides in enumerate(job_overrides)
        ]
        try:
            self._wait(ray, tasks)
            returned: list[JobReturn] = ray.get(tasks)
            return returned
        finally:
            if started:
                ray.shutdown()

    def stop(self) -> None:
        """Ask the runs to save their states and end; safe to call from the handler of a signal."""
        self._stopping = True

    def _wait(self, ray: Any, tasks: list[Any]) -> None:
        """Until all are done, those asked to stop too."""
        left, asked = tasks, False
        while left:
            _, left = ray.wait(left, num_returns=len(left), timeout=1)
            if self._stopping and not asked:
                asked = True
                for task in left:
                    ray.cancel(task)

    def _start(self, ray: Any) -> None:
        root = str(Path(__file__).resolve().parents[1])
        variables = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        variables["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        ray.init(
            address=self.address,
            runtime_env={"env_vars": variables},
            include_dashboard=False if self.address is None else None,
            logging_level="warning",
        )
        for number, handler in handlers.items():  # Ray's own end the process at once
            signal.signal(number, handler)


def _run(number: int, overrides: list[str], shared: Any) -> JobReturn:
    """One job, in a process of Ray's."""
    hydra_context, config, task_function, singletons = shared
    setup_globals()
    Singleton.set_state(singletons)
    job_config = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job_config):
        job_config.hydra.job.id = job_config.hydra.job.num = number
    done = run_job(
        hydra_context=hydra_context,
        config=job_config,
        task_function=task_function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    sys.stdout.flush()
    return done
