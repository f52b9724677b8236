"""The answers of the HTTP API that are no body of an event: what the OpenAPI document says of them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from server.rules import Kind, Rule, RuleName
from server.security.identity import Role
from server.storage.completeness import StreamLedger
from shared.contract.door_payloads import ClientStats
from shared.contract.payloads import (
    About,
    AccessoryState,
    Action,
    Alert,
    AlertState,
    Cause,
    ClientMotion,
    CommandRequest,
    CommandResult,
    Count,
    DeviceId,
    DeviceStatus,
    Label,
    LightOptions,
    Text,
    Timestamp,
    Value,
)

Point = Annotated[tuple[float | None, ...], Meta(min_length=4, max_length=4)]
Gap = Annotated[tuple[int | str, ...], Meta(min_length=2, max_length=4)]
Cursor = Annotated[str, Meta(description="What a page of the log ended with", max_length=80)]


LogKind = Literal["state", "motion", "command", "availability", "alert", "profile"]


class Health(Struct, frozen=True, kw_only=True):
    """Whether the relay works. Open to everybody, so it says no more than that."""

    ok: bool
    version: str
    contract: str
    database: Literal["ok", "unavailable"]
    role: Literal["primary", "worker"] = "primary"
    """`worker`: it carries connections for the primary."""


class Session(Struct, frozen=True, kw_only=True):
    """Whom a token or the cookie stands for."""

    name: str
    role: Role
    demo: bool


class CommandList(Struct, frozen=True, kw_only=True):
    """Results, newest first."""

    results: tuple[CommandResult, ...]


class CommandRecord(Struct, frozen=True, kw_only=True):
    """A command, and where it stands at each device."""

    command: str
    by: str
    cause: Cause
    final: bool
    """Whether every device has its final result."""
    request: CommandRequest
    results: tuple[CommandResult, ...]
    silent: tuple[str, ...]
    """The devices that did not answer."""


class Chart(Struct, frozen=True, kw_only=True):
    """A span of one quantity, downsampled."""

    device: DeviceId
    quantity: Label
    unit: str = ""
    resolution: str = ""
    """From what it was drawn: single readings, minutes, hours."""
    interval_ms: int | None = None
    points: tuple[Point, ...] = ()
    """[milliseconds since 1970 (UTC), mean, lowest, highest]; nulls where nothing was measured."""
    gaps: tuple[Gap, ...] = ()
    """[from and to in milliseconds, cause, reason]"""


class Ledger(Struct, frozen=True, kw_only=True):
    """Every stream of a device."""

    device: DeviceId
    streams: tuple[StreamLedger, ...]


class ProfileEntry(Struct, frozen=True, kw_only=True):
    """Who changed what."""

    by: str
    change: dict[str, Any]


class LogEntry(Struct, frozen=True, kw_only=True):
    """One thing that happened: the body of its kind stands under the kind's name."""

    at: Timestamp
    kind: LogKind
    state: AccessoryState | None = None
    motion: ClientMotion | None = None
    command: CommandResult | None = None
    availability: DeviceStatus | None = None
    alert: Alert | None = None
    profile: ProfileEntry | None = None


class LogPage(Struct, frozen=True, kw_only=True):
    """Entries, newest first, and what the page after them is asked for with."""

    entries: tuple[LogEntry, ...]
    before: Cursor | None


class AlertPage(Struct, frozen=True, kw_only=True):
    """Alerts, newest first, and what the page after them is asked for with."""

    alerts: tuple[Alert, ...]
    before: int | None


class AlertStep(Struct, frozen=True, kw_only=True):
    """When an alert came to a state."""

    at: Timestamp
    state: AlertState
    by: str = ""
    message: Text = ""


class News(Struct, frozen=True, kw_only=True):
    """What one target was told of an alert."""

    id: int
    alert: str
    target: str
    at: Timestamp
    state: str
    attempts: int
    error: str


