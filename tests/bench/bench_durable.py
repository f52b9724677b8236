"""Durable ingest over the wire: 200 devices at one event a second, from sending to the ack after COMMIT."""

import json
import select
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support import processes
from tests.support.raw import RawClient

DEVICES = 200
SECONDS = 15


def run(console: Console) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        processes.relay(Path(directory), LIMITS__DEVICE_EVENTS_PER_S="1000") as relay,
    ):
        devices = [
            RawClient(relay.url, "/pi", {"device": f"pi-{number}", "contract": "1.0"}) for number in range(DEVICES)
        ]
        paced = _latencies(devices, SECONDS)
        rate = _saturated(devices)
        rss = relay.process.rss_mb()
        for device in devices:
            device.close()
    table = Table("load", "events", "p50 ms", "p99 ms", "events/s")
    quantiles = statistics.quantiles(paced, n=100)
    table.add_row(
        f"{DEVICES} devices, 1 event/s each",
        str(len(paced)),
        f"{quantiles[49]:.1f}",
        f"{quantiles[98]:.1f}",
        str(DEVICES),
    )
    table.add_row(f"{DEVICES} devices, 20 events in flight each", "–", "–", "–", f"{rate:,.0f}")
    console.print(table)
    console.print(f"relay RSS {rss:.0f} MiB; client and relay share this machine's cores")


def _body(id_: int) -> dict[str, object]:
    return {
        "id": id_,
        "stream": "bench",
        "datetime": "2026-01-31 23:59:59",
        "fail": [],
        "data": {"temperature": 21.4, "humidity": 48.2, "cpu_load": 0.3, "memory_used": 41.0, "disk_used": 20.0},
    }


def _latencies(devices: list[RawClient], seconds: int) -> list[float]:
    """Each device sends once a second, spread over it; the ms until each ack."""
    by_socket = {device.ws.sock.fileno(): device for device in devices}
    began = time.perf_counter()
    due = [
        (began + second + number / len(devices), device, second + 1)
        for second in range(seconds)
        for number, device in enumerate(devices)
    ]
    sent: dict[tuple[int, int], float] = {}
    times: list[float] = []
    due.reverse()
    while len(times) < seconds * len(devices):
        now = time.perf_counter()
        while due and due[-1][0] <= now:
            _, device, id_ = due.pop()
            device.emit("sensor_data_pub_pi", _body(id_), ack=id_)
            sent[device.ws.sock.fileno(), id_] = time.perf_counter()
        wait = max(0.0, due[-1][0] - time.perf_counter()) if due else 1.0
        for descriptor in select.select(list(by_socket), [], [], wait)[0]:
            if (id_ := _acked(by_socket[descriptor])) is not None:
                times.append((time.perf_counter() - sent.pop((descriptor, id_))) * 1e3)  # noqa: PERF401
    return times


def _saturated(devices: list[RawClient], seconds: float = 8.0, flight: int = 20) -> float:
    """Acked events a second with `flight` unacked events per device all the time."""
    by_socket = {device.ws.sock.fileno(): device for device in devices}
    next_id = dict.fromkeys(by_socket, 1_000_000)

    def send(descriptor: int) -> None:
        next_id[descriptor] += 1
        by_socket[descriptor].emit("sensor_data_pub_pi", _body(next_id[descriptor]), ack=next_id[descriptor])

    for descriptor in by_socket:
        for _ in range(flight):
            send(descriptor)
    acked, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for descriptor in select.select(list(by_socket), [], [], 1.0)[0]:
            if _acked(by_socket[descriptor]) is not None:
                acked += 1
                send(descriptor)
    return acked / (time.perf_counter() - began)


def _acked(device: RawClient) -> int | None:
    """Read one frame; the id of its ack, None for a ping. Anything but a stored event is a fault of the bench."""
    frame = device.ws.recv()
    if frame == "2":
        device.ws.send("3")
        return None
    head, _, rest = frame.partition("[")
    ack = json.loads("[" + rest)[0]
    assert ack["code"] == "stored", frame
    return int(head.partition(",")[2])
