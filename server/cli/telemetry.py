"""`pi-relay telemetry`: the two small programs of the telemetry door, a producer and a logger."""

import math
import queue
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import socketio
import typer
from rich.markup import escape
from socketio.exceptions import ConnectionError as NotConnected

from server.cli.options import DEFAULT_URL, EXIT_FAILED, EXIT_NO_RELAY, AsJson, Token, Url, fail, out
from shared.clock import iso_utc
from shared.contract import telemetry_proto
from shared.contract.door_events import LOG_TELEMETRY, LOG_TELEMETRY_OUT, TELEMETRY_CHOOSE, TELEMETRY_LOG_OUT
from shared.contract.door_payloads import TelemetryPacket
from shared.contract.payloads import Ack, parse
from shared.errors import Refusal

app = typer.Typer(no_args_is_help=True, help="Send telemetry packets, or log those that others send.")

_WAIT_S = 10.0


class Form(StrEnum):
    """How a packet travels."""

    JSON = "json"
    PROTOBUF = "protobuf"


@app.command("produce")
def produce(
    source: Annotated[str, typer.Option(help="Whose packets these are.")] = "demo",
    interval: Annotated[float, typer.Option(help="Seconds between two packets.", min=0.001)] = 1.0,
    count: Annotated[int, typer.Option(help="How many; 0: until Ctrl-C.", min=0)] = 0,
    form: Annotated[Form, typer.Option("--format", help="How they travel.")] = Form.JSON,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send packets: a slow wave, so that a logger has something to show. Each one's ack is waited for.

    Example: pi-relay telemetry produce --source lathe --format protobuf
    """
    client = _connect(url, token, "producer")
    try:
        for seq in _counted(count, interval):
            packet = TelemetryPacket.build(
                source=source,
                time=iso_utc(datetime.now(UTC)),
                seq=seq,
                values={"wave": round(math.sin(seq / 10), 4), "uptime_s": round(time.monotonic(), 3)},
            )
            body: Any = telemetry_proto.encode(packet) if form is Form.PROTOBUF else msgspec.to_builtins(packet)
            ack = parse(Ack, client.call(LOG_TELEMETRY.name, body, timeout=_WAIT_S))
            if not ack.ok:
                fail(f"{ack.message} ({ack.code})", EXIT_FAILED)
            out.print(f"[green]✓[/] {escape(source)} #{seq}", highlight=False)
    except socketio.exceptions.SocketIOError as error:
        fail(f"the relay did not answer ({error})", EXIT_NO_RELAY)
    finally:
        client.disconnect()


@app.command("log")
def log(
    source: Annotated[list[str] | None, typer.Option(help="One source; give it once for each. None: all.")] = None,
    count: Annotated[int, typer.Option(help="Packets after which to leave; 0: Ctrl-C ends it.", min=0)] = 0,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Print the packets of all producers, or of some sources, as they come.

    Example: pi-relay telemetry log --source lathe --json | tee lathe.ndjson
    """
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    client = _connect(url, token, "logger", inbox)
    try:
        if source:
            client.call(TELEMETRY_CHOOSE.name, {"sources": source}, timeout=_WAIT_S)
        seen = 0
        while not count or seen < count:
            body = inbox.get()
            if body is None:
                fail("the relay ended the connection", EXIT_NO_RELAY)
            seen += 1
            _show(telemetry_proto.decode(body) if isinstance(body, bytes) else parse(TelemetryPacket, body), as_json)
    except Refusal as refusal:
        fail(f"a packet that cannot be read: {refusal.message}", EXIT_FAILED)
    finally:
        client.disconnect()


def _connect(url: str, token: str | None, kind: str, inbox: "queue.SimpleQueue[Any] | None" = None) -> socketio.Client:
    client = socketio.Client(reconnection=False)
    if inbox is not None:
        for spec in (LOG_TELEMETRY_OUT, TELEMETRY_LOG_OUT):
            client.on(spec.name, inbox.put)
        client.on("disconnect", lambda *_: inbox.put(None))
    try:
        client.connect(f"{url}?type={kind}", auth={"token": token} if token else {}, wait_timeout=_WAIT_S)
    except (NotConnected, ValueError) as error:
        fail(
            f"no relay at {url} that lets this in ({error}); name yours with --url, a token with --token", EXIT_NO_RELAY
        )
    return client


def _counted(count: int, interval_s: float) -> Iterator[int]:
    """1, 2, 3 … `count` (0: for ever), one every `interval_s`, without drift."""
    start = time.monotonic()
    seq = 0
    while not count or seq < count:
        seq += 1
        yield seq
        time.sleep(max(0.0, start + seq * interval_s - time.monotonic()))


def _show(packet: TelemetryPacket, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(packet).decode())
        return
    values = "  ".join(f"{escape(name)} [bold]{value}[/]" for name, value in (packet.values or {}).items())
    when = (packet.time or "")[11:23]
    out.print(f"[dim]{when}[/] {escape(packet.source or '–')} #{packet.seq or '–'}  {values}", highlight=False)
