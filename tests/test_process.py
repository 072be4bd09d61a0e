"""The environment is set before torch is loaded, and the user's own settings win."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY

from emoji_pred.process import prepare_process


def test_the_users_own_settings_stay() -> None:
    environment = {"OMP_WAIT_POLICY": "active", "HOME": "somewhere"}
    prepare_process(environment)
    assert environment == {"OMP_WAIT_POLICY": "active", "HOME": "somewhere", "THP_MEM_ALLOC_ENABLE": "1"}
    environment = {"GOMP_SPINCOUNT": "7", "THP_MEM_ALLOC_ENABLE": "0"}
    prepare_process(environment)
    assert environment == {"GOMP_SPINCOUNT": "7", "THP_MEM_ALLOC_ENABLE": "0"}


@pytest.mark.parametrize("imported", ["emoji_pred.cli", "experiments.bench"])
def test_an_entry_sets_them_before_torch_is_loaded(imported: str) -> None:
    code = (
        f"import sys, {imported} as entry\n"
        "assert 'torch' not in sys.modules\n"
        "sys.argv = ['train.py', '--version']\n"
        "try:\n    getattr(entry, 'main', lambda: None)()\nexcept SystemExit:\n    pass\n"
        "import os\nassert os.environ['THP_MEM_ALLOC_ENABLE'] == '1'\n"
        "assert os.environ['GOMP_SPINCOUNT'] == '10000'"
    )
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "THP_MEM_ALLOC_ENABLE")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=inherited, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
