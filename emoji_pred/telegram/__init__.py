"""Exports of Telegram Desktop to rows (text, emoji): `python -m emoji_pred prepare telegram`."""
