"""A run of a small model loads no package that it has no use for, and who asks for them later gets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import REPOSITORY


def test_a_cnn_run_loads_nothing_unused_and_it_still_works_afterwards(
    quick: Callable[..., list[str]], tmp_path: Path
) -> None:
    script = (
        "import sys; from emoji_pred.cli import main; main();"
        "unused = {'transformers', 'peft', 'wandb', 'scipy', 'matplotlib'};"
        "print('loaded:', sorted(unused & set(sys.modules)));"
        "import torchmetrics, transformers, scipy.signal, matplotlib.pyplot;"
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


def test_only_what_is_unused_is_hidden_and_only_meanwhile() -> None:
    from lightning_utilities.core import imports
    from lightning_utilities.core.imports import RequirementCache

    from emoji_pred.lean_imports import lean_imports

    before = RequirementCache.__bool__, imports.package_available
    with lean_imports():
        assert not RequirementCache("transformers>=4.4")
        assert RequirementCache("torch>=2.0")
        assert not RequirementCache("no_such_package_anywhere")
        kept = imports.package_available
        assert not kept("scipy") and kept("torch")
    assert RequirementCache("transformers>=4.4")
    assert kept("scipy")
    assert (RequirementCache.__bool__, imports.package_available) == before
