"""NLTK's TweetTokenizer without the scientific libraries that NLTK loads for other parts of itself."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nltk.tokenize import TweetTokenizer

UNUSED = ("scipy", "sklearn")  # NLTK does without them where they are not installed


def tweet_tokenizer(**settings: Any) -> TweetTokenizer:
    """Build a TweetTokenizer with NLTK's own settings.

    While NLTK is imported for the first time it does not find scipy and scikit-learn, which it asks for
    `fisher_exact` and `SklearnClassifier`: a second of the start of every command. They can be imported
    afterwards as ever.
    """
    hidden = [name for name in UNUSED if "nltk" not in sys.modules and name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: the import system finds nothing
    try:
        tokenizer: TweetTokenizer = importlib.import_module("nltk.tokenize").TweetTokenizer(**settings)
    finally:
        for name in hidden:
            del sys.modules[name]
    return tokenizer
