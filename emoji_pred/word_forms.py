"""What words are brought to before a vocabulary counts them: lemmas, and which words are left out.

The libraries are those of the extra `word2vec`, imported only where an option asks for them.
"""

from __future__ import annotations

import functools
import importlib.metadata
import unicodedata
from collections.abc import Callable

from emoji_pred.errors import UserError

EXTRA = "pip install -e '.[word2vec]'"
REMEMBERED_WORDS = 2**18  # a word is taken apart once, while it is among the last so many


def word_packages(lemmatise: str | None, stop_words: str | None) -> list[str]:
    """The packages, by their names on PyPI, whose versions decide what the options do.

    Raises:
        UserError: one of them is not installed.
    """
    packages = ["pymorphy3", "pymorphy3-dicts-ru"] if lemmatise else []
    packages += ["stop-words"] if stop_words else []
    for name in packages:
        option = "stop_words" if name == "stop-words" else "lemmatise"
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise UserError(
                f"model.tokenizer.{option} needs the package {name}: {EXTRA}, "
                f"or model.tokenizer.{option}=null"
            ) from None
    return packages


def lemmatiser(language: str) -> Callable[[str], str]:
    """Return a function from a word to its lemma, in lower case; a word of another script stays as it is.

    Of several readings of a word pymorphy3's most probable one counts; no context is looked at. Lemmas are
    written with ё where the dictionary has it.

    Args:
        language: `ru`, the one that has a dictionary in the extra.

    Raises:
        UserError: another language, or no pymorphy3.
    """
    if language != "ru":
        raise UserError(f"model.tokenizer.lemmatise={language}: there are lemmas of ru only; null for none")
    return _russian_lemmatiser()


@functools.cache
def _russian_lemmatiser() -> Callable[[str], str]:
    word_packages("ru", None)
    from pymorphy3 import MorphAnalyzer

    parse = MorphAnalyzer(lang="ru").parse

    @functools.lru_cache(maxsize=REMEMBERED_WORDS)
    def lemma(word: str) -> str:
        readings = parse(word)
        return str(readings[0].normal_form) if readings else word

    return lemma


def stop_words(language: str) -> frozenset[str]:
    """The words of a language that say little by themselves, in lower case, of the package stop-words.

    NLTK's lists, which papers often use, are a download of their own; these lie in the package. The Russian
    one is longer (421 words, NLTK's 151) and holds some that carry a feeling, such as `спасибо`.

    Raises:
        UserError: a language that the package has no list of, or no such package.
    """
    word_packages(None, language)
    from stop_words import LANGUAGE_MAPPING, get_stop_words

    if language not in LANGUAGE_MAPPING:
        raise UserError(
            f"model.tokenizer.stop_words={language}: there is no such list, only those of "
            f"{', '.join(sorted(LANGUAGE_MAPPING))}; null for none"
        )
    return frozenset(word.lower() for word in get_stop_words(language))


def is_punctuation(word: str) -> bool:
    """Whether a token holds nothing but punctuation, signs such as `+` or `€`, and invisible characters.

    Emoticons made of such characters count, emoji do not.
    """
    return all(unicodedata.category(character) in _categories(character) for character in word)


def _categories(character: str) -> tuple[str, ...]:
    """The general categories (Unicode, chapter 4.5) that count as punctuation."""
    # From the arrows on, signs are emoji too (↔, ◾, skin tones); what is unassigned may be an emoji newer
    # than Python's tables.
    return _PUNCTUATION + _SIGNS if character < FIRST_ARROW else _PUNCTUATION


FIRST_ARROW = "\u2190"
_PUNCTUATION = ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Zs", "Zl", "Zp", "Cc", "Cf", "Mn")
_SIGNS = ("Sm", "Sc", "Sk")
