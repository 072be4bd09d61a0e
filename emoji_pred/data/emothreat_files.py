"""EmoThreat's files: the pinned public ones, and the organisers' own where a user has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from emoji_pred.data.emothreat_rows import (
    EMOTIONS,
    Conflicts,
    Recovered,
    Sentences,
    each_once,
    read_labelled,
    read_sentences,
    recover,
)
from emoji_pred.data.rows import Row
from emoji_pred.data.sources import Source, git_blob_id
from emoji_pred.data.tables import Reading
from emoji_pred.data.text_files import find_file
from emoji_pred.errors import UserError

TRAIN_FILE, TEST_FILE = "training_data.csv", "testing_data.csv"
TWEET_FILES = ("train_ds_final.csv", "test_ds_final.csv")
_READING = Reading(encoding="utf-8", format="csv")


class Sources(BaseModel):
    """The pinned files: the tweets of Ashraf et al., and a mirror of the official files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tweets: Source
    official: Source


class OwnFiles(BaseModel):
    """The organisers' own labelled files, where a user has them: names as `data.files.train` takes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    train: str | None = None
    test: str | None = None


def sources_of(source: Sources | Mapping[str, Any]) -> Sources:
    """The pins, checked where they come from a configuration."""
    return source if isinstance(source, Sources) else Sources.model_validate(dict(source))


def own_file(written: str | None, part: str, data_dir: Path) -> Path | None:
    """Find the organisers' file that `data.files.<part>` names; None where it names none.

    Raises:
        UserError: there is no such file.
    """
    return None if written is None else find_file(written, data_dir, f"data.files.{part}")


def official_training(official: Source, data_dir: Path) -> Path:
    """The pinned training file.

    Raises:
        UserError: it cannot be had; the message says what does without it.
    """
    try:
        return official.fetch((TRAIN_FILE,), data_dir)[TRAIN_FILE]
    except UserError as error:
        raise UserError(
            f"{error}; or set data.files.train to the organisers' .xlsx or .csv; "
            "data=emothreat_public needs no such file"
        ) from None


def tweets_and_test(pins: Sources, data_dir: Path, conflicts: Conflicts) -> tuple[Sentences, Recovered]:
    """The public tweets, and the official test with the labels that they give it."""
    paths = {**pins.tweets.fetch(TWEET_FILES, data_dir), **pins.official.fetch((TEST_FILE,), data_dir)}
    rows: list[Row] = []
    for name in TWEET_FILES:
        rows += read_labelled(f"tweet_{name.partition('_')[0]}", paths[name], _READING, EMOTIONS)[0]
    tweets = each_once(rows, conflicts)
    return tweets, recover(read_sentences(paths[TEST_FILE], _READING), tweets, paths[TEST_FILE])


def origins(pins: Sources, own: OwnFiles | None = None, data_dir: Path | None = None) -> dict[str, Any]:
    """Which files a corpus was made of, for its provenance."""
    named = own.model_dump(exclude_none=True).items() if own else ()
    own_ids = {}
    for part, written in named:
        path = find_file(written, data_dir, f"data.files.{part}")
        own_ids[part] = {"file": path.name, "git_blob_id": git_blob_id(path)}
    return {
        "tweets": pins.tweets.as_provenance(),
        "official": pins.official.as_provenance(),
        **({"own_files": own_ids} if own_ids else {}),
    }
