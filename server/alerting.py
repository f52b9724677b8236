"""Availability and alerts, put together: a part of the composition root."""

from collections.abc import Callable
from dataclasses import dataclass

from server.fanout.broadcast import Broadcast
from server.metrics import Metrics
from server.services.alerts.holds import Holds
from server.services.alerts.notifier import Notifier, carry
from server.services.alerts.service import Alerts
from server.services.availability import Availability
from server.services.commands import Commands
from server.settings import RelaySettings
from server.state.devices import Registry
from server.storage.alerts import AlertStore
from server.storage.availability import AvailabilityStore
from server.storage.behind import WriteBehind
from server.storage.engine import Database
from shared.clock import Clock


@dataclass(frozen=True)
class Alerting:
    """Who is there, and what is wrong."""

    alerts: Alerts
    availability: Availability
    notifier: Notifier
    behind: WriteBehind

    @classmethod
    def build(
        cls,
        settings: RelaySettings,
        registry: Registry,
        broadcast: Broadcast,
        commands: Commands,
        database: Database,
        clock: Clock,
        spawn: Callable[[Callable[[], None]], None],
    ) -> "Alerting":
        """Put the parts together. Nothing is known before `restore`."""
        behind = WriteBehind(database, clock)
        store = AlertStore(database, clock)
        notifier = Notifier(settings.alerts, store, behind, clock, spawn, carry)
        holds = Holds(commands, clock, spawn, lambda name: registry.knows(name) and registry.get(name).online)
        alerts = Alerts(settings.alerts, registry, broadcast, store, behind, notifier, holds, clock)
        availability = Availability(
            settings.availability, registry, broadcast, AvailabilityStore(database), behind, alerts, clock
        )
        return cls(alerts, availability, notifier, behind)

    def restore(self) -> None:
        """Take over what was known before the relay was started. When devices are restored."""
        self.availability.restore()
        self.alerts.restore()

    def tick(self) -> None:
        """Let all that waits for a time look at the clock. Call it once a second."""
        self.availability.sweep()
        self.alerts.tick()

    def watch(self, metrics: Metrics) -> None:
        """Show how much there is of it."""
        alerts, notifier = self.alerts.engine, self.notifier
        metrics.watch("alerts_open", "Alerts that are not closed.", lambda: len(alerts.open))
        metrics.watch("alert_evaluations", "Comparisons of what came with a rule.", lambda: alerts.evaluations)
        metrics.watch("notifications_waiting", "Notifications that have not arrived yet.", lambda: notifier.waiting)
        metrics.watch("notifications_dead", "Notifications that were given up.", lambda: notifier.dead)
        metrics.watch(
            "writes_dropped", "News of devices and alerts that were never stored.", lambda: self.behind.dropped
        )
