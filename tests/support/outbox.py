"""An outbox in a test's hands: made, killed and opened again."""

from pathlib import Path
from typing import Any

from pi_agent.outbox.files import Files
from pi_agent.outbox.outbox import Outbox
from pi_agent.outbox.reserve import Reserve
from pi_agent.outbox.rows import Row, wire_body
from shared.clock import Clock
from shared.contract.events import SENSOR_DATA_PUB_PI

MEBIBYTE = 2**20


def open_outbox(
    directory: Path, clock: Clock, *, max_bytes: int = 64 * MEBIBYTE, max_age_s: float = 1e7, reserve_bytes: int = 0
) -> Outbox:
    """The outbox in `directory`, as the agent opens it."""
    files = Files(directory / "outbox.db", clock)
    return Outbox(
        files,
        clock,
        max_bytes=max_bytes,
        max_age_s=max_age_s,
        reserve=Reserve(directory / "outbox.reserve", reserve_bytes),
    )


def kill(outbox: Outbox) -> None:
    """As `kill -9` leaves it: nothing is flushed, only the lock goes."""
    outbox._drafts.clear()
    outbox.close()


def sample(outbox: Outbox, value: float = 20.0, *, commit: bool = True) -> None:
    """Append one round."""
    outbox.append(SENSOR_DATA_PUB_PI, {"data": {"temperature": value}, "fail": []})
    if commit:
        outbox.step()


def held(outbox: Outbox) -> list[Row]:
    """Everything that is durable, in order."""
    rows: list[Row] = []
    while batch := outbox.read(rows[-1].id if rows else outbox.low - 1, 1000):
        rows += batch
    return rows


def bodies(outbox: Outbox, clock: Clock) -> list[dict[str, Any]]:
    """The bodies of everything that is durable, as they would be sent now."""
    return [wire_body(row, "pi", clock) for row in held(outbox)]
