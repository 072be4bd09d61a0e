"""Composed once and filled in, a configuration is what Hydra composes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import REPOSITORY
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from emoji_pred import cli
from emoji_pred.composer import Composer

assert cli.CONF.is_dir()  # importing it registers the resolver `home`
SAMPLE = ["data=sample", "encoder=tiny"]


@pytest.fixture
def composer() -> Iterator[tuple[Composer, list[list[str]]]]:
    """A composer, and the overrides that it left to Hydra."""
    GlobalHydra.instance().clear()
    left: list[list[str]] = []
    with initialize_config_dir(config_dir=str(REPOSITORY / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()

        def by_hydra(overrides: list[str]) -> Any:
            left.append(overrides)
            return compose("config", overrides)

        yield Composer(by_hydra, lambda group: bool(loader.get_group_options(group))), left


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=3"],
        ["model=ffn", "model.optimizer.lr=1e-3", "seed=12"],
        ["model.optimizer.lr=5e-4", "model=cnn"],
        ["loss=cross_entropy", "seed=1"],
        ["alpha=inverse_sqrt", "loss=focal", "loss.gamma=2"],
        ["model.early_stopping=null", "force=true", "runs_dir='a b, c'"],
        ["model.early_stopping.patience=5", "model.network.kernel_sizes=[2,3]"],
        ["seed=${model.batch_size}", "model.batch_size=64"],
        ["data_dir=${runs_dir}/data", "runs_dir=/tmp/x"],
        ["+model.optimizer.betas=[0.8,0.9]", "seed=4"],
        ["~loss.gamma", "seed=4"],
        ["model.optimizer={_target_: torch.optim.SGD, lr: 0.1}", "seed=4"],
        ["model.optimizer={_target_: torch.optim.SGD, lr: 0.1}", "model.optimizer.lr=0.2"],
        ["data.language=ru", "data.rows=+7", "bucket_batches=1_000", "seed=0x10"],
        ["runs_dir='~/x'", "cache_dir=1e3x", "data.language=true"],
        ["seed=007", "data.rows=-5"],
    ],
    ids=" ".join,
)
def test_what_hydra_composes(composer: tuple[Composer, list[list[str]]], overrides: list[str]) -> None:
    composed, _ = composer
    for warming in ([], ["seed=99"], overrides):  # from a template, too
        composed([*SAMPLE, *warming])
    expected = OmegaConf.to_container(compose("config", [*SAMPLE, *overrides]), resolve=True)
    assert composed([*SAMPLE, *overrides]) == expected


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["sed=1"], OmegaConfBaseException),
        (["model.optimizr.lr=1"], OmegaConfBaseException),
        (["seed.x=1"], OmegaConfBaseException),
        (["modle=cnn"], HydraException),
        (["model=cnnn"], HydraException),
        (["seed=${nothing}"], OmegaConfBaseException),
        (["runs_dir=???"], OmegaConfBaseException),
    ],
    ids=str,
)
def test_what_hydra_refuses(
    composer: tuple[Composer, list[list[str]]], overrides: list[str], error: type[Exception]
) -> None:
    composed, _ = composer
    composed(SAMPLE)
    with pytest.raises((error, HydraException)):
        composed([*SAMPLE, *overrides])


def test_a_value_that_is_still_missing_is_filled_or_refused() -> None:
    composed = Composer(lambda _: OmegaConf.create({"a": "???", "b": {"c": "???"}}), lambda _: False)
    assert composed(["a=1", "b.c=x"]) == {"a": 1, "b": {"c": "x"}}
    with pytest.raises(OmegaConfBaseException):
        composed(["a=1"])


def test_values_alone_cost_no_composition(composer: tuple[Composer, list[list[str]]]) -> None:
    composed, left = composer
    seen = [composed([*SAMPLE, f"seed={seed}", f"model.optimizer.lr={rate}"])
            for seed in range(50) for rate in ("1e-3", "1e-4")]  # fmt: skip
    assert left == [SAMPLE]
    assert {(config["seed"], config["model"]["optimizer"]["lr"]) for config in seen} == {
        (seed, rate) for seed in range(50) for rate in (1e-3, 1e-4)
    }


def test_configurations_do_not_share_what_is_set(composer: tuple[Composer, list[list[str]]]) -> None:
    composed, _ = composer
    first = composed([*SAMPLE, "model.optimizer.lr=0.5"])
    second = composed([*SAMPLE, "model.optimizer.weight_decay=0.25"])
    assert (first["model"]["optimizer"]["lr"], second["model"]["optimizer"]["lr"]) == (0.5, 1e-3)
    assert (first["model"]["optimizer"]["weight_decay"], second["model"]["optimizer"]["weight_decay"]) == (
        1e-4,
        0.25,
    )


def test_the_name_of_a_run_of_a_sweep_is_that_of_the_run_alone(
    composer: tuple[Composer, list[list[str]]], compose: Callable[..., dict[str, Any]]
) -> None:
    from emoji_pred.run import identify

    composed, _ = composer
    overrides = [*SAMPLE, "loss.gamma=2.0", "seed=5"]
    composed(SAMPLE)
    swept = identify(composed(overrides)).name
    assert swept == identify(compose(*overrides)).name
