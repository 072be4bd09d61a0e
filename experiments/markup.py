"""The pieces that pages of Markdown are made of: links, grids, headings, labels, images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.emoji_names import EMOJI_STYLE, name_of
from experiments.keeping import ROOT

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
INTERVAL = re.compile(r"\[([−\d.,]+), ([−\d.,]+)\]")


@dataclass(frozen=True)
class Links:
    """Where a page lies, so that it can point to other files of the checkout.

    Attributes:
        page: the directory of the page.
        runs: the directory of the kept runs.
    """

    page: Path
    runs: Path

    def to_run(self, name: str) -> str:
        """The run's name, as a link where page and runs lie in one tree that can move as a whole."""
        result = self.runs / name / "result.json"
        return self._link(f"`{name}`", result)

    def to_file(self, text: str, path: Path) -> str:
        """A text as a link to a file of the checkout, or alone where the page cannot reach that."""
        return self._link(text, path)

    def _link(self, text: str, path: Path) -> str:
        if not path.exists() or not self._is_one_tree(path):
            return text
        return f"[{text}]({os.path.relpath(path.resolve(), self.page.resolve())})"

    def _is_one_tree(self, path: Path) -> bool:
        page, target = self.page.resolve(), path.resolve()
        return target.is_relative_to(page) or (page.is_relative_to(ROOT) and target.is_relative_to(ROOT))


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table of Markdown; the first `left` columns are aligned to the left, the others to the right."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    lines = [head, rule, *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(text: str) -> str:
    """The text of a cell, on one line; an interval is not broken where the cell is narrow."""
    line = " ".join(text.replace("|", "\\|").split())
    return INTERVAL.sub("[\\1,\u00a0\\2]", line)


def shown(label: str) -> str:
    """A label with its emoji in colour: the heart and the sun have a plain form too."""
    is_sign = len(label) == 1 and 0x2000 < ord(label) < 0x1F000
    return label + EMOJI_STYLE if is_sign else label


def named(label: str) -> str:
    """A label as `shown`, and behind an emoji its English name."""
    return f"{shown(label)} {name_of(label)}".rstrip()


def anchor(name: str) -> str:
    """The place of a table, figure or finding on its page."""
    return name.replace(".", "-")


def heading(name: str, title: str, level: int = 2) -> str:
    """A heading that can be linked to by the name that a user types."""
    return f'<a id="{anchor(name)}"></a>\n\n{"#" * level} {title}'


def relinked(text: str, places: Mapping[str, str]) -> str:
    """Markdown for another page: links lead to the places there, or are their text alone.

    Args:
        text: of a page of the report.
        places: what each target that can be linked from there is there; an address of the web stays.
    """

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if target.startswith("https://"):
            return found[0]
        return f"[{words}]({places[target]})" if target in places else str(words)

    return LINK.sub(link, text)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def picture(alt: str, path: Path, links: Links) -> str:
    """An image with the text that stands for it."""
    return f"![{alt}]({os.path.relpath(path.resolve(), links.page.resolve())})"
