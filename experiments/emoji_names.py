"""English names of emoji, for a reader whose machine has no font that draws them, and for searching."""

from __future__ import annotations

import functools

import emoji

EMOJI_STYLE = "\ufe0f"  # asks for the coloured form of a sign that has a plain one too


@functools.cache
def name_of(label: str) -> str:
    """The name of a label that is one emoji, such as `red heart`; "" of every other label."""
    for written in (label, label + EMOJI_STYLE, label.removesuffix(EMOJI_STYLE)):
        if emoji.is_emoji(written):
            return str(emoji.demojize(written, delimiters=("", ""))).replace("_", " ")
    return ""
