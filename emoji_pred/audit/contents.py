"""What the texts are made of: characters, scripts, languages, what identifies people, lengths in tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from emoji_pred.audit import characters as chars
from emoji_pred.audit.characters import Characters
from emoji_pred.audit.findings import Finding, count, percent
from emoji_pred.audit.remedies import Remedies
from emoji_pred.data.corpus import Corpus
from emoji_pred.errors import UserError
from emoji_pred.runs import without_places
from emoji_pred.telegram.privacy import count_marks
from emoji_pred.token_cache import MOST_WORDS

LANGUAGE_SAMPLE = 2_000  # texts
LANGUAGE_CHARS = 300  # of each
TOKEN_SAMPLE = 10_000  # texts of a split that are tokenized
TOKEN_CHUNK = 500
# Nobody's text has more characters before a model's limit; what is beyond only counts as truncated.
TOKEN_CHARS = 20_000
PIECE = 2_000
SHOWN = 12
NAMED = 3  # characters in a finding
MANY_TRUNCATED = 0.05
_FORMS = ("lemmatise", "stop_words", "drop_punctuation")
_PIECE = re.compile(rf"\S.{{0,{PIECE}}}(?!\S)|\S{{1,{PIECE}}}", re.DOTALL)
_NO_LETTERS = re.compile(r"[\W\d_]+")

Progress = Callable[[Sequence[Any], str], Iterable[Any]]


def character_figures(corpus: Corpus) -> dict[str, Any]:
    """Kinds and scripts of the characters, and every invisible or unassigned one by its code point."""
    found = Characters.of([text for split in corpus.splits.values() for text in split.texts])
    kinds = np.bincount(found.kinds, minlength=len(chars.KIND_NAMES))
    scripts = np.bincount(found.scripts[found.scripts >= 0], minlength=chars.OTHER_SCRIPT + 1)
    total = max(int(scripts.sum()), 1)
    named = [*chars.SCRIPTS, "other"]
    return {
        "characters": len(found.points),
        "kinds": {name: int(number) for name, number in zip(chars.KIND_NAMES, kinds, strict=True) if number},
        "scripts": {
            named[place]: round(float(scripts[place] / total), 5)
            for place in np.argsort(-scripts).tolist()
            if scripts[place]
        },
        "invisible": _listed(found, found.kinds == chars.INVISIBLE),
        "out_of_place": _listed(found, found.residue()),
        "unassigned": _listed(found, found.kinds == chars.UNKNOWN),
        "unusual_blanks": _listed(found, found.kinds == chars.BLANK),
    }


def _listed(found: Characters, chosen: np.ndarray) -> dict[str, Any]:
    """Occurrences, texts, and the most frequent characters by name with their texts."""
    points, rows = found.points[chosen].astype(np.int64), found.rows[chosen].astype(np.int64)
    texts = Counter((np.unique(points << 32 | rows) >> 32).tolist())
    return {
        "occurrences": len(points),
        "texts": len(np.unique(rows)),
        "most": [
            {"character": chars.name_of(point), "texts": number} for point, number in texts.most_common(SHOWN)
        ],
    }


def mark_figures(corpus: Corpus) -> dict[str, dict[str, int]]:
    """For each split: blank texts, and texts with e-mail addresses, links, handles, masked handles."""
    figures = {}
    for name, split in corpus.splits.items():
        marks = np.array([count_marks(text) for text in split.texts]).reshape(-1, 4) > 0
        figures[name] = {
            **dict(
                zip(("emails", "links", "handles", "masked_handles"), marks.sum(axis=0).tolist(), strict=True)
            ),
            "blank": sum(not text.strip() for text in split.texts),
        }
    return figures


def language_figures(corpus: Corpus, seed: int = 0) -> dict[str, Any]:
    """The languages of a seeded sample of the texts (py3langid); why there are none, without the package."""
    try:
        import py3langid
    except ImportError:
        return {"missing": "languages need a package: pip install 'emoji_pred[telegram]'"}
    from emoji_pred.telegram.language import AMONG

    py3langid.set_languages(dict.fromkeys((*AMONG, "ur")))
    texts = [text for split in corpus.splits.values() for text in split.texts]
    chosen = np.random.default_rng(seed).permutation(len(texts))[:LANGUAGE_SAMPLE]
    counts: Counter[str] = Counter()
    for place in np.sort(chosen).tolist():
        letters = _NO_LETTERS.sub(" ", texts[place][:LANGUAGE_CHARS]).strip()
        counts[str(py3langid.classify(letters)[0]) if letters else "none"] += 1
    total = sum(counts.values())
    return {"texts": total, "shares": {code: round(n / total, 4) for code, n in counts.most_common(SHOWN)}}


def length_figures(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """For each split: quantiles of characters and words, and a histogram of words in powers of two."""
    return {
        name: {
            "characters": quantiles(np.array([len(text) for text in split.texts])),
            "words": quantiles(np.array([len(text.split()) for text in split.texts])),
        }
        for name, split in corpus.splits.items()
    }


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Least, quartiles, the 99th percentile, greatest, mean."""
    names = ("min", "p25", "median", "p75", "p99", "max")
    found = np.quantile(values, (0, 0.25, 0.5, 0.75, 0.99, 1), method="nearest")
    return {
        **{name: float(value) for name, value in zip(names, found, strict=True)},
        "mean": round(float(values.mean()), 2),
    }


