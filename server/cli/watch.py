"""The live view in a terminal."""

import os
import signal
import time
from typing import Annotated

import msgspec
import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from server.cli.options import DEFAULT_URL, EXIT_NO_RELAY, AsJson, Token, Url, err, fail, out
from server.cli.remote import connect
from shared.client import Client, Event
from shared.clock import SystemClock, iso_utc, parse_iso_utc
from shared.contract.payloads import (
    AccessoryState,
    ClientMotion,
    ClientSensorData,
    CommandResult,
    DeviceStatus,
    LastReading,
    Snapshot,
)
from shared.contract.quantities import QUANTITIES
from shared.errors import Refusal

_NEWS = 8


def watch(
    url: Url = DEFAULT_URL,
    token: Token = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="This device alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show live what every device measures and is, across restarts of the relay; Ctrl-C ends it.

    Example: pi-relay watch --json | jq .body.data.temperature
    """
    try:
        with connect(url, token, device) as feed:
            _print_json(feed) if as_json else _show(feed, url)
    except Refusal as refusal:
        fail(f"{refusal.message} ({refusal.code})", EXIT_NO_RELAY)
    except KeyboardInterrupt:
        return


def _print_json(feed: Client) -> None:
    # There is nothing to put in order, and each line is written whole: Ctrl-C must not wait for a lock that it may have
    # interrupted.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    away = False
    while True:
        for event in feed.events(1.0):
            if away:
                away = False
                err.print("the relay is back", highlight=False)
            typer.echo(msgspec.json.encode({"event": event.name, "body": event.raw}).decode())
        if not feed.connected and not away:
            away = True
            err.print("the relay is away, trying again", highlight=False)


def _show(feed: Client, url: str) -> None:
    view = View(url)
    with Live(view.render(), console=out, refresh_per_second=4, screen=out.is_terminal) as live:
        while True:
            until = time.monotonic() + 0.25
            for event in feed.events(0.25):
                view.take(event)
                if time.monotonic() >= until:
                    break
            live.update(view.render(connected=feed.connected))


class View:
    """What the terminal shows, from a snapshot and the events after it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clock = SystemClock()
        self._online: dict[str, bool] = {}
        self._readings: dict[str, dict[str, LastReading]] = {}
        self._accessories: dict[str, dict[str, AccessoryState]] = {}
        self._news: list[str] = []

    def take(self, event: Event) -> None:
        """One event."""
        body = event.body
        if isinstance(body, Snapshot):
            for known in body.devices:
                self._online[known.device] = known.online
                self._readings[known.device] = dict(known.readings)
                self._accessories[known.device] = {state.accessory: state for state in known.accessories}
        elif isinstance(body, ClientSensorData):
            self._round(body)
        elif isinstance(body, AccessoryState):
            self._accessories.setdefault(body.device or "?", {})[body.accessory] = body
        elif isinstance(body, DeviceStatus):
            self._online[body.device] = body.online
            self._news.append(f"{body.device} is {'online' if body.online else 'offline'}")
        elif isinstance(body, CommandResult):
            self._news.append(f"{body.device}: {body.action} {body.accessory or ''} {body.state}")
        elif isinstance(body, ClientMotion):
            self._news.append(f"{body.device}: motion {'begins' if body.motion else 'ends'}")
        del self._news[:-_NEWS]

    def _round(self, body: ClientSensorData) -> None:
        readings = self._readings.setdefault(body.device or "?", {})
        for name, value in body.data.items():
            at = body.taken_at or iso_utc(self._clock.now())
            readings[name] = LastReading.build(value=value, taken_at=at, quality=body.quality.get(name))

    def render(self, *, connected: bool = True) -> Group:
        """The picture of now, or of when the relay was last there."""
        table = Table(title=f"Breathlight at {self._url}", expand=True)
        for heading in ("device", "readings", "accessories"):
            table.add_column(heading)
        for device in sorted(self._online):
            online = self._online[device]
            name = Text(device, style="bold green" if online else "bold red")
            name.append("" if online else "\noffline", style="red")
            table.add_row(name, self._readings_text(device), self._accessories_text(device, online))
        away = [] if connected else [Text("  the relay is away, trying again", style="bold red")]
        return Group(table, *away, *(Text(f"  {line}", style="dim") for line in self._news))

    def _readings_text(self, device: str) -> Text:
        text = Text()
        for name, reading in sorted(self._readings.get(device, {}).items()):
            quantity = QUANTITIES.get(name)
            if reading.value is None:
                text.append(f"{name} failed\n", style="red")
                continue
            unit, decimals = (quantity.unit, quantity.decimals) if quantity else ("", 2)
            text.append(f"{quantity.title if quantity else name} {reading.value:.{decimals}f} {unit}  ")
            text.append(f"{self._age(reading.taken_at)}\n", style="dim")
        return text or Text("no readings yet", style="dim")

    def _accessories_text(self, device: str, online: bool) -> Text:
        text = Text()
        for name, state in sorted(self._accessories.get(device, {}).items()):
            style = "dim" if not online else "yellow" if state.status else ""
            text.append(f"{name} {'on' if state.status else 'off'}{'' if online else ' (last known)'}\n", style=style)
        return text or Text("no report yet", style="dim")

    def _age(self, taken_at: str) -> str:
        try:
            return f"{max(0, (self._clock.now() - parse_iso_utc(taken_at)).total_seconds()):.0f} s ago"
        except ValueError:
            return ""
