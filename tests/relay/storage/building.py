"""Events and databases, as tests need them."""

import itertools
import os

from server.storage.recorder import Recorder
from server.storage.records import Event
from tests.relay.storage.cluster import Cluster

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""
MIGRATED = "migrated"
"""The PostgreSQL database that new ones are copied from."""

_numbers = itertools.count()


def new_database(server: Cluster) -> str:
    """The URL of a database of this program's schema, with nothing in it."""
    return server.database(f"test{os.getpid()}_{next(_numbers)}", MIGRATED)


def event(id_: int, device: str = "pi", stream: str = "s", name: str = "round", **more: object) -> Event:
    """Round number `id_`: ten seconds after the one before it, its number being its temperature."""
    fields: dict[str, object] = {
        "taken_at_ms": START_MS + id_ * 10_000,
        "body": f'{{"id":{id_}}}',
        "readings": {"temperature": float(id_)},
    }
    return Event(device=device, stream=stream, id=id_, event=name, **(fields | more))  # type: ignore[arg-type]


def record(recorder: Recorder, *events: Event) -> None:
    """Store all of `events`."""
    for ticket in [recorder.offer(one) for one in events]:
        ticket.wait()
