"""Leaks: none in clean datasets of many sorts, each in one where it was put; the remedies; real data."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from controls import Fault, control

from emoji_pred.audit.characters import Characters
from emoji_pred.audit.counting import Counts
from emoji_pred.audit.examples import examples
from emoji_pred.audit.features import Marks, Measures, is_word, measures, tokens_of
from emoji_pred.audit.findings import Finding
from emoji_pred.audit.leak_verdicts import doubtful_findings, leak_findings, word_findings
from emoji_pred.audit.leaks import (
    Features,
    _trials,
    common_cut,
    confirmed_rules,
    cut_that_hides,
    telling_words,
)
from emoji_pred.audit.remedies import Remedies
from emoji_pred.audit.rules import Rule, best_ranges, bin_edges, measure_rules, tried
from emoji_pred.audit.surface_model import ABOVE_HALF, TUNED, _answers, surface_findings, surface_scores
from emoji_pred.audit.trials import Trials
from emoji_pred.data.corpus import Corpus
from emoji_pred.data.prepare import Cleaning, clean_corpus, load_corpus
from emoji_pred.data.sample import load_sample
from emoji_pred.multilabel_metrics import EVERYTHING, MAJORITY_LABEL, MAJORITY_SET, NOTHING

OPTIONS = {"clean": "as_distributed", "max_words": None, "neutral": True}


def faults(corpus: Corpus) -> dict[str, Finding]:
    """The leaks and flaws among features, by name."""
    features = Features.of(corpus)
    rules, *_ = confirmed_rules(corpus, features)
    trials = Trials(corpus, rules, Remedies(OPTIONS))
    found = leak_findings(corpus, rules, trials) + word_findings(corpus, rules)
    found += surface_findings(surface_scores(corpus, features), trials)
    return {finding.name: finding for finding in found if finding.status != "note"}


def cut(corpus: Corpus, words: int) -> Corpus:
    """Every text cut to its first words, as `data.max_words` does."""
    splits = {
        name: replace(split, texts=[" ".join(text.split()[:words]) for text in split.texts])
        for name, split in corpus.splits.items()
    }
    return replace(corpus, splits=splits)


# --- clean datasets


@pytest.mark.parametrize(
    ("rows", "classes", "alphabet", "task", "imbalance"),
    [
        *[(200, 2, "latin", "multiclass", 0.0), (200, 20, "cyrillic", "multilabel", 2.0)],
        *[(800, 5, "urdu", "multiclass", 1.0), (800, 20, "cyrillic", "multilabel", 2.0)],
        *[(1600, 2, "latin", "multilabel", 1.0), (1600, 20, "urdu", "multiclass", 2.0)],
        *[(1600, 5, "cyrillic", "multiclass", 0.0), (1600, 8, "urdu", "multilabel", 0.0)],
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_clean_dataset_raises_no_leak(
    seed: int, rows: int, classes: int, alphabet: str, task: str, imbalance: float
) -> None:
    assert faults(control(seed, rows, classes, alphabet, task, imbalance)) == {}


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("language", ["en", "ru", "ur", "all"])
def test_the_bundled_sample_raises_no_leak(language: Any, task: Any) -> None:
    assert faults(load_sample(data_dir=Path(), language=language, task=task, rows=1500, seed=8)) == {}


def test_a_word_that_tells_everything_is_content() -> None:
    corpus = control(3, cue=1.0)  # the first class has one word, in all of its rows and in no other
    features = Features.of(corpus)
    rules, *_ = confirmed_rules(corpus, features)
    words = telling_words(corpus, rules)
    on = words[0]["splits"]["test"]
    assert on["precision"] == on["recall"] == 1.0
    found = faults(corpus)
    assert set(found) == {"words"} and found["words"].status == "flaw"
    assert "class 0 (precision 1.00, recall 1.00, test)" in found["words"].line


def words(corpus: Corpus) -> list[Finding]:
    rules, *_ = confirmed_rules(corpus, Features.of(corpus))
    return word_findings(corpus, rules)


def test_a_word_that_tells_most_of_a_label_is_a_note_and_one_that_tells_little_is_none() -> None:
    # Of precision 1, recall r and a class of share s, phi is sqrt(r (1 - s) / (1 - r s)). The first class,
    # s 0.44, has one word: 0.75 for r 0.7, 0.35 for 0.2. The others have six, r 0.12 each: below 0.35.
    (finding,) = words(control(3, cue=0.7))
    assert (finding.status, finding.labels) == ("note", ("class 0",))
    assert words(control(3, cue=0.2)) == []


def test_only_the_strongest_word_of_a_label_is_named() -> None:
    fault = only(1, 0.97, lambda text: f"{text} kzz")
    (finding,) = words(control(5, rows=2000, classes=3, cue=0.7, fault=fault))
    assert finding.labels[0] == "class 1" and "kzz tells class 1 (precision 1.00, recall 0.9" in finding.line
    told = [rule["label"] for rule in finding.evidence["words"]]
    assert len(told) == len(set(told))


def test_a_missing_word_is_named_where_it_tells_no_other_label() -> None:
    def fault(text: str, held: int, rng: np.random.Generator) -> str:
        return text if held == 1 else f"{text} kzz"

    (finding,) = words(control(5, rows=2000, classes=3, cue=0.0, fault=fault))
    assert "no kzz tells class 1 (precision 1.00, recall 1.00" in finding.line
    (finding,) = words(control(5, rows=2000, classes=2, cue=0.0, fault=fault))
    assert "; were" in finding.line and finding.line.count("kzz") == 1


# --- what was put in


def only(label: int, share: float, change: Callable[[str], str]) -> Fault:
    return lambda text, held, rng: change(text) if held == label and rng.random() < share else text


def one_length(text: str, held: int, rng: np.random.Generator) -> str:
    """Texts of the first class have 12 words, others anything."""
    return " ".join((text + " ok" * 30).split()[: 12 if held == 0 else int(rng.integers(4, 30))])


def with_id(text: str) -> str:
    """With an id that is the same in every process, unlike Python's own hash of a text."""
    return f"<id_{zlib.crc32(text.encode()) % 7}> src=2 {text}"


