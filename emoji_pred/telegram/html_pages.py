"""The pages of an HTML export: messages, one after the other, in bounded memory.

A page is cut into messages by the tag that begins one; only the text of a message is given to the HTML
parser (lxml, without network, entities of its own or huge trees). So a page may have any size, and what is
broken or too long in it costs that message only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoji_pred.errors import UserError
from emoji_pred.telegram.messages import MAX_DEPTH, MAX_PARTS, Message, Part, Readable, Tally

CHUNK = 1 << 18  # bytes read at a time
MAX_MESSAGE_BYTES = 1 << 20  # of a message with its tags; longer ones are skipped
_TAG_BYTES = 2048  # longest tag that may begin a message or a text

_MESSAGE = re.compile(
    rb"""<div\b[^<>]{0,999}?\bclass\s*=\s*["']\s*(?:default\s+)?message[\s"'][^<>]{0,999}>"""
)
_SERVICE = re.compile(rb"""\bclass\s*=\s*["'][^"'<>]{0,999}\bservice\b""")
_TEXT = re.compile(rb"""<div\b[^<>]{0,999}?\bclass\s*=\s*["']\s*text[\s"'][^<>]{0,999}>""")
_USUAL_TEXT = re.compile(rb'<div class="text">')  # as Telegram writes it: found many times faster
_PLAIN = re.compile(rb"""([^<]*)</div\s*>""")
_STICKER = re.compile(rb"""\bclass\s*=\s*["']\s*sticker|>\s*Sticker\s*</div""")
_STICKER_FILE = re.compile(r"\.(?:webp|tgs|webm)$", re.IGNORECASE)
_BLOCKS = frozenset({"p", "div", "blockquote", "pre", "li", "ul", "ol", "table", "tr", "h1", "h2", "h3"})
_UNSEEN = frozenset({"script", "style", "template", "button"})


def read_page(stream: Readable, path: Path, chat: int, tally: Tally, max_chars: int) -> Iterator[Message]:
    """Yield the messages of a page that have a text.

    Args:
        stream: of the file, in binary, from its beginning.
        path: of the file.
        chat: which chat the page is of.
        tally: counted up.
        max_chars: longest text.

    Raises:
        UserError: there is neither a message in it nor the page of a chat around them.
    """
    unreadable, before = tally.unreadable, tally.messages + tally.service
    for fragment, ended in _fragments(stream):
        if fragment is None:
            tally.messages += 1
            tally.too_long += 1
            continue
        if _SERVICE.search(fragment, 0, fragment.find(b">")):
            tally.service += 1
            continue
        tally.messages += 1
        message = _read_message(fragment, ended, chat, tally, max_chars)
        if message is not None:
            yield message
    found = tally.messages + tally.service - before
    if not found:
        raise UserError(f"{path} holds no message: it is no page of a chat that Telegram Desktop exported")
    if not _complete(path):
        tally.warnings.append(f"{path} ends early; the {found:,} message(s) before that count")
    if tally.unreadable > unreadable:
        count = tally.unreadable - unreadable
        tally.warnings.append(f"{path}: {count:,} of {found:,} message(s) left out, as they are not UTF-8")


def _complete(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 1024, 0))
        ending = stream.read()
    return b"</html" in ending or b"</body" in ending


def _fragments(stream: Readable) -> Iterator[tuple[bytes | None, bool]]:
    """Yield (from one tag that begins a message to the next, whether another follows).

    None stands for a message above the limit of bytes. What stands before the first message is skipped, what
    stands behind the last is part of it.
    """
    kept, searched, inside, too_long = b"", 0, False, False
    while chunk := stream.read(CHUNK):
        kept += chunk
        begin = 0
        for tag in _MESSAGE.finditer(kept, searched):
            if inside:
                yield (None if too_long else kept[begin : tag.start()]), True
            begin, inside, too_long = tag.start(), True, False
            searched = tag.end()
        too_long = too_long or (inside and len(kept) - begin > MAX_MESSAGE_BYTES)
        # Only a tag that the chunk cut can still begin in what was searched.
        rest = max(begin, len(kept) - _TAG_BYTES) if too_long or not inside else begin
        searched = max(searched - rest, len(kept) - rest - _TAG_BYTES, 0)
        kept = kept[rest:]
    if inside:
        yield (None if too_long else kept), False


