"""An engine in fake time, and what it told."""

from typing import Any

import msgspec

from server.rules import AlertSettings, Rule
from server.services.alerts.engine import Engine
from shared.clock import parse_iso_utc
from shared.contract.payloads import Alert, Finding
from tests.support.clock import FakeClock


def rule(**fields: Any) -> Rule:
    """A validated rule; by default temperature above 30."""
    if not fields.keys() & {"quantity", "accessory", "offline", "flapping", "findings", "least_severity"}:
        fields = {"quantity": "temperature", "above": 30.0, **fields}
    return msgspec.convert({"name": "rule", **fields}, Rule)


def finding(kind: str = "stuck", severity: str = "warning", cause: str = "both unchanged for 180 minutes") -> Finding:
    """What a device notices by itself."""
    return Finding.build(kind=kind, active=True, severity=severity, quantity="temperature", cause=cause)


class Rig:
    """`told` is what was told, as (state, rule, device). The disk of a real relay is `kept`: the newest of each."""

    def __init__(self, *rules: Rule, devices: tuple[str, ...] = ("pi",), clock: FakeClock | None = None, **site: Any):
        self.clock = clock or FakeClock()
        self.settings = msgspec.convert({"site": site, "start_grace_s": 60.0}, AlertSettings)
        self.alerts: list[Alert] = []
        self.rules = rules
        self.devices = devices
        self.engine = self._engine()
        for device in devices:
            self.engine.availability(device, online=True)

    def _engine(self) -> Engine:
        engine = Engine(self.settings, self.clock, lambda alert, _: self.alerts.append(alert))
        engine.set_rules(self.rules)
        for device in self.devices:
            engine.describe(device, (), retired=False)
        return engine

    def restart(self, kept: list[Alert] | None = None) -> None:
        """The relay starts anew, with what its disk holds (None: all that was told)."""
        newest: dict[tuple[str, str | None], Alert] = {}
        for alert in self.alerts if kept is None else kept:
            newest[alert.rule, alert.device] = alert
        ages = {
            alert.alert: (self.clock.now() - parse_iso_utc(alert.closed_at)).total_seconds()
            for alert in newest.values()
            if alert.closed_at
        }
        self.engine = self._engine()
        self.engine.restore(newest.values(), ages)

    def read(self, value: float | None, device: str = "pi", quantity: str = "temperature", after_s: float = 0) -> None:
        self.wait(after_s)
        self.engine.reading(device, quantity, value, 90.0)

    def wait(self, seconds: float) -> None:
        """Time passes, a tick a second."""
        while seconds > 0:
            self.clock.advance(min(1.0, seconds))
            self.engine.tick()
            seconds -= 1.0

    @property
    def told(self) -> list[tuple[str, str, str | None]]:
        return [(str(alert.state), alert.rule, alert.device) for alert in self.alerts]

    @property
    def states(self) -> list[str]:
        return [str(alert.state) for alert in self.alerts]