PUT_IN: dict[str, tuple[Fault, str]] = {
    "residue": (only(1, 0.8, lambda text: text + " \ufe0f"), "invisible U+FE0F"),
    "in a few rows": (only(1, 0.15, lambda text: text + "\u200b"), "invisible U+200B"),
    "zero-width joiner": (only(0, 0.9, lambda text: text[:3] + "\u2060" + text[3:]), "invisible U+2060"),
    "trailing space": (only(2, 0.7, lambda text: text + " "), "blank U+0020"),
    "no-break space": (only(2, 0.7, lambda text: text.replace(" ", "\u00a0", 1)), "blank U+00A0"),
    "length": (only(1, 1.0, lambda text: text + " " + " ".join(["od"] * 60)), "length class 1"),
    "one exact length": (one_length, "length class 0"),
    "sign": (only(1, 0.9, lambda text: text + " §"), "sign class 1"),
    "sign is missing": (lambda text, held, rng: text if held == 0 else text + ";", "sign class 0"),
    "token": (only(1, 0.9, with_id), "token class 1"),
    "digits": (only(0, 0.95, lambda text: text + f" {len(text) * 7919 % 90000 + 10000}"), "surface class 0"),
    "upper case": (only(1, 0.95, str.upper), "surface class 1"),
    "line breaks": (only(1, 0.95, lambda text: text.replace(" ", "\n", 2)), "length class 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", PUT_IN)
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_what_was_put_in_is_found(name: str, task: str) -> None:
    fault, expected = PUT_IN[name]
    found = faults(control(5, rows=2000, classes=3, task=task, imbalance=0.5, fault=fault))
    assert expected in found, found.keys()
    assert found[expected].status == "leak"


def test_hidden_characters_are_mended_by_cleaning() -> None:
    corpus = control(5, rows=2000, classes=3, fault=PUT_IN["residue"][0])
    finding = faults(corpus)["invisible U+FE0F"]
    assert finding.labels == ("class 1",) and "U+FE0F VARIATION SELECTOR-16" in finding.line
    assert [one.option for one in finding.remedies] == ["data.clean=leak_free"]
    assert faults(clean_corpus(corpus, Cleaning("leak_free"))) == {}


def test_lengths_are_mended_by_the_cut_that_is_named() -> None:
    corpus = control(5, rows=2000, classes=3, fault=PUT_IN["length"][0])
    finding = faults(corpus)["length class 1"]
    (remedy,) = finding.remedies
    words = int(remedy.option.removeprefix("data.max_words="))
    assert words == cut_that_hides(corpus, 1)
    assert not [name for name in faults(cut(corpus, words)) if name.startswith("length")]


def options(finding: Finding) -> list[str]:
    return [one.option for one in finding.remedies]


def test_a_hidden_character_that_a_label_lacks_is_mended_by_cleaning_too() -> None:
    corpus = control(5, rows=2000, classes=2, fault=only(1, 0.8, lambda text: text + "\u200f"))
    found = faults(corpus)
    finding = found["invisible class 0"]
    assert finding.line.startswith("no U+200F RIGHT-TO-LEFT MARK, which no reader sees, alone tells class 0")
    assert options(finding) == options(found["surface classifier"]) == ["data.clean=leak_free"]
    assert faults(clean_corpus(corpus, Cleaning("leak_free"))) == {}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda text: text.replace(" ", "  ", 1), "surface class 1"),
        (lambda text: text.replace(" ", "\n", 2), "length class 1"),  # lines: a cut joined them before
        (lambda text: text + "\n", "sign class 1"),
    ],
)
def test_white_space_is_mended_by_cleaning(change: Callable[[str], str], name: str) -> None:
    corpus = control(5, rows=2000, classes=3, fault=only(1, 0.8, change))
    assert options(faults(corpus)[name])[0] == "data.clean=leak_free"  # a short cut may do, too
    assert faults(clean_corpus(corpus, Cleaning("leak_free"))) == {}


