"""The alerts that are not closed: made, changed and found here, and every change is told."""

from collections.abc import Callable

import msgspec

from server.rules import SITE, Rule
from server.services.alerts import words
from server.services.alerts.watch import Watch
from shared.clock import Clock, iso_utc, monotonic_s
from shared.contract.payloads import Alert, AlertState, Severity
from shared.errors import Code, Refusal
from shared.ids import new_id

Tell = Callable[[Alert, Rule | None], None]
"""Gets each alert at each change, with its rule; None for the site's."""


class Book:
    """Open and acknowledged alerts."""

    def __init__(self, clock: Clock, tell: Tell) -> None:
        self._clock = clock
        self._tell = tell
        self._watches: dict[str, Watch] = {}
        self.site: Alert | None = None
        """The site's, while it is offline."""

    def all(self) -> list[Alert]:
        """Every one, oldest first."""
        alerts = [watch.alert for watch in self._watches.values() if watch.alert is not None]
        if self.site is not None:
            alerts.append(self.site)
        return sorted(alerts, key=lambda alert: alert.opened_at)

    def find(self, alert: str) -> tuple[Alert, Watch | None]:
        """An alert, and its watch where it is about a device. Raises `Refusal` with `unknown_alert`."""
        if self.site is not None and self.site.alert == alert:
            return self.site, None
        watch = self._watches.get(alert)
        if watch is None or watch.alert is None:
            raise Refusal(Code.UNKNOWN_ALERT, "no alert with this id is open")
        return watch.alert, watch

    def keep(self, alert: Alert, watch: Watch) -> None:
        """An alert that is open already belongs to this watch from now on."""
        watch.alert = alert
        self._watches[alert.alert] = watch

    def open(self, watch: Watch, value: float | None) -> None:
        """Open an alert at a device."""
        rule = watch.rule
        alert = Alert.build(
            alert=new_id(),
            rule=rule.name,
            device=watch.device,
            severity=rule.severity,
            state=AlertState.OPEN,
            opened_at=iso_utc(self._clock.now()),
            message=words.opened(rule, value, watch.cause),
            quantity=rule.quantity,
            value=value,
        )
        self.keep(alert, watch)
        self._tell(alert, rule)

    def open_site(self, gone: int, of: int, window_s: float) -> None:
        """Open the alert of the site."""
        self.site = Alert.build(
            alert=new_id(),
            rule=SITE,
            severity=Severity.CRITICAL,
            state=AlertState.OPEN,
            opened_at=iso_utc(self._clock.now()),
            message=words.site(gone, of, window_s),
        )
        self._tell(self.site, None)

    def acknowledge(self, alert: str, by: str) -> Alert:
        """Somebody has seen it; again is harmless. Raises `Refusal` with `unknown_alert`."""
        found, watch = self.find(alert)
        if found.state is not AlertState.OPEN:
            return found
        seen = msgspec.structs.replace(
            found, state=AlertState.ACKNOWLEDGED, acknowledged_at=iso_utc(self._clock.now()), acknowledged_by=by
        )
        if watch is not None:
            watch.alert = seen
        else:
            self.site = seen
        self._tell(seen, watch.rule if watch is not None else None)
        return seen

    def close(self, watch: Watch, why: str, by: str | None, value: float | None = None) -> Alert | None:
        """Close a device's alert, if there is one; its rule's cooldown begins."""
        alert, watch.alert = watch.alert, None
        if alert is None:
            return None
        del self._watches[alert.alert]
        watch.free_s = monotonic_s(self._clock) + watch.rule.cooldown_s
        return self.end(alert, why, by, watch.rule, value)

    def end(self, alert: Alert, why: str, by: str | None, rule: Rule | None, value: float | None = None) -> Alert:
        """Close an alert that has no watch (any more)."""
        if self.site is not None and self.site.alert == alert.alert:
            self.site = None
        closed = msgspec.structs.replace(
            alert,
            state=AlertState.CLOSED,
            closed_at=iso_utc(self._clock.now()),
            closed_by=by,
            closed_because=why,
            value=alert.value if value is None else value,
        )
        self._tell(closed, rule)
        return closed
