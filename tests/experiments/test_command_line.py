"""The options of the commands `python -m experiments.<name>`: a mistake in them is one line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments import drawing, model_cards, reproduce, verify, wandb_report


@pytest.mark.parametrize("command", [drawing, model_cards, reproduce, verify, wandb_report])
def test_an_option_that_there_is_not_is_one_line(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    main: Callable[[list[str]], None] = command.main  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as ended:
        main(["--bogus"])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: unrecognized arguments: --bogus; --help shows the options\n")


def test_help_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        drawing.main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python -m experiments.drawing ")
