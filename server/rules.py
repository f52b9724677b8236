"""What an alert rule says, whom it tells, and when a device counts as gone: settings and API share these words."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from shared.contract.payloads import (
    Action,
    DeviceId,
    Finding,
    FindingKind,
    Label,
    LightOptions,
    Severity,
    Text,
    Value,
)
from shared.contract.quantities import QUANTITIES

SITE = "site-offline"
"""The rule that is built in: many devices went at once."""

MOST_RULES = 500
"""Made by API: each costs at every reading of its quantity, and at every change of a rule at every device."""

RuleName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,58}$", description="letters, digits, . _ -")]
_Positive = Annotated[float, Meta(gt=0, le=1e12)]
_Span = Annotated[float, Meta(gt=0, le=7 * 86400)]
_Wait = Annotated[float, Meta(ge=0, le=7 * 86400)]


class Kind(StrEnum):
    """What a rule looks at."""

    THRESHOLD = "threshold"
    RATE = "rate"
    NO_DATA = "no_data"
    ACCESSORY = "accessory"
    OFFLINE = "offline"
    FLAPPING = "flapping"
    FINDING = "finding"


class RuleCommand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a rule switches while its alert is open. It lets go when the alert closes."""

    action: Action
    """on or off."""
    accessory: Label
    device: DeviceId | None = None
    """Null: the device that the alert is about."""
    lease_s: Annotated[float, Meta(ge=3, le=86400)] | None = None
    """For how long an *on* holds unless it is renewed, as it is while the alert is open; null: 120 s."""
    light: LightOptions | None = None

    def __post_init__(self) -> None:
        if self.action not in (Action.ON, Action.OFF):
            raise ValueError("a rule's command is `on` or `off`")
        if self.action is not Action.ON and (self.lease_s is not None or self.light is not None):
            raise ValueError("only an `on` has `lease_s` and `light`")


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When there is an alert, how urgent it is, and what is done about it. Just one condition of those below."""

    name: RuleName
    quantity: Label | None = None
    above: Value | None = None
    """Alert while the value is above; with `below`: while it is outside the two."""
    below: Value | None = None
    rises_by: _Positive | None = None
    """Alert when the value has risen by more than this within `within_s`."""
    falls_by: _Positive | None = None
    within_s: _Span | None = None
    no_data_s: Annotated[float, Meta(ge=1, le=7 * 86400)] | None = None
    """Alert when the quantity had no value for so long."""
    accessory: Label | None = None
    status: bool | None = None
    """Alert while the accessory reports this."""
    differs: bool = False
    """Alert while the accessory reports another state than it was told to take."""
    findings: tuple[FindingKind, ...] = ()
    """Alert while the device itself finds one of these."""
    least_severity: Severity | None = None
    """Alert while the device finds anything that is at least so severe; with `findings`: one of those."""
    offline: bool = False
    flapping: bool = False
    for_s: _Wait = 0.0
    """It must have been so for this long."""
    hysteresis: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    """How far the value must go back behind the limit before the alert closes, in the quantity's unit."""
    cooldown_s: _Wait = 300.0
    """After it closed it does not open again for this long."""
    severity: Severity = Severity.WARNING
    devices: tuple[DeviceId, ...] = ()
    """These, and those of `tags`; neither: all devices."""
    tags: tuple[Label, ...] = ()
    message: Text = ""
    """What the alert says, instead of our words."""
    notify: tuple[Label, ...] = ()
    """Names of targets."""
    command: RuleCommand | None = None

    def __post_init__(self) -> None:
        conditions = {
            "above/below": self.above is not None or self.below is not None,
            "rises_by/falls_by": self.rises_by is not None or self.falls_by is not None,
            "no_data_s": self.no_data_s is not None,
            "accessory + status or differs": self.accessory is not None or self.status is not None or self.differs,
            "findings/least_severity": bool(self.findings) or self.least_severity is not None,
            "offline": self.offline,
            "flapping": self.flapping,
        }
        given = [name for name, is_given in conditions.items() if is_given]
        if len(given) != 1:
            what = " and ".join(given) or "no condition"
            raise ValueError(f"rule {self.name!r} has {what}; give just one of {', '.join(conditions)}")
        if self.name == SITE:
            raise ValueError(f"{SITE!r} is built in; name the rule otherwise, and see [alerts.site]")
        self._check_quantity(needed=given[0] in ("above/below", "rises_by/falls_by", "no_data_s"))
        self._check_times()
        if (self.accessory is not None) + (self.status is not None) + self.differs not in (0, 2) or (
            self.differs and self.accessory is None
        ):
            raise ValueError(f"rule {self.name!r}: `accessory` goes with one of `status` and `differs`")

    def _check_quantity(self, *, needed: bool) -> None:
        if needed != (self.quantity is not None):
            raise ValueError(f"rule {self.name!r}: this condition {'needs a' if needed else 'has no'} `quantity`")
        if self.above is not None and self.below is not None and self.below >= self.above:
            raise ValueError(
                f"rule {self.name!r}: every value is above {self.above:g} or below {self.below:g}; `below` is the lower"
            )
        known = QUANTITIES.get(self.quantity or "")
        for name, limit in (("above", self.above), ("below", self.below)):
            if known is not None and limit is not None and not known.low <= limit <= known.high:
                raise ValueError(
                    f"rule {self.name!r}: {name} = {limit:g} never comes; {known.name} is {known.low:g} to "
                    f"{known.high:g} {known.unit}"
                )
        if self.above is not None and self.below is not None and self.hysteresis * 2 > self.above - self.below:
            raise ValueError(f"rule {self.name!r}: with this `hysteresis` the alert would never close")

    def _check_times(self) -> None:
        rate = self.rises_by is not None or self.falls_by is not None
        if rate != (self.within_s is not None):
            raise ValueError(f"rule {self.name!r}: `within_s` belongs to `rises_by` or `falls_by`")
        moves = [move for move in (self.rises_by, self.falls_by) if move is not None]
        if self.hysteresis and not (moves or self.above is not None or self.below is not None):
            raise ValueError(f"rule {self.name!r}: only a value has `hysteresis`")
        if moves and self.hysteresis >= min(moves):
            raise ValueError(f"rule {self.name!r}: with this `hysteresis` the alert would never close")
        if self.no_data_s is not None and self.for_s:
            raise ValueError(f"rule {self.name!r}: `no_data_s` says how long; leave `for_s` out")

    @property
    def kind(self) -> Kind:
        """What it looks at."""
        if self.quantity is not None:
            if self.no_data_s is not None:
                return Kind.NO_DATA
            return Kind.RATE if self.within_s is not None else Kind.THRESHOLD
        if self.accessory is not None:
            return Kind.ACCESSORY
        if self.findings or self.least_severity is not None:
            return Kind.FINDING
        return Kind.OFFLINE if self.offline else Kind.FLAPPING

    @property
    def subject(self) -> str:
        """The quantity or accessory that it looks at; empty: the device itself."""
        return self.quantity or self.accessory or ""

    def matches(self, finding: Finding) -> bool:
        """Whether a finding of a device is one that this rule is about."""
        order = list(Severity)
        severe = self.least_severity is None or order.index(finding.severity) >= order.index(self.least_severity)
        return severe and (not self.findings or finding.kind in self.findings)

    @property
    def awaits_absence(self) -> bool:
        """Whether a device that is gone brings the alert about: such alerts of many devices are one of the site."""
        return self.kind in (Kind.OFFLINE, Kind.NO_DATA)

    def selects(self, device: str, tags: tuple[str, ...]) -> bool:
        """Whether it is about this device, which has these tags."""
        if not self.devices and not self.tags:
            return True
        return device in self.devices or any(tag in self.tags for tag in tags)


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is told of alerts: a web address, or whatever apprise knows (mail, phone, chat)."""

    name: Label
    webhook: Annotated[str, Meta(description="http(s) URL that gets a signed POST")] = ""
    secret: Annotated[str, Meta(description="key of the webhook's signature, at least 16 characters")] = ""
    apprise: Annotated[str, Meta(description="an apprise URL, such as mailto://…; it is a secret")] = ""
    closed: Annotated[bool, Meta(description="whether it is told when an alert closes")] = True

    def __post_init__(self) -> None:
        if bool(self.webhook) == bool(self.apprise):
            raise ValueError(f"target {self.name!r}: give one of `webhook` and `apprise`")
        if self.webhook:
            url = urlsplit(self.webhook)
            odd = not self.webhook.isascii() or not self.webhook.isprintable() or " " in self.webhook
            if url.scheme not in ("http", "https") or not url.hostname or odd:
                raise ValueError(f"target {self.name!r}: `webhook` is no http or https address")
            if len(self.secret) < 16:
                raise ValueError(f"target {self.name!r}: a webhook needs a `secret` of at least 16 characters")
        elif "://" not in self.apprise:
            raise ValueError(f"target {self.name!r}: `apprise` is no URL such as mailto://user:password@host")


class SiteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When many devices that go are one alert of the site."""

    devices: Annotated[int, Meta(ge=2, description="so many devices at least must have gone")] = 3
    share: Annotated[float, Meta(gt=0, le=1, description="and this share of those that were there")] = 0.5
    window_s: Annotated[
        float, Meta(ge=1, le=3600, description="within so many seconds; an offline alert waits at least this long")
    ] = 30.0
    notify: Annotated[
        tuple[Label, ...], Meta(description="targets to tell; empty: those of the rules about absence")
    ] = ()


