"""One module a paper: its tables and figures as data, each with a `PAPER`."""
