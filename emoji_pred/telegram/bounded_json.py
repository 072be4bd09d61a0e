"""JSON that no parser can be made to hold much of: over-long strings are cut, UTF-8 is repaired."""

from __future__ import annotations

import codecs
import re

from emoji_pred.errors import UserError
from emoji_pred.telegram.messages import Readable

MAX_STRING_BYTES = 1 << 20  # of a string; what is longer is cut, and then too long for a text

_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BROKEN_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u[0-9a-fA-F]{0,3}\Z")
_HEX_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\x")


class BoundedJson:
    r"""Hands on the bytes of a JSON file to a parser such as ijson, and changes what would harm it.

    A string above a limit is cut to about that limit, so that a parser that keeps a whole string keeps no
    more. Bytes that are not UTF-8 become U+FFFD, as a parser would end there; a byte order mark goes.
    Telegram Desktop writes control characters as `\x1F`, which is no JSON: they become `\u001F`.

    Args:
        stream: of the file, in binary.
        name: of the file, for errors.

    Raises:
        UserError: on reading, where the limit passes without a string: numbers or brackets without end.
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream, self._name = stream, name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._held = b""  # a backslash at the end of a piece: what it escapes comes with the next
        self._in_string = self._cutting = False
        self._since_quote = 0  # bytes, within a piece of exact
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes, about as many as asked for; none only at the end of the file."""
        while size and not self._ended:  # ijson asks for 0 bytes first, to see of which type they are
            chunk = self._stream.read(size)
            self._ended = not chunk
            text = self._decoder.decode(chunk, final=self._ended)
            piece = self._bounded(self._whole_escapes(self._held + text.encode()))
            if piece:
                return piece
        return b""

    def _whole_escapes(self, piece: bytes) -> bytes:
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        cut = len(piece) - backslashes % 2 if not self._ended else len(piece)
        self._held = piece[cut:]
        piece = piece[:cut]
        return _HEX_ESCAPE.sub(rb"\1\\u00", piece) if rb"\x" in piece else piece

    def _bounded(self, piece: bytes) -> bytes:
        if self._cutting:
            rest = _STRING_REST.match(piece)
            if rest is None:
                return b""
            self._cutting, piece = False, piece[rest.end() - 1 :]
        quotes = piece.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"')
        self._in_string ^= bool(quotes % 2)
        self._since_quote = 0 if quotes else self._since_quote + len(piece)
        if self._since_quote > MAX_STRING_BYTES:
            if not self._in_string:
                raise UserError(
                    f"{self._name} has 1 MB of brackets or digits on end: it is no export of Telegram"
                )
            self._cutting, self._since_quote = True, 0
            return _BROKEN_ESCAPE.sub(rb"\1", piece)
        return piece
