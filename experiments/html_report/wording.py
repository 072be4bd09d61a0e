"""How text and numbers get into the page: escaped, in their own direction, with the digits that they bear."""

from __future__ import annotations

import functools
import html
import json
import re
from typing import TYPE_CHECKING, Any

import regex

from experiments import numbers
from experiments.emoji_names import EMOJI_STYLE, name_of
from experiments.measured import SEEDS, Measured, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

DASH = numbers.NO_NUMBER
ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc]")
# Whole emoji, with what joins their parts; as in drawing.js.
PICTURED = regex.compile(
    r"(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|[\u200d\ufe0f\U0001f3fb-\U0001f3ff])+"
)
# A sign beside the colour, and a word beside the sign.
SIGNS = {
    Verdict.REPRODUCED: "✓",
    Verdict.BETTER: "▲",
    Verdict.WORSE: "▼",
    Verdict.INCONCLUSIVE: "?",
    Verdict.SAME: "=",
    Verdict.DIFFERENT: "≠",
    Verdict.NOT_COMPARABLE: "≁",
    Verdict.NOT_RUN: "○",
    Verdict.NOT_PUBLISHED: "·",
}
MEANINGS = {
    Verdict.REPRODUCED: "the published number lies where one more run of ours would fall",
    Verdict.BETTER: "our runs lie above the published number, in the good direction",
    Verdict.WORSE: "our runs fall short of the published number",
    Verdict.INCONCLUSIVE: "the interval is too wide to tell",
    Verdict.SAME: "a count that is the published one, such as rows of a class: no model moves it",
    Verdict.DIFFERENT: "another number than published, which is neither better nor worse",
    Verdict.NOT_COMPARABLE: "a stand-in took the place of the paper's encoder or data",
    Verdict.NOT_RUN: "no run of ours",
    Verdict.NOT_PUBLISHED: "ours alone: the paper has no such number",
}


def escape(value: object) -> str:
    """Text for an element or a quoted attribute."""
    return html.escape(str(value))


def name(text: str) -> str:
    """A label in its own direction, an emoji with its name; Urdu is said to be Urdu, for its font."""
    if PICTURED.fullmatch(text):
        return _emoji(text)
    urdu = ' lang="ur" dir="rtl"' if ARABIC.search(text) else ""
    return f"<bdi{urdu}>{escape(text)}</bdi>"


def _emoji(text: str) -> str:
    """An emoji and its English name, which alone is read aloud; as `label` in drawing.js."""
    drawn, called = escape(coloured(text)), escape(name_of(text))
    if not called:
        return f"<bdi class=emoji>{drawn}</bdi>"
    return (
        f'<span class=named title="{called}"><bdi class=emoji aria-hidden=true>{drawn}</bdi> '
        f"<small>{called}</small></span>"
    )


def coloured(text: str) -> str:
    """A sign such as a heart has a plain form and a coloured one, which U+FE0F asks for."""
    return text + EMOJI_STYLE if len(text) == 1 and PICTURED.fullmatch(text) else text


def css_name(verdict: Verdict) -> str:
    """A verdict as a class of the style sheet."""
    return verdict.value.replace(" ", "-")


def prose(text: str) -> str:
    """Markdown as HTML; HTML in it is shown as text, and no picture is loaded."""
    return _markdown().render(text)


def prose_line(text: str) -> str:
    """One line of Markdown, without a paragraph around it."""
    return _markdown().renderInline(text)


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    made.add_render_rule("text", _prose_text)
    made.add_render_rule("table_open", lambda *_: "<div class=scroll tabindex=0><table>")
    made.add_render_rule("table_close", lambda *_: "</table></div>")
    return made


def _prose_text(_: object, tokens: Sequence[Token], place: int, *__: object) -> str:
    """Words of prose, each emoji among them with its name, which may stand behind it already."""
    text, end, parts = escape(tokens[place].content), 0, []
    for found in PICTURED.finditer(text):
        called = name_of(found[0])
        parts += [text[end : found.start()], name(found[0]) if called else found[0]]
        said = f" {escape(called)}"
        end = found.end() + (len(said) if called and text.startswith(said, found.end()) else 0)
    return "".join([*parts, text[end:]])


def script_json(value: Any) -> str:
    """JSON that stands within a script element: nothing in it looks like the end of one, or like a comment.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def digits(measured: Measured) -> int:
    """Digits behind the point of a measured number."""
    return numbers.decimals_of(measured.cell.metric, 0.5 if measured.mean is None else measured.mean)


def published(measured: Measured) -> str:
    """As it was printed."""
    return numbers.published(measured.cell.metric, measured.cell.published)


def difference(measured: Measured) -> str:
    """Measured less published, with its sign; "" where one of them lacks."""
    return "" if measured.difference is None else numbers.difference(measured)


def interval(measured: Measured) -> str:
    """The 95 % interval of the mean: its reach over seeds, as it is symmetric there; its ends over rows."""
    if measured.interval is None:
        return ""
    places, (low, high) = digits(measured), measured.interval
    if measured.interval_of == SEEDS:
        return f"± {numbers.number((high - low) / 2, places)}"
    return f"{numbers.number(low, places)} {DASH} {numbers.number(high, places)}"
