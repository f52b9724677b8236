"""The training process: reads an `Order` from standard input, writes JSON lines, ends. It touches no file.

It limits itself before it does anything: last in line for the CPU, no more than so much CPU time and memory.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Final

import msgspec

from pi_agent.training.messages import Curve, Failed, Finished, Line, Order, Progress, Skipped
from pi_agent.training.trainer import Skipped as NothingToLearn
from pi_agent.training.trainer import train

NICE: Final = 15
CPU_S: Final = 120
MEMORY_BYTES: Final = 192 * 2**20
"""Of address space, which is more than what is resident."""


def main() -> int:
    """Train once. Returns the exit code: 0 when it said how it ended."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
        _say(_work(order))
    except MemoryError:
        _say(Failed("out_of_memory", f"more than {MEMORY_BYTES >> 20} MiB of address space"))
    return 0


def _work(order: Order) -> Line:
    try:
        trained = train(order.series(), lambda share: _say(Progress(share)))
    except NothingToLearn as skipped:
        return Skipped(skipped.reason, str(skipped), _peak_rss_bytes())
    except ArithmeticError as error:
        return Failed("child_failed", str(error))
    curves = tuple(Curve(quantity, tuple(points)) for quantity, points in trained.plot.items())
    return Finished(msgspec.Raw(msgspec.json.encode(trained.model)), curves, _peak_rss_bytes())


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _peak_rss_bytes() -> int | None:
    """The process's own peak: `getrusage` would count what the parent held when it forked."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), None)


if __name__ == "__main__":
    sys.exit(main())
