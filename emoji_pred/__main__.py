"""`python -m emoji_pred COMMAND`: what is not training."""

from __future__ import annotations

import importlib
import sys

from emoji_pred.process import output_may_be_cut, prepare_process

COMMANDS = {
    "runs": "emoji_pred.runs_command",
    "predict": "emoji_pred.predict_command",
    "embeddings": "emoji_pred.embeddings_command",
    "prepare": "emoji_pred.prepare_command",
    "audit": "emoji_pred.audit_command",
    "dashboard": "emoji_pred.dashboard",
}


def main() -> None:
    """Run the command named first; ends with code 2 if there is none of that name."""
    module = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if module is not None:
        prepare_process()
        with output_may_be_cut():
            importlib.import_module(module).main(sys.argv[2:])
        return
    print(f"usage: python -m emoji_pred {{{','.join(COMMANDS)}}} ...; train with train.py", file=sys.stderr)
    sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)


if __name__ == "__main__":
    main()
