"""Benchmarks of the models on real data: `make bench-models DATA=DIRECTORY`. Each prints a table, draws a picture."""
