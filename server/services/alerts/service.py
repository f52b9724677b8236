"""Alerts as the rest of the relay sees them: fed by ingest and presence, on disk first, then told.

readings, states, comings and goings ─▶ engine ─▶ one transaction: alert + notifications
                                                   ─▶ after COMMIT: pages, targets, what the rule switches
"""

import logging
from datetime import timedelta

from sqlalchemy import Connection

from server.fanout.broadcast import Broadcast
from server.rules import MOST_RULES, SITE, AlertSettings, Rule
from server.services.alerts.engine import Engine
from server.services.alerts.holds import Holds
from server.services.alerts.notifier import Notifier
from server.state.devices import Device, Registry
from server.storage.alerts import AlertStore, Notification
from server.storage.behind import WriteBehind
from shared.clock import Clock, iso_utc, parse_iso_utc
from shared.contract.events import ALERT_PUB_CLIENT
from shared.contract.payloads import AccessoryState, AccessoryStatus, Alert, AlertState, Cause, SensorData, Severity
from shared.contract.quantities import QUANTITIES
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

_FRESH = timedelta(seconds=60)
"""A value that is older than this, and than its schedule allows, tells of then and not of now."""


class Alerts:
    """Rules, alerts, and all that follows from them."""

    def __init__(
        self,
        settings: AlertSettings,
        registry: Registry,
        broadcast: Broadcast,
        store: AlertStore,
        behind: WriteBehind,
        notifier: Notifier,
        holds: Holds,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._broadcast = broadcast
        self._store = store
        self._behind = behind
        self._notifier = notifier
        self._holds = holds
        self._clock = clock
        self._last = 0
        self._made: dict[str, Rule] = {}
        """The rules that were made by API; those of the settings win."""
        self.engine = Engine(settings, clock, self._changed)

    def restore(self) -> None:
        """Take over what was known. When devices are restored, before anything comes in."""
        known = self._store.load()
        self._last = known.last_alert
        self._made = {rule.name: rule for rule in known.rules}
        self.engine.set_rules(self._all_rules().values())
        for device in self._registry:
            self.engine.describe(device.name, device.tags, retired=device.profile.retired)
        now = self._clock.now()
        ages = {
            alert.alert: (now - parse_iso_utc(alert.closed_at)).total_seconds()
            for alert in known.alerts
            if alert.closed_at is not None
        }
        self._notifier.restore(known.waiting, known.last_notification, self._store.dead())
        self.engine.restore(known.alerts, ages)
        self._hold()
        for device in self._registry:
            self._refresh(device)
        for rule in self._all_rules().values():
            for warning in self.warnings(rule):
                log.warning("alert rule %s: %s", rule.name, warning)

    # --- what comes in --------------------------------------------------------------------------------------------

    def readings(self, device: Device, body: SensorData, news: tuple[str, ...]) -> None:
        """A round, of which the quantities `news` are newer than what was known."""
        if not self.engine.judges(device.name):
            return
        old = self._is_old(body)
        for name in news:
            reading = device.readings[name]
            if old is not None and old > timedelta(seconds=reading.stale_after_s or 0.0):
                continue
            self.engine.reading(device.name, name, reading.value, reading.stale_after_s)
        if old is None:
            self._findings(device)

    def status(self, state: AccessoryState) -> None:
        """An accessory reported its state."""
        self._accessory(state.device or "", state.accessory, state, state.desired)

    def availability(self, device: Device) -> None:
        """A device came or went; or it is new."""
        self.engine.describe(device.name, device.tags, retired=device.profile.retired)
        if device.online:
            self._holds.came(device.name)
        self.engine.availability(device.name, online=device.online, flapping=device.flapping, reason=device.reason)

    def described(self, device: str) -> None:
        """What people say of a device has changed: its tags, whether it is in service; or it is no more."""
        if not self._registry.knows(device):
            self.engine.remove(device)
            return
        known = self._registry.get(device)
        self.engine.describe(device, known.tags, retired=known.profile.retired)
        self._refresh(known)

    def tick(self) -> None:
        """Call it once a second."""
        self.engine.tick()
        self._behind.tick()
        self._notifier.tick()
        self._holds.tick()

    # --- what is asked --------------------------------------------------------------------------------------------

    def open(self, device: str | None = None) -> tuple[Alert, ...]:
        """Those that are not closed, oldest first; of one device: its own and the site's."""
        return tuple(alert for alert in self.engine.open if device is None or alert.device in (None, device))

    def acknowledge(self, alert: str, by: str) -> Alert:
        """Somebody has seen it. Raises `Refusal`: `unknown_alert`; `conflict` where it is closed."""
        self._require_open(alert)
        return self.engine.acknowledge(alert, by)

    def close(self, alert: str, by: str) -> Alert:
        """Somebody is done with it. Raises `Refusal`: `unknown_alert`; `conflict` where it is closed."""
        self._require_open(alert)
        return self.engine.close(alert, by)

    def page(
        self, state: AlertState | None, device: str | None, before: int | None, limit: int
    ) -> list[tuple[int, Alert]]:
        """Alerts, newest first, with their numbers."""
        return self._store.page(state, device, before, limit)

    def find(self, alert: str) -> tuple[Alert, list[Notification]]:
        """An alert, and who was told of it. Raises `Refusal` with `unknown_alert`."""
        found = self._store.find(alert)
        if found is None:
            raise Refusal(Code.UNKNOWN_ALERT)
        return found, self._store.notifications(alert)

    def told(self, alert: str | None) -> list[Notification]:
        """Who was told of one alert; of none: what waits or was given up, newest first."""
        return self._store.notifications(alert) if alert is not None else self._store.undelivered()

    # --- rules ----------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> list[tuple[Rule, bool]]:
        """All rules by name, and whether each is of the settings."""
        fixed = {rule.name for rule in self._settings.rules}
        return [(rule, rule.name in fixed) for rule in self.engine.rules]

    def rule(self, name: str) -> Rule:
        """One rule. Raises `Refusal` with `unknown_rule`."""
        found = self._all_rules().get(name)
        if found is None:
            known = ", ".join(sorted(self._all_rules())) or "none"
            raise Refusal(Code.UNKNOWN_RULE, f"no alert rule {name!r} (known: {known})")
        return found

    def put_rule(self, rule: Rule, by: str) -> list[str]:
        """Make or change a rule; returns what looks wrong with it, though it may become right.

        Raises `Refusal`: `conflict` where the settings have it, or it notifies nobody that they know; `unavailable`.
        """
        self._require_made(rule.name)
        if rule.name not in self._made and len(self._made) >= MOST_RULES:
            raise Refusal(Code.CONFLICT, f"there are {MOST_RULES} rules; let one be about several devices, or tags")
        targets = {target.name for target in self._settings.targets}
        if missing := sorted(set(rule.notify) - targets):
            known = ", ".join(sorted(targets)) or "none"
            raise Refusal(Code.CONFLICT, f"the settings have no target {missing[0]!r} (known: {known})")
        self._store.put_rule(rule, by)
        self._made[rule.name] = rule
        self.engine.set_rules(self._all_rules().values(), by)
        self._hold()
        log.info("alert rule set: rule=%s by=%s", rule.name, by)
        for device in self._registry:
            self._refresh(device)
        return self.warnings(rule)

    def delete_rule(self, name: str, by: str) -> None:
        """Remove a rule; its alerts close. Raises `Refusal`: `unknown_rule`; `conflict` where the settings have it."""
        self.rule(name)
        self._require_made(name)
        self._store.delete_rule(name)
        self._made.pop(name, None)
        self.engine.set_rules(self._all_rules().values(), by)
        log.info("alert rule removed: rule=%s by=%s", name, by)

    def test(self, name: str, by: str) -> list[Notification]:
        """Send what its alerts would send. Raises `Refusal`: `unknown_rule`, `conflict` where it notifies nobody."""
        rule = self.rule(name)
        if not rule.notify:
            raise Refusal(Code.CONFLICT, f"rule {name!r} notifies nobody: it has no `notify`")
        alert = Alert.build(
            alert=f"test-{self._last}-{rule.name}"[:64].replace(".", "-"),
            rule=rule.name,
            severity=rule.severity,
            state=AlertState.OPEN,
            opened_at=iso_utc(self._clock.now()),
            message=f"a test of this rule by {by}: nothing has happened",
        )
        news = self._notifier.address(alert, rule.notify, "test")

        def work(connection: Connection) -> None:
            self._notifier.put(connection, news)

        self._behind.submit(work, lambda: self._queue(news))
        return news

    def warnings(self, rule: Rule) -> list[str]:
        """What of a rule is not known (yet): a device may still come, and a quantity of its own."""
        said = [f"no device {name!r} has been seen" for name in rule.devices if not self._registry.knows(name)]
        tags = {tag for device in self._registry for tag in device.tags}
        said += [f"no device has the tag {tag!r}" for tag in rule.tags if tag not in tags]
        measured = {name for device in self._registry for name in device.readings}
        if rule.quantity is not None and rule.quantity not in measured and rule.quantity not in QUANTITIES:
            said.append(f"nobody has measured {rule.quantity!r}")
        return said

    # --- within ---------------------------------------------------------------------------------------------------

    def _all_rules(self) -> dict[str, Rule]:
        return self._made | {rule.name: rule for rule in self._settings.rules}

    def _hold(self) -> None:
        """Rules may want other things switched than before."""
        rules = self._all_rules()
        for alert in self.engine.open:
            self._holds.follow(alert, rules.get(alert.rule))

    def _require_made(self, name: str) -> None:
        if any(rule.name == name for rule in self._settings.rules):
            raise Refusal(Code.CONFLICT, f"rule {name!r} is in the relay's settings; change it there")

    def _require_open(self, alert: str) -> None:
        if not any(known.alert == alert for known in self.engine.open):
            if self._store.find(alert) is None:
                raise Refusal(Code.UNKNOWN_ALERT)
            raise Refusal(Code.CONFLICT, "this alert is closed already")

    def _is_old(self, body: SensorData) -> timedelta | None:
        """How old a round is, None where it is new, or where one of the two clocks is not to be trusted."""
        if body.taken_at is None or body.clock is None or not body.clock.synchronised:
            return None
        age = self._clock.now() - parse_iso_utc(body.taken_at)
        return age if age > _FRESH and self._clock.synchronised() else None

    def _refresh(self, device: Device) -> None:
        """Tell the engine what is known of a device."""
        self.engine.availability(device.name, online=device.online, flapping=device.flapping, reason=device.reason)
        for quantity, reading in device.readings.items():
            if reading.value_at is not None:
                self.engine.measures(device.name, quantity)
        for name, record in device.accessories.items():
            if record.reported is not None:
                self._accessory(device.name, name, record.reported, record.desired)
        self._findings(device)

    def _accessory(self, device: str, accessory: str, reported: AccessoryStatus, desired: bool | None) -> None:
        # A lease that ended, or a restart, is no disobedience.
        told = desired is not None and reported.cause not in (Cause.LEASE, Cause.RESTART)
        differs = told and reported.status is not desired
        self.engine.accessory(device, accessory, status=reported.status, differs=differs)

    def _findings(self, device: Device) -> None:
        known = device.insights.known
        self.engine.findings(device.name, known.findings if known is not None else ())

    def _changed(self, alert: Alert, rule: Rule | None) -> None:
        """The engine has opened, acknowledged or closed an alert."""
        self._last += 1
        number = self._last
        level = (
            logging.INFO if alert.state is not AlertState.OPEN or alert.severity is Severity.INFO else logging.WARNING
        )
        log.log(level, "alert %s: rule=%s device=%s: %s", alert.state, alert.rule, alert.device, alert.message)
        news: list[Notification] = []
        if alert.state is not AlertState.ACKNOWLEDGED:
            event = "opened" if alert.state is AlertState.OPEN else "closed"
            news = self._notifier.address(alert, self._told(alert, rule), event)

        def work(connection: Connection) -> None:
            self._store.put(connection, number, alert)
            self._notifier.put(connection, news)

        def done() -> None:
            self._broadcast.to_pages(ALERT_PUB_CLIENT, alert, alert.device)
            self._holds.follow(alert, rule)
            self._queue(news)

        self._behind.submit(work, done)

    def _queue(self, news: list[Notification]) -> None:
        for one in news:
            self._notifier.accept(one)

    def _told(self, alert: Alert, rule: Rule | None) -> tuple[str, ...]:
        if alert.rule != SITE:
            return rule.notify if rule is not None else ()
        absence = (name for known in self.engine.rules if known.awaits_absence for name in known.notify)
        return self._settings.site.notify or tuple(absence)
