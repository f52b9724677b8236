"""One device as the engine sees it, and the rules that are about it."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from server.rules import Kind, Rule
from server.services.alerts.watch import Watch


@dataclass(slots=True, eq=False)
class Subject:
    """A device, its watches by what they look at."""

    name: str
    tags: tuple[str, ...] = ()
    online: bool = False
    hold_s: float = 0.0
    """Before this, what it lacks may still turn out to be the site's."""
    quantities: dict[str, list[Watch]] = field(default_factory=dict)
    accessories: dict[str, list[Watch]] = field(default_factory=dict)
    absence: list[Watch] = field(default_factory=list)
    flapping: list[Watch] = field(default_factory=list)
    findings: list[Watch] = field(default_factory=list)

    def watches(self) -> list[Watch]:
        """All of them."""
        return [
            *itertools.chain(*self.quantities.values(), *self.accessories.values()),
            *self.absence,
            *self.flapping,
            *self.findings,
        ]

    def watch(self, rule: str) -> Watch | None:
        """The one of this rule."""
        return next((watch for watch in self.watches() if watch.rule.name == rule), None)

    def assign(self, rules: Iterable[Rule], now_s: float) -> tuple[list[Watch], list[Watch]]:
        """Watch for what `rules` say, and keep what is known of those that have not changed.

        Returns the watches that are new, and those that are no longer needed. An alert goes on when its rule looks at
        the same as before.
        """
        before = {watch.rule.name: watch for watch in self.watches()}
        self.quantities, self.accessories = {}, {}
        self.absence, self.flapping, self.findings = [], [], []
        made = []
        for rule in rules:
            if not rule.selects(self.name, self.tags):
                continue
            known = before.get(rule.name)
            if known is not None and known.rule == rule:
                self._add(before.pop(rule.name))
                continue
            if known is not None and (known.rule.kind, known.rule.subject) == (rule.kind, rule.subject):
                watch = before.pop(rule.name)
                watch.rule, watch.window = rule, None
            else:
                watch = self._new(rule, now_s)
            self._add(watch)
            made.append(watch)
        return made, list(before.values())

    def _new(self, rule: Rule, now_s: float) -> Watch:
        watch = Watch(rule, self.name)
        if rule.kind is Kind.NO_DATA and self.name in rule.devices:
            # Who names a device expects it to measure this; of others only what they once had is missed.
            watch.last_s = now_s
        elif rule.kind is Kind.OFFLINE and not self.online:
            watch.since_s = now_s
        return watch

    def _add(self, watch: Watch) -> None:
        kind, subject = watch.rule.kind, watch.rule.subject
        if kind is Kind.ACCESSORY:
            self.accessories.setdefault(subject, []).append(watch)
        elif subject:
            self.quantities.setdefault(subject, []).append(watch)
        else:
            of = {Kind.OFFLINE: self.absence, Kind.FLAPPING: self.flapping, Kind.FINDING: self.findings}
            of[kind].append(watch)
