"""Run the benchmarks, each in turn; print its table."""

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

from rich.console import Console

import tests.bench


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=tests.bench.__doc__)
    parser.add_argument("-k", metavar="WORD", default="", help="only benchmarks with this word in their name")
    parser.add_argument("--quick", action="store_true", help="the short form, where a benchmark has one")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name.startswith("bench_") and arguments.k in module.name:
            bench = importlib.import_module(f"tests.bench.{module.name}")
            console.rule(f"[bold]{(bench.__doc__ or module.name).strip().splitlines()[0]}")
            getattr(bench, "quick" if arguments.quick else "run", bench.run)(console)


if __name__ == "__main__":
    main()
