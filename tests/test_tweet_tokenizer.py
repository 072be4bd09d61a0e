"""NLTK's tokenizer comes without slow libraries, which can be had afterwards."""

from __future__ import annotations

import subprocess
import sys

from conftest import REPOSITORY

TWEET = "@user I luv ❤️ it!!! :-) https://t.co/x #Wow"


def ended(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    return done.stdout.splitlines()


def test_it_loads_neither_scipy_nor_scikit_learn_and_they_work_afterwards() -> None:
    code = (
        "import sys; from emoji_pred.tweet_tokenizer import tweet_tokenizer\n"
        f"words = tweet_tokenizer(preserve_case=False).tokenize({TWEET!r})\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('scipy', 'sklearn')])\n"
        "from nltk.tokenize import TweetTokenizer\n"
        f"print(words == TweetTokenizer(preserve_case=False).tokenize({TWEET!r}))\n"
        "import scipy.stats, sklearn.cluster; print(scipy.stats.norm.cdf(0))"
    )
    assert ended(code) == ["[]", "True", "0.5"]


def test_what_is_loaded_before_stays() -> None:
    code = (
        "import sys, scipy; from emoji_pred.tweet_tokenizer import tweet_tokenizer\n"
        "tweet_tokenizer(); print(sys.modules['scipy'] is scipy, 'sklearn' in sys.modules)"
    )
    assert ended(code)[0].startswith("True")