class AlertSettings(Struct, frozen=True, kw_only=True):
    """What is an alert, and who is told."""

    rules: Annotated[tuple[Rule, ...], Meta(description="`[[alerts.rules]]`, see docs/alerts.md")] = ()
    targets: Annotated[tuple[Target, ...], Meta(description="`[[alerts.targets]]`, see docs/alerts.md")] = ()
    site: SiteSettings = SiteSettings()
    start_grace_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds that devices have to come back after the relay was started")
    ] = 60.0
    queue: Annotated[
        int, Meta(ge=10, le=100_000, description="notifications that may wait; further ones are dropped")
    ] = 1_000
    attempts: Annotated[int, Meta(ge=1, le=100, description="after so many a notification is given up")] = 12
    retry_s: Annotated[
        float, Meta(gt=0, le=3600, description="seconds to the second attempt; the wait doubles, up to an hour")
    ] = 5.0

    def __post_init__(self) -> None:
        for what, names in (("rule", [r.name for r in self.rules]), ("target", [t.name for t in self.targets])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two have the name of {what} {twice[0]!r}")
        known = {target.name for target in self.targets}
        for name, wanted in (*((rule.name, rule.notify) for rule in self.rules), (SITE, self.site.notify)):
            if missing := sorted(set(wanted) - known):
                raise ValueError(f"rule {name!r} notifies {missing[0]!r}: there is no such [[alerts.targets]]")


class AvailabilitySettings(Struct, frozen=True, kw_only=True):
    """When a device counts as gone."""

    timeout_s: Annotated[
        float, Meta(gt=0, le=3600, description="how late a heartbeat may be before its device is offline, in seconds")
    ] = 10.0
    flapping_changes: Annotated[
        int, Meta(ge=3, le=100, description="comings and goings within the window that are flapping")
    ] = 6
    flapping_window_s: Annotated[
        float, Meta(ge=1, le=86400, description="the window in seconds; so long quiet, and it has ended")
    ] = 120.0


def encode(rule: Rule) -> str:
    """A rule as JSON text."""
    return msgspec.json.encode(rule).decode()