def _read_message(fragment: bytes, ended: bool, chat: int, tally: Tally, max_chars: int) -> Message | None:
    opening = _USUAL_TEXT.search(fragment) or _TEXT.search(fragment)
    if opening is None:
        tally.without_text += 1
        tally.stickers += _STICKER.search(fragment) is not None
        return None
    if not ended and fragment.find(b"</div", opening.end()) < 0:
        tally.cut_off += 1
        return None
    plain = _PLAIN.match(fragment, opening.end())
    if plain is not None:
        text = html.unescape(plain[1].decode("utf-8", "replace"))
        return tally.usable(chat, [Part("", _visible(text).strip())], max_chars)
    if fragment.count(b"<", opening.end()) > 4 * MAX_PARTS:
        tally.too_nested += 1
        return None
    parts = parse_text(fragment[opening.start() :])
    if parts is None:
        tally.too_nested += 1
        return None
    return tally.usable(chat, parts, max_chars)


def parse_text(fragment: bytes) -> list[Part] | None:
    """The text of a `div.text` that stands at the beginning, in parts; None where it is nested too deep."""
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8",
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        recover=True,
        huge_tree=False,
    )
    readable = fragment.decode("utf-8", "replace").replace("\0", "").encode()
    try:
        page = etree.fromstring(readable, parser)
        body = page.find(".//div") if page is not None else None
    except etree.XMLSyntaxError:
        return None
    return None if body is None else _collect(body)


def _collect(body: Any) -> list[Part] | None:
    """The text below an element, in the order in which it is read."""
    from lxml import etree

    parts: list[Part] = []
    kinds: list[str] = []  # of the elements around; an inner one without a kind of its own has the outer's
    unseen = 0
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if event == "start":
            if len(kinds) >= MAX_DEPTH:
                return None
            kinds.append(_kind(element) or (kinds[-1] if kinds else ""))
            unseen += element.tag in _UNSEEN
            if not unseen:
                parts += _beginning(element, kinds[-1])
            continue
        unseen -= element.tag in _UNSEEN
        kinds.pop()
        if element is not body and not unseen:
            if element.tag in _BLOCKS:
                parts.append(Part("", "\n"))
            parts.append(Part(kinds[-1], _visible(element.tail or "")))
    return _trimmed(parts)


def _beginning(element: Any, kind: str) -> list[Part]:
    if element.tag == "br":
        return [Part("", "\n")]
    if element.tag == "img":
        return [Part(kind, element.get("alt") or "")]
    if element.tag in _BLOCKS:
        return [Part("", "\n"), Part(kind, _visible(element.text or ""))]
    return [Part(kind, _visible(element.text or ""))]


def _kind(element: Any) -> str:
    """What Telegram marks by an element: it writes links to people, numbers and custom emoji as `a`."""
    if element.tag in ("tg-emoji", "img") or "custom_emoji" in (element.get("class") or ""):
        return "custom_emoji"
    if element.tag != "a":
        return ""
    click, target = element.get("onclick") or "", (element.get("href") or "").strip()
    if "ShowMentionName" in click or target.startswith("tg://user"):
        return "mention_name"
    if "Emoji" in click or (_STICKER_FILE.search(target) and "://" not in target):
        return "custom_emoji"
    if target.startswith("tel:"):
        return "phone"
    if target.startswith("mailto:"):
        return "email"
    text = (element.text or "").strip()
    return (
        "link" if text and target.rstrip("/").endswith(text.rstrip("/")) and not text.startswith("@") else ""
    )


def _visible(text: str) -> str:
    """A text node as it is shown: a line break in the source is a space."""
    return text.replace("\r", "").replace("\n", " ")


def _trimmed(parts: list[Part]) -> list[Part]:
    """Without the line breaks and indentation with which the page sets off a text."""
    kept = [part for part in parts if part.text]
    while kept and not kept[0].text.strip():
        kept.pop(0)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[0] = Part(kept[0].kind, kept[0].text.lstrip())
        kept[-1] = Part(kept[-1].kind, kept[-1].text.rstrip())
    return kept
