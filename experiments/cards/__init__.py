"""Model cards: what the best run of a dataset is, how good, on what, and what it must not be used for."""
