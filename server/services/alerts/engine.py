"""The engine: what is known of each device goes in, alerts come out. Pure: no disk, no network, time is passed in.

A reading costs one look-up and as many comparisons as there are rules over its quantity at its device. What must be
noticed although nothing comes waits on a heap.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from server.rules import AlertSettings, Kind, Rule
from server.services.alerts.book import Book, Tell
from server.services.alerts.due import Due
from server.services.alerts.site import Site
from server.services.alerts.subject import Subject
from server.services.alerts.watch import Watch
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import Absence, Alert, AlertState, Finding

_PATIENCE_S = 90.0
"""Where a quantity's schedule is not known: values further apart say nothing of the time between."""


class Engine:
    """Opens and closes alerts."""

    def __init__(self, settings: AlertSettings, clock: Clock, tell: Tell) -> None:
        """`tell` gets each alert at each change."""
        self._settings = settings
        self._clock = clock
        self._book = Book(clock, tell)
        self._rules: dict[str, Rule] = {}
        self._subjects: dict[str, Subject] = {}
        self._site = Site(settings.site)
        self._online = 0
        self._waiting = Due()
        self._restarted: set[str] = set()
        self._grace_ends_s = monotonic_s(clock) + settings.start_grace_s
        self.evaluations = 0
        """Comparisons of something that came with a rule: what the engine costs."""

    # --- what is asked --------------------------------------------------------------------------------------------

    @property
    def open(self) -> list[Alert]:
        """The alerts that are not closed, oldest first."""
        return self._book.all()

    @property
    def rules(self) -> list[Rule]:
        """The rules, by name."""
        return sorted(self._rules.values(), key=lambda rule: rule.name)

    def acknowledge(self, alert: str, by: str) -> Alert:
        """Somebody has seen it; again is harmless. Raises `Refusal` with `unknown_alert`."""
        return self._book.acknowledge(alert, by)

    def close(self, alert: str, by: str) -> Alert:
        """Somebody is done: it opens again only after the condition has ended. Raises `Refusal`: `unknown_alert`."""
        found, watch = self._book.find(alert)
        if watch is None:
            return self._close_site(found, "closed by hand", by)
        watch.shut = True
        return self._book.close(watch, "closed by hand", by) or found

    # --- who and what there is ------------------------------------------------------------------------------------

    def set_rules(self, rules: Iterable[Rule], by: str | None = None) -> None:
        """From now on these rules hold. An alert whose rule has gone, or looks at something else, closes."""
        self._rules = {rule.name: rule for rule in rules}
        for subject in self._subjects.values():
            self._assign(subject, by)
        self._waiting.tidy()

    def describe(self, device: str, tags: tuple[str, ...], *, retired: bool) -> None:
        """A device is known, and has these tags. One that is retired raises no alerts."""
        if retired:
            self.remove(device, "the device was retired")
            return
        subject = self._subjects.get(device)
        if subject is None:
            subject = self._subjects[device] = Subject(device)
        elif subject.tags == tags:
            return
        subject.tags = tags
        self._assign(subject, None)

    def remove(self, device: str, why: str = "the device was deleted") -> None:
        """A device is gone for good."""
        subject = self._subjects.pop(device, None)
        if subject is None:
            return
        self._online -= subject.online
        self._restarted.discard(device)
        self._site.came(device)
        for watch in subject.watches():
            self._drop(watch, why, None)
        self._waiting.tidy()
        self._settle_site()

    def restore(self, alerts: Iterable[Alert], ages_s: Mapping[str, float]) -> None:
        """Take over the newest alert of each rule and device, and the site's if it is open; nothing is told again.

        Call it when rules and devices are set, and before anything comes in. `ages_s` tells how long the closed ones
        have been closed.
        """
        now = monotonic_s(self._clock)
        for alert in alerts:
            is_open = alert.state is not AlertState.CLOSED
            if alert.device is None:
                if is_open:
                    self._book.site = alert
                    self._site.opened(name for name, subject in self._subjects.items() if not subject.online)
                continue
            subject = self._subjects.get(alert.device)
            watch = subject.watch(alert.rule) if subject is not None else None
            if watch is None:
                if is_open:
                    self._book.end(alert, "its rule or its device is no more", None, None)
            elif is_open:
                self._book.keep(alert, watch)
            else:
                cooldown_s = watch.rule.cooldown_s
                watch.shut = alert.closed_by is not None
                watch.free_s = now + min(max(cooldown_s - ages_s.get(alert.alert, 0.0), 0.0), cooldown_s)

    # --- what comes in --------------------------------------------------------------------------------------------

    def measures(self, device: str, quantity: str) -> None:
        """A device has measured this before: from now on it is missed where it does not come."""
        subject = self._subjects.get(device)
        for watch in subject.quantities.get(quantity, ()) if subject is not None else ():
            if watch.kind is Kind.NO_DATA and watch.last_s is None:
                watch.last_s = monotonic_s(self._clock)
                self._arm(watch)

    def judges(self, device: str) -> bool:
        """Whether a rule is about what this device measures or finds."""
        return (known := self._subjects.get(device)) is not None and bool(known.quantities or known.findings)

    def reading(self, device: str, quantity: str, value: float | None, stale_after_s: float | None = None) -> None:
        """A fresh value; None where its sensor failed, which says nothing of the value.

        Values further apart than `stale_after_s` do not tell what was between them.
        """
        subject = self._subjects.get(device)
        watches = subject.quantities.get(quantity) if subject is not None else None
        if not watches or value is None:
            return
        now = monotonic_s(self._clock)
        for watch in watches:
            self.evaluations += 1
            if watch.kind is Kind.NO_DATA:
                watch.last_s = now
                self._is(watch, now, now_so=False)
                self._arm(watch)
            else:
                self._value(watch, value, now, stale_after_s or _PATIENCE_S)

    def accessory(self, device: str, accessory: str, *, status: bool, differs: bool = False) -> None:
        """An accessory reported its state; `differs`: it was told to take the other one."""
        subject = self._subjects.get(device)
        if subject is not None and (watches := subject.accessories.get(accessory)):
            self._state(watches, lambda rule: differs if rule.differs else rule.status is status)

    def findings(self, device: str, active: Sequence[Finding]) -> None:
        """What a device finds unusual now: all of it, not only what is new."""
        subject = self._subjects.get(device)
        if subject is None or not subject.findings:
            return
        for watch in subject.findings:
            watch.cause = next((one.cause for one in active if watch.rule.matches(one)), "")
        self._state(subject.findings, lambda rule: any(rule.matches(one) for one in active))

    def availability(self, device: str, *, online: bool, flapping: bool = False, reason: Absence | None = None) -> None:
        """A device came or went, or goes on doing so."""
        subject = self._subjects.get(device)
        if subject is None:
            return
        now = monotonic_s(self._clock)
        self._online += online - subject.online
        was, subject.online = subject.online, online
        if online:
            self._restarted.discard(device)
            self._site.came(device)
        elif reason is Absence.RELAY_RESTARTED and now < self._grace_ends_s:
            # It has this long to come back; whoever does not has gone at that moment.
            self._restarted.add(device)
            subject.hold_s = self._grace_ends_s
        elif was:
            self._went(subject, now)
        self._settle_site()
        self._state(subject.absence, lambda _: not online)
        self._state(subject.flapping, lambda _: flapping)
        if online and not was:
            # What was held back for the site is the device's own again.
            for watch in subject.watches():
                self._arm(watch)

    def tick(self) -> None:
        """What is due by itself. Call it once a second."""
        now = monotonic_s(self._clock)
        if self._restarted and now >= self._grace_ends_s:
            for device in self._restarted:
                self._went(self._subjects[device], now)
            self._restarted.clear()
        self._settle_site()
        for watch in self._waiting.take(now):
            self._look(watch, now)

    # --- within ---------------------------------------------------------------------------------------------------

    def _assign(self, subject: Subject, by: str | None) -> None:
        made, gone = subject.assign(self._rules.values(), monotonic_s(self._clock))
        for watch in made:
            self._arm(watch)
        for watch in gone:
            self._drop(watch, "the rule changed" if watch.rule.name in self._rules else "the rule was removed", by)

    def _drop(self, watch: Watch, why: str, by: str | None) -> None:
        self._book.close(watch, why, by)
        watch.last_s = watch.since_s = watch.armed_s = None

    def _value(self, watch: Watch, value: float, now: float, patience_s: float) -> None:
        if watch.since_s is not None and now - watch.seen_s > max(patience_s, watch.rule.for_s):
            watch.since_s = None
        watch.seen_s = now
        so = watch.holds(value, now)
        self._is(watch, now, now_so=so, value=value)
        if so and (due := watch.due_s()) is not None and due <= now:
            self._book.open(watch, value)

    def _state(self, watches: list[Watch], so: Callable[[Rule], bool]) -> None:
        now = monotonic_s(self._clock)
        for watch in watches:
            self.evaluations += 1
            self._is(watch, now, now_so=so(watch.rule))
            self._look(watch, now)

    def _is(self, watch: Watch, now: float, *, now_so: bool, value: float | None = None) -> None:
        """Whether the condition holds now."""
        if now_so:
            if watch.since_s is None:
                watch.since_s = now
        else:
            watch.since_s = None
            watch.shut = False
            if watch.alert is not None:
                self._book.close(watch, "it is no longer so", None, value)

    def _look(self, watch: Watch, now: float) -> None:
        """Open what is due; what is due later is looked at then."""
        if (due := self._due(watch)) is None:
            return
        if due > now:
            self._arm(watch)
        else:
            self._book.open(watch, None)

    def _due(self, watch: Watch) -> float | None:
        """When it is an alert by itself; a value is one only when it comes."""
        if watch.kind in (Kind.THRESHOLD, Kind.RATE):
            return None
        due, subject = watch.due_s(), self._subjects.get(watch.device)
        if due is None or subject is None or not watch.rule.awaits_absence or subject.online:
            return due
        return None if self._site.holds(watch.device) else max(due, subject.hold_s)

    def _arm(self, watch: Watch) -> None:
        due = self._due(watch)
        if due is not None:
            self._waiting.put(watch, due)

    # --- the site -------------------------------------------------------------------------------------------------

    def _went(self, subject: Subject, now: float) -> None:
        subject.hold_s = now + self._settings.site.window_s
        self._site.went(subject.name, now)

    def _settle_site(self) -> None:
        if self._book.site is not None:
            if self._site.is_back():
                self._close_site(self._book.site, "the site is back", None)
            return
        gone = self._site.burst(self._online, monotonic_s(self._clock))
        if gone and any(rule.kind is Kind.OFFLINE for rule in self._rules.values()):
            self._site.opened(gone)
            self._book.open_site(len(gone), self._online + len(gone), self._settings.site.window_s)

    def _close_site(self, alert: Alert, why: str, by: str | None) -> Alert:
        hold_s = monotonic_s(self._clock) + self._settings.site.window_s
        for device in self._site.closed():
            if (subject := self._subjects.get(device)) is None:
                continue
            # Those that do not come back with the others are alerts of their own.
            subject.hold_s = hold_s
            for watch in subject.watches():
                self._arm(watch)
        return self._book.end(alert, why, by, None)
