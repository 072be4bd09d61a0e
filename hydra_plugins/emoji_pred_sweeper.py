"""Hydra's entry to `emoji_pred.sweep`; Hydra finds plugins in this folder by its name."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class ResumingSweeper(Sweeper):
    """Expands the command line as Hydra's own sweeper does, and launches what is not finished."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take over what Hydra gives; it makes the launcher."""
        self.loader = hydra_context.config_loader
        self.whole: DictConfig = config
        self.runner: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep; ends the process where a run failed."""
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

        from emoji_pred.cli import CONF
        from emoji_pred.composer import Composer
        from emoji_pred.sweep import Sweep

        overrides = OverridesParser.create(config_loader=self.loader).parse_overrides(arguments)
        (batch,) = BasicSweeper.split_arguments(overrides, None)
        compose = Composer(
            lambda texts: self.loader.load_sweep_config(self.whole, texts),
            functools.cache(lambda group: bool(self.loader.get_group_options(group))),
        )
        launcher = self.whole.hydra.launcher
        here = launcher["_target_"].endswith(".BasicLauncher")
        elsewhere = launcher["_target_"].endswith(".SlurmLauncher") or bool(launcher.get("address"))
        stop = getattr(self.runner, "stop", None)
        code = Sweep(compose, self._launch, stop, CONF.parent / "train.py", here, elsewhere).run(batch)
        if code:
            sys.exit(code)

    def _launch(self, overrides: list[list[str]]) -> Sequence[Any]:
        return [done.return_value for done in self.runner.launch(overrides, initial_job_idx=0)]
