"""Datasets: one module per dataset, each with a `load_<name>() -> Corpus`."""
