"""TF-IDF of n-grams of words or characters: scikit-learn's features, as arrays that a file can hold.

Shapes: N texts, F features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emoji_pred.errors import UserError, one_line
from emoji_pred.models.character_trie import CharacterTrie

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

RUNS_OF_SPACE = re.compile(r"\s\s+")  # one space each, as scikit-learn has it
KINDS = ("words", "characters")  # in the order of their columns


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of one kind that a model knows, with their weights.

    Attributes:
        kind: `words` or `characters`.
        options: `model.features.<kind>` of the configuration.
        terms: F n-grams, in the order of their columns.
        idf: (F,) float64, the inverse document frequencies.
    """

    kind: str
    options: Mapping[str, Any]
    terms: tuple[str, ...]
    idf: np.ndarray

    @classmethod
    def fit(
        cls, kind: str, options: Mapping[str, Any], texts: Sequence[str], alone: bool = False
    ) -> tuple[Ngrams, csr_matrix]:
        """Learn the n-grams of the texts; returns them and the texts' features (N, F).

        Args:
            kind: `words` or `characters`.
            options: `model.features.<kind>` of the configuration.
            texts: N.
            alone: the model has no n-grams of the other kind, so that an error must not advise to do without.

        Raises:
            UserError: no n-gram is left.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        chosen = {name: options[name] for name in ("min_df", "max_features", "sublinear_tf")}
        vectorizer = TfidfVectorizer(**_options(kind, options), **chosen)
        try:
            features = vectorizer.fit_transform(texts)
        except ValueError as error:  # scikit-learn's way to say so
            without = "" if alone else f", or set model.features.{kind}.ngrams=null"
            raise UserError(
                f"model.features.{kind}: no n-gram of {options['ngrams']} stands in "
                f"min_df={options['min_df']} training texts ({one_line(error)[:80]}); lower min_df{without}"
            ) from None
        return cls(kind, options, tuple(vectorizer.get_feature_names_out()), vectorizer.idf_), features

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """The features (N, F) of texts, equal to scikit-learn's; unknown n-grams count nothing."""
        if not len(texts):  # which scikit-learn refuses
            from scipy.sparse import csr_matrix

            return csr_matrix((0, len(self.terms)))
        return self._weights.transform(self._counts(texts), copy=False)

    def _counts(self, texts: Sequence[str]) -> csr_matrix:
        from scipy.sparse import csr_matrix, vstack

        if self.kind == "words" or self.options["within_words"]:
            return self._vectorizer.transform(texts)
        prepare = self._vectorizer.build_preprocessor()
        prepared = [RUNS_OF_SPACE.sub(" ", prepare(text)) for text in texts]
        parts = [
            csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, len(self.terms)))
            for count, rows, columns in self._trie.find(prepared)
        ]
        return vstack(parts, format="csr")

    @cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(**_options(self.kind, self.options), vocabulary=self.terms, dtype=np.float64)

    @cached_property
    def _trie(self) -> CharacterTrie:
        return CharacterTrie(self.terms)

    @cached_property
    def _weights(self) -> Any:
        from sklearn.feature_extraction.text import TfidfTransformer

        transformer = TfidfTransformer(sublinear_tf=self.options["sublinear_tf"])
        transformer.idf_ = self.idf
        return transformer


def _options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Of scikit-learn's vectorizers, with their defaults for all that the configuration does not say."""
    return {
        "analyzer": "word" if kind == "words" else "char_wb" if options["within_words"] else "char",
        "ngram_range": tuple(options["ngrams"]),
        "lowercase": options["lowercase"],
    }
