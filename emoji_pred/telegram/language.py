"""Only messages in one language: judged by chat, as the authors chose channels, or message by message.

The paper gathered comments of Russian channels, chosen by hand; the language of single comments is not looked
at. py3langid (Lui and Baldwin 2012) judges by naive Bayes over n-grams of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import Literal

from emoji_pred.errors import UserError, did_you_mean
from emoji_pred.telegram.messages import Message, Tally

ANY = "any"
# The languages of most chats of Telegram's Russian-speaking users and of their neighbours. Among all
# languages that the model knows, short Russian texts are taken for rare ones too often.
AMONG = (
    *("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "tt", "ba", "mn", "uz", "az", "hy", "ka"),
    *("en", "de", "fr", "es", "it", "pt", "pl", "tr", "fa", "ar", "he", "zh", "ja", "ko", "hi", "id"),
)
SAMPLE_MESSAGES = 200  # of a chat, on which it is judged
SAMPLE_CHARS = 20_000  # of them, at most

_NO_LETTERS = re.compile(r"[\W\d_]+")


class Languages:
    """Says whether a text is in a language.

    Args:
        wanted: its code (ISO 639), such as `ru`.

    Raises:
        UserError: the package is missing, or does not know the language.
    """

    def __init__(self, wanted: str) -> None:
        try:
            import py3langid
        except ImportError:
            raise UserError("--language needs a package: pip install 'emoji_pred[telegram]'") from None
        try:
            py3langid.set_languages(dict.fromkeys((*AMONG, wanted)))
        except ValueError:
            raise UserError(
                f"--language {wanted} is none that is known by a code{did_you_mean(wanted, AMONG)}"
            ) from None
        self._wanted, self._classify = wanted, py3langid.classify

    def fits(self, text: str) -> bool:
        """Whether the letters of the text are of the language; not where it has none."""
        letters = _NO_LETTERS.sub(" ", text).strip()
        return bool(letters) and self._classify(letters)[0] == self._wanted


def in_language(
    messages: Iterable[Message], languages: Languages, by: Literal["chat", "message"], tally: Tally
) -> Iterator[Message]:
    """Yield the messages of chats, or those messages, that are in the language; the others are counted.

    A chat is judged by its first messages with a text, so at most `SAMPLE_CHARS` of it are held back.
    """
    if by == "message":
        for message in messages:
            if languages.fits(_text(message)):
                yield message
            else:
                tally.other_language += 1
        return
    for _, chat in groupby(messages, key=lambda message: message.chat):
        sample = _sample(chat)
        fits = languages.fits(" ".join(map(_text, sample)))
        for message in chain(sample, chat):
            if fits:
                yield message
            else:
                tally.other_language += 1


def _sample(chat: Iterator[Message]) -> list[Message]:
    """The first messages of a chat."""
    sample: list[Message] = []
    size = 0
    for message in chat:
        sample.append(message)
        size += sum(len(part.text) for part in message.parts)
        if len(sample) >= SAMPLE_MESSAGES or size >= SAMPLE_CHARS:
            break
    return sample


def _text(message: Message) -> str:
    return "".join(part.text for part in message.parts)
