"""What rules cost per reading: 1,000 devices, 20 rules over all of them."""

import statistics
import time

import msgspec
from rich.console import Console
from rich.table import Table

from server.rules import AlertSettings, Rule
from server.services.alerts.engine import Engine
from tests.support.clock import FakeClock

DEVICES = 1_000
QUANTITIES = ("temperature", "humidity", "PM2.5", "cpu_temperature", "disk_used", "memory_used")
ROUNDS = 5


def rules(count: int) -> list[Rule]:
    """A mixture: most over one quantity, some over absence."""
    kinds = (
        {"quantity": "temperature", "above": 70, "for_s": 60},
        {"quantity": "humidity", "below": 1},
        {"quantity": "temperature", "rises_by": 50, "within_s": 600},
        {"quantity": "PM2.5", "no_data_s": 300},
        {"offline": True, "for_s": 60},
        {"accessory": "fan", "status": True, "for_s": 3600},
    )
    return [msgspec.convert({"name": f"rule-{n}", **kinds[n % len(kinds)]}, Rule) for n in range(count)]


def run(console: Console) -> None:
    table = Table("rules", "µs per round", "comparisons per round", "µs per comparison", "ms per tick")
    for count in (0, 5, 20, 100):
        engine, clock = _house(count)
        took, ticks = [], []
        for _ in range(ROUNDS):
            clock.advance(30)
            began, before = time.perf_counter(), engine.evaluations
            for number in range(DEVICES):
                for quantity in QUANTITIES:
                    engine.reading(f"pi-{number}", quantity, 20.0, 90.0)
            took.append((time.perf_counter() - began) / DEVICES * 1e6)
            compared = (engine.evaluations - before) / DEVICES
            began = time.perf_counter()
            engine.tick()
            ticks.append((time.perf_counter() - began) * 1e3)
        each = statistics.median(took)
        table.add_row(
            str(count),
            f"{each:.1f}",
            f"{compared:.0f}",
            f"{each / compared:.2f}" if compared else "–",
            f"{statistics.median(ticks):.2f}",
        )
    console.print(table)


def _house(count: int) -> tuple[Engine, FakeClock]:
    clock = FakeClock()
    engine = Engine(AlertSettings(), clock, lambda alert, rule: None)
    engine.set_rules(rules(count))
    for number in range(DEVICES):
        engine.describe(f"pi-{number}", (), retired=False)
        engine.availability(f"pi-{number}", online=True)
    return engine, clock
