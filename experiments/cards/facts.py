"""What a model card says of a dataset that no result holds: language, licence, what is odd about its texts.

Numbers stand in results and audits, none here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOT_STATED = (
    "not stated by its source. The texts are third parties', and so are the rights in them; they are not "
    "part of this project"
)


@dataclass(frozen=True)
class Sibling:
    """A reading beside the model's own: the same model under another setting of the dataset."""

    label: str
    key: str
    value: Any


@dataclass(frozen=True)
class Facts:
    """What is known of a dataset by its name.

    Attributes:
        title: how it is called in a sentence.
        language: ISO 639-1, and in words.
        task: what is predicted, and of what.
        licence: of the texts.
        licence_id: the identifier for the card's head, of the Hugging Face Hub's list.
        limits: what a user must know of the texts and labels.
        uses: what a model of it may be used for.
        ship: the setting that a model must have been trained under to be handed on, and why.
        siblings: readings that belong beside its own.
    """

    title: str
    language: tuple[str, str]
    task: str
    licence: str
    limits: tuple[str, ...]
    uses: tuple[str, ...]
    licence_id: str = "unknown"
    ship: tuple[str, str, str] | None = None
    siblings: tuple[Sibling, ...] = ()


TWEETEVAL = Facts(
    "TweetEval-emoji",
    ("en", "English"),
    "which one of its emoji the author of an English tweet put into it",
    "TweetEval says that it is released without restrictions of its own, and refers to the licences of the "
    "datasets that it is made of and to Twitter's rules; for the emoji task's tweets none is stated. The "
    "texts are third parties' and not part of this project",
    (
        "The label leaks: when the emoji was taken out of a tweet, its invisible variation selector U+FE0F "
        "stayed in most texts with a red heart or a sun, in training and test far more than in validation. A "
        "model trained on the texts as distributed learns that; its test numbers say little of "
        "texts without it.",
        "Label noise: the label is the one emoji that one author chose. Several emoji often fit as well "
        "(the red and the other hearts, the cameras), and the metrics count only the chosen one.",
        "Topics of their place and time: the shared task's English tweets come from the United States, with "
        "Christmas, places and sports of then in them. Class frequencies differ between training and test.",
    ),
    (
        "research on emoji prediction, and comparison with published models under the same reading",
        "suggestions of an emoji for English tweet-like text, where a person chooses",
    ),
    ship=(
        "clean",
        "leak_free",
        "the texts as distributed give hearts and suns away, so a model that learnt from them is good on "
        "this test set and nowhere else",
    ),
    siblings=(
        Sibling("as distributed", "clean", "as_distributed"),
        Sibling("leak-free", "clean", "leak_free"),
    ),
)
TELEGRAM = Facts(
    "Telegram-Rus",
    ("ru", "Russian"),
    "which emoji follows a Russian comment of a Telegram channel",
    NOT_STATED,
    (
        "Label noise: a text with several emoji gives a row for each, so the same text stands with different "
        "labels; which emoji follows a comment is largely the writer's habit.",
        "Biased source: comments below a small number of channels that its authors chose by hand, with their "
        "own topics, words and regular writers; many copies of advertising stood among them.",
        "What came before a comment is not seen by the model, though the emoji often answers it.",
    ),
    (
        "research on emoji prediction in Russian",
        "suggestions of an emoji for short Russian comments, where a person chooses",
    ),
)
EMOTHREAT = Facts(
    "EmoThreat",
    ("ur", "Urdu"),
    "which emotions, none or several, an Urdu text expresses",
    NOT_STATED,
    (
        "Biased source: all neutral rows are machine-translated film reviews, far longer than the tweets of "
        "all other classes. Length alone gives them away; a neutral tweet is not known to the model.",
        "Label noise: sentences stand twice with different labels, and some tweets have no label at all.",
        "Anger and disgust go together far more than chance would have it: a model learns them as "
        "nearly one.",
    ),
    (
        "research on emotions in Urdu tweets, and comparison on the same split",
        "sorting of larger collections of texts, of which a person checks samples",
    ),
    siblings=(
        Sibling("with the neutral reviews", "neutral", True),
        Sibling("without the neutral reviews", "neutral", False),
    ),
)
SAMPLE = Facts(
    "the bundled sample",
    ("", "made-up sentences"),
    "the labels of sentences that a grammar made up",
    "part of this project, as its code",
    (
        "The texts are made up by a small grammar: a model of them shows that the suite works, and "
        "nothing else.",
    ),
    ("trying the suite out",),
)
FACTS = {
    "tweeteval": TWEETEVAL,
    "telegram_rus": TELEGRAM,
    "telegram_rus_small": TELEGRAM,
    "emothreat": EMOTHREAT,
    "emothreat_public": EMOTHREAT,
    "sample": SAMPLE,
}
UNKNOWN = Facts(
    "a dataset of the user's own",
    ("", "not stated"),
    "the labels of the user's own texts",
    "not stated: whoever hands the model on must add it",
    ("Nothing is recorded here of where the texts come from; `python -m emoji_pred audit` looks for flaws.",),
    ("what its owner has tested it for",),
)


def facts_of(name: str) -> Facts:
    """What is known of a dataset; little of one that is a user's own."""
    return FACTS.get(name, UNKNOWN)