def token_figures(
    corpus: Corpus, options: Mapping[str, Any], encoder: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Lengths in the tokens of a model, before they are cut, of a seeded sample of each split.

    Args:
        corpus: the texts.
        options: the `tokenizer` part of a model's configuration.
        encoder: the `encoder` group.
        progress: shows how far it is.

    Returns:
        tokenizer, limit, side (that is cut), and for each split: texts (looked at), quantiles, truncated
        (share of the texts that are longer than the limit) and a histogram; or `missing`, why there is none.
    """
    of_words = options["kind"] == "words"
    limit = options["max_tokens"] or (MOST_WORDS if of_words else int(encoder["max_tokens"]))
    figures: dict[str, Any] = {
        "tokenizer": "words" if of_words else f"encoder {encoder['name']}",
        "limit": limit,
        "side": "right" if of_words else options.get("truncation_side") or encoder["truncation_side"],
    }
    try:
        lengths_of = _word_lengths(options) if of_words else _encoder_lengths(encoder)
    except UserError as error:
        return {**figures, "missing": without_places(str(error))}
    figures["splits"] = {
        name: _token_lengths(name, split.texts, limit, lengths_of, progress)
        for name, split in corpus.splits.items()
    }
    return figures


def _token_lengths(
    name: str,
    texts: Sequence[str],
    limit: int,
    lengths_of: Callable[[list[str]], list[int]],
    progress: Progress,
) -> dict[str, Any]:
    chosen = np.sort(np.random.default_rng(0).permutation(len(texts))[:TOKEN_SAMPLE])
    sample = [texts[place][:TOKEN_CHARS] for place in chosen.tolist()]
    parts = [sample[start : start + TOKEN_CHUNK] for start in range(0, len(sample), TOKEN_CHUNK)]
    lengths = np.array(
        [length for part in progress(parts, f"tokens of {name}") for length in lengths_of(part)]
    )
    edges = np.unique(np.linspace(0, max(limit, 1), 17).astype(int))
    inside = np.histogram(np.minimum(lengths, limit + 1), bins=[*edges.tolist(), limit + 1, limit + 2])[0]
    return {
        "texts": len(sample),
        **quantiles(lengths),
        "truncated": round(float((lengths > limit).mean()), 5),
        "histogram": {"edges": edges.tolist(), "texts": inside.tolist()},
    }


def _word_lengths(options: Mapping[str, Any]) -> Callable[[list[str]], list[int]]:
    from emoji_pred.tokenizers import WordTokenizer

    settings = {key: options[key] for key in ("lowercase", *_FORMS) if key in options}
    tokenizer = WordTokenizer([], max_tokens=TOKEN_CHARS, **settings)
    # NLTK's patterns take a time that grows with the square of a hostile text's length: it is read in pieces.
    return lambda texts: [int(tokenizer.encode(_pieces(text)).lengths.sum()) for text in texts]


def _pieces(text: str) -> list[str]:
    """A text in parts of at most some `PIECE` characters, cut at white space where there is any."""
    if len(text) <= PIECE:
        return [text]
    return [found.group() for found in _PIECE.finditer(text)] or [text[:PIECE]]


def _encoder_lengths(encoder: Mapping[str, Any]) -> Callable[[list[str]], list[int]]:
    from emoji_pred.pretrained import load_fast_tokenizer
    from emoji_pred.text import normalise_tweet

    tokenizer = load_fast_tokenizer(dict(encoder))
    tweet = encoder["normalise"] == "tweet"

    def lengths_of(texts: list[str]) -> list[int]:
        read = [encoder["prefix"] + (normalise_tweet(text) if tweet else text) for text in texts]
        return list(map(len, tokenizer(read, truncation=False, verbose=False)["input_ids"]))

    return lengths_of


def hidden_findings(characters: Mapping[str, Any], remedies: Remedies) -> list[Finding]:
    """Invisible characters that are part of no emoji and no word, whatever they tell."""
    found = characters["out_of_place"]
    if not found["texts"]:
        return []
    most = ", ".join(f"{one['character']} ({one['texts']:,})" for one in found["most"][:NAMED])
    texts = count(found["texts"], "text holds", "texts hold")
    line = f"{texts} invisible characters that belong to no emoji and no word: {most}"
    line += ", and others" if len(found["most"]) > NAMED else ""
    evidence = {"texts": found["texts"]}
    return [Finding("invisible", "note", line, (), evidence, remedies.without_invisible())]


def content_findings(
    corpus: Corpus,
    characters: Mapping[str, Any],
    marks: Mapping[str, Mapping[str, int]],
    tokens: Sequence[Mapping[str, Any]],
) -> list[Finding]:
    """What identifies people, blank texts, unassigned characters, texts that a model does not see whole."""
    findings = []
    names = {"emails": "e-mail addresses", "links": "links", "handles": "handles"}
    left = {name: sum(split[key] for split in marks.values()) for key, name in names.items()}
    left = {name: texts for name, texts in left.items() if texts}
    if left:
        listed = ", ".join(f"{texts:,} with {name}" for name, texts in left.items())
        line = f"texts that may identify people: {listed}; mask them before the data are shared"
        findings.append(Finding("identifying", "note", line, evidence={"texts": left}))
    blank = sum(split["blank"] for split in marks.values())
    if blank:
        findings.append(
            Finding("blank texts", "note", f"{blank:,} texts are blank", evidence={"texts": blank})
        )
    unassigned = characters["unassigned"]
    if unassigned["texts"]:
        most = unassigned["most"][0]["character"]
        texts = count(unassigned["texts"], "text holds", "texts hold")
        line = f"{texts} characters that are unassigned or lost in a conversion, such as {most}"
        findings.append(Finding("unassigned", "note", line, evidence={"texts": unassigned["texts"]}))
    for one in tokens:
        cut = {name: split["truncated"] for name, split in one.get("splits", {}).items()}
        if cut and max(cut.values()) >= MANY_TRUNCATED:
            worst = max(cut, key=lambda name: cut[name])
            line = (
                f"{percent(cut[worst])} of the {worst} texts are longer than {one['limit']} tokens "
                f"({one['tokenizer']}) and cut on the {one['side']}"
            )
            findings.append(
                Finding(f"truncated {one['tokenizer']}", "note", line, evidence={"truncated": cut})
            )
    return findings
