"""`python -m emoji_pred COMMAND`: what is not training."""

from __future__ import annotations

import sys

COMMANDS = ("runs", "dashboard", "prepare")


def main() -> None:
    """Run the command named first; ends with code 2 if there is none of that name."""
    if sys.argv[1:2] == ["runs"]:
        from emoji_pred.runs_command import main as runs_main

        runs_main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["dashboard"]:
        from emoji_pred.dashboard import main as dashboard_main

        dashboard_main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["prepare"]:
        from emoji_pred.prepare_command import main as prepare_main

        prepare_main(sys.argv[2:])
        return
    print(f"usage: python -m emoji_pred {{{','.join(COMMANDS)}}} ...; train with train.py", file=sys.stderr)
    sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)


if __name__ == "__main__":
    main()