def test_no_option_is_named_that_does_nothing() -> None:
    lost = control(5, rows=2000, classes=3, fault=only(1, 0.8, lambda text: text + "\ufffd"))
    assert options(faults(lost)["blank U+FFFD"]) == []  # what was lost is no invisible character
    loud = control(5, rows=2000, classes=3, fault=only(1, 0.95, str.upper))
    assert options(faults(loud)["surface class 1"]) == options(faults(loud)["surface classifier"]) == []


def by_length(text: str, held: int, rng: np.random.Generator) -> str:
    """The first class has 25 to 60 words, the others 4 to 20, all with a digit: what also counts them."""
    words = rng.integers(100, size=int(rng.integers(25, 61) if held == 0 else rng.integers(4, 21)))
    return " ".join(f"w{number}" for number in words)


def test_all_that_lengths_tell_is_mended_by_one_cut() -> None:
    corpus = control(5, rows=2000, classes=3, imbalance=0.0, fault=by_length)
    found = faults(corpus)
    assert {"length class 0", "surface class 0", "surface classifier"} <= set(found)
    (mends,) = {tuple(options(finding)) for finding in found.values()}
    (option,) = mends
    assert faults(cut(corpus, int(option.removeprefix("data.max_words=")))) == {}


def test_the_cut_is_the_longest_that_hides_every_label_that_a_cut_hides() -> None:
    corpus = control(5, rows=2000, classes=2, imbalance=0.0, fault=by_length)
    cuts = [cut_that_hides(corpus, label) for label in (0, 1)]
    common = common_cut(corpus, [0, 1])
    assert common is not None and None not in cuts
    assert all(cut_that_hides(corpus, label, common) == common for label in (0, 1))
    assert common_cut(corpus, []) is None


def test_what_an_option_leaves_of_a_leak_is_said() -> None:
    def fault(text: str, held: int, rng: np.random.Generator) -> str:
        return text.upper() if held == 0 else text + "\u200b" if held == 1 else text

    corpus = control(5, rows=2000, classes=3, imbalance=0.0, fault=fault)
    (remedy,) = faults(corpus)["surface classifier"].remedies
    cleaned = faults(clean_corpus(corpus, Cleaning("leak_free")))["surface classifier"]
    assert remedy.option == "data.clean=leak_free"
    assert remedy.what.endswith(f"; {100 * cleaned.evidence['explained']:.1f} % stay explained")


def test_a_sorted_file_is_a_flaw() -> None:
    corpus = control(2, rows=2000, classes=3)
    splits = {
        name: split.take(np.argsort(split.labels, kind="stable")) for name, split in corpus.splits.items()
    }
    found = faults(replace(corpus, splits=splits))
    assert {finding.status for finding in found.values()} == {"flaw"}
    assert "position class 0" in found


