"""Train and evaluate: `python train.py model=cnn loss=focal`, or a sweep with `-m model=cnn,bert`."""

from emoji_pred.cli import main

if __name__ == "__main__":
    main()
