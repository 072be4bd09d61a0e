"""From a `data` config group to the Corpus a run uses: the loader, cleaning, duplicates, clusters."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from emoji_pred.data.ceiling import ceilings
from emoji_pred.data.clusters import cluster_labels
from emoji_pred.data.corpus import Corpus, Split
from emoji_pred.errors import UserError, did_you_mean
from emoji_pred.text import duplicate_key, strip_invisible

Clean = Literal["as_distributed", "leak_free"]

NOTABLE_DUPLICATES = 0.01  # share of the test rows above which a user is warned
_LOADERS = "emoji_pred.data."
_OWN_OPTIONS = ("_target_", "name", "clean", "drop_test_duplicates", "clusters")


def load_corpus(options: Mapping[str, Any], data_dir: Path) -> Corpus:
    """Load the corpus that the resolved `data` config group names, cleaned as it says.

    Args:
        options: `_target_` (a loader under `emoji_pred.data.`), `name`, `clean`, `drop_test_duplicates`,
            `clusters`; the rest are the loader's own options.
        data_dir: the download cache.

    Raises:
        UserError: an unknown option, a value out of its range, or data that cannot be used.
    """
    loader = find_loader(options.get("_target_"))
    arguments = check_options(loader, options)
    clean = options.get("clean", "as_distributed")
    if clean not in get_args(Clean):
        raise UserError(f"data.clean={clean} is unknown{did_you_mean(str(clean), get_args(Clean))}")
    drop = _validated("drop_test_duplicates", bool, options.get("drop_test_duplicates", False))
    clusters = _validated("clusters", list[list[str]] | None, options.get("clusters"))
    corpus = loader(data_dir=Path(data_dir), **arguments)
    corpus = clean_corpus(replace(corpus, name=str(options.get("name") or corpus.name)), clean)
    corpus = mark_test_duplicates(corpus, drop)
    corpus = replace(corpus, provenance={**corpus.provenance, "ceiling": ceilings(corpus)})
    return cluster_labels(corpus, clusters) if clusters else corpus


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
    parameters = {name: p for name, p in inspect.signature(loader).parameters.items() if name != "data_dir"}
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


def clean_corpus(corpus: Corpus, clean: Clean) -> Corpus:
    """Clean the texts of every split and count in the provenance what changed; no row is removed."""
    counts: dict[str, Any] = {"clean": clean}
    if clean == "as_distributed":
        return _with_cleaning(corpus, corpus.splits, counts)
    splits: dict[str, Split] = {}
    changed: dict[str, int] = {}
    emptied: dict[str, int] = {}
    for name, split in corpus.splits.items():
        texts = [strip_invisible(text) for text in split.texts]
        changed[name] = sum(map(str.__ne__, texts, split.texts))
        emptied[name] = sum(1 for new, old in zip(texts, split.texts, strict=True) if not new and old.strip())
        splits[name] = replace(split, texts=texts)
    counts |= {"rows_changed": changed, "texts_emptied": emptied}
    blank = sum(emptied.values())
    warnings = (f"{blank} text(s) held nothing but invisible characters and are now empty",) if blank else ()
    return replace(_with_cleaning(corpus, splits, counts), warnings=corpus.warnings + warnings)


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
