"""Which options of the suite mend what was found; only those that the chosen dataset has are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emoji_pred.audit.findings import Remedy


class Remedies:
    """The remedies that a `data` config group offers.

    Args:
        data: the resolved group, with the values in force now.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def without_invisible(self) -> tuple[Remedy, ...]:
        """Against invisible characters and unusual blanks."""
        return self._set("clean", "leak_free", "removes invisible characters and folds white space")

    def first_words(self, most: int | None) -> tuple[Remedy, ...]:
        """Against lengths: every text is cut to so many words; None: no cut would do."""
        now = self._data.get("max_words")
        if most is None or "max_words" not in self._data or (now is not None and now <= most):
            return ()
        return (Remedy(f"data.max_words={most}", f"cuts every text to its first {most} words"),)

    def without_neutral(self, label: str) -> tuple[Remedy, ...]:
        """Where rows of a class come from elsewhere, and an option leaves that class out."""
        if label != "neutral" or self._data.get("neutral") is not True:
            return ()
        return (Remedy("data.neutral=false", "leaves the neutral rows out"),)

    def texts_together(self) -> tuple[Remedy, ...]:
        """Against a text in two splits that were drawn."""
        return self._set("split", "by_text", "draws all rows of a text into one split")

    def without_test_duplicates(self) -> tuple[Remedy, ...]:
        """Against test texts that stand in train or validation."""
        return self._set("drop_test_duplicates", True, "leaves those test rows out")

    def whole_emoji(self) -> tuple[Remedy, ...]:
        """Against labels that are parts of an emoji."""
        return self._set("units", "grapheme", "takes an emoji as people see it, without its skin tone")

    def _set(self, option: str, value: Any, what: str) -> tuple[Remedy, ...]:
        if option not in self._data or self._data[option] == value:
            return ()
        written = str(value).lower() if isinstance(value, bool) else value
        return (Remedy(f"data.{option}={written}", what),)
