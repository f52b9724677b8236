"""Run the benchmarks of the models, each in turn; print its table, and say where its picture is."""

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

from rich.console import Console

import tests.bench.models

_NAME_IT = """\
no data: name the directory that holds it, such as: make bench-models DATA=../shared/data
It is not part of the repository; docs/models.md says which files are used, and where they come from."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.models", description=tests.bench.models.__doc__)
    parser.add_argument("--data", type=Path, metavar="DIRECTORY")
    parser.add_argument("--pictures", type=Path, metavar="DIRECTORY", default=Path(".state/bench-models"))
    parser.add_argument("-k", metavar="WORD", default="", help="only benchmarks with this word in their name")
    arguments = parser.parse_args()
    if arguments.data is None or not arguments.data.is_dir():
        print(_NAME_IT, file=sys.stderr)
        return 2
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    console = Console(width=120)
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if found.name.startswith("__") or arguments.k not in found.name:
            continue
        bench = importlib.import_module(f"tests.bench.models.{found.name}")
        if not hasattr(bench, "run"):
            continue  # what benchmarks share
        console.rule(f"[bold]{(bench.__doc__ or found.name).strip().splitlines()[0]}")
        try:
            picture = bench.run(arguments.data, console)
        except FileNotFoundError as error:
            console.print(f"skipped: {error}")
            continue
        if picture is not None:
            file = arguments.pictures / f"{found.name}.svg"
            file.write_text(picture, encoding="utf-8")
            console.print(f"picture: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
