"""Example phrases of papers, with the answers printed there, to put a run's own beside them."""

from __future__ import annotations

# Y. Paturyla, D. Belopolskikh, "Text2Emoji Classifier", 2024, section 6: the phrases and answers of their
# final model (ru-en-RoSBERTa, focal loss, 62 classes), as printed.
TELEGRAM = (
    ("Здравствуйте, как ваши дела?", "😊"),
    ("Послушай песню которую я сам сочинил", "😎"),
    ("Знания Сила", "💪"),
    ("по выходным сплю дома целый день", "😴"),
    ("Сегодня сдал экзамен", "😎"),
    ("Сегодня завалил зачет", "😞"),
    ("Я забыл сегодня поздравить Никиту", "😞"),
    ("У меня очень хорошее настроение", "😊"),
    ("Давай выпьем пива вечером", "😊"),
    ("Огненное настроение", "🔥"),
    ("Ты крайне мила", "♥"),
    ("Сегодня планирую работать всю ночь", "😞"),
)
EXAMPLES = {"telegram": TELEGRAM}
