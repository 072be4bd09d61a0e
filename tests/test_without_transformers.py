"""A run of a small model loads neither transformers nor peft, and who asks for them later gets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import REPOSITORY


def test_a_cnn_run_loads_no_transformers_and_they_still_work_afterwards(
    quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    script = (
        "import sys; from emoji_pred.cli import main; main();"
        "print('loaded:', sorted({'transformers', 'peft', 'wandb'} & set(sys.modules)));"
        "import torchmetrics, transformers;"
        "print('later:', transformers.BertConfig(hidden_size=8).hidden_size)"
    )
    directories = [f"runs_dir={tmp_path}/runs", f"cache_dir={tmp_path}/cache"]
    done = subprocess.run(
        [sys.executable, "-c", script, *quick("cnn", "logger=csv"), *directories],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["loaded: []", "later: 8"]


def test_only_the_name_transformers_is_hidden_and_only_meanwhile() -> None:
    from lightning_utilities.core.imports import RequirementCache

    from emoji_pred.without_transformers import without_transformers

    before = RequirementCache.__bool__
    with without_transformers():
        assert not RequirementCache("transformers>=4.4")
        assert RequirementCache("torch>=2.0")
        assert not RequirementCache("no_such_package_anywhere")
    assert RequirementCache("transformers>=4.4")
    assert RequirementCache.__bool__ is before
