"""What was measured: tables of the papers, benchmarks, and the reports made of them."""
