"""From a `data` config group to the Corpus a run uses: the loader, cleaning, duplicates, clusters."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from emoji_pred.changes import cleans_own_files
from emoji_pred.data.ceiling import ceilings
from emoji_pred.data.clusters import cluster_labels
from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.errors import UserError, did_you_mean
from emoji_pred.text import duplicate_key, first_words, strip_invisible, strip_stray_invisible
from emoji_pred.urdu import normalise_urdu

Clean = Literal["as_distributed", "leak_free"]
Normalise = Literal["none", "urdu"]

NOTABLE_DUPLICATES = 0.01  # share of the test rows above which a user is warned
_LOADERS = "emoji_pred.data."
_CLEANING_OPTIONS = ("clean", "normalise", "max_words")
# What a loader is given beside its options: where files are, and what a model will read of a text.
_GIVEN = ("data_dir", "as_read")
_OWN_OPTIONS = ("_target_", "name", *_CLEANING_OPTIONS, "drop_test_duplicates", "clusters")


@dataclass(frozen=True)
class Cleaning:
    """What is done to every text before a model reads it; a new text is treated as those of the run were.

    Attributes:
        clean: `leak_free` removes invisible characters but those that join letters or emoji.
        normalise: `urdu` writes a text in one spelling, see `emoji_pred.urdu`.
        max_words: words of the text, as it then is, after which it is cut; None: it is not.
        keep_joiners: `leak_free` leaves joiners; False only for runs of before it did. No option.
    """

    clean: Clean = "as_distributed"
    normalise: Normalise = "none"
    max_words: int | None = None
    keep_joiners: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Cleaning:
        """The cleaning that a `data` config group asks for; options that it lacks are as they were before.

        Raises:
            UserError: a value is unknown or out of its range.
        """
        for option, values in (("clean", get_args(Clean)), ("normalise", get_args(Normalise))):
            value = options.get(option, getattr(cls, option))
            if value not in values:
                raise UserError(f"data.{option}={value} is unknown{did_you_mean(str(value), values)}")
        most = _validated(
            "max_words", Annotated[int, Field(ge=1, strict=True)] | None, options.get("max_words")
        )
        given = {name: options[name] for name in _CLEANING_OPTIONS if name in options}
        return cls(**{**given, "max_words": most})

    @classmethod
    def of_run(cls, result: Mapping[str, Any]) -> Cleaning:
        """The cleaning of a finished run, from its result, as it was when the run was trained.

        Raises:
            UserError: as `of`.
        """
        data = result["config"]["data"]
        earlier = cleans_own_files(data) and "cleaning" not in result["provenance"]["identity"]
        return replace(cls.of(data), keep_joiners=not earlier)

    def __call__(self, text: str) -> str:
        """One text as the run's own are."""
        if self.clean == "leak_free":
            text = strip_stray_invisible(text) if self.keep_joiners else strip_invisible(text)
        if self.normalise == "urdu":
            text = normalise_urdu(text)
        return text if self.max_words is None else first_words(text, self.max_words)


def load_corpus(options: Mapping[str, Any], data_dir: Path) -> Corpus:
    """Load the corpus that the resolved `data` config group names, cleaned as it says.

    Args:
        options: `_target_` (a loader under `emoji_pred.data.`), `name`, those of `Cleaning`,
            `drop_test_duplicates`, `clusters`; the rest are the loader's own options.
        data_dir: the download cache.

    Raises:
        UserError: an unknown option, a value out of its range, or data that cannot be used.
    """
    loader = find_loader(options.get("_target_"))
    arguments = check_options(loader, options)
    cleaning = Cleaning.of(options)
    drop = _validated("drop_test_duplicates", bool, options.get("drop_test_duplicates", False))
    clusters = _validated("clusters", list[list[str]] | None, options.get("clusters"))
    given = {"as_read": _as_read(cleaning)} if "as_read" in inspect.signature(loader).parameters else {}
    corpus = loader(data_dir=Path(data_dir), **given, **arguments)
    corpus = clean_corpus(replace(corpus, name=str(options.get("name") or corpus.name)), cleaning)
    corpus = tell_unseen_classes(mark_test_duplicates(corpus, drop))
    corpus = replace(corpus, provenance={**corpus.provenance, "ceiling": ceilings(corpus)})
    return cluster_labels(corpus, clusters) if clusters else corpus


def _as_read(cleaning: Cleaning) -> Cleaning | None:
    """The cleaning, where it makes texts the same that were not: `changes.groups_as_read` names these anew.

    Without a cut or another spelling texts stay as different as they are under `duplicate_key`.
    """
    return cleaning if cleaning.max_words is not None or cleaning.normalise != "none" else None


def find_loader(target: Any) -> Callable[..., Corpus]:
    """Import the loader a dotted path names; only `emoji_pred.data.<module>.load_<name>` is allowed.

    Raises:
        UserError: the path is not of that form or names nothing.
    """
    module_name, _, function_name = str(target).rpartition(".")
    if not module_name.startswith(_LOADERS) or not function_name.startswith("load_"):
        raise UserError(f"data._target_={target} is not allowed: it must be {_LOADERS}<module>.load_<name>")
    try:
        loader: Callable[..., Corpus] = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError):
        raise UserError(f"data._target_={target} does not exist") from None
    # What the module itself imported is not for a configuration to call.
    if getattr(loader, "__module__", None) != module_name:
        raise UserError(f"data._target_={target} is not allowed: {module_name} does not define it")
    return loader


