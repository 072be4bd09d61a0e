"""What is wrong with a dataset: one module for each question, then the report of all of them."""
