"""The options of the commands `python -m experiments.<name>`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from emoji_pred.errors import UserError


class Parser(argparse.ArgumentParser):
    """A mistake in the options is the user's, in one line: parse them where mistakes are told."""

    def error(self, message: str) -> NoReturn:
        """Instead of argparse's usage and exit.

        Raises:
            UserError: always.
        """
        raise UserError(f"{message}; --help shows the options")
