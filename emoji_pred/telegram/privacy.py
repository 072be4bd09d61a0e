"""What identifies people in a text, and what is written in its place.

Telegram marks handles, numbers, addresses and links in most texts; what it does not mark is found by its
form. Names that are simply written in a sentence are not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from emoji_pred.telegram.messages import Part

USER, LINK, PHONE, EMAIL, CARD = "@user", "https", "phone", "email", "card"
PLACEHOLDERS = (USER, LINK, PHONE, EMAIL, CARD)
_MARKED = {
    **{"mention": USER, "mention_name": USER, "link": LINK, "phone": PHONE, "email": EMAIL},
    "bank_card": CARD,
}

# Every quantifier that may be tried at each place of a text is bounded: time grows with its length only.
_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_NO_KEYCAP = r"(?!\ufe0f?\u20e3)"  # the digit before belongs to an emoji: 1️⃣
# Does not end in the full stop of a sentence.
_ADDRESS = rf"[\w\-.~:/?#\[\]@!$&'()*+,;=%]*[\w/=&#%+\-]{_NO_KEYCAP}"
_ZONES = (
    "ru|рф|su|com|org|net|info|biz|me|io|ly|gg|cc|tv|by|ua|kz|uz|kg|am|ge|md|de|fr|uk|eu|us|cn|tr|be|"
    "app|dev|xyz|site|online|store|shop|club|pro|link|live|news|media|space|top|moscow|москва|онлайн|сайт|дети"
)
_LINK = re.compile(
    rf"""\b(?:https?|ftp|tg|ton|mailto|tel|viber|whatsapp):/{{0,2}}{_ADDRESS}
    |\bwww\.{_ADDRESS}
    |(?<![\w.@-])(?:[\w-]{{1,63}}\.){{1,8}}(?:(?:{_ZONES})\b(?!@)(?:[/?\#:]{_ADDRESS}|/)?|[a-z]{{2,24}}/{_ADDRESS})
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Handles are Latin; in others, such as бл@ха, the sign stands for a letter.
_HANDLE = re.compile(rf"@[A-Za-z0-9_]+{_NO_KEYCAP}")
_NUMBER = re.compile(
    rf"(?<!\d)(?<!\d[.,])\+?\(?\d(?:[ \t\u00a0()\-\u2010-\u2013.]{{0,3}}\d){{6,24}}(?!\d){_NO_KEYCAP}"
)
_DAY = r"\d{1,4}[.\-]\d{1,2}[.\-]\d{2,4}"
_DATE = re.compile(rf"{_DAY}(?:[ \t]\d{{1,2}}|[ \t]?[\-\u2013][ \t]?{_DAY})?")
_LOCAL_NUMBER = re.compile(r"\d{3}[ \-]\d{2}[ \-]\d{2}")


def masked_text(parts: Iterable[Part], mask: bool = True, custom_emoji: bool = True) -> str:
    """A message as one string.

    Args:
        parts: of the message.
        mask: write `@user`, `https`, `phone`, `email` and `card` in place of what identifies people; their
            places are known from Telegram's marks and from the form of the text.
        custom_emoji: keep the emoji that stands for a custom one.
    """
    kept = (part for part in parts if custom_emoji or part.kind != "custom_emoji")
    if not mask:
        return "".join(part.text for part in kept)
    return mask_text("".join(_MARKED.get(part.kind, part.text) for part in kept))


def mask_text(text: str) -> str:
    """Replace what has the form of an e-mail address, a link, a handle, a telephone or a card number.

    A number is a telephone's with 10 to 15 digits, 8 or more behind a plus sign, or as 123-45-67; a card's
    with 16 to 19. So some long numbers that are neither go too; dates, and sums below 1,000,000,000, stay.
    """
    if "@" in text:
        text = _EMAIL.sub(EMAIL, text)
    if "." in text or ":" in text:
        text = _LINK.sub(LINK, text)
    if "@" in text:
        text = _HANDLE.sub(USER, text)
    return _NUMBER.sub(_mask_number, text)


def count_marks(text: str) -> tuple[int, int, int, int]:
    """How many e-mail addresses, links, handles and masked handles (`@user`) a text holds."""
    emails = links = 0
    if "@" in text:
        text, emails = _EMAIL.subn(EMAIL, text)
    if "." in text or ":" in text:
        text, links = _LINK.subn(LINK, text)
    handles = _HANDLE.findall(text) if "@" in text else []
    masked = sum(handle.lower() == USER for handle in handles)
    return emails, links, len(handles) - masked, masked


def _mask_number(found: re.Match[str]) -> str:
    written = found.group()
    digits = sum(character.isdigit() for character in written)
    if _LOCAL_NUMBER.fullmatch(written):
        return PHONE
    if _DATE.fullmatch(written):
        return written
    if 16 <= digits <= 19:
        return CARD
    return PHONE if digits >= 10 or (digits >= 8 and "+" in written) else written
