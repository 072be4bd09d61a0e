from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from sklearn.utils.class_weight import compute_class_weight

from emoji_pred import alpha
from emoji_pred.alpha import effective_number, power
from emoji_pred.errors import UserError

CONF = Path(__file__).resolve().parents[1] / "conf"
COUNTS = [8, 4, 2, 2]  # N = 16, K = 4, N / K = 4


def schedule(name: str, counts: list[int]) -> np.ndarray:
    """Weights of conf/alpha/<name>.yaml."""
    options = dict(OmegaConf.load(CONF / "alpha" / f"{name}.yaml"))
    assert options.pop("name") == name
    function = getattr(alpha, options.pop("_target_").rpartition(".")[2])
    return function(counts, **options)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uniform", [1, 1, 1, 1]),
        ("balanced", [0.5, 1, 2, 2]),
        ("inverse_sqrt", [0.5**0.5, 1, 2**0.5, 2**0.5]),
        ("inverse_three_quarters", [0.5**0.75, 1, 2**0.75, 2**0.75]),
        ("inverse_frequency", [4 / 11, 8 / 11, 16 / 11, 16 / 11]),  # 1 : 2 : 4 : 4, mean 1
    ],
)
def test_schedules_worked_by_hand(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(schedule(name, COUNTS), expected)


def test_every_schedule_has_a_worked_case() -> None:
    worked = {"uniform", "balanced", "inverse_sqrt", "inverse_three_quarters", "inverse_frequency"}
    assert {path.stem for path in (CONF / "alpha").glob("*.yaml")} == worked | {"effective_number"}


def test_balanced_is_scikit_learns() -> None:
    labels = np.random.default_rng(0).choice(5, size=1000, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    np.testing.assert_allclose(schedule("balanced", np.bincount(labels).tolist()), expected)


def test_balanced_weights_average_1_over_training_rows() -> None:
    assert np.dot(schedule("balanced", COUNTS), COUNTS) / sum(COUNTS) == pytest.approx(1.0)


def test_scale_is_the_numerator_of_the_telegram_code() -> None:
    np.testing.assert_allclose(power([2000, 500], exponent=0.5, scale=8000), [2, 4])


def test_effective_number_worked_by_hand() -> None:
    # beta 1/2: (1/2) / (1 - 1/2) = 1 and (1/2) / (1 - 1/4) = 2/3, rescaled to sum 2.
    np.testing.assert_allclose(effective_number([1, 2], beta=0.5), [1.2, 0.8])
    np.testing.assert_allclose(effective_number(COUNTS, beta=0.0), np.ones(4))


def test_effective_number_approaches_inverse_frequency() -> None:
    weights = effective_number(COUNTS, beta=1 - 1e-12)
    np.testing.assert_allclose(weights, schedule("inverse_frequency", COUNTS), rtol=1e-9)


@pytest.mark.parametrize("name", [path.stem for path in sorted((CONF / "alpha").glob("*.yaml"))])
def test_a_class_without_rows_changes_no_other_weight(name: str) -> None:
    with_empty = schedule(name, [8, 0, 4, 2, 2])
    assert np.isfinite(with_empty).all()
    np.testing.assert_allclose(np.delete(with_empty, 1), schedule(name, COUNTS))
    assert with_empty[1] == (1 if name == "uniform" else 0)


@pytest.mark.parametrize("counts", [[0, 0], [3, -1], [[1, 2]], []])
def test_counts_that_are_none_are_refused(counts: list[int]) -> None:
    with pytest.raises(UserError, match="class weights need"):
        power(counts, exponent=1.0)


ROOT = """
defaults:
  - alpha: balanced
  - loss: focal
  - _self_
hydra:
  searchpath:
    - file://{conf}
"""


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], "balanced"),
        (["loss=weighted_cross_entropy"], "balanced"),
        (["loss=cross_entropy"], "uniform"),
        (["loss=bce"], "uniform"),
        (["loss=focal", "alpha=inverse_sqrt"], "inverse_sqrt"),
        (["loss=cross_entropy", "alpha=balanced"], "balanced"),  # the suite's check refuses this pair
        (["alpha=balanced", "loss=cross_entropy"], "balanced"),
    ],
)
def test_a_loss_without_class_weights_makes_alpha_uniform_unless_it_is_chosen(
    tmp_path: Path, overrides: list[str], expected: str
) -> None:
    (tmp_path / "config.yaml").write_text(ROOT.format(conf=CONF), encoding="utf-8")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        config = compose("config", overrides)
    assert config.alpha.name == expected
    assert config.loss.name == next((o[5:] for o in overrides if o.startswith("loss=")), "focal")
