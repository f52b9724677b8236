"""One rule at one device: whether its condition holds, since when, and the alert that is open for it."""

from dataclasses import dataclass, field

from server.rules import Kind, Rule
from server.services.alerts.window import Window
from shared.contract.payloads import Alert


@dataclass(slots=True, eq=False)
class Watch:
    """All times are monotonic seconds."""

    rule: Rule
    device: str
    alert: Alert | None = None
    """The one that is not closed."""
    since_s: float | None = None
    """Since when the condition holds; None while it does not."""
    seen_s: float = 0.0
    """When a value was last looked at."""
    last_s: float | None = None
    """When the quantity last had a value. None before the first one, when nothing is missed."""
    free_s: float = 0.0
    """The cooldown's end."""
    shut: bool = False
    """Somebody closed the alert though the condition holds: nothing more is said until it has ended."""
    armed_s: float | None = None
    """When it is looked at again by itself."""
    window: Window | None = None
    cause: str = ""
    """What the device has found, in its words."""
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        self.kind = self.rule.kind

    def holds(self, value: float, now_s: float) -> bool:
        """Whether a value breaks the limits. Once it did, it must come back by the hysteresis."""
        rule = self.rule
        slack = rule.hysteresis if self.alert is not None or self.shut else 0.0
        if self.kind is Kind.THRESHOLD:
            return (rule.above is not None and value > rule.above - slack) or (
                rule.below is not None and value < rule.below + slack
            )
        if self.window is None:
            self.window = Window(rule.within_s or 1.0)
        rise, fall = self.window.add(now_s, value)
        moved = (rule.rises_by is not None and rise > rule.rises_by - slack) or (
            rule.falls_by is not None and fall > rule.falls_by - slack
        )
        return moved or (self.alert is not None and not self.window.whole(now_s))

    def due_s(self) -> float | None:
        """When it is an alert if nothing comes; None: not by itself."""
        if self.alert is not None or self.shut:
            return None
        if self.kind is Kind.NO_DATA:
            if self.last_s is None or self.rule.no_data_s is None:
                return None
            return max(self.last_s + self.rule.no_data_s, self.free_s)
        if self.since_s is None:
            return None
        return max(self.since_s + self.rule.for_s, self.free_s)
