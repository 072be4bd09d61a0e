"""What an experiment is run as, in each profile."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import pytest

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments.keeping import RESULTS
from experiments.profiles import (
    CPU,
    FULL,
    SMOKE,
    command,
    composed,
    lacking_of,
    overrides_of,
    planned,
    seeds_of,
)
from experiments.table import Experiment, papers

OWN = Experiment(("data=tweeteval", "data.clean=leak_free", "model=ffn", "loss=focal"), seeds=5)
STAND_IN = Experiment(
    ("data=tweeteval", "model=bert", "encoder=minilm"),
    ("data=tweeteval", "model=bert", "encoder=bertweet"),
    stand_in="another encoder",
)
LACKING = Experiment((), ("data=telegram_rus", "model=ffn", "data.classes=62"), lacking="no data")
LINEAR = Experiment(("data=tweeteval", "model=tfidf_nb"), random=False, seeds=5)
EVERY = [experiment for paper in papers() for table in paper.tables for experiment in table.experiments]


def test_the_overrides_of_each_profile() -> None:
    assert overrides_of(OWN, CPU) == overrides_of(OWN, FULL) == OWN.measured
    assert overrides_of(STAND_IN, CPU) == STAND_IN.measured
    assert overrides_of(STAND_IN, FULL) == STAND_IN.published
    assert overrides_of(LACKING, CPU) == ()
    assert overrides_of(LACKING, FULL) == LACKING.published


def test_smoke_is_the_experiment_on_bundled_data() -> None:
    typed = overrides_of(OWN, SMOKE)
    assert typed[:4] == ("data=sample", "data.clean=leak_free", "model=ffn", "loss=focal")
    assert "encoder=tiny" in overrides_of(STAND_IN, SMOKE)
    russian = overrides_of(LACKING, SMOKE)
    assert "data.language=ru" in russian and "data.classes=62" not in russian


def test_smoke_says_which_data_have_no_stand_in() -> None:
    other = Experiment(("data=text_files", "model=ffn"))
    assert overrides_of(other, SMOKE) == () == tuple(planned(other, SMOKE))
    assert lacking_of(other, SMOKE).startswith("no bundled rows stand for data=text_files")
    assert lacking_of(other, CPU) == "" == lacking_of(OWN, SMOKE)
    assert lacking_of(LACKING, CPU) == "no data" and lacking_of(LACKING, FULL) == ""


def test_the_bundled_data_stand_for_themselves() -> None:
    own = Experiment(
        ("data=sample", "data.language=ur", "data.rows=900", "model=cnn", "trainer.max_steps=50")
    )
    assert overrides_of(own, SMOKE) == (
        *("data=sample", "data.language=ur", "model=cnn", "data.rows=300", "trainer.max_steps=3"),
    )
    assert planned(own, SMOKE)[0].config["data"]["language"] == "ur"
    (by_default,) = planned(Experiment(("model=cnn",)), SMOKE)
    assert by_default.config["data"]["name"] == "sample"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("model=cnnn", "model=cnnn is not a choice; did you mean cnn?"),
        ("trainer.max_step=2", "trainer.max_step is not a setting; did you mean trainer.max_steps"),
    ],
)
def test_overrides_that_do_not_compose_are_told_in_one_line(typed: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        planned(Experiment(("data=sample", typed)))
    assert str(caught.value).startswith(said) and f"(in: data=sample {typed})" in str(caught.value)


def test_the_seeds() -> None:
    assert seeds_of(OWN, CPU) == (0, 1, 2, 3, 4)
    assert seeds_of(OWN, CPU, 2) == (0, 1)
    assert seeds_of(OWN, SMOKE, 2) == seeds_of(LINEAR, CPU, 9) == (0,)


def test_a_planned_run_has_the_name_that_train_py_gives() -> None:
    found = planned(OWN, CPU, 2)
    assert [run.overrides[-1] for run in found] == ["seed=0", "seed=1"]
    for run in found:
        config = composed(run.overrides)
        assert config["data"]["clean"] == "leak_free"
        assert run.name == runs.run_hash(runs.identity(config, {}))
    assert found[0].name != found[1].name
    assert planned(LACKING) == []


@pytest.mark.parametrize("experiment", [OWN, STAND_IN, *EVERY[::25]])
def test_a_further_seed_is_what_it_would_be_composed_to(experiment: Experiment) -> None:
    for run in planned(experiment, FULL, 3):
        of_both = [dict(config) for config in (run.config, composed(run.overrides))]
        for config in of_both:
            config.pop("cache_dir")  # of the environment in which it was composed first
        assert of_both[0] == of_both[1]


def test_every_kept_run_is_still_what_was_typed_for_it() -> None:
    """A default of `conf/` that changed would leave runs behind that no table finds."""
    paths = sorted(RESULTS.glob("*/result.json"))
    assert paths
    configs: dict[tuple[str, ...], dict[str, Any]] = {}
    for path in paths:
        result = json.loads(path.read_text(encoding="utf-8"))
        typed = tuple(part for part in result["overrides"] if not part.startswith("seed="))
        config = configs.get(typed) or configs.setdefault(typed, composed(typed))
        identity = runs.identity({**config, "seed": result["config"]["seed"]}, {})
        assert runs.run_hash(identity) == path.parent.name, result["overrides"]


def test_a_command_can_be_typed() -> None:
    assert command(OWN.measured, (0,)) == (
        "python train.py data=tweeteval data.clean=leak_free model=ffn loss=focal seed=0"
    )
    swept = command(("model.network.hidden_dims=[8, 8]", "name=it's"), (0, 1, 2))
    assert shlex.split(swept) == [
        *("python", "train.py", "-m", "model.network.hidden_dims=[8, 8]", "name=it's", "seed=0,1,2"),
    ]


def test_every_experiment_composes_in_the_smoke_profile() -> None:
    """Hydra would refuse a setting that the bundled data do not have."""
    for experiment in EVERY:
        for run in planned(experiment, SMOKE):
            assert run.config["data"]["name"] == "sample", run.overrides
            assert run.config["trainer"]["max_steps"] == 3


def test_planning_loads_no_torch() -> None:
    import subprocess

    code = (
        "import sys, experiments.measured as measured, experiments.table as table;"
        "table.papers(); measured.Shelf(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
