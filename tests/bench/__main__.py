"""Run the benchmarks, each in turn; print its table."""

import argparse
import importlib
import pkgutil
from pathlib import Path

from rich.console import Console

import tests.bench


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=tests.bench.__doc__)
    parser.add_argument("-k", metavar="WORD", default="", help="only benchmarks with this word in their name")
    wanted = parser.parse_args().k
    console = Console()
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name.startswith("bench_") and wanted in module.name:
            bench = importlib.import_module(f"tests.bench.{module.name}")
            console.rule(f"[bold]{(bench.__doc__ or module.name).strip().splitlines()[0]}")
            bench.run(console)


if __name__ == "__main__":
    main()