def check_options(loader: Callable[..., Corpus], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the loader's own options, each checked against the loader's signature.

    Raises:
        UserError: an unknown or missing option, or a value of the wrong type or out of range.
    """
    hints = get_type_hints(loader, include_extras=True)
    parameters = {name: p for name, p in inspect.signature(loader).parameters.items() if name not in _GIVEN}
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name in _OWN_OPTIONS:
            continue
        if name not in parameters:
            known = [*parameters, *_OWN_OPTIONS[1:]]
            raise UserError(
                f"data.{name} is not an option of {loader.__name__}{did_you_mean(str(name), known)}"
            )
        checked[name] = _validated(str(name), hints[name], value)
    absent = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty and n not in checked]
    if absent:
        raise UserError(f"data.{absent[0]} is missing: {loader.__name__} needs it")
    return checked


def clean_corpus(corpus: Corpus, cleaning: Cleaning) -> Corpus:
    """Clean the texts of every split and count in the provenance what changed; no row is removed.

    The raw text of a row is that of the same id with the cleaning left out.
    """
    set_options = {name: getattr(cleaning, name) for name in _CLEANING_OPTIONS}
    counts: dict[str, Any] = {
        name: value for name, value in set_options.items() if name == "clean" or value not in ("none", None)
    }
    if cleaning == Cleaning():
        return _with_cleaning(corpus, corpus.splits, counts)
    splits: dict[str, Split] = {}
    changed: dict[str, int] = {}
    emptied: dict[str, int] = {}
    for name, split in corpus.splits.items():
        texts = [cleaning(text) for text in split.texts]
        changed[name] = sum(map(str.__ne__, texts, split.texts))
        emptied[name] = sum(1 for new, old in zip(texts, split.texts, strict=True) if not new and old.strip())
        splits[name] = replace(split, texts=texts)
    counts |= {"rows_changed": changed, "texts_emptied": emptied}
    if cleaning.max_words is not None:
        uncut = replace(cleaning, max_words=None)
        counts["rows_cut"] = {
            name: sum(map(str.__ne__, splits[name].texts, map(uncut, split.texts)))
            for name, split in corpus.splits.items()
        }
    blank = sum(emptied.values())
    why = "invisible characters" if cleaning.normalise == "none" else "invisible characters and marks"
    warnings = (f"{blank} text(s) held nothing but {why} and are now empty",) if blank else ()
    return replace(_with_cleaning(corpus, splits, counts), warnings=corpus.warnings + warnings)


def tell_unseen_classes(corpus: Corpus) -> Corpus:
    """Warn of classes that have no training row: nothing can be learned of them."""
    unseen = np.flatnonzero(corpus.class_counts("train") == 0)
    if not unseen.size:
        return corpus
    names = [corpus.label_names[place] for place in unseen.tolist()]
    missed = sum(int(corpus.class_counts(split)[unseen].sum()) for split in corpus.splits)
    rest = f"; {missed} label(s) of validation and test are theirs and will be missed" if missed else ""
    warning = (
        f"{len(names)} class(es) have no training row and cannot be learned: {', '.join(names[:10])}{rest}"
    )
    return replace(corpus, warnings=(*corpus.warnings, warning))


def mark_test_duplicates(corpus: Corpus, drop: bool) -> Corpus:
    """Count the test rows whose text stands in train or validation, or remove them; ids stay as they are.

    Raises:
        UserError: no test row would be left.
    """
    if "test" not in corpus.splits:
        return corpus
    seen = {duplicate_key(text) for name in ("train", "validation") for text in corpus.splits[name].texts}
    test = corpus.splits["test"]
    kept = np.array(
        [row for row, text in enumerate(test.texts) if duplicate_key(text) not in seen], dtype=np.intp
    )
    doubled = len(test) - len(kept)
    if not drop:
        counted = _with_cleaning(corpus, corpus.splits, {"test_duplicates": doubled})
        if doubled <= NOTABLE_DUPLICATES * len(test):
            return counted
        warning = (
            f"{doubled} of {len(test)} test texts stand in train or validation too, which flatters the test; "
            "data.drop_test_duplicates=true removes them"
        )
        return replace(counted, warnings=(*corpus.warnings, warning))
    if not kept.size:
        raise UserError(f"data {corpus.name}: every test text stands in train or validation too")
    splits = {**corpus.splits, "test": test.take(kept)}
    return _with_cleaning(corpus, splits, {"test_duplicates_dropped": doubled})


def _validated(name: str, hint: Any, value: Any) -> Any:
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = ".".join(["data", name, *_option_path(first["loc"], value)])
        raise UserError(f"{option}={first['input']!r}: {first['msg']}") from None


def _with_cleaning(corpus: Corpus, splits: dict[str, Split], counts: Mapping[str, Any]) -> Corpus:
    cleaning = {**corpus.provenance.get("cleaning", {}), **counts}
    return replace(corpus, splits=splits, provenance={**corpus.provenance, "cleaning": cleaning})


def _option_path(location: tuple[Any, ...], value: Any) -> list[str]:
    """Keep the parts of a pydantic location that are keys of the user's value, not type names."""
    parts: list[str] = []
    for part in location:
        if isinstance(value, Mapping) and part in value:
            parts.append(str(part))
            value = value[part]
    return parts
