"""What a misspelt name may have been meant for."""

from __future__ import annotations

import pytest

from emoji_pred.errors import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("cnnn", ["ffn", "cnn", "transformer", "bert"], ["cnn"]),
        ("Text", ["text", "label"], ["text"]),
        ("model.lr", ["model.optimizer.lr", "model.name", "seed"], ["model.optimizer.lr"]),
        ("model.dropout", ["model.network.dropout", "loss.gamma"], ["model.network.dropout"]),
        ("seeed", ["seed", "speed", "need"], ["seed", "speed"]),  # 8/9, 8/10, 6/9 alike
        ("zzz", ["seed", "model"], []),
        ("x", [], []),
    ],
)
def test_only_names_that_are_near(name: str, known: list[str], expected: list[str]) -> None:
    assert nearest(name, known) == expected


def test_where_none_is_near_some_are_listed() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "; there are a, b"
    assert did_you_mean("zzz", [f"name{i:02}" for i in range(30)]).endswith("name19, ...")
    assert did_you_mean("aplha", iter(["alpha", "loss"])) == "; did you mean alpha?"