class AlertDetail(Struct, frozen=True, kw_only=True):
    """An alert, how it came to be what it is, and who was told."""

    alert: Alert
    history: tuple[AlertStep, ...]
    notifications: tuple[News, ...]


class Notifications(Struct, frozen=True, kw_only=True):
    """Who was told of what."""

    notifications: tuple[News, ...]


class KnownRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A rule in use."""

    kind: Kind
    in_settings: bool
    """True where it is in the settings file, and cannot be changed here."""
    warnings: tuple[str, ...] = ()


class Rules(Struct, frozen=True, kw_only=True):
    """Every rule in use."""

    rules: tuple[KnownRule, ...]


class Version(Struct, frozen=True, kw_only=True):
    """Which program a device runs."""

    device: DeviceId
    online: bool
    version: str | None
    contract: str | None
    about: About | None


class SensorStatus(Struct, frozen=True, kw_only=True):
    """The door of the MQTT sensors."""

    success: bool
    connectedClients: Count  # noqa: N815  # the original's name
    websocketEnabled: bool  # noqa: N815  # the original's name
    brokerConnected: bool  # noqa: N815  # beside the original's


class StressEvents(Struct, frozen=True, kw_only=True):
    """Names of events, by direction."""

    to_relay: tuple[str, ...]
    from_relay: tuple[str, ...]


class StressDoor(Struct, frozen=True, kw_only=True):
    """How to connect to the stress monitor."""

    status: str
    path: str
    namespace: str
    types: tuple[str, ...]
    events: StressEvents
    http_fallback: str
    test_page: str
    clients: ClientStats


class StressHealth(Struct, frozen=True, kw_only=True):
    """How the stress monitor is."""

    status: str
    timestamp: Timestamp
    version: str
    uptime_s: float
    model: str | None
    clients: ClientStats


class SlowConnection(Struct, frozen=True, kw_only=True):
    """A connection that does not take what is sent to it."""

    name: str
    """Whose token it has, or how the door calls it in demo mode."""
    address: str
    """Where it comes from; behind a proxy that is the proxy's."""
    doors: tuple[str, ...]
    """The namespaces it has joined."""
    transport: Literal["websocket", "polling"]
    since: Timestamp
    """From when on something has waited."""
    waiting_events: Count
    waiting_bytes: Count
    dropped: Count
    """Events that this connection was not sent; it has been told, or will be."""
    conflated: Count
    """States that a newer one replaced."""


class Connections(Struct, frozen=True, kw_only=True):
    """Who keeps up with what is sent, and who does not. The figures count since the relay was started."""

    connections: Count
    behind: tuple[SlowConnection, ...]
    """The one that has been so for longest comes first."""
    dropped: Count
    conflated: Count
    notices: Count
    """How often a connection was told that events were left out."""
    closed: Count
    """Connections that were closed because they did not read."""
    bound_events: Count
    """How much may wait for one connection."""
    bound_bytes: Count


# --- bodies that are merged with what the path says, or with what is there --------------------------------------------


class CommandForDevice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `CommandRequest` whose device is in the path."""

    action: Action
    accessory: Label | None = None
    """Not needed for `clean`."""
    ttl_s: Annotated[float, Meta(gt=0, le=86400)] | None = None
    lease_s: Annotated[float, Meta(gt=0, le=86400)] | None = None
    light: LightOptions | None = None
    queue: bool = False


class ProfileChange(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What people say of a device; what is left out stays, null takes it back."""

    title: Label | None = None
    place: Label | None = None
    tags: Annotated[tuple[Label, ...], Meta(max_length=32)] | None = None
    time_zone: Label | None = None
    calibration: Annotated[dict[Label, Value], Meta(max_length=64)] | None = None
    retired: bool | None = None


class NewRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `Rule` whose name is in the path."""

    name: RuleName | None = None  # type: ignore[assignment]  # the path has it
