"""What `/metrics` shows of the parts as they are: read when somebody asks."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from server.fanout.port import Port
from server.metrics import Metrics
from server.services.commands import Commands
from server.state.devices import Registry
from server.storage.space import DiskSpace
from shared.contract.payloads import CommandState

if TYPE_CHECKING:
    from server.app import Storage
    from server.cluster.messages import Figures
    from server.cluster.primary import Primary


def relay(metrics: Metrics, registry: Registry, port: Port, storage: "Storage", commands: Commands) -> None:
    """Of the parts that every relay has."""
    metrics.watch("devices", "Devices that have been seen.", lambda: len(registry))
    metrics.watch("devices_online", "Devices that are connected.", lambda: sum(device.online for device in registry))
    metrics.watch("connections", "Open Engine.IO connections.", port.connections)
    metrics.watch("websockets", "Those of them that are websockets.", port.websockets)
    metrics.watch("connections_reaped", "Connections closed because they joined nothing.", lambda: port.reaped)
    metrics.watch("slow_consumers", "Connections closed because they did not read.", lambda: port.slow_consumers)
    tally = port.terms.tally
    metrics.watch("connections_behind", "Connections that do not take what is sent.", lambda: len(port.behind()))
    metrics.watch("unsent_bytes", "What waits for them.", port.unsent_bytes)
    metrics.watch(
        "states_conflated", "States that were replaced by a newer one while they waited.", lambda: tally.conflated
    )
    metrics.watch("samples_dropped", "Events that were left out for a slow connection.", lambda: tally.dropped)
    metrics.watch("missed_notices", "Connections told that events were left out.", lambda: tally.noticed)
    metrics.watch("binary_refused", "Binary messages refused.", lambda: port.refused_binary)
    depth = commands.ledger.depth
    metrics.watch("commands_open", "Commands without a final result.", depth)
    metrics.watch("commands_queued", "Those of them that wait for their device.", lambda: depth(CommandState.QUEUED))
    metrics.watch("events_waiting", "Events offered and not committed yet.", lambda: storage.recorder.waiting)
    metrics.watch("database_ok", "Whether events can be stored: 1 or 0.", lambda: float(storage.recorder.healthy()))
    metrics.watch("database_bytes", "What the database takes.", lambda: _space(storage).used_bytes)
    metrics.watch("disk_free_bytes", "Room on the database's disk.", lambda: _space(storage).free_bytes or math.nan)


def workers(metrics: Metrics, primary: "Primary") -> None:
    """Of the other workers, where there may be some."""
    metrics.watch("workers", "Workers that carry connections for this one.", lambda: len(primary))
    metrics.watch("workers_lost", "Links to workers that broke, their connections with them.", lambda: primary.losses)
    metrics.watch("queue_up", "Whether the message queue can be used: 1 or 0.", lambda: primary.queue.up)
    metrics.watch("queue_losses", "How often the message queue went away.", lambda: primary.queue.losses)
    figures: dict[str, tuple[str, Callable[[Figures], float]]] = {
        "connections": ("Open Engine.IO connections of a worker.", lambda said: said.connections),
        "websockets": ("Those of them that are websockets.", lambda said: said.websockets),
        "unsent_bytes": ("What waits for connections of a worker.", lambda said: said.unsent_bytes),
        "losses": ("How often a worker lost the queue or its primary, and all connections.", lambda said: said.losses),
        "slow_consumers": (
            "Connections of a worker closed because they did not read.",
            lambda said: said.totals.closed,
        ),
        "conflated": (
            "States that a worker replaced by a newer one while they waited.",
            lambda said: said.totals.conflated,
        ),
        "dropped": ("Events that a worker left out for a slow connection.", lambda said: said.totals.dropped),
    }
    for name, (words, figure) in figures.items():
        metrics.watch_each(f"worker_{name}", words, "worker", partial(_each, primary, figure))


def _each(primary: "Primary", figure: "Callable[[Figures], float]") -> dict[str, float]:
    return {carrier.name: figure(carrier.figures) for carrier in primary}


def _space(storage: "Storage") -> DiskSpace:
    return storage.upkeep.space or DiskSpace(0, 0, None)
