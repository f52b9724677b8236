"""Loads APScheduler for an agent that runs: its thread pool, without process pools, asyncio and plug-ins.

Together some 8 MB, and a third of the imports.
"""

import importlib
import inspect
import sys

from pi_agent.lean import standing_in


class _BrokenProcessPool(Exception):
    """Named by the library where a pool of processes breaks. There is none."""


def load_scheduler() -> None:
    """Load the library. Call it before anything imports it; later it does nothing."""
    if "apscheduler" in sys.modules:
        return
    with (
        standing_in("asyncio", iscoroutinefunction=inspect.iscoroutinefunction),
        standing_in("multiprocessing"),
        standing_in("concurrent.futures.process", BrokenProcessPool=_BrokenProcessPool),
        standing_in("importlib.metadata", entry_points=_no_plug_ins, version=_unasked),
    ):
        for name in ("executors.pool", "schedulers.blocking", "triggers.base"):
            importlib.import_module(f"apscheduler.{name}")


def _no_plug_ins(**_: str) -> tuple[()]:
    """Triggers, executors and stores by name: the schedule builds its own."""
    return ()


def _unasked(_: str) -> str:
    """The library's version, which it looks up and nobody asks for."""
    return "0"
