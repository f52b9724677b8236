"""Every benchmark can be loaded and run by name."""

import importlib
from pathlib import Path

import pytest

BENCHES = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_has_a_title_and_can_be_run(name: str) -> None:
    bench = importlib.import_module(f"tests.bench.{name}")
    assert bench.__doc__
    assert callable(bench.run)