def test_a_leak_of_the_training_rows_alone_is_not_confirmed() -> None:
    fault = PUT_IN["residue"][0]
    corpus, clean = (control(5, rows=2000, classes=3, fault=one) for one in (fault, None))
    assert faults(replace(corpus, splits={**clean.splits, "train": corpus.splits["train"]})) == {}


def test_a_leak_in_one_of_two_held_out_splits_is_found() -> None:
    corpus, clean = (control(5, rows=2000, classes=3, fault=one) for one in (PUT_IN["residue"][0], None))
    mixed = replace(corpus, splits={**corpus.splits, "validation": clean.splits["validation"]})
    assert "invisible U+FE0F" in faults(mixed)


def rare(rows: dict[str, int], label: int = 1) -> Corpus:
    """A clean dataset with U+200B in so many texts of a label, by split."""
    corpus = control(5, rows=3000)
    splits = dict(corpus.splits)
    for name, number in rows.items():
        texts = list(splits[name].texts)
        for row in np.flatnonzero(splits[name].labels == label)[:number].tolist():
            texts[row] += "\u200b"
        splits[name] = replace(splits[name], texts=texts)
    return replace(corpus, splits=splits)


def test_hidden_characters_of_a_few_rows_are_confirmed_by_all_held_out_rows_together() -> None:
    finding = faults(rare({"train": 35, "validation": 4, "test": 3}))["invisible U+200B"]
    assert finding.status == "leak" and finding.labels == ("class 1",)
    assert "(precision 1.00, recall 0.0" in finding.line and "; validation and test, 7 rows" in finding.line
    assert options(finding) == ["data.clean=leak_free"]
    (rule,) = finding.evidence["rules"]
    assert rule["confirmed_on"] == "validation and test"
    assert rule["splits"]["validation and test"]["rows"] == 7
    # All held-out rows together: 450 + 450, 7 of 7 right.
    corpus = rare({"train": 35, "validation": 4, "test": 3})
    truth = np.concatenate([corpus.splits[name].labels for name in ("validation", "test")]) == 1
    assert rule["splits"]["validation and test"]["recall"] == pytest.approx(7 / truth.sum(), abs=1e-4)


def test_examples_of_what_all_rows_confirm_come_from_every_split() -> None:
    corpus = rare({"train": 35, "validation": 4, "test": 3})
    features = Features.of(corpus)
    rules, *_ = confirmed_rules(corpus, features)
    for number, shown in ((50, 7), (5, 5)):
        found = examples(corpus, features, rules, number)
        (texts,) = [one.texts for one in found if one.about == "U+200B ZERO WIDTH SPACE: class 1"]
        assert len(texts) == shown and {label for _, label in texts} == {"class 1"}
        # It stands at the end, which of a long text is not shown.
        assert all(text.endswith(("⟨U+200B⟩", "…")) for text, _ in texts)


def doubts(corpus: Corpus) -> list[Finding]:
    features = Features.of(corpus)
    rules, doubtful, _ = confirmed_rules(corpus, features)
    trials = Trials(corpus, rules, Remedies(OPTIONS))
    return doubtful_findings(corpus, doubtful, leak_findings(corpus, rules, trials), trials)


@pytest.mark.parametrize(("validation", "told"), [(0, "0 of 0 are"), (1, "1 of 1 are")])
def test_hidden_characters_that_held_out_rows_cannot_confirm_are_a_note(validation: int, told: str) -> None:
    corpus = rare({"train": 35, "validation": validation})
    (finding,) = doubts(corpus)
    assert faults(corpus) == {}
    assert (finding.name, finding.status) == ("unconfirmed invisible U+200B", "note")
    assert "stands in 35 training rows, 35 of them class 1" in finding.line and finding.line.endswith(told)
    assert options(finding) == ["data.clean=leak_free"]


def test_a_leak_is_not_doubted_and_a_clean_dataset_neither() -> None:
    assert doubts(rare({"train": 35, "validation": 4, "test": 3})) == []
    assert [doubts(control(seed, rows=1600)) for seed in range(4)] == [[]] * 4


def test_a_thousand_words_do_not_hide_a_hidden_character() -> None:
    hidden, word = (Rule(kind, "x", 0, 0) for kind in ("invisible", "word"))  # type: ignore[arg-type]
    counts = cast(Counts, None)
    assert _trials([(hidden, counts), *[(word, counts)] * 1000], 2) == {True: 2 * 3, False: 2 * 3 * 1000}
    assert _trials([(hidden, counts)], 1) == {True: 2, False: 0}


