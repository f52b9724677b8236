"""Benchmarks: `make bench`, or `python -m tests.bench -k commands`. They measure and print; they never fail a build."""
