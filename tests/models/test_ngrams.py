"""TF-IDF of n-grams is scikit-learn's, whatever the texts hold."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from emoji_pred.errors import UserError
from emoji_pred.models import character_trie
from emoji_pred.models.character_trie import CharacterTrie
from emoji_pred.models.linear import fit_linear
from emoji_pred.models.ngrams import Ngrams

WORDS = [
    "sun",
    "The",
    "ß",
    "love",
    "❤️",
    "👩‍🚀",
    "اچھا",
    "هے",
    "a",
    "😂",
    "\u200d",
    "\ufe0f",
    "x\ud800",
    "100",
    "İ",
]


def texts_of(seed: int, count: int = 60) -> list[str]:
    """Texts with emoji, joiners, lone surrogates, runs of white space, and nothing at all."""
    draw = random.Random(seed)
    spaces = [" ", "  ", "\n", "\t\t", ""]
    texts = [
        "".join(draw.choice(WORDS) + draw.choice(spaces) for _ in range(draw.randrange(12)))
        for _ in range(count)
    ]
    return [*texts, "", " ", "q"]


def options(**changes: Any) -> dict[str, Any]:
    return {
        **{"ngrams": [1, 3], "min_df": 1, "max_features": None, "sublinear_tf": False, "lowercase": True},
        "within_words": False,
        **changes,
    }


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("characters", {"ngrams": [1, 6], "min_df": 2, "sublinear_tf": True}),
        ("characters", {"ngrams": [3, 4]}),
        ("characters", {"ngrams": [2, 5], "max_features": 20}),  # terms whose prefixes are no terms
        ("characters", {"ngrams": [1, 2], "lowercase": False}),
        ("characters", {"ngrams": [2, 5], "min_df": 2, "within_words": True}),
        ("words", {}),
        ("words", {"ngrams": [1, 4], "min_df": 2, "sublinear_tf": True}),
    ],
)
def test_features_are_scikit_learns(kind: str, changes: dict[str, Any]) -> None:
    chosen, train, new = options(**changes), texts_of(0), texts_of(1)
    analyzer = {"words": "word", "characters": "char_wb" if chosen["within_words"] else "char"}[kind]
    arguments = {name: chosen[name] for name in ("min_df", "max_features", "sublinear_tf", "lowercase")}
    reference = TfidfVectorizer(analyzer=analyzer, ngram_range=tuple(chosen["ngrams"]), **arguments)
    ngrams, features = Ngrams.fit(kind, chosen, train)
    expected = reference.fit_transform(train)
    assert ngrams.terms == tuple(reference.get_feature_names_out()) and len(ngrams.terms) > 5
    assert (features != expected).nnz == 0
    found, wanted = ngrams.transform(new), reference.transform(new)
    np.testing.assert_allclose(found.toarray(), wanted.toarray(), rtol=0, atol=1e-12)
    assert 0 < wanted.nnz < wanted.shape[0] * wanted.shape[1]
    assert ngrams.transform([]).shape == (0, len(ngrams.terms))


def test_a_trie_counts_by_hand() -> None:
    trie = CharacterTrie(["a", "ab", "bab", "c"])  # "b" and "ba" are no terms
    ((count, rows, columns),) = trie.find(["abab", "", "xc", "ab\U0010ffff"])
    assert count == 4
    found = sorted(zip(rows.tolist(), columns.tolist(), strict=True))
    assert found == [(0, 0), (0, 0), (0, 1), (0, 1), (0, 2), (2, 3), (3, 0), (3, 1)]


def test_texts_are_looked_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    ngrams, _ = Ngrams.fit("characters", options(), texts_of(0))
    whole = ngrams.transform(texts_of(2))
    monkeypatch.setattr(character_trie, "CHARACTERS_AT_ONCE", 7)
    assert len(list(CharacterTrie(["a"]).find(texts_of(2)))) > 20
    assert (ngrams.transform(texts_of(2)) != whole).nnz == 0


def test_a_text_without_end() -> None:
    ngrams, _ = Ngrams.fit("characters", options(ngrams=[1, 6]), ["so long", "so short"])
    row = ngrams.transform(["so " * 100_000])
    assert row.shape[0] == 1 and np.linalg.norm(row.toarray()) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "texts"), [("words", ["", "!"]), ("characters", ["ab", "cd"])])
def test_nothing_is_left(kind: str, texts: list[str]) -> None:
    message = rf"^model.features.{kind}: no n-gram of \[1, 3\] stands in min_df=2 training texts"
    with pytest.raises(UserError, match=message + rf".*; lower min_df, or set .*{kind}\.ngrams=null$"):
        Ngrams.fit(kind, options(min_df=2), texts)
    off = options(ngrams=None)
    features = {"words": off, "characters": off, kind: options(min_df=2)}
    with pytest.raises(UserError, match=message + ".*; lower min_df$"):  # there is no other kind
        fit_linear(texts, np.array([0, 1]), 2, features, None)