def test_without_a_test_split_validation_confirms() -> None:
    corpus = control(5, rows=2000, classes=3, fault=PUT_IN["residue"][0], test=False)
    assert "validation" in faults(corpus)["invisible U+FE0F"].line


# --- parts


@pytest.mark.parametrize(
    "token", ["pizza", "#pizza", "don't", "ہے۔", "می\u200cشود", "🍕", "❤\ufe0f!", "(well)"]
)
def test_words_hashtags_and_emoji_are_content(token: str) -> None:
    assert is_word(token)


@pytest.mark.parametrize("token", ["...", "/>", "<id_1>", "12", "src=a", "a_b", "@user", "19:30"])
def test_other_tokens_are_not(token: str) -> None:
    assert not is_word(token)


def test_no_handle_and_no_address_is_a_token() -> None:
    found = tokens_of("Hi @jane_doe, mail jane@example.org or see https://example.org/jane \ufe0f")
    assert "@user," in found and not any("jane" in token for token in found) and "" not in found


def test_measures_by_hand() -> None:
    texts = ["@user Hi  you! https://a.org/1 #x", "سلام", ""]
    found = measures(texts, Characters.of(texts))
    row = dict(zip(found.names, found.values[0].tolist(), strict=True))
    expected = {
        "words": 5,
        "links": 1,
        "handles": 1,
        "hashtags": 1,
        "double blanks": 1,
        "upper-case letters": 1,
    }
    assert {name: row[name] for name in expected} == expected
    second = dict(zip(found.names, found.values[1].tolist(), strict=True))
    assert second["share of Arabic letters"] == 1.0 and second["share of Latin letters"] == 0.0
    assert not np.isnan(found.values).any()


def test_the_best_range_is_that_of_all_ranges() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 12, size=300).astype(np.float32)
    hot = ((values >= 4) & (values <= 7) & (rng.random(300) < 0.8)).astype(np.float32)[:, None]
    from sklearn.metrics import matthews_corrcoef

    ranges = [(low, high) for low in range(12) for high in range(low, 12)]
    by_hand = max(
        ranges, key=lambda ends: matthews_corrcoef(hot[:, 0], (values >= ends[0]) & (values <= ends[1]))
    )
    low, high, _ = best_ranges(values, bin_edges(values), hot)
    assert (int(low[0]), int(high[0])) == by_hand == (4, 7)


def test_the_ends_of_a_range_are_exact_although_values_are_many() -> None:
    from emoji_pred.audit.features import Measures

    values = np.arange(5000, dtype=np.float32)[:, None]
    hot = (values >= 4321).astype(np.float32)
    (rule,) = measure_rules(Measures(["words"], ["length"], values), hot)
    assert rule.words() == "words at least 4321"


@pytest.mark.parametrize("several", [False, True])
def test_a_rule_is_tried_by_counting_in_one_column(several: bool) -> None:
    rows, classes = 20_000, 100
    rng = np.random.default_rng(3)
    of_one = rng.integers(0, classes, size=rows)
    labels = np.stack([of_one == c for c in range(classes)], axis=1).astype(np.uint8) if several else of_one
    values = rng.normal(size=(rows, 1)).astype(np.float32)
    rule = Rule("length", "words", label=7, column=0, low=0.5)
    pairs = list(zip((values[:, 0] >= 0.5).tolist(), (of_one == 7).tolist(), strict=True))
    tracemalloc.start()
    counts = tried(rule, cast(Marks, None), Measures(["words"], ["length"], values), labels)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (int(counts.both), int(counts.marked)) == (pairs.count((True, True)), sum(one for one, _ in pairs))
    assert (int(counts.labelled), counts.rows) == (sum(has for _, has in pairs), rows)
    assert most < rows * 20  # bytes; a table of all labels has at least rows * classes


def test_the_surface_classifier_is_sure_of_its_score() -> None:
    corpus = control(5, rows=2000, classes=3, fault=PUT_IN["residue"][0])
    scores = surface_scores(corpus, Features.of(corpus))
    assert scores is not None
    on = scores["splits"]["test"]
    assert on["interval"][0] < on["explained"] < on["interval"][1]
    shares = corpus.class_counts("test") / len(corpus.splits["test"])
    assert on["majority_accuracy"] == pytest.approx(shares[corpus.class_counts("train").argmax()], abs=1e-4)
    assert on["accuracy"] > on["majority_accuracy"] + on["accuracy_error"]
    assert scores["most_important"][0].startswith("U+FE0F")


