"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data_dir() -> Path:
    """The download cache with the real data; tests that need it skip where it is missing."""
    candidates = [os.environ.get("EMOJI_PRED_DATA"), REPOSITORY.parent / "shared" / "data"]
    for candidate in candidates:
        if candidate and (Path(candidate) / "cardiffnlp" / "tweeteval").is_dir():
            return Path(candidate)
    pytest.skip("real data not found: set EMOJI_PRED_DATA to a filled download cache")
