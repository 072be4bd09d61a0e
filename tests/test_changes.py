"""Changes of the code that alter numbers: declared once, in the names of just the runs they alter."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import REPOSITORY

from emoji_pred import changes, runs
from emoji_pred.changes import CHANGES, Change

Compose = Callable[..., dict[str, Any]]
KEPT = sorted((REPOSITORY / "results" / "runs").glob("*/result.json"))
OWN = ("data=text_files", "data.files.train=a.csv")


def test_entries_are_whole_and_in_order() -> None:
    numbers: dict[str, int] = {}
    for change in CHANGES:
        assert change.number == numbers.get(change.key, 1) + 1, f"{change.key}: numbers of a key go up by one"
        numbers[change.key] = change.number
        assert datetime.date.fromisoformat(change.since)
        assert change.what == change.what.strip().rstrip(".") != ""
    days = [change.since for change in CHANGES]
    assert days == sorted(days), "a new entry stands at the end"


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (("model=cnn",), set()),
        (("model=cnn", "model.accumulate=2"), {"accumulation"}),
        (("model=tfidf_nb", *OWN, "data.clean=leak_free"), {"cleaning"}),
        (("model=cnn", *OWN, "data.clean=leak_free", "model.accumulate=4"), {"cleaning", "accumulation"}),
        (("model=cnn", *OWN, "data.split=by_text", "data.max_words=5"), {"grouping"}),
        (("model=cnn", "data=tweeteval", "data.clean=leak_free"), set()),
        (("model=tfidf_nb", "data=emothreat_public"), set()),
        (("model=tfidf_nb", "data=emothreat_public", "data.normalise=urdu"), set()),
        (("model=tfidf_nb", "data=emothreat_public", "data.clean=leak_free"), set()),
        (("model=tfidf_nb", "data=emothreat_public", "data.max_words=20"), {"grouping"}),
        (("model=tfidf_nb", "data=emothreat", "data.max_words=20"), {"grouping"}),
        (("model=tfidf_nb", "data=emothreat", "data.clean=leak_free", "data.normalise=urdu"), {"grouping"}),
        (("model=tfidf_nb", "data=tweeteval", "data.max_words=20"), set()),
    ],
)
def test_a_change_is_in_the_identity_of_what_it_alters(
    compose: Compose, overrides: tuple[str, ...], keys: set[str]
) -> None:
    config = compose(*overrides)
    identity = runs.identity(config, {})
    declared = {change.key for change in CHANGES}
    assert declared & set(identity) == keys
    assert {change.key for change in changes.applying(config)} == keys


def test_an_older_configuration_lacks_keys_and_is_read_all_the_same() -> None:
    assert changes.applying({}) == ()
    assert changes.applying({"model": {"name": "cnn"}, "data": {"name": "tweeteval"}}) == ()


def test_a_run_of_before_is_known_by_what_it_was_called(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = compose("model=cnn", "seed=3")
    first = runs.run_hash(runs.identity(config, {}))
    assert runs.earlier_identities(config, {}) == []

    def change(number: int, alters: bool = True) -> Change:
        return Change("rounding", number, f"rounded by rule {number}", "2027-01-01", lambda _: alters)

    monkeypatch.setattr(changes, "CHANGES", (*CHANGES, change(2)))
    second = runs.run_hash(runs.identity(config, {}))
    assert second != first
    ((earlier, since),) = runs.earlier_identities(config, {})
    assert runs.run_hash(earlier) == first
    assert [what.what for what in since] == ["rounded by rule 2"]

    monkeypatch.setattr(changes, "CHANGES", (*CHANGES, change(2), change(3), change(4, alters=False)))
    identity = runs.identity(config, {})
    assert identity["rounding"] == 3
    found = runs.earlier_identities(config, {})
    assert [runs.run_hash(earlier) for earlier, _ in found] == [second, first]
    assert [[what.number for what in since] for _, since in found] == [[3], [2, 3]]


def test_an_accumulated_run_was_once_named_without_the_change(compose: Compose) -> None:
    """As the code before 2026-11-24 named it: the same parts, but for the key."""
    config = compose("model=cnn", "model.accumulate=2")
    before = {key: part for key, part in runs.identity(config, {}).items() if key != "accumulation"}
    ((earlier, since),) = runs.earlier_identities(config, {})
    assert runs.run_hash(earlier) == runs.run_hash(before)
    assert since == (CHANGES[0],)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.parent.name)
def test_no_kept_run_lost_its_name(path: Any) -> None:
    """The stored identity hashes to the name, and lacks no change that now applies."""
    result = json.loads(path.read_text(encoding="utf-8"))
    identity = result["provenance"]["identity"]
    assert runs.run_hash(identity) == result["run"] == path.parent.name
    config = {"vectors": {"_target_": runs.NO_VECTORS}, **result["config"]}
    assert runs.run_hash(runs.identity(config, identity["files"])) == result["run"]