def test_of_several_labels_the_metrics_of_runs_stand_beside_constant_answers() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    train = np.array([[1, 0]] * 6 + [[0, 1]] * 3 + [[1, 1]], dtype=np.float32)
    of_train = np.array([[0.6, 0.3]] * 6 + [[0.1, 0.4]] * 3 + [[0.6, 0.4]])
    hot = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
    found = np.array([[0.6, 0.3], [0.1, 0.4], [0.6, 0.4], [0.1, 0.3]])
    given = {
        ABOVE_HALF: [[1, 0], [0, 0], [1, 0], [0, 0]],
        TUNED: [[1, 0], [0, 1], [1, 1], [0, 0]],  # the second label from between 0.3 and 0.4 on
        NOTHING: [[0, 0]] * 4,
        EVERYTHING: [[1, 1]] * 4,
        MAJORITY_LABEL: [[1, 0]] * 4,
        MAJORITY_SET: [[1, 0]] * 4,
    }
    scores = _answers(of_train, train, found, hot)
    assert set(scores) == set(given)
    for name, labels in given.items():
        macro, micro = (f1_score(hot, labels, average=kind, zero_division=0) for kind in ("macro", "micro"))
        expected = {"macro_f1": macro, "micro_f1": micro, "exact_match": accuracy_score(hot, labels)}
        assert scores[name] == pytest.approx(expected, abs=1e-4), name


def test_lengths_give_more_than_constant_answers_where_they_leak() -> None:
    fault = PUT_IN["length"][0]
    for put_in, better in ((fault, True), (None, False)):
        corpus = control(5, rows=2000, classes=3, task="multilabel", fault=put_in)
        scores = surface_scores(corpus, Features.of(corpus))
        assert scores is not None
        answers = scores["splits"]["test"]["answers"]
        assert (answers[TUNED]["macro_f1"] > answers[EVERYTHING]["macro_f1"] + 0.05) is better


# --- real data


def every(step: int, corpus: Corpus) -> Corpus:
    """One row of so many of each split."""
    splits = {name: split.take(np.arange(0, len(split), step)) for name, split in corpus.splits.items()}
    return replace(corpus, splits=splits)


@pytest.fixture(scope="module")
def tweeteval(compose: Callable[..., dict[str, Any]], shared_data_dir: Path) -> Corpus:
    """A fifth of the rows, so that it is quick."""
    return every(5, load_corpus(compose("data=tweeteval")["data"], shared_data_dir))


def test_tweeteval_leaks_heart_and_sun_until_it_is_cleaned(tweeteval: Corpus) -> None:
    found = faults(tweeteval)
    assert set(found) == {"invisible U+FE0F", "surface classifier"}
    finding = found["invisible U+FE0F"]
    assert set(finding.labels) == {"❤", "☀"}
    heart = next(rule for rule in finding.evidence["rules"] if rule["label"] == "❤")["splits"]["test"]
    assert heart["precision"] == pytest.approx(0.88, abs=0.01)  # as published for all rows
    assert heart["recall"] == pytest.approx(0.85, abs=0.01)
    assert [one.option for one in finding.remedies] == ["data.clean=leak_free"]
    assert faults(clean_corpus(tweeteval, Cleaning("leak_free"))) == {}


def test_emothreat_tells_neutral_by_length(
    compose: Callable[..., dict[str, Any]], shared_data_dir: Path
) -> None:
    if not (Path(__file__).resolve().parents[2] / "conf" / "data" / "emothreat_public.yaml").is_file():
        pytest.skip("data=emothreat_public does not exist here")
    corpus = every(3, load_corpus(compose("data=emothreat_public")["data"], shared_data_dir))
    finding = faults(corpus)["length neutral"]
    on = finding.evidence["rules"][0]["splits"]["test"]
    assert on["precision"] > 0.98 and on["recall"] > 0.98
    words = cut_that_hides(corpus, corpus.label_names.index("neutral"))
    assert words is not None
    assert "length neutral" not in faults(cut(corpus, words))
